"""What every provider must keep, run against each of them."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from glassfolio import bundled
from glassfolio.model.market import FailureKind
from glassfolio.providers import PROVIDERS
from glassfolio.providers.base import PriceProvider, ProviderSettings
from glassfolio.sessions import Sessions
from tests.fakes.tiingo import FakeTiingo
from tests.providers.doubles import FakeThrottle, FakeTime, make_settings

START, END = date(2022, 3, 1), date(2022, 3, 31)
KNOWN = ("AAPL", "MSFT", "SP500")
UNKNOWN = ("ZZZQ", "NOPE")


def bundled_frame(symbol: str) -> pl.DataFrame:
    table = bundled.load_prices()
    column = table.close[:, table.symbols.index(symbol)]
    return pl.DataFrame({"Date": pl.Series(table.sessions), "Close": column, "Volume": 1000})


def write_csv(folder: Path) -> None:
    for symbol in KNOWN:
        bundled_frame(symbol).write_csv(folder / f"{symbol.lower()}.csv")


def write_parquet(folder: Path) -> None:
    for symbol in KNOWN:
        bundled_frame(symbol).write_parquet(folder / f"{symbol}.parquet")


def write_long(folder: Path) -> None:
    frames = [bundled_frame(symbol).with_columns(SYMBOL=pl.lit(symbol)) for symbol in KNOWN]
    pl.concat(frames).write_csv(folder / "everything.csv")


FOLDERS: dict[str, Callable[[Path], None]] = {
    "files csv": write_csv,
    "files parquet": write_parquet,
    "files long": write_long,
}


@pytest.fixture(params=["bundled", "tiingo", *FOLDERS])
def provider(request: pytest.FixtureRequest, calendar: Sessions, tmp_path: Path) -> Iterator[PriceProvider]:
    name, time = str(request.param), FakeTime()
    throttle = FakeThrottle(time)
    if name in FOLDERS:
        FOLDERS[name](tmp_path)
        yield PROVIDERS["files"](ProviderSettings(calendar.dates, prices_dir=tmp_path), throttle)
    elif name == "tiingo":
        with FakeTiingo() as fake:
            yield PROVIDERS[name](make_settings(calendar, time, fake.url), throttle)
    else:
        yield PROVIDERS[name](ProviderSettings(calendar.dates), throttle)


def test_every_symbol_asked_is_answered_exactly_once(provider: PriceProvider) -> None:
    asked = [*KNOWN, *UNKNOWN, KNOWN[0]]
    fetched = provider.fetch(asked, START, END)
    answered = [b.symbol for b in fetched.bars] + [f.symbol for f in fetched.failures]
    assert sorted(answered) == sorted(set(asked))
    assert {b.symbol for b in fetched.bars} == set(KNOWN)
    assert not fetched.quarantined


def test_unknown_symbols_are_not_found(provider: PriceProvider) -> None:
    failures = provider.fetch(UNKNOWN, START, END).failures
    assert [f.kind for f in failures] == [FailureKind.NOT_FOUND] * len(UNKNOWN)


def test_both_ends_of_the_range_are_included_and_nothing_beyond(
    provider: PriceProvider, calendar: Sessions
) -> None:
    (bars,) = provider.fetch(["AAPL"], START, END).bars
    assert np.array_equal(bars.sessions, calendar.between(START, END))


def test_a_single_session_can_be_asked_for(provider: PriceProvider) -> None:
    (bars,) = provider.fetch(["AAPL"], END, END).bars
    assert bars.sessions.tolist() == [END]


def test_arrays_have_the_promised_types_lengths_and_order(provider: PriceProvider) -> None:
    for bars in provider.fetch(KNOWN, START, END).bars:
        floats = (bars.close, bars.split, bars.dividend, bars.adj_close)
        assert bars.sessions.dtype == np.dtype("datetime64[D]")
        assert all(array.dtype == np.float64 for array in floats)
        assert bars.volume.dtype == np.int64
        assert {array.shape for array in (*floats, bars.volume)} == {bars.sessions.shape}
        assert np.all(np.diff(bars.sessions).astype(int) > 0)
        assert np.all(bars.close > 0)
        assert bars.basis is provider.terms.basis


def test_closes_arrive_to_the_last_digit(provider: PriceProvider) -> None:
    table = bundled.load_prices()
    inside = (table.sessions >= np.datetime64(START)) & (table.sessions <= np.datetime64(END))
    for bars in provider.fetch(KNOWN, START, END).bars:
        assert np.array_equal(bars.close, table.close[inside, table.symbols.index(bars.symbol)])


@pytest.mark.parametrize("start, end", [(date(2001, 1, 2), date(2001, 2, 1)), (END, START)])
def test_a_range_without_prices_is_empty_and_not_an_unknown_symbol(
    provider: PriceProvider, start: date, end: date
) -> None:
    (failure,) = provider.fetch(["AAPL"], start, end).failures
    assert failure.kind is FailureKind.EMPTY


def test_nothing_asked_is_nothing_answered(provider: PriceProvider) -> None:
    fetched = provider.fetch([], START, END)
    assert (fetched.bars, fetched.failures) == ((), ())


def test_the_name_is_the_one_in_the_registry(provider: PriceProvider) -> None:
    assert PROVIDERS[provider.name] is type(provider)


def test_the_newest_session_is_known_exactly_of_local_sources(provider: PriceProvider) -> None:
    assert provider.newest_session() == (None if provider.name == "tiingo" else date(2022, 12, 28))


def test_a_local_source_has_no_limit_of_requests_and_needs_no_key(provider: PriceProvider) -> None:
    local = provider.name != "tiingo"
    assert (provider.terms.requests_per_second is None) is local
    assert provider.terms.needs_key is not local


def test_the_treasury_series_is_empty_after_its_end(calendar: Sessions) -> None:
    provider = PROVIDERS["bundled"](ProviderSettings(calendar.dates), FakeThrottle(FakeTime()))
    last = date(2017, 3, 29)
    (bars,) = provider.fetch(["UST20_TR"], date(2017, 3, 27), date(2017, 4, 7)).bars
    assert bars.sessions[-1] == np.datetime64(last)
    (failure,) = provider.fetch(["UST20_TR"], date(2017, 3, 30), END).failures
    assert failure.kind is FailureKind.EMPTY


def test_bundled_closes_are_fully_adjusted_and_carry_no_actions(calendar: Sessions) -> None:
    provider = PROVIDERS["bundled"](ProviderSettings(calendar.dates), FakeThrottle(FakeTime()))
    (bars,) = provider.fetch(["KO"], START, END).bars
    assert np.array_equal(bars.close, bars.adj_close)
    assert np.all(bars.split == 1)
    assert np.all(bars.dividend == 0)
    assert np.all(bars.volume == -1)

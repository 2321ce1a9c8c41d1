"""The bundled table is the one that was published, covers the exchange's sessions, and agrees with itself."""

import hashlib
from datetime import date

import numpy as np
import pytest

from data.build_prices import MEMBERS, WHEELS, par_bond_returns
from glassfolio import bundled
from glassfolio.errors import ProviderUnavailable
from glassfolio.model.market import FloatArray
from glassfolio.sessions import Sessions

STOCKS = [
    "AAPL",
    "AMD",
    "BAC",
    "BBY",
    "CVX",
    "GE",
    "HD",
    "JNJ",
    "JPM",
    "KO",
    "LLY",
    "MRK",
    "MSFT",
    "PEP",
    "PFE",
    "PG",
    "RRC",
    "UNH",
    "WMT",
    "XOM",
]
FACTORS = ["MTUM", "QUAL", "SIZE", "USMV", "VLUE", "SP500", "SPY_TR", "UST20_TR"]
VALID_TO = {"SPY_TR": date(2018, 4, 27), "UST20_TR": date(2017, 3, 29)}
LAST = date(2022, 12, 28)


def known(symbol: str) -> FloatArray:
    table = bundled.load_prices()
    column = table.close[:, table.symbols.index(symbol)]
    return column[~np.isnan(column)]


def daily(symbol: str) -> FloatArray:
    close = known(symbol)
    return np.asarray(close[1:] / close[:-1] - 1.0, dtype=np.float64)


def test_the_table_has_the_published_checksum() -> None:
    assert hashlib.sha256(bundled.read_bytes(bundled.TABLE)).hexdigest() == bundled.published_checksum()


def test_a_changed_table_is_refused() -> None:
    changed = bundled.read_bytes(bundled.TABLE) + b"\n"
    with pytest.raises(ProviderUnavailable):
        bundled.unpack(changed, bundled.published_checksum())


def test_the_checksums_of_all_inputs_are_published_beside_the_result() -> None:
    listed = dict(
        line.split("  ")[::-1] for line in bundled.read_bytes(bundled.CHECKSUMS).decode("ascii").splitlines()
    )
    del listed["prices.parquet"]
    assert listed == dict(WHEELS.values()) | MEMBERS


def test_it_holds_28_symbols_in_the_published_order() -> None:
    table = bundled.load_prices()
    assert list(table.symbols) == STOCKS + FACTORS
    assert table.close.shape == (2264, 28)


def test_its_index_is_the_calendar_of_the_exchange(calendar: Sessions) -> None:
    expected = calendar.between(date(2014, 1, 2), LAST)
    assert np.array_equal(bundled.load_prices().sessions, expected)


@pytest.mark.parametrize("symbol", STOCKS + FACTORS)
def test_no_value_is_missing_before_a_series_ends_and_none_stands_after(symbol: str) -> None:
    table = bundled.load_prices()
    column = table.close[:, table.symbols.index(symbol)]
    lives = table.sessions <= np.datetime64(VALID_TO.get(symbol, LAST), "D")
    assert np.array_equal(~np.isnan(column), lives)
    assert np.all(column[lives] > 0)


def test_values_are_whole_thousandths() -> None:
    close = bundled.load_prices().close
    thousandths = close[~np.isnan(close)] * 1000.0
    assert np.allclose(thousandths, np.round(thousandths), rtol=0, atol=1e-6)


def test_the_table_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        bundled.load_prices().close[0, 0] = 1.0


def test_the_index_and_the_total_return_series_tell_the_same_story() -> None:
    total = daily("SPY_TR")
    price = daily("SP500")[: total.size]
    assert np.corrcoef(price, total)[0, 1] == pytest.approx(0.9984, abs=5e-5)
    assert np.std(total - price, ddof=1) * np.sqrt(252) == pytest.approx(0.0072, abs=1e-4)
    assert np.mean(total - price) * 252 == pytest.approx(0.0194, abs=5e-4)


def test_the_bond_moves_as_long_treasuries_do() -> None:
    bond = daily("UST20_TR")
    assert np.std(bond, ddof=1) * np.sqrt(252) == pytest.approx(0.114, abs=1e-3)
    assert np.corrcoef(bond, daily("SPY_TR")[: bond.size])[0, 1] == pytest.approx(-0.39, abs=5e-3)


def test_a_par_bond_at_an_unchanged_yield_earns_that_yield() -> None:
    earned = par_bond_returns(np.array([0.04, 0.04, 0.04]), np.array([1.0, 3.0]))
    assert earned == pytest.approx(1.02 ** (2 * np.array([1.0, 3.0]) / 365) - 1, rel=1e-9)


def test_a_par_bond_loses_its_modified_duration_when_the_yield_rises() -> None:
    rise = 1e-5
    lost = par_bond_returns(np.array([0.04, 0.04 + rise]), np.array([0.0]))[0]
    duration = (1 - 1.02**-40) / 0.04
    assert lost == pytest.approx(-duration * rise, rel=1e-3)


@pytest.mark.parametrize(
    "words",
    ["The skfolio developers", "Quantopian, Inc.", "public domain", "BSD 3-Clause", "Apache License"],
)
def test_the_notice_names_every_source(words: str) -> None:
    assert words in bundled.read_bytes("NOTICE").decode("utf-8")

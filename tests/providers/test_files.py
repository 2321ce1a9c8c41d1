"""A folder of price files: layouts, spellings, and files that are not what they should be."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from glassfolio.errors import SettingsError
from glassfolio.model.market import Bars, Basis, Failure, FailureKind
from glassfolio.providers.base import Fetched, ProviderSettings, QuarantineReason
from glassfolio.providers.files import FilesProvider
from glassfolio.sessions import Sessions
from tests.providers.doubles import FakeThrottle, FakeTime

START, END = date(2022, 3, 1), date(2022, 3, 31)
GOOD = "Date,Close\n2022-03-01,10.5\n2022-03-02,11\n2022-03-03,11.25\n"


@pytest.fixture
def provider(tmp_path: Path, calendar: Sessions) -> FilesProvider:
    return FilesProvider(ProviderSettings(calendar.dates, prices_dir=tmp_path), FakeThrottle(FakeTime()))


def only_bars(fetched: Fetched) -> Bars:
    assert fetched.failures == ()
    (bars,) = fetched.bars
    return bars


def only_failure(fetched: Fetched) -> Failure:
    assert fetched.bars == ()
    (failure,) = fetched.failures
    return failure


def test_all_optional_columns_are_read_whatever_their_case_and_order(
    provider: FilesProvider, tmp_path: Path
) -> None:
    (tmp_path / "Aapl.CSV").write_text(
        "VOLUME,Open,SESSION,Split,adj close,close,Dividend,Note\n"
        "5000000000,1,2022-03-01,1,2.4,10,0,x\n"
        ",,2022-03-02,4,,2.5,0.1,\n",
        encoding="utf-8-sig",
    )
    bars = only_bars(provider.fetch(["AAPL"], START, END))
    assert bars.basis is Basis.AS_TRADED
    assert bars.close.tolist() == [10, 2.5]
    assert bars.split.tolist() == [1, 4]
    assert bars.dividend.tolist() == [0, 0.1]
    assert bars.volume.tolist() == [5_000_000_000, -1]
    assert bars.adj_close[0] == 2.4
    assert np.isnan(bars.adj_close[1])


def test_a_close_alone_means_no_actions_and_no_volume(provider: FilesProvider, tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(GOOD)
    bars = only_bars(provider.fetch(["AAPL"], START, END))
    assert (bars.split.tolist(), bars.dividend.tolist()) == ([1.0] * 3, [0.0] * 3)
    assert bars.volume.tolist() == [-1] * 3
    assert np.all(np.isnan(bars.adj_close))


@pytest.mark.parametrize("asked", ["BRK.B", "BRK-B", "brk/b"])
@pytest.mark.parametrize("stem", ["BRK.B", "brk-b"])
def test_class_shares_are_found_however_they_are_spelled(
    provider: FilesProvider, tmp_path: Path, asked: str, stem: str
) -> None:
    (tmp_path / f"{stem}.csv").write_text(GOOD)
    assert only_bars(provider.fetch([asked], START, END)).symbol == asked


def test_a_parquet_file_may_hold_real_dates_and_numbers(provider: FilesProvider, tmp_path: Path) -> None:
    days = [date(2022, 3, 1), date(2022, 3, 2)]
    frame = pl.DataFrame({"date": days, "close": [0.1 + 0.2, 1 / 3], "split": [1, 2]})
    frame.with_columns(pl.col("date").cast(pl.Datetime)).write_parquet(tmp_path / "KO.parquet")
    bars = only_bars(provider.fetch(["KO"], START, END))
    assert bars.close.tolist() == [0.1 + 0.2, 1 / 3]
    assert bars.sessions.tolist() == days


def test_a_file_named_after_the_symbol_goes_before_a_shared_one(
    provider: FilesProvider, tmp_path: Path
) -> None:
    (tmp_path / "all.csv").write_text(
        "ticker,date,close\nAAPL,2022-03-01,99\nbrk.b,2022-03-01,300\nMSFT,2022-03-01,280\n"
    )
    (tmp_path / "AAPL.csv").write_text(GOOD)
    fetched = provider.fetch(["BRK-B", "AAPL", "ALL"], START, END)
    assert {b.symbol: b.close[0] for b in fetched.bars} == {"BRK-B": 300, "AAPL": 10.5}
    assert [(f.symbol, f.kind) for f in fetched.failures] == [("ALL", FailureKind.NOT_FOUND)]


@pytest.mark.parametrize(
    "text, place",
    [
        (GOOD + "2022-03-04,eleven\n", "AAPL.csv line 5: close 'eleven'"),
        (GOOD + "04.03.2022,11\n", "AAPL.csv line 5: session '04.03.2022'"),
        (GOOD + ",11\n", "AAPL.csv line 5: session ''"),
        ('Date,Close\n2022-03-01,"1,050"\n', "AAPL.csv line 2: close '1,050'"),
        ("Date,Close,Split\n2022-03-01,10,4:1\n", "AAPL.csv line 2: split '4:1'"),
        ("Date,Price\n2022-03-01,10\n", "AAPL.csv: no column close"),
        ("Date,Close\n2022-03-01,10,11,12\n", "AAPL.csv: ComputeError"),
        ("", "AAPL.csv: NoDataError"),
    ],
)
def test_a_row_that_cannot_be_read_fails_its_symbol_and_says_where(
    provider: FilesProvider, tmp_path: Path, text: str, place: str
) -> None:
    (tmp_path / "AAPL.csv").write_text(text)
    (tmp_path / "MSFT.csv").write_text(GOOD)
    fetched = provider.fetch(["AAPL", "MSFT"], START, END)
    assert [b.symbol for b in fetched.bars] == ["MSFT"]
    assert fetched.failures == (Failure("AAPL", FailureKind.BAD_PAYLOAD, None, place),)


def test_a_bad_row_in_a_shared_file_fails_only_its_own_symbol(
    provider: FilesProvider, tmp_path: Path
) -> None:
    (tmp_path / "all.csv").write_text("symbol,date,close\nA,2022-03-01,1\nB,2022-03-01,?\nC,2022-03-01,3\n")
    fetched = provider.fetch(["A", "B", "C"], START, END)
    assert [b.symbol for b in fetched.bars] == ["A", "C"]
    assert only_failure(provider.fetch(["B"], START, END)).detail == "all.csv line 3: close '?'"


@pytest.mark.parametrize("content", [b"not a parquet file at all", b""])
def test_a_damaged_parquet_file_is_a_bad_payload(
    provider: FilesProvider, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "AAPL.parquet").write_bytes(content)
    failure = only_failure(provider.fetch(["AAPL"], START, END))
    assert failure.kind is FailureKind.BAD_PAYLOAD
    assert failure.detail.startswith("AAPL.parquet: ")


def test_a_file_in_latin_script_is_a_bad_payload(provider: FilesProvider, tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_bytes("Date,Close\n2022-03-01,10 \xa3\n".encode("latin-1"))
    assert only_failure(provider.fetch(["AAPL"], START, END)).kind is FailureKind.BAD_PAYLOAD


def test_bars_not_believed_are_named_and_only_those_of_the_range(
    provider: FilesProvider, tmp_path: Path
) -> None:
    (tmp_path / "AAPL.csv").write_text("Date,Close\n2022-02-01,0\n2022-03-01,10\n2022-03-02,0\n")
    fetched = provider.fetch(["AAPL"], START, END)
    assert only_bars(fetched).close.tolist() == [10]
    assert [(q.session, q.reason) for q in fetched.quarantined] == [
        (date(2022, 3, 2), QuarantineReason.BAD_PRICE)
    ]


def test_a_file_in_another_currency_is_a_bad_payload(provider: FilesProvider, tmp_path: Path) -> None:
    (tmp_path / "VOD.csv").write_text("Date,Close,Currency\n2022-03-01,120,GBp\n2022-03-02,121,GBp\n")
    fetched = provider.fetch(["VOD"], START, END)
    assert only_failure(fetched).kind is FailureKind.BAD_PAYLOAD
    assert {q.reason for q in fetched.quarantined} == {QuarantineReason.CURRENCY}


def test_the_newest_session_ignores_unreadable_files_days_without_session_and_empty_closes(
    provider: FilesProvider, tmp_path: Path
) -> None:
    assert provider.newest_session() is None
    (tmp_path / "AAPL.csv").write_text(GOOD + "2022-03-04,\n")
    (tmp_path / "MSFT.csv").write_text("Date,Close\n2022-02-01,1\n2022-03-05,1\nlater,2\n")
    (tmp_path / "BAD.csv").write_text("nothing\nhere\n")
    (tmp_path / "notes.txt").write_text("2022-06-01")
    assert provider.newest_session() == date(2022, 3, 3)


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path, calendar: Sessions) -> None:
    for folder in (None, tmp_path / "absent"):
        with pytest.raises(SettingsError):
            FilesProvider(ProviderSettings(calendar.dates, prices_dir=folder), FakeThrottle(FakeTime()))

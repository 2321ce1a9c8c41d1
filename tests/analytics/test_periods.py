"""The bases of period returns on every session of 2014 to 2026, against pandas."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassfolio import sessions as calendar
from glassfolio.analytics.periods import PERIODS, base_sessions
from glassfolio.model.market import DateArray
from tests.analytics.series import column, reasons, table_of, walk

OFFSETS = {
    "1m": pd.DateOffset(months=1),
    "3m": pd.DateOffset(months=3),
    "1y": pd.DateOffset(years=1),
}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> DateArray:
    folder: Path = tmp_path_factory.mktemp("calendar")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about time zones, raised while the calendar library is read
        return calendar.load(folder).dates


@pytest.mark.parametrize("name", OFFSETS)
def test_the_same_day_of_an_earlier_month_on_every_session(sessions: DateArray, name: str) -> None:
    """Pitfall: exact calendar days are no sessions on 42 % (1m), 22 % (3m), 21 % (1y) of dates. Here: clamped
    to the month's end and rolled back to a session, as DateOffset and asof do; never missing.
    """
    years = (sessions >= np.datetime64("2012-12-01")) & (sessions <= np.datetime64("2026-12-31"))
    days = sessions[years]
    index = pd.DatetimeIndex(days)
    place = pd.Series(np.arange(len(days)), index=index)
    base = base_sessions(days)[name]
    asked = index >= "2014-01-01"
    expected = place.asof(pd.DatetimeIndex([day - OFFSETS[name] for day in index[asked]])).to_numpy()
    np.testing.assert_array_equal(base[asked], expected)
    assert (base[asked] >= 0).all()


def test_month_and_year_begin_from_the_last_session_before_on_every_session(sessions: DateArray) -> None:
    """Pitfall: 1 January is never a session (YTD null on 100 % of dates), and a month counted from its own
    first session loses that session's return.
    """
    years = (sessions >= np.datetime64("2013-12-01")) & (sessions <= np.datetime64("2026-12-31"))
    days = sessions[years]
    index = pd.DatetimeIndex(days)
    place = pd.Series(np.arange(len(days)), index=index)
    for name, period in (("mtd", "M"), ("ytd", "Y")):
        last = place.groupby(index.to_period(period)).last().shift(1)
        expected = last.reindex(index.to_period(period)).fillna(-1).to_numpy()
        np.testing.assert_array_equal(base_sessions(days)[name], expected)


def test_one_day_back_is_the_session_before_on_every_session(sessions: DateArray) -> None:
    """Also after holidays, where the previous weekday is no session; 2025-01-09 was closed."""
    np.testing.assert_array_equal(base_sessions(sessions)["1d"], np.arange(len(sessions)) - 1)
    assert np.datetime64("2025-01-09") not in sessions


@pytest.mark.parametrize(
    ("day", "name", "base"),
    [
        ("2026-03-31", "1m", "2026-02-27"),
        ("2023-03-31", "1m", "2023-02-28"),
        ("2024-05-31", "3m", "2024-02-29"),
        ("2024-02-29", "1y", "2023-02-28"),
        ("2025-01-10", "1d", "2025-01-08"),
        ("2025-01-02", "ytd", "2024-12-31"),
        ("2024-09-03", "mtd", "2024-08-30"),
    ],
)
def test_known_bases(sessions: DateArray, day: str, name: str, base: str) -> None:
    row = int(np.searchsorted(sessions, np.datetime64(day)))
    assert str(sessions[base_sessions(sessions)[name][row]]) == base


def reference(day: pd.Timestamp, name: str) -> pd.Timestamp:
    """The day a period is counted from, by pandas."""
    if name in OFFSETS:
        return day - OFFSETS[name]
    first = {"1d": day, "mtd": day.replace(day=1), "ytd": day.replace(month=1, day=1)}[name]
    return first - pd.Timedelta(1, "D")


@pytest.mark.parametrize("name", PERIODS)
def test_period_returns_match_pandas_asof(sessions: DateArray, name: str) -> None:
    days = sessions[(sessions >= np.datetime64("2020-01-01"))][:420]
    close = walk(420, 2)
    series = pd.Series(close[:, 1], index=pd.DatetimeIndex(days))
    got = column(table_of(close, 300, days), f"return_{name}")[:, 1]
    expected = [series[day] / series.asof(reference(day, name)) - 1 for day in series.index[300:]]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_a_base_of_exactly_five_sessions_before_the_reference_is_still_good() -> None:
    close = np.full((9, 1), 10.0)
    close[1:7] = np.nan
    table = table_of(close)
    assert reasons(table, "return_1d")[7] == "stale_base"
    close[1] = 10.0
    assert reasons(table_of(close), "return_1d")[7] is None

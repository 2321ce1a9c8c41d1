"""Returns and volatility of today's holdings: definitions, limits, and sameness to the last bit."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.analytics.holdings_risk import (
    Books,
    HoldingsReturns,
    HoldingsVolatility,
    books_of,
    holdings_returns,
    holdings_volatility,
    net_books,
)
from glassfolio.analytics.metrics import METRICS
from glassfolio.model.market import FloatArray, IntArray
from glassfolio.model.results import NONE, Reason, Warning_, warnings_of

NAN = float("nan")
FEW = settings(max_examples=40, deadline=None)
LAST = 299


def sample(underlyings: int = 5, sessions: int = LAST + 1, seed: int = 0) -> FloatArray:
    """Correlated daily returns without a hole."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(0, 0.01, (sessions, underlyings)) @ rng.normal(0.5, 0.6, (underlyings, underlyings))
    returns: FloatArray = 0.0003 + mixed
    return returns


def exact(volatility: tuple[float, float], correlation: float) -> FloatArray:
    """252 returns of two names with exactly these sample volatilities (per year) and this correlation."""
    raw = np.random.default_rng(1).normal(size=(252, 2))
    basis, _ = np.linalg.qr(raw - raw.mean(axis=0))
    root = np.linalg.cholesky(np.array([[1, correlation], [correlation, 1]]))
    returns: FloatArray = basis @ root.T * np.sqrt(251 / 252) * np.array(volatility)
    return returns


def one(exposure: list[float], returns: FloatArray, nav: float = 1000.0) -> HoldingsReturns:
    """The series of one book at the last session."""
    return holdings_returns(
        books_of(np.array([exposure]), np.array([nav]), np.array([len(returns) - 1])), returns
    )


def volatility(exposure: list[float], returns: FloatArray, nav: float = 1000.0) -> dict[str, float]:
    found = holdings_volatility(one(exposure, returns, nav))
    return dict(zip(found.keys, found.value[0].tolist(), strict=True))


def history(exposure: FloatArray, returns: FloatArray, at: IntArray) -> HoldingsReturns:
    return holdings_returns(books_of(exposure, np.full(len(at), 1000.0), at), returns)


def assert_same_bits(left: HoldingsReturns, right: HoldingsReturns) -> None:
    np.testing.assert_array_equal(left.value, right.value)
    np.testing.assert_array_equal(left.coverage, right.coverage)
    np.testing.assert_array_equal(left.reason, right.reason)
    ours, theirs = holdings_volatility(left), holdings_volatility(right)
    for field in fields(HoldingsVolatility):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name))


@pytest.mark.parametrize("sessions", [21, 63, 252])
def test_holdings_vol_is_the_standard_deviation_of_the_weighted_returns(sessions: int) -> None:
    """§ volatility of today's holdings: std(ddof=1) * sqrt(252) of the sum of w_u r_u over the window."""
    returns, x = sample(), [500.0, -200.0, 300.0, 100.0, -50.0]
    truth = (returns[-sessions:] @ np.array(x) / 1000).std(ddof=1) * 252**0.5
    assert volatility(x, returns)[f"holdings_vol_{sessions}"] == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("sessions", [21, 63, 252])
def test_holdings_vol_is_the_root_of_the_quadratic_form(sessions: int) -> None:
    """On complete data: sqrt(w' C w * 252), C the sample covariance with ddof 1."""
    returns, x = sample(), [500.0, -200.0, 300.0, 100.0, -50.0]
    w = np.array(x) / 1000
    truth = np.sqrt(w @ np.cov(returns[-sessions:].T, ddof=1) @ w * 252)
    assert volatility(x, returns)[f"holdings_vol_{sessions}"] == pytest.approx(truth, rel=1e-9)


def test_holdings_vol_forecast_is_an_ewma_with_a_half_life_of_21_sessions() -> None:
    """Ages count sessions, also over holes; 252 sessions, zero mean."""
    returns = sample()
    returns[[LAST - 3, LAST - 40], 1] = NAN
    weighted = pd.Series(returns @ np.array([0.5, 0.3, 0, 0, -0.4])).tail(252)
    truth = np.sqrt(252 * (weighted**2).ewm(halflife=21, ignore_na=False).mean().iloc[-1])
    got = volatility([500.0, 300.0, 0.0, 0.0, -400.0], returns)["holdings_vol_forecast"]
    assert got == pytest.approx(truth, rel=1e-9)


def test_the_series_holds_exactly_the_last_252_sessions() -> None:
    """A window counts sessions: the 252nd return back has an effect, the 253rd has none."""
    returns = sample()
    before = volatility([100.0] * 5, returns)
    returns[LAST - 252] += 1
    assert volatility([100.0] * 5, returns) == before
    returns[LAST - 251] += 1
    assert volatility([100.0] * 5, returns)["holdings_vol_252"] > before["holdings_vol_252"]


def test_weights_are_shares_of_nav_and_not_of_the_signed_value() -> None:
    """Pitfall: long 100k, short 95k, equity 100k is 25.5 % volatile; over the signed value it is 510 %."""
    returns = exact((0.25, 0.25), (1 + 0.95**2 - (0.255 / 0.25) ** 2) / 1.9)
    found = volatility([100_000.0, -95_000.0], returns, nav=100_000.0)
    assert found["holdings_vol_252"] == pytest.approx(0.255, rel=1e-9)
    assert volatility([100_000.0, -95_000.0], returns, nav=5_000.0)["holdings_vol_252"] == pytest.approx(5.1)


def test_lots_of_one_underlying_are_summed_first() -> None:
    """Pitfall: lots of 90k and 10k in one name, 100k in another, is 14.48 % and not 10.35 %."""
    variance = np.array([[0.042545, -0.000611], [-0.000611, 0.042545]])
    returns = exact((variance[0, 0] ** 0.5,) * 2, variance[0, 1] / variance[0, 0])
    lots = net_books(
        np.zeros(3, dtype=np.int64),
        np.array([0, 1, 0]),
        np.array([90_000.0, 100_000.0, 10_000.0]),
        np.array([200_000.0]),
        np.array([251]),
    )
    found = holdings_volatility(holdings_returns(lots, returns)).value[0, 2]
    assert found == pytest.approx(0.1448, abs=5e-5)
    assert volatility([10_000.0, 100_000.0], returns, 200_000.0)["holdings_vol_252"] == pytest.approx(
        0.1035, abs=5e-5
    )


def test_netting_sums_lots_and_options_and_drops_what_cancels() -> None:
    books = net_books(
        np.array([2, 0, 0, 2, 0, 2]),
        np.array([1, 3, 0, 1, 3, 0]),
        np.array([5.0, 2.0, 1.0, 6.0, -2.0, -4.0]),
        np.full(3, 100.0),
        np.full(3, LAST),
    )
    np.testing.assert_array_equal(books.first, [0, 1, 1, 3])
    np.testing.assert_array_equal(books.underlying, [0, 0, 1])
    np.testing.assert_array_equal(books.exposure, [1, -4, 11])


@given(st.permutations(range(12)), st.integers(0, 10))
@FEW
def test_neither_the_order_of_lots_nor_a_cut_through_one_matters(order: list[int], cut: int) -> None:
    rng = np.random.default_rng(3)
    amount, underlying = rng.normal(0, 100, 12), np.repeat(np.arange(4), 3)
    at, nav, zeros = np.array([LAST]), np.array([1000.0]), np.zeros(13, dtype=np.int64)
    base = holdings_returns(net_books(zeros[:12], underlying, amount, nav, at), sample())
    turned = holdings_returns(net_books(zeros[:12], underlying[order], amount[order], nav, at), sample())
    assert_same_bits(turned, base)
    halves = np.append(amount, amount[cut] * 0.4)
    halves[cut] *= 0.6
    pieces = net_books(zeros, np.append(underlying, underlying[cut]), halves, nav, at)
    np.testing.assert_allclose(holdings_returns(pieces, sample()).value, base.value, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("known", "taken"), [(167, False), (168, True)])
def test_an_underlying_needs_168_of_252_returns(known: int, taken: bool) -> None:
    returns = sample()
    returns[LAST - 252 : LAST + 1 - known, 1] = NAN
    returns[: LAST - 251, 1] = 0.01
    series = one([800.0, -200.0, 0.0, 0.0, 0.0], returns)
    np.testing.assert_array_equal(series.left_out, [False, not taken])
    assert series.coverage[0] == (1.0 if taken else 0.8)
    assert np.isfinite(series.value[0]).sum() == (known if taken else 252)
    w = np.array([0.8, -0.2 if taken else 0.0])
    np.testing.assert_allclose(series.value[0, -1], returns[-1, :2] @ w)


def test_a_name_is_in_from_the_session_on_which_it_has_enough_returns_and_out_when_they_run_dry() -> None:
    """One listed at row 100 has 168 of 252 at row 267; one that ends at row 205 has them until row 289."""
    returns, at = sample(3), np.arange(252, LAST + 1)
    returns[:100, 1] = NAN
    returns[206:, 2] = NAN
    series = history(np.full((len(at), 3), 100.0), returns, at)
    left_out = series.left_out.reshape(-1, 3)
    assert not left_out[:, 0].any()
    np.testing.assert_array_equal(left_out[:, 1], at < 267)
    np.testing.assert_array_equal(left_out[:, 2], at > 289)


def test_a_net_value_of_less_than_a_dollar_is_a_base() -> None:
    assert volatility([0.5, 0.2], sample(2), nav=0.5)["holdings_vol_21"] > 0


def test_a_table_of_exposures_keeps_what_is_held() -> None:
    books = books_of(np.array([[0.0, 3.0], [0.0, 0.0], [-1.0, 2.0]]), np.ones(3), np.full(3, LAST))
    np.testing.assert_array_equal(books.first, [0, 1, 1, 3])
    np.testing.assert_array_equal(books.underlying, [1, 0, 1])
    np.testing.assert_array_equal(books.exposure, [3, -1, 2])


def test_sessions_with_a_hole_are_dropped_and_n_says_so() -> None:
    """A hole is no return of 0, and is not spread over the other names either."""
    returns = sample()
    returns[[LAST - 2, LAST - 30], 1] = NAN
    returns[LAST - 100, 2] = NAN
    returns[LAST - 1, 3] = NAN
    series = one([500.0, 300.0, -200.0, 0.0, 0.0], returns)
    dropped = np.isnan(series.value[0])
    np.testing.assert_array_equal(251 - np.flatnonzero(dropped), [100, 30, 2])
    found = holdings_volatility(series)
    np.testing.assert_array_equal(found.n, [[20, 61, 249, 249]])
    truth = pd.DataFrame(returns[:, :3]).tail(63).dropna() @ np.array([0.5, 0.3, -0.2])
    assert found.value[0, 1] == pytest.approx(truth.std() * 252**0.5, rel=1e-9)
    bits = Warning_.PARTIAL_HISTORY.bit
    np.testing.assert_array_equal(found.warnings, [[bits] * 4])


def _with_holes(where: dict[int, slice | list[int]]) -> HoldingsVolatility:
    returns = sample()
    for column, ages in where.items():
        returns[LAST - np.arange(252)[ages], column] = NAN
    return holdings_volatility(one([300.0, 300.0, 300.0, 0.0, 0.0], returns))


@pytest.mark.parametrize(
    ("place", "where", "n"),
    [
        (0, {0: slice(0, 7)}, 14),
        (0, {0: slice(0, 8)}, 13),
        (1, {0: slice(0, 21)}, 42),
        (1, {0: slice(0, 22)}, 41),
        (2, {0: slice(0, 84)}, 168),
        (2, {0: slice(0, 84), 1: [100]}, 167),
        (3, {0: slice(0, 84), 1: slice(84, 168), 2: slice(168, 189)}, 63),
        (3, {0: slice(0, 84), 1: slice(84, 168), 2: slice(168, 190)}, 62),
    ],
)
def test_each_volatility_has_its_own_minimum(place: int, where: dict[int, slice | list[int]], n: int) -> None:
    """Two thirds of 21, 63 and 252 sessions; 63 returns for the forecast."""
    found = _with_holes(where)
    enough = n in (14, 42, 168, 63)
    assert found.n[0, place] == n
    assert np.isfinite(found.value[0, place]) == enough
    assert found.reason[0, place] == (NONE if enough else Reason.INSUFFICIENT_HISTORY.code)
    np.testing.assert_array_equal(found.window, [21, 63, 252, 252])


@pytest.mark.parametrize(
    ("share", "reason", "warned"),
    [(0.49, Reason.LOW_COVERAGE.code, False), (0.5, NONE, True), (0.94, NONE, True), (0.95, NONE, False)],
)
def test_coverage_is_by_size_and_has_two_limits(share: float, reason: int, warned: bool) -> None:
    """Below half of the sum of |X| there is no value, below 95 % a warning; a private position counts."""
    returns = sample()
    returns[:, 1] = NAN
    found = holdings_volatility(one([share * 100, -(1 - share) * 100, 0.0, 0.0, 0.0], returns))
    assert found.coverage[0] == pytest.approx(share)
    np.testing.assert_array_equal(found.reason, [[reason] * 4])
    assert (np.isfinite(found.value) == (reason == NONE)).all()
    expected = (Warning_.PARTIAL_COVERAGE,) if warned else ()
    assert warnings_of(int(found.warnings[0, 2])) == expected


@pytest.mark.parametrize(
    ("exposure", "nav", "reason"),
    [
        ([0.0, 0.0], 100.0, Reason.NO_POSITIONS),
        ([0.0, 0.0], -100.0, Reason.NO_POSITIONS),
        ([0.0, 5.0], 100.0, Reason.LOW_COVERAGE),
        ([0.0, 5.0], -100.0, Reason.LOW_COVERAGE),
        ([5.0, 0.0], 0.0, Reason.NONPOSITIVE_NAV),
        ([5.0, 0.0], -1.0, Reason.NONPOSITIVE_NAV),
    ],
)
def test_a_book_without_a_series_says_why(exposure: list[float], nav: float, reason: Reason) -> None:
    """All cash, private only, and a net value that is no base for weights."""
    returns = sample(2)
    returns[:, 1] = NAN
    series = one(exposure, returns, nav)
    found = holdings_volatility(series)
    assert series.reason[0] == reason.code
    np.testing.assert_array_equal(found.reason, [[reason.code] * 4])
    assert np.isnan(series.value).all()
    assert np.isnan(found.value).all()
    assert not found.warnings.any()


def test_a_history_shorter_than_the_window_counts_as_missing_sessions() -> None:
    series = one([500.0, 300.0], sample(2, sessions=200))
    np.testing.assert_array_equal(np.isnan(series.value[0]), np.arange(252) < 52)
    assert holdings_volatility(series).n[0, 2] == 200


@pytest.mark.parametrize("net", [1000.0, 0.0, -600.0])
def test_neutral_net_short_and_levered_books_have_finite_volatilities(net: float) -> None:
    x = [3000.0, -3000.0 + net, 500.0, -500.0, 0.0]
    assert all(np.isfinite(v) and v > 0 for v in volatility(x, sample()).values())


def test_a_perfect_hedge_has_volatility_zero_and_no_reason() -> None:
    returns = sample(2)
    returns[:, 1] = returns[:, 0]
    found = holdings_volatility(one([500.0, -500.0], returns))
    np.testing.assert_array_equal(found.value, [[0.0] * 4])
    np.testing.assert_array_equal(found.reason, [[NONE] * 4])


@given(st.floats(0.01, 100), st.booleans())
@FEW
def test_scale_and_sign_leave_volatility_alone(factor: float, reversed_: bool) -> None:
    x = np.array([500.0, -200.0, 300.0, 100.0, -50.0])
    sign = -1 if reversed_ else 1
    base, other = (
        volatility(x.tolist(), sample()),
        volatility((sign * factor * x).tolist(), sample(), 1000 * factor),
    )
    np.testing.assert_allclose(list(other.values()), list(base.values()), rtol=1e-9)


def test_later_data_change_nothing() -> None:
    """Pitfall: volatilities up to the server's today. What follows a session has no effect on it."""
    returns, at = sample(), np.arange(260, 290)
    exposure = np.random.default_rng(1).normal(0, 300, (30, 5))
    before = history(exposure, returns, at)
    returns[290:] = 7.0
    assert_same_bits(history(exposure, returns, at), before)


def test_a_session_uses_its_own_weights_on_its_own_window() -> None:
    returns, at = sample(), np.arange(252, 300)
    exposure = np.random.default_rng(1).normal(0, 300, (48, 5))
    series = history(exposure, returns, at)
    for d in (0, 1, 3, 4, 35, 47):
        truth = returns[at[d] - 251 : at[d] + 1] @ exposure[d] / 1000
        np.testing.assert_allclose(series.value[d], truth, rtol=1e-9, atol=1e-15)


def test_a_name_bought_today_is_in_todays_series_and_in_no_earlier_one() -> None:
    """Pitfall: today's weights on past returns stored as the past's volatility. Two things, two names."""
    exposure = np.zeros((2, 5))
    exposure[1, 0] = 1000.0
    found = holdings_volatility(history(exposure, sample(), np.array([LAST - 1, LAST])))
    np.testing.assert_array_equal(found.reason[:, 2], [Reason.NO_POSITIONS.code, NONE])
    assert all(key.startswith("holdings_vol_") for key in found.keys)
    assert not set(found.keys) & set(METRICS)


def gaps() -> FloatArray:
    """Six names, one with scattered holes, one listed late, one private."""
    returns = sample(6, 400)
    returns[np.random.default_rng(2).random(400) < 0.1, 1] = NAN
    returns[:150, 2] = NAN
    returns[:, 5] = NAN
    return returns


@given(st.data())
@FEW
def test_any_part_of_a_history_has_the_bits_of_the_whole(data: st.DataObject) -> None:
    """Also one session alone, through another road: a table of one book."""
    returns, at = gaps(), np.arange(250, 400)
    exposure = np.random.default_rng(4).normal(0, 300, (150, 6))
    exposure[np.random.default_rng(5).random(exposure.shape) < 0.3] = 0.0
    whole = history(exposure, returns, at)
    start = data.draw(st.integers(0, 149))
    stop = data.draw(st.integers(start + 1, 150))
    part = history(exposure[start:stop], returns[: 250 + stop], at[start:stop])
    np.testing.assert_array_equal(part.value, whole.value[start:stop])
    np.testing.assert_array_equal(part.coverage, whole.coverage[start:stop])
    np.testing.assert_array_equal(
        holdings_volatility(part).value, holdings_volatility(whole).value[start:stop]
    )


@given(st.permutations(range(300)), st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_many_books_have_the_bits_of_each_alone(order: list[int], count: int) -> None:
    returns, taken = gaps(), order[:count]
    exposure = np.random.default_rng(4).normal(0, 300, (300, 6))
    at = np.full(300, 399)
    whole = history(exposure, returns, at)
    part = history(exposure[taken], returns, at[:count])
    np.testing.assert_array_equal(part.value, whole.value[taken])
    np.testing.assert_array_equal(holdings_volatility(part).value, holdings_volatility(whole).value[taken])


def test_books_of_several_sessions_and_portfolios_may_be_mixed() -> None:
    exposure = np.random.default_rng(4).normal(0, 300, (6, 6))
    at = np.array([260, 260, 261, 320, 320, 399])
    mixed = history(exposure, gaps(), at)
    for i in range(6):
        alone = history(exposure[i : i + 1], gaps(), at[i : i + 1])
        np.testing.assert_array_equal(mixed.value[i], alone.value[0])


def test_a_pool_of_threads_gives_the_same_bits() -> None:
    exposure = np.random.default_rng(4).normal(0, 300, (300, 6))
    books = books_of(exposure, np.full(300, 1000.0), np.full(300, 399))
    with ThreadPoolExecutor(2) as pool:
        assert_same_bits(holdings_returns(books, gaps(), each=pool.map), holdings_returns(books, gaps()))


def test_underlyings_that_are_not_held_change_no_bit() -> None:
    """A young listing beside the book does not shorten its series."""
    returns = gaps()
    books = books_of(np.array([[500.0, 0.0, 0.0, -300.0]]), np.array([1000.0]), np.array([399]))
    alone = books_of(np.array([[500.0, -300.0]]), np.array([1000.0]), np.array([399]))
    assert_same_bits(holdings_returns(books, returns), holdings_returns(alone, returns[:, [0, 3]]))


def test_a_longer_window_reaches_further_back_with_the_same_holdings() -> None:
    """The series that a regression on 1,000 sessions needs; who is in it is decided by the last 252."""
    returns = sample(3, 1100)
    returns[:940, 2] = NAN
    books = books_of(np.array([[500.0, -300.0, 100.0]]), np.array([1000.0]), np.array([1099]))
    long = holdings_returns(books, returns, window=1000)
    np.testing.assert_allclose(
        long.value[0], returns[-1000:, :2] @ np.array([0.5, -0.3]), rtol=1e-9, atol=1e-15
    )
    np.testing.assert_array_equal(long.value[0, -252:], holdings_returns(books, returns).value[0])
    np.testing.assert_array_equal(
        holdings_volatility(long).value, holdings_volatility(holdings_returns(books, returns)).value
    )


def test_no_books_give_no_rows() -> None:
    nobody = Books(
        np.zeros(1, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(0),
        np.zeros(0),
        np.zeros(0, np.int64),
    )
    assert holdings_volatility(holdings_returns(nobody, sample())).value.shape == (0, 4)


@pytest.mark.parametrize("law", ["normal", "t5"])
def test_the_forecast_of_a_constant_volatility_is_hardly_biased(law: str) -> None:
    """Bias below 2 % for a book of 20 % volatility, for normal and for fat-tailed returns."""
    rng = np.random.default_rng(8)
    draw = rng.normal(size=(252, 4000)) if law == "normal" else rng.standard_t(5, (252, 4000)) * 0.6**0.5
    books = books_of(np.eye(4000) * 1000.0, np.full(4000, 1000.0), np.full(4000, 251))
    found = holdings_volatility(holdings_returns(books, 0.2 / 252**0.5 * draw)).value[:, 3]
    assert found.mean() == pytest.approx(0.2, rel=0.02)

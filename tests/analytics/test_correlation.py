"""Correlations against pandas and statsmodels, their limits, and what a book gains from several names."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.correlation_tools import corr_clipped

from glassfolio.analytics.correlation import (
    Correlations,
    Diversification,
    correlate,
    diversify,
    make_semidefinite,
)
from glassfolio.model.market import FloatArray
from glassfolio.model.results import NONE, Reason, Warning_

NAN = float("nan")
FEW = settings(max_examples=40, deadline=None)


def sample(names: int = 6, sessions: int = 120, holes: float = 0.0, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (sessions, 2)) @ rng.normal(0.7, 0.5, (2, names))
    returns: FloatArray = 0.0005 + common + rng.normal(0, 0.01, (sessions, names))
    returns[rng.random(returns.shape) < holes] = NAN
    return returns


def with_correlation(rho: float, sessions: int = 90) -> FloatArray:
    """Two names with exactly this sample correlation."""
    raw = np.random.default_rng(1).normal(size=(sessions, 2))
    basis, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return np.column_stack([basis[:, 0], rho * basis[:, 0] + np.sqrt(1 - rho * rho) * basis[:, 1]])


def last(returns: FloatArray) -> Correlations:
    """At the last session."""
    return correlate(returns, len(returns) - 1)


def truth(returns: FloatArray) -> FloatArray:
    return np.asarray(pd.DataFrame(returns).tail(90).corr(min_periods=60))


def unrepaired(found: Correlations) -> None:
    assert found.largest_change == 0
    assert not found.psd_repaired


@pytest.mark.parametrize("names", [1, 2, 6, 31, 32, 33, 70])
def test_complete_returns_match_pandas(names: int) -> None:
    """§ correlations: df.tail(90).corr(min_periods=60), for every holding with a return series."""
    returns = sample(names)
    found = last(returns)
    np.testing.assert_allclose(found.value, truth(returns), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.n, 90)
    np.testing.assert_array_equal(found.reason, NONE)
    assert found.complete.all()
    unrepaired(found)


def test_pairwise_masks_match_pandas() -> None:
    """Pitfall: a joint drop of dates. Each pair stands on the sessions that both have, and says how many."""
    returns = sample(3, holes=0.15)
    found = last(returns)
    unrepaired(found)
    np.testing.assert_allclose(found.value, truth(returns), rtol=1e-9, atol=1e-12)
    known = np.isfinite(returns[-90:])
    assert found.n[0, 2] == (known[:, 0] & known[:, 2]).sum()
    assert found.n[1, 1] == known[:, 1].sum()
    assert len(np.unique(found.n)) > 3


@pytest.mark.parametrize(("common", "there"), [(59, False), (60, True)])
def test_a_pair_needs_60_common_returns(common: int, there: bool) -> None:
    """Below it is null, with n."""
    returns = sample(3)
    returns[-90 : -common - 10, 1] = NAN
    returns[-10:, 0] = NAN
    found = last(returns)
    assert found.n[0, 1] == found.n[1, 0] == common
    assert np.isfinite(found.value[0, 1]) == there
    assert found.reason[0, 1] == (NONE if there else Reason.INSUFFICIENT_HISTORY.code)
    assert np.isfinite(found.stderr[0, 1]) == there
    np.testing.assert_array_equal(np.isnan(found.value), np.isnan(truth(returns)))


def test_the_window_holds_exactly_90_sessions() -> None:
    returns = sample(3)
    before = last(returns).value
    returns[-91, 0] += 1
    np.testing.assert_array_equal(last(returns).value, before)
    returns[-90, 0] += 1
    assert (last(returns).value[0, 1:] != before[0, 1:]).all()


def test_the_sampling_error_of_a_correlation() -> None:
    """(1 - rho²) / sqrt(n): about 0.08 at 0.5."""
    found = last(with_correlation(0.5))
    assert found.value[0, 1] == pytest.approx(0.5, rel=1e-9)
    assert found.stderr[0, 1] == pytest.approx(0.75 / np.sqrt(90), rel=1e-9)
    assert round(found.stderr[0, 1], 2) == 0.08


@pytest.mark.parametrize("rho", [0.9999, -0.9999, 0.95, 0.97])
def test_nothing_is_clamped(rho: float) -> None:
    """Pitfall: correlations clamped at 0.95; two funds on one index are closer than that."""
    assert last(with_correlation(rho)).value[0, 1] == pytest.approx(rho, rel=1e-9)


def test_copies_and_opposites_are_one_and_minus_one() -> None:
    returns = sample(1)
    found = last(np.column_stack([returns, 3 * returns, -returns])).value
    np.testing.assert_allclose(found, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], rtol=1e-12)
    assert (np.abs(found) <= 1).all()
    np.testing.assert_array_equal(np.diagonal(found), 1.0)


def test_volatility_is_over_each_names_own_returns_in_the_window() -> None:
    returns = sample(3)
    returns[-20:-5, 1] = NAN
    found = last(returns).volatility
    np.testing.assert_allclose(found, pd.DataFrame(returns).tail(90).std() * 252**0.5, rtol=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.0001, 0.1, 1 / 3])
def test_a_name_that_does_not_move_has_no_correlation(level: float) -> None:
    returns = sample(3)
    returns[:, 1] = level
    found = last(returns)
    np.testing.assert_array_equal(found.reason[1], Reason.ZERO_VARIANCE.code)
    np.testing.assert_array_equal(found.complete, [True, False, True])
    assert np.isnan(found.value[:, 1]).all()
    assert np.isnan(found.volatility[1])
    assert np.isfinite(found.value[0, 2])


def test_a_name_that_stands_still_whenever_the_other_trades_has_none_either() -> None:
    returns = sample(2)
    returns[-70:, 0] = 0.001
    returns[-90:-70, 1] = NAN
    found = last(returns)
    np.testing.assert_array_equal(
        found.reason, [[NONE, Reason.ZERO_VARIANCE.code], [Reason.ZERO_VARIANCE.code, NONE]]
    )


def test_a_name_without_prices_says_so() -> None:
    returns = sample(3)
    returns[:, 2] = NAN
    found = last(returns)
    np.testing.assert_array_equal(found.reason[2], Reason.NO_PRICE.code)
    np.testing.assert_array_equal(found.n[2], 0)
    assert np.isnan(found.stderr[2]).all()


@pytest.mark.parametrize("listed", [30, 59, 75])
def test_a_young_name_leaves_other_pairs_unchanged(listed: int) -> None:
    """Pitfall: one short history shortens everybody's. Not a bit of another pair changes."""
    returns = sample(5)
    before = last(returns)
    young = sample(1, seed=7)
    young[:-listed] = NAN
    after = last(np.column_stack([returns[:, :2], young, returns[:, 2:]]))
    unrepaired(after)
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(after.value[np.ix_(others, others)], before.value)
    np.testing.assert_array_equal(after.volatility[others], before.volatility)
    assert after.complete[2] == (listed == 75)


@given(st.data())
@FEW
def test_the_order_and_the_company_of_names_change_no_bit(data: st.DataObject) -> None:
    returns = sample(70, holes=0.02)
    order = data.draw(st.permutations(range(70)))[: data.draw(st.integers(1, 12))]
    found = last(returns[:, order])
    assume(not found.psd_repaired)
    for i, row in enumerate(order):
        for j, column in enumerate(order):
            if i != j:
                assert found.value[i, j] == last(returns[:, [row, column]]).value[0, 1]


def test_seventy_names_have_the_bits_of_each_pair() -> None:
    returns = sample(70)
    whole = last(returns).value
    for i, j in ((0, 1), (3, 33), (31, 32), (32, 69), (68, 69)):
        assert whole[i, j] == whole[j, i] == last(returns[:, [i, j]]).value[0, 1]


def test_later_returns_change_nothing() -> None:
    """Pitfall: correlations up to the server's today. What follows the session has no effect on it."""
    returns = sample(4, 150)
    before = correlate(returns, 119)
    np.testing.assert_allclose(before.value, truth(returns[:120]), rtol=1e-9)
    returns[120:] = np.random.default_rng(3).normal(size=(30, 4))
    np.testing.assert_array_equal(correlate(returns, 119).value, before.value)
    assert (correlate(returns, 120).value != before.value).any()


def broken() -> FloatArray:
    """Three names whose pairs contradict each other, because each pair lives on sessions of its own."""
    rng = np.random.default_rng(5)
    returns = np.full((90, 3), NAN)
    for (i, j, sign), rows in zip(
        [(0, 1, 1), (1, 2, 1), (0, 2, -1)], (slice(0, 30), slice(30, 60), slice(60, 90)), strict=True
    ):
        returns[rows, i] = rng.normal(0, 0.01, 30)
        returns[rows, j] = sign * returns[rows, i] + rng.normal(0, 0.001, 30)
    return returns


def test_a_matrix_that_masks_have_broken_is_repaired_as_statsmodels_does() -> None:
    """§ correlations: corr_clipped(C, threshold=1e-10), with the largest change."""
    returns = broken()
    raw = pd.DataFrame(returns).corr(min_periods=20).to_numpy()
    assert np.linalg.eigvalsh(raw)[0] < -0.5
    found = correlate(returns, 89, minimum=20)
    expected = corr_clipped(raw, threshold=1e-10)
    np.testing.assert_allclose(found.value, expected, rtol=1e-9, atol=1e-12)
    assert found.psd_repaired
    assert found.largest_change == pytest.approx(np.abs(expected - raw).max(), rel=1e-9)
    assert np.linalg.eigvalsh(found.value)[0] > -1e-12
    np.testing.assert_array_equal(found.value, found.value.T)
    assert Warning_.PSD_REPAIRED in diversify(found, np.ones(3)).warnings


@given(st.integers(0, 10_000), st.integers(3, 25))
@FEW
def test_the_repair_matches_statsmodels_on_any_matrix(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.clip(np.corrcoef(rng.normal(size=(size, size + 3))) * 1.6, -1, 1)
    np.fill_diagonal(matrix, 1.0)
    found, change = make_semidefinite(matrix)
    if np.linalg.eigvalsh(matrix)[0] < -1e-10:
        np.testing.assert_allclose(found, corr_clipped(matrix, threshold=1e-10), rtol=1e-9, atol=1e-11)
        assert change == np.abs(found - matrix).max() > 0
    else:
        assert change == 0
        np.testing.assert_array_equal(found, matrix)


def _with_least_eigenvalue(least: float) -> FloatArray:
    """A correlation matrix of three names with this least eigenvalue: 1 + 2 rho for equal correlations."""
    rho = (least - 1) / 2
    return np.full((3, 3), rho) + (1 - rho) * np.eye(3)


@pytest.mark.parametrize(("least", "repaired"), [(-1.004e-10, True), (-0.996e-10, False), (0.0, False)])
def test_a_repair_begins_below_minus_1e_10(least: float, repaired: bool) -> None:
    found, change = make_semidefinite(_with_least_eigenvalue(least))
    assert (change > 0) == repaired
    if repaired:
        assert np.linalg.eigvalsh(found)[0] == pytest.approx(1e-10, rel=5e-3)


def test_names_with_a_missing_pair_are_left_out_of_the_matrix() -> None:
    """The one with most missing pairs goes first: a young name goes, those it has no pair with stay."""
    returns = sample(5)
    returns[:-40, 3] = NAN
    found = last(returns)
    np.testing.assert_array_equal(found.complete, [True, True, True, False, True])


def test_of_two_names_without_a_common_past_the_shorter_goes_and_then_the_later() -> None:
    def kept(early: int, late: int) -> list[bool]:
        returns = sample(3)
        returns[-90 : -90 + early, 0] = NAN
        returns[-late:, 1] = NAN
        return [bool(each) for each in last(returns).complete]

    assert kept(29, 16) == [False, True, True]
    assert kept(16, 29) == [True, False, True]
    assert kept(20, 20) == [True, False, True]


def test_a_small_position_is_no_reason_to_leave_a_name_out() -> None:
    """Pitfall: names under 10,000 dollars or 1 % left out. The matrix knows no amounts at all."""
    found = last(sample(4))
    assert found.complete.all()
    assert diversify(found, np.array([1e6, 1e6, 1.0, -1.0])).coverage == 1.0


def test_pairs_are_the_upper_triangle_row_by_row() -> None:
    rows, columns = last(sample(4)).pairs
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3),
    ]  # fmt: skip


@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from([0.0, 0.05, 0.2]))
@FEW
def test_correlations_are_bounded_symmetric_and_semidefinite(seed: int, names: int, holes: float) -> None:
    found = last(sample(names, 90, holes, seed))
    there = np.isfinite(found.value)
    assert (np.abs(found.value[there]) <= 1).all()
    np.testing.assert_array_equal(found.value, found.value.T)
    np.testing.assert_array_equal(there, found.reason == NONE)
    matrix = found.value[np.ix_(found.complete, found.complete)]
    assert np.isfinite(matrix).all()
    assert np.linalg.eigvalsh(matrix).min(initial=1) > -1.1e-10


@given(st.floats(0.001, 1000), st.floats(-0.01, 0.01))
@FEW
def test_scale_and_shift_change_nothing_and_a_sign_turns_one_row(factor: float, shift: float) -> None:
    returns = sample(4)
    moved = returns * np.array([factor, 1, -1, 1]) + np.array([shift, 0, 0, 0])
    sign = np.array([1, 1, -1, 1])
    np.testing.assert_allclose(
        last(moved).value, last(returns).value * np.outer(sign, sign), rtol=1e-7, atol=1e-9
    )


def test_a_large_mean_costs_no_digits() -> None:
    returns = sample(4)
    np.testing.assert_allclose(last(returns + 10).value, last(returns).value, rtol=0, atol=2e-12)


def test_no_names_give_an_empty_matrix() -> None:
    found = last(np.zeros((90, 0)))
    assert found.value.shape == (0, 0)
    assert diversify(found, np.zeros(0)).ratio_reason == Reason.NO_POSITIONS


def book(exposure: list[float], returns: FloatArray | None = None) -> Diversification:
    return diversify(last(sample(len(exposure)) if returns is None else returns), np.array(exposure))


def test_average_correlation_weighs_pairs_with_their_signs() -> None:
    x = np.array([500.0, -200.0, 300.0, 50.0])
    rho = truth(sample(4))
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    above = sum(x[i] * x[j] * rho[i, j] for i, j in pairs)
    below = sum(abs(x[i] * x[j]) for i, j in pairs)
    assert book(x.tolist()).average_correlation == pytest.approx(above / below, rel=1e-9)


def test_a_short_position_in_a_name_that_moves_along_is_a_hedge() -> None:
    """Pitfall: |value| weights."""
    returns = with_correlation(0.8)
    assert book([100.0, 50.0], returns).average_correlation == pytest.approx(0.8)
    assert book([100.0, -50.0], returns).average_correlation == pytest.approx(-0.8)


def test_diversification_ratio_and_effective_bets() -> None:
    """Sum of |w| sigma over the book's volatility, here from its own series; the bets are its square."""
    returns, x = sample(4), np.array([500.0, -200.0, 300.0, 50.0])
    alone = np.abs(x) @ returns[-90:].std(axis=0, ddof=1)
    together = (returns[-90:] @ x).std(ddof=1)
    found = book(x.tolist())
    assert found.diversification_ratio == pytest.approx(alone / together, rel=1e-9)
    assert found.effective_bets == pytest.approx((alone / together) ** 2, rel=1e-9)


def test_equal_independent_names_are_as_many_bets() -> None:
    raw = np.random.default_rng(0).normal(size=(90, 8))
    basis, _ = np.linalg.qr(raw - raw.mean(axis=0))
    assert book([1.0] * 8, basis).effective_bets == pytest.approx(8)
    assert book([1.0] * 8, basis).average_correlation == pytest.approx(0, abs=1e-12)


def test_many_lots_of_one_name_are_one_bet() -> None:
    """Pitfall: bets counted by lots over a matrix of symbols."""
    found = book([300.0])
    assert found.effective_bets == pytest.approx(1)
    assert found.diversification_ratio == pytest.approx(1)
    assert found.average_reason == Reason.NOT_APPLICABLE
    assert np.isnan(found.average_correlation)
    copies = np.repeat(sample(1), 3, axis=1)
    assert book([100.0, 100.0, 100.0], copies).effective_bets == pytest.approx(1)


@pytest.mark.parametrize("exposure", [[0.0, 0.0, 0.0], [0.0, 0.0, -0.0]])
def test_a_book_without_positions_has_no_figures(exposure: list[float]) -> None:
    found = book(exposure)
    assert found.average_reason == found.ratio_reason == Reason.NO_POSITIONS
    assert np.isnan([found.average_correlation, found.diversification_ratio, found.coverage]).all()


@pytest.mark.parametrize(
    ("share", "reason", "warnings"),
    [
        (0.49, Reason.LOW_COVERAGE, ()),
        (0.5, None, (Warning_.PARTIAL_COVERAGE,)),
        (0.94, None, (Warning_.PARTIAL_COVERAGE,)),
        (0.95, None, ()),
    ],
)
def test_diversification_counts_what_it_rests_on(
    share: float, reason: Reason | None, warnings: tuple[Warning_, ...]
) -> None:
    returns = sample(3)
    returns[:, 2] = NAN
    found = book([share * 60, -share * 40, 100 - share * 100], returns)
    assert found.coverage == pytest.approx(share)
    assert found.average_reason == found.ratio_reason == reason
    assert found.warnings == warnings
    assert np.isnan(found.effective_bets) == (reason is not None)


def test_a_perfect_hedge_has_no_ratio() -> None:
    returns = np.repeat(sample(1), 2, axis=1)
    found = book([100.0, -100.0], returns)
    assert found.ratio_reason == Reason.ZERO_VARIANCE
    assert np.isnan([found.diversification_ratio, found.effective_bets]).all()
    assert found.average_correlation == pytest.approx(-1)


def test_what_rounding_leaves_of_a_hedge_is_no_risk() -> None:
    returns = sample(1) * np.array([0.1, 0.7, 1.3])
    found = book([13e9, 1e9, -2e9 / 1.3], returns)
    assert found.ratio_reason == Reason.ZERO_VARIANCE


@given(st.integers(0, 10_000), st.sampled_from([1e-9, 0.01, 100, 1e9]))
@FEW
def test_diversification_is_bounded_and_knows_neither_size_nor_side(seed: int, factor: float) -> None:
    x = np.random.default_rng(seed).normal(0, 100, 6)
    found, turned = book(x.tolist()), book((-factor * x).tolist())
    assert found.diversification_ratio >= 1 - 1e-12
    assert abs(found.average_correlation) <= 1 + 1e-12
    assert turned.diversification_ratio == pytest.approx(found.diversification_ratio, rel=1e-9)
    assert turned.average_correlation == pytest.approx(found.average_correlation, rel=1e-9)

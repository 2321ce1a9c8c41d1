"""A fit has the same bits in any company: subsets, orders, starts, holes, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from glassfolio.analytics.regression import Regression, solve
from glassfolio.model.market import FloatArray
from tests.analytics.regressions import NAN, RIDGE, assert_same, part, regress, sample


def universe() -> tuple[FloatArray, FloatArray]:
    """Two hundred symbols: complete, with a hole, listed on two days, and one without anything."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(230, 2)), rng.normal(size=(230, 200))
    y[140, 150] = NAN
    y[:90, 20:60] = NAN
    y[:120, 60:63] = NAN
    y[:, 7] = NAN
    return y, x


def test_a_late_listing_changes_nobody_else() -> None:
    """Pitfall: one short history shortens a batch."""
    y, x = sample()
    assert_same(part(regress(y, x, 60, 40), [0, 1, 3]), regress(y[:, [0, 1, 3]], x, 60, 40))


@pytest.mark.parametrize("penalty", [0.0, RIDGE])
@given(
    order=st.permutations(range(5)),
    count=st.integers(1, 5),
    start=st.integers(0, 119),
    ordinal=st.integers(0, 9000),
)
@settings(max_examples=40, deadline=None)
def test_any_subset_order_and_start_give_the_same_bits(
    penalty: float, order: list[int], count: int, start: int, ordinal: int
) -> None:
    y, x = sample()
    whole = part(regress(y, x, 60, 40, 0, penalty, ordinal), order[:count], start)
    assert_same(whole, regress(y[:, order[:count]], x, 60, 40, start, penalty, ordinal))


@pytest.mark.parametrize("cut", [1, 7, 31, 32, 33, 40, 64])
def test_more_history_before_the_window_gives_the_same_bits(cut: int) -> None:
    y, x = sample(140)
    whole = regress(y, x, 60, 40, 130, ordinal=11)
    assert_same(whole, regress(y[cut:], x[cut:], 60, 40, 130 - cut, ordinal=11 + cut))


@given(st.integers(0, 119))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_changes_no_bit(end: int) -> None:
    """No look-ahead: other returns, other holes, or nothing at all after t."""
    y, x = sample()
    before = regress(y, x, 60, 40)
    assert_same(part(before, slice(None), 0), regress(y, x, 60, 40))
    short = regress(y[: end + 1], x[: end + 1], 60, 40)
    rng = np.random.default_rng(end)
    y[end + 1 :] *= -3
    y[end + 1 :][rng.random(y[end + 1 :].shape) < 0.2] = NAN
    x[end + 1 :] += 0.01
    x[end + 1 :][rng.random(len(x) - end - 1) < 0.2] = NAN
    after = regress(y, x, 60, 40)
    for field in ("value", "stderr", "r2", "dof", "n"):
        np.testing.assert_array_equal(getattr(after, field)[: end + 1], getattr(before, field)[: end + 1])
        np.testing.assert_array_equal(getattr(short, field), getattr(before, field)[: end + 1])


@pytest.mark.parametrize("penalty", [0.0, RIDGE])
def test_two_hundred_symbols_have_the_bits_of_each_alone(penalty: float) -> None:
    y, x = universe()
    whole = regress(y, x, 50, 30, 60, penalty)
    for j in (0, 7, 20, 59, 60, 63, 64, 150, 199):
        assert_same(part(whole, [j]), regress(y[:, [j]], x, 50, 30, 60, penalty))


def test_symbols_that_lack_the_same_sessions_are_fitted_alike() -> None:
    """Identical-mask groups: a copy has the same bits wherever it stands."""
    y, x = universe()
    y = np.column_stack([y, y[:, 25], y[:, 61], y[:, 150]])
    whole = regress(y, x, 50, 30, 60)
    assert_same(part(whole, [25, 61, 150]), part(whole, [200, 201, 202]))
    assert np.isfinite(whole.value[-1, [25, 61, 150]]).all()


def test_a_symbol_without_returns_has_nothing_and_harms_nobody() -> None:
    y, x = universe()
    fit = regress(y, x, 50, 30, 60)
    assert np.isnan(fit.value[:, 7]).all()
    assert (fit.n[:, 7] == 0).all()
    assert np.isfinite(fit.value[:, 8]).all()


def test_several_regressions_at_once_have_the_bits_of_each_alone() -> None:
    y, x = universe()
    x[100, 1] = NAN
    asked = [
        Regression(x[:, :1], 50, 30, 60, 230),
        Regression(x, 50, 30, 60, 230),
        Regression(x, 50, 30, 60, 230, RIDGE),
        Regression(x, 90, 60, 100, 150),
    ]
    for whole, each in zip(solve(y, asked, 5), asked, strict=True):
        assert_same(whole, solve(y, [each], 5)[0])
    assert solve(y, asked)[3].value.shape == (50, 200, 2)


@pytest.mark.parametrize("blas", [1, 2])
def test_threads_change_no_bit(blas: int) -> None:
    """A `map` that works on two pieces at a time, and a linear algebra library with one thread or two."""
    y, x = universe()
    asked = [Regression(x, 50, 30, 60, 230), Regression(x, 180, 120, 60, 230, RIDGE)]
    with threadpool_limits(3 - blas):
        plain = solve(y, asked)
    with threadpool_limits(blas), ThreadPoolExecutor(2) as pool:
        for one, other in zip(plain, solve(y, asked, spread=pool.map), strict=True):
            assert_same(one, other)


def test_an_error_in_a_thread_is_not_swallowed() -> None:
    y, x = universe()
    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="shape"):
        solve(y, [Regression(x[:100], 50, 30, 60, 230)], spread=pool.map)


def test_no_symbols_are_fitted_to_nothing() -> None:
    _, x = universe()
    assert regress(np.empty((230, 0)), x, 50, 30, 60).value.shape == (170, 0, 2)

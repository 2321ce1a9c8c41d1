"""B4: how honest a run was, against values worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.model.run import Mark, Trail
from glassfolio.progress.honesty import measure


def shown(t: float, percent: float, eta: float | None = None, spread: float = 1.0) -> Trail:
    low, high = (None, None) if eta is None else (eta / spread, eta * spread)
    return Trail(Mark.UNIT, t, "1", units=1, percent=percent, remaining=eta, eta=eta, low=low, high=high)


def perfect(total: float, count: int) -> list[Trail]:
    return [shown(total * k / count, 100 * k / count, total * (1 - k / count), 1.2) for k in range(count)]


def test_a_bar_that_follows_the_time_is_off_by_half_a_step() -> None:
    found = measure(perfect(100.0, 1000), 100.0)
    assert found is not None
    assert found.m1 < 0.001
    assert found.m2 < 0.002
    assert (found.m3, found.m9) == (0, 1.0)
    assert found.m4 == pytest.approx(0.001)
    assert found.m5 == pytest.approx(0.05, abs=0.01)
    assert found.m6 == pytest.approx(0.001)
    assert found.m7 == pytest.approx(0.0)
    assert found.m8 == pytest.approx(0.0)


def test_a_bar_that_stands_at_half_is_off_by_a_quarter() -> None:
    found = measure([shown(0.0, 50.0)], 100.0)
    assert found is not None
    assert found.m1 == pytest.approx(0.25, abs=0.01)
    assert found.m2 == pytest.approx(0.5, abs=0.02)
    assert found.m4 == 1.0
    assert found.m6 == 0.5
    assert found.m7 is found.m8 is found.m9 is None


def test_steps_back_are_counted_and_the_largest_step_is_told() -> None:
    found = measure([shown(1.0, 40.0), shown(2.0, 30.0), shown(3.0, 75.0)], 4.0)
    assert found is not None
    assert found.m3 == 1
    assert found.m6 == 0.45


def test_waiting_at_99_shows() -> None:
    found = measure([shown(10.0, 96.0)], 40.0)
    assert found is not None
    assert found.m5 == pytest.approx(0.75, abs=0.01)


def test_named_waits_are_no_flat_stretch() -> None:
    steps = [
        shown(10.0, 10.0),
        Trail(Mark.WAIT_START, 12.0, percent=10.0, seconds=60.0),
        Trail(Mark.WAIT_END, 72.0),
        shown(75.0, 70.0),
        shown(90.0, 90.0),
    ]
    found = measure(steps, 100.0)
    assert found is not None
    assert found.m4 == pytest.approx(0.15)


def test_a_remaining_time_counts_down_by_itself() -> None:
    """Told 50 at 0 of 100: at t, 50 − t is on the screen and 100 − t is true."""
    found = measure([shown(0.0, 0.0, 50.0, 1.5)], 100.0)
    assert found is not None
    assert found.m7 == pytest.approx(0.95, abs=0.05)
    assert found.m8 == 0.0
    assert found.m9 == 0.0


def test_a_predicted_end_that_moves_wobbles() -> None:
    steps = [shown(float(t), float(t), 100.0 - t + (10 if t % 2 else 0)) for t in range(0, 100, 1)]
    found = measure(steps, 100.0)
    assert found is not None
    assert found.m8 == pytest.approx(0.1, abs=0.01)


def test_the_range_covers_the_share_of_looks_at_which_the_true_end_lay_in_it() -> None:
    steps = [shown(0.0, 0.0, 100.0, 1.1), shown(50.0, 50.0, 10.0, 1.1)]
    found = measure(steps, 100.0)
    assert found is not None
    assert found.m9 == pytest.approx(50 / 95, abs=0.02)


def test_the_age_of_the_last_sign_when_the_screen_said_so_is_kept() -> None:
    steps = [
        shown(1.0, 10.0),
        Trail(Mark.STALLED, 1.0, seconds=62.0, percent=10.0),
        Trail(Mark.INTERRUPTED, 1.0, seconds=14.0, percent=10.0),
        Trail(Mark.STALLED, 5.0, seconds=61.0, percent=10.0),
    ]
    found = measure(steps, 10.0)
    assert found is not None
    assert (found.m10_stalled, found.m10_interrupted) == (62.0, 14.0)


def test_a_run_that_took_no_time_has_no_honesty() -> None:
    assert measure([], 0.0) is None


def test_a_record_says_it_in_a_sentence() -> None:
    found = measure(perfect(40.0, 4), 40.0)
    assert found is not None
    assert found.as_record()["text"] == f"The bar was off by {100 * found.m1:.1f} % on average."


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100), st.floats(0, 500)), max_size=20),
    st.floats(0.001, 1e5),
)
def test_every_measure_of_any_run_is_a_share(steps: list[tuple[float, float, float]], total: float) -> None:
    trail = [shown(at * total, percent, eta) for at, percent, eta in sorted(steps)]
    found = measure(trail, total)
    assert found is not None
    for value in (found.m1, found.m2, found.m4, found.m5, found.m6, found.m9 or 0.0):
        assert 0.0 <= value <= 1.0
    assert found.m1 <= found.m2

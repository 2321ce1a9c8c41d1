"""What finished runs teach: medians that fade, spreads by tenth, and nothing from what never ran."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.model.run import Mark, PhaseName, PhaseProgress, PhaseStatus, Trail
from glassfolio.progress.learning import (
    ASSUMED,
    KEPT,
    Lesson,
    expected,
    lessons,
    quantile,
    ratios,
    spread,
)

NAME = PhaseName("fetch", "phase_1", "Fetching", "symbols")


def test_a_phase_without_work_teaches_nothing() -> None:
    """Cached work read as speed is 25 times too optimistic."""
    cached = PhaseProgress(NAME, PhaseStatus.COMPLETED, total=30, cached=30, planned=0)
    worked = PhaseProgress(
        NAME,
        PhaseStatus.COMPLETED,
        total=30,
        cached=20,
        planned=9,
        failed=1,
        ok=9,
        worked_seconds=18.0,
        fixed_seconds=0.5,
    )
    assert lessons([cached]) == {}
    assert lessons([worked]) == {"fetch": Lesson(9, 18.0, 0.5)}


def test_the_middle_run_decides_and_one_slow_run_does_not() -> None:
    """Known failure: the first slow item poisons the rate."""
    known = [Lesson(10, 10.0, 0.1), Lesson(10, 900.0, 9.0), Lesson(10, 11.0, 0.2)]
    found = expected(known)
    assert found is not None
    assert (found.unit_seconds, found.fixed_seconds, found.runs) == (1.1, 0.2, 3)


def test_newer_runs_weigh_more() -> None:
    newer_slow = [Lesson(1, 3.0, 0.0)] * 5 + [Lesson(1, 1.0, 0.0)] * 5
    found = expected(newer_slow)
    assert found is not None
    assert found.unit_seconds == 3.0
    found = expected(newer_slow[::-1])
    assert found is not None
    assert found.unit_seconds == 1.0


def test_only_the_last_twenty_runs_are_asked() -> None:
    found = expected([Lesson(1, 1.0, 0.0)] * KEPT + [Lesson(1, 99.0, 0.0)] * 500)
    assert found is not None
    assert (found.unit_seconds, found.runs) == (1.0, 20)
    assert expected([]) is None
    assert expected([Lesson(0, 0.0, 0.1)]) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 10)), min_size=1, max_size=30),
    st.floats(0.01, 0.99),
)
def test_a_weighted_quantile_has_its_share_of_the_weight_on_each_side(
    pairs: list[tuple[float, float]], share: float
) -> None:
    values, weights = [v for v, _w in pairs], [w for _v, w in pairs]
    found = quantile(values, weights, share)
    total = sum(weights)
    below = sum(w for v, w in pairs if v < found)
    above = sum(w for v, w in pairs if v > found)
    assert below <= share * total * (1 + 1e-9)
    assert above <= (1 - share) * total * (1 + 1e-9)


def test_equal_weights_give_the_plain_median() -> None:
    assert quantile([3.0, 1.0, 2.0], [1, 1, 1], 0.5) == 2.0
    assert quantile([4.0, 1.0, 2.0, 3.0], [1, 1, 1, 1], 0.5) == 2.5


def unit(t: float, percent: float, remaining: float) -> Trail:
    return Trail(Mark.UNIT, t, "fetch", units=1, percent=percent, remaining=remaining)


def test_what_came_true_is_compared_with_what_was_predicted_at_each_tenth() -> None:
    steps = [
        unit(1.0, 5.0, 18.0),  # 9 came true
        unit(2.0, 15.0, 4.0),  # 8
        unit(5.0, 18.0, 10.0),  # 5
        unit(10.0, 99.0, 1.0),  # nothing is left: no ratio
        Trail(Mark.WAIT_START, 6.0, percent=18.0, remaining=99.0),  # only committed units count
    ]
    found = ratios(steps, 10.0)
    assert found[0] == pytest.approx(0.5)
    assert found[1] == pytest.approx(1.0)  # the geometric mean of 2 and 0.5
    assert found[2:] == (None,) * 8


def test_few_runs_promise_a_wide_range_and_many_a_range_of_their_own() -> None:
    one = spread([[1.0] * 10])
    assert one is not None
    assert one.runs == 1
    assert one.low[5] <= 0.9
    assert one.high[5] >= 1.1
    many = spread([[1.05] * 10] * 20)
    assert many is not None
    assert many.low[5] == many.high[5] == 1.05
    assert spread([]) is None
    assert spread([[None] * 10]) is None


def test_a_range_looks_at_similar_progress_only() -> None:
    """Real over predicted in earlier runs at similar progress."""
    early_slow = [[3.0, 3.0, 3.0, *[1.0] * 7]] * 20
    found = spread(early_slow)
    assert found is not None
    assert found.low[0] == found.high[0] == 3.0
    assert found.low[9] == found.high[9] == 1.0
    assert found.high[2] == 3.0
    assert found.low[3] == 1.0


def test_a_tenth_that_nobody_saw_has_the_assumed_range() -> None:
    seen = [1.0, *[None] * 9]
    found = spread([seen])
    assert found is not None
    assert (found.low[9], found.high[9]) == (min(ASSUMED), max(ASSUMED))

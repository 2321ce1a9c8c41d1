"""The percent: seconds of work rather than items, never back, 100 only at success."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.model.run import PhaseName, PhaseProgress, PhaseStatus
from glassfolio.progress import estimate

SYMBOLS = PhaseName("one", "phase_1", "One", "symbols")
DATES = PhaseName("two", "phase_2_6", "Two", "dates")


def phase(
    name: PhaseName = SYMBOLS, status: PhaseStatus = PhaseStatus.RUNNING, **more: object
) -> PhaseProgress:
    return replace(PhaseProgress(name, status, total=10), **more)  # type: ignore[arg-type]


steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # phase
        st.integers(0, 7),  # units committed
        st.floats(0, 30),  # seconds they took
        st.integers(-5, 40),  # by how much a new plan changes the total
    ),
    max_size=60,
)


@settings(deadline=None)
@given(steps)
def test_whatever_is_committed_the_percent_never_goes_back_and_never_reaches_100(
    commits: list[tuple[int, int, float, int]],
) -> None:
    """S6, pitfall: percent divides by phases started so far (0, 99, 50, 99)."""
    phases = [phase(SYMBOLS if i < 3 else DATES, PhaseStatus.PENDING, total=20) for i in range(4)]
    worked, shown = 0.0, 0.0
    for index, units, seconds, replanned in commits:
        before = phases[index]
        ok = before.ok + units
        worked += seconds
        phases[index] = replace(
            before,
            status=PhaseStatus.RUNNING,
            ok=ok,
            total=max(ok, (before.total or 0) + replanned),
            worked_seconds=before.worked_seconds + seconds,
        )
        now = estimate.percent(phases, worked, shown)
        assert shown <= now <= estimate.CAP
        shown = now


def test_a_phase_whose_size_is_unknown_leaves_the_percent_where_it_is() -> None:
    """Never a number when unknown."""
    unknown = phase(total=None)
    assert estimate.remaining_seconds([unknown]) is None
    assert estimate.percent([unknown], 5.0, 12.5) == 12.5
    assert estimate.weights([unknown, phase()]) == [None, None]


def test_before_any_work_nothing_is_done() -> None:
    assert estimate.percent([phase()], 0.0, 0.0) == 0.0


def test_half_of_equal_work_is_half() -> None:
    """percent = 100 t / (t + remaining)."""
    half = phase(total=1000, ok=500, worked_seconds=50.0, unit_seconds=0.1)
    assert estimate.percent([half], 50.0, 0.0) == pytest.approx(50, abs=0.1)


def test_slow_units_count_by_their_seconds_and_not_by_their_number() -> None:
    """Phases differ in speed by a hundred times; one speed for all is the known failure."""
    slow = phase(SYMBOLS, total=10, ok=10, worked_seconds=100.0, unit_seconds=10.0)
    quick = phase(DATES, PhaseStatus.PENDING, total=1000, unit_seconds=0.001)
    assert estimate.percent([slow, quick], 100.0, 0.0) > 95


def test_cached_units_cost_nothing() -> None:
    """Cached work read as speed is 25 times too optimistic."""
    cached = phase(total=100, cached=90, ok=0, unit_seconds=1.0)
    fresh = phase(total=10, ok=0, unit_seconds=1.0)
    assert estimate.unit_seconds(cached) == estimate.unit_seconds(fresh)
    assert estimate.remaining_seconds([cached]) == estimate.remaining_seconds([fresh])


def test_evidence_moves_the_expected_seconds_towards_the_measured_ones() -> None:
    """(measured seconds + 15 expected) / (units + 15): one slow unit does not poison the rate."""
    assert estimate.unit_seconds(phase(unit_seconds=1.0)) == 1.0
    one_slow = phase(ok=1, worked_seconds=17.0, unit_seconds=1.0, learned_runs=5)
    assert estimate.unit_seconds(one_slow) == pytest.approx(2.0)
    many = phase(total=2000, ok=1485, worked_seconds=2970.0, unit_seconds=1.0, learned_runs=1)
    assert estimate.unit_seconds(many) == pytest.approx(1.99)


def test_shipped_seconds_weigh_less_than_learned_ones() -> None:
    """They come from another machine and another provider: (measured + 3 expected) / (units + 3)."""
    assert estimate.unit_seconds(phase(ok=1, worked_seconds=5.0, unit_seconds=1.0)) == pytest.approx(2.0)


def test_answers_that_are_waited_for_at_once_do_not_make_the_first_one_slow() -> None:
    """Four in work: the first answer stands for itself and half of the three beside it."""
    first = phase(ok=1, worked_seconds=17.5, unit_seconds=1.0, learned_runs=5, at_once=4)
    assert estimate.effective_units(first) == 2.5
    assert estimate.unit_seconds(first) == pytest.approx((17.5 + 15) / 17.5)
    assert estimate.effective_units(phase(at_once=4)) == 0


def test_a_named_wait_is_added_and_not_spread_over_the_units() -> None:
    item = phase(total=10, ok=5, worked_seconds=5.0, unit_seconds=1.0, learned_runs=5, expected_fixed=0.0)
    assert estimate.remaining_seconds([item]) == pytest.approx(5.0)
    assert estimate.remaining_seconds([item], 30.0) == pytest.approx(35.0)
    behind = replace(item, status=PhaseStatus.PENDING)
    assert estimate.remaining_seconds([behind], 30.0) == estimate.remaining_seconds([behind])


def test_a_provider_that_allows_little_sets_the_pace() -> None:
    """25 at once, then one every 144 seconds: 30 symbols take 12 minutes however quick an answer is."""
    item = phase(total=30, unit_seconds=0.1, expected_fixed=0.0, pace_seconds=144.0, free_units=25)
    assert estimate.remaining_seconds([item]) == pytest.approx(5 * 144)
    later = replace(item, ok=28, planned=30, worked_seconds=3.0)
    assert estimate.remaining_seconds([later]) == pytest.approx(2 * 144)


def test_what_a_phase_costs_beside_its_units_is_expected_of_open_phases() -> None:
    pending = phase(status=PhaseStatus.PENDING, total=0, expected_fixed=0.7)
    assert estimate.remaining_seconds([pending, pending]) == pytest.approx(1.4)
    assert estimate.fixed_seconds(phase()) == estimate.FIXED_SECONDS


def test_a_phase_that_is_expected_to_find_everything_stored_weighs_nothing_before_it_begins() -> None:
    """Plan after the cache check: an expected number of units counts until the phase plans itself."""
    pending = phase(status=PhaseStatus.PENDING, total=254, planned=0, unit_seconds=1.0, expected_fixed=0.0)
    assert estimate.remaining_seconds([pending]) == 0
    assert pending.left == 0
    assert phase(total=254, planned=10, cached=244).left == 10
    assert phase(total=254, planned=9, cached=244, failed=1).worked_units == 0


def test_a_wait_may_slow_the_percent_and_never_lowers_it() -> None:
    item = phase(total=10, ok=5, worked_seconds=5.0, unit_seconds=1.0, learned_runs=5, expected_fixed=0.0)
    before = estimate.percent([item], 5.0, 0.0)
    assert estimate.percent([item], 5.0, before, 60.0) == before


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=4))
def test_weights_add_up_to_one(totals: list[int]) -> None:
    shares = estimate.weights([phase(total=total) for total in totals])
    assert sum(share for share in shares if share is not None) == pytest.approx(1, abs=0.001)


def test_settled_phases_leave_no_work() -> None:
    done = phase(status=PhaseStatus.COMPLETED, ok=3)
    failed = phase(status=PhaseStatus.FAILED, ok=3)
    assert estimate.remaining_seconds([done, failed]) == 0

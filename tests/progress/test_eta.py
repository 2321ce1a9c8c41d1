"""B4: the remaining time is a range with a stated basis; unknown is said, not guessed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.model.run import Eta, EtaBasis, EtaReason, PhaseName, PhaseProgress, PhaseStatus, Spread
from glassfolio.progress import eta

NOW = datetime(2026, 1, 9, 21, 0, tzinfo=UTC)
NAME = PhaseName("fetch", "phase_1", "Fetching", "symbols")
SPREAD = Spread((0.8,) * 10, (1.25,) * 10, 5)


def phase(ok: int = 0, worked: float = 0.0, runs: int = 0, total: int | None = 100) -> PhaseProgress:
    return PhaseProgress(
        NAME,
        PhaseStatus.RUNNING,
        total=total,
        planned=total,
        ok=ok,
        unit_seconds=1.0,
        learned_runs=runs,
        expected_fixed=0.0,
        worked_seconds=worked,
    )


def tell(
    item: PhaseProgress,
    worked: float,
    last: Eta | None = None,
    seconds: float = 0,
    wait: float = 0.0,
    reason: EtaReason | None = None,
) -> Eta | None:
    return eta.tell(
        [item],
        worked,
        50.0,
        NOW + timedelta(seconds=seconds),
        last,
        spread=SPREAD,
        wait_left=wait,
        reason=reason,
    )


class TestUnknown:
    @pytest.mark.parametrize(("units", "worked"), [(0, 0.0), (2, 60.0), (3, 4.9), (50, 1.0)])
    def test_without_history_little_evidence_is_no_evidence(self, units: int, worked: float) -> None:
        """Null under three units or five seconds."""
        assert tell(phase(units, worked), worked) is None

    def test_three_units_and_five_seconds_are_enough(self) -> None:
        assert tell(phase(3, 5.0), 5.0) is not None

    def test_earlier_runs_are_evidence_from_the_first_moment(self) -> None:
        told = tell(phase(runs=5), 0.0)
        assert told is not None
        assert (told.seconds, told.basis, told.runs) == (100, EtaBasis.HISTORY, 5)

    def test_an_unknown_total_gives_no_time(self) -> None:
        """No total, no number."""
        assert tell(phase(50, 50.0, runs=5, total=None), 50.0) is None


class TestBasis:
    def test_the_range_comes_from_the_spread_at_this_tenth(self) -> None:
        tenths = Spread(tuple(0.1 * k for k in range(10)), tuple(1.0 + k for k in range(10)), 5)
        told = eta.tell([phase(runs=5)], 0.0, 30.0, NOW, None, spread=tenths)
        assert told is not None
        assert (told.low, told.high) == (30, 400)

    def test_without_history_most_of_the_seconds_decide(self) -> None:
        fetched = phase(50, 50.0)
        shipped = replace(phase(), status=PhaseStatus.PENDING, name=replace(NAME, key="other"))
        told = eta.tell([fetched], 50.0, 50.0, NOW, None)
        assert told is not None
        assert told.basis is EtaBasis.THIS_RUN
        told = eta.tell([fetched, shipped], 50.0, 50.0, NOW, None)
        assert told is not None
        assert told.basis is EtaBasis.SHIPPED

    def test_a_wait_is_its_own_basis_and_widens_the_range(self) -> None:
        plain, waiting = tell(phase(runs=5), 0.0), tell(phase(runs=5), 0.0, wait=40.0)
        assert plain is not None
        assert waiting is not None
        assert waiting.basis is EtaBasis.PROVIDER_WAIT
        assert waiting.seconds == plain.seconds + 40
        assert waiting.high - waiting.seconds > plain.high - plain.seconds


class TestSteadiness:
    LAST = Eta(60, 50, 75, EtaBasis.HISTORY, 5, NOW)

    def test_it_changes_at_most_every_two_seconds(self) -> None:
        item = phase(50, 50.0, runs=5)
        assert tell(item, 50.0, self.LAST, 1.9) is self.LAST
        changed = tell(item, 50.0, self.LAST, 2.0)
        assert changed is not None
        assert changed.seconds == 50

    def test_a_reason_is_told_at_once(self) -> None:
        told = tell(phase(50, 50.0, runs=5), 50.0, self.LAST, 0.5, wait=30.0, reason=EtaReason.PROVIDER_WAIT)
        assert told is not None
        assert (told.seconds, told.reason) == (80, EtaReason.PROVIDER_WAIT)

    def test_it_does_not_count_up_between_slow_steps(self) -> None:
        """Known failure: a number that goes up while its own range still held."""
        told = tell(phase(35, 35.0, runs=5), 35.0, self.LAST, 5)
        assert told is not None
        assert (told.seconds, told.reason) == (60, None)

    def test_what_left_the_range_goes_up_and_says_so(self) -> None:
        told = tell(phase(0, 0.0, runs=5), 30.0, self.LAST, 5)
        assert told is not None
        assert (told.seconds, told.reason) == (100, EtaReason.SLOWER)
        assert "slower than expected" in eta.text(told)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 60), st.floats(0, 60), st.sampled_from([0.0, 5.0, 90.0])),
        max_size=30,
    )
)
def test_whatever_happens_it_never_goes_up_without_a_reason_and_is_never_negative(
    steps: list[tuple[int, float, float, float]],
) -> None:
    """Known failures: a negative time after a reset, a time that counts up between slow steps."""
    item, now, last = phase(runs=4), NOW, None
    worked = 0.0
    for units, took, gone, wait in steps:
        worked, now = worked + took, now + timedelta(seconds=gone)
        item = replace(item, ok=min(100, item.ok + units), worked_seconds=worked)
        reason = EtaReason.PROVIDER_WAIT if wait else None
        told = eta.tell([item], worked, 40.0, now, last, spread=SPREAD, wait_left=wait, reason=reason)
        assert told is not None
        assert 0 <= told.low <= told.high
        assert told.seconds >= 0
        assert last is None or told.seconds <= last.seconds or told.reason is not None
        last = told


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (Eta(31, 24, 44, EtaBasis.HISTORY, 5, NOW), "about 30 s, from the last 5 runs"),
        (Eta(31, 24, 44, EtaBasis.HISTORY, 1, NOW), "about 30 s, from the last run"),
        (Eta(300, 240, 420, EtaBasis.THIS_RUN, 0, NOW), "about 5 min, from this run so far"),
        (Eta(300, 200, 420, EtaBasis.THIS_RUN, 0, NOW), "3–7 min, from this run so far"),
        (Eta(60, 50, 130, EtaBasis.SHIPPED, 0, NOW), "50 s–2 min, as on a typical machine"),
        (Eta(90, 40, 200, EtaBasis.PROVIDER_WAIT, 2, NOW), "40 s–3 min, the price source asks us to wait"),
        (Eta(0, 0, 1, EtaBasis.HISTORY, 2, NOW), "about 0 s, from the last 2 runs"),
        (Eta(9000, 5000, 14000, EtaBasis.THIS_RUN, 0, NOW), "1.4–3.9 h, from this run so far"),
        (Eta(40000, 30000, 50000, EtaBasis.THIS_RUN, 0, NOW), "about 11 h, from this run so far"),
    ],
)
def test_it_is_told_as_one_number_only_where_the_range_is_narrow(told: Eta, text: str) -> None:
    """A point when high / low < 2, else the range."""
    assert eta.text(told) == text

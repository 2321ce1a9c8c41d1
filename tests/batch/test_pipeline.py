"""A run from its order to its end: typed endings whatever raises, honest log lines, scope."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise

import pytest

from glassfolio import errors
from glassfolio.batch.endings import as_fault
from glassfolio.batch.pipeline import NAMES, PHASES
from glassfolio.batch.telling import progress_lines
from glassfolio.batch.working import in_order
from glassfolio.model.market import FailureKind
from glassfolio.model.run import Conclusion, FailureCode, PhaseProgress, PhaseStatus
from glassfolio.store import portfolios, rows, runs, snapshots
from tests.batch.workshop import FACTORS, Workshop, lot
from tests.contracts.plain_client import check


def statuses(doc: dict[str, object]) -> list[str]:
    phases = doc["phases"]
    assert isinstance(phases, list)
    return [phase["status"] for phase in phases]


class TestEndings:
    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (FailureKind.NETWORK, FailureCode.PROVIDER_UNAVAILABLE),
            (FailureKind.BLOCKED, FailureCode.PROVIDER_UNAVAILABLE),
            (FailureKind.RATE_LIMITED, FailureCode.PROVIDER_RATE_LIMITED),
            (FailureKind.UNAUTHORISED, FailureCode.PROVIDER_KEY_REJECTED),
            (FailureKind.NOT_FOUND, FailureCode.NO_PRICES_FOUND),
            (FailureKind.EMPTY, FailureCode.NO_PRICES_FOUND),
            (FailureKind.BAD_PAYLOAD, FailureCode.NO_PRICES_FOUND),
        ],
    )
    def test_a_price_source_that_fails_for_everything_ends_the_run_with_its_reason(
        self, workshop: Workshop, kind: FailureKind, code: FailureCode
    ) -> None:
        """S15."""
        workshop.provider.failing = {"*": kind}
        doc = workshop.carry(workshop.open(lot("AAPL"))[1])
        check(doc)
        assert doc["failure"]["code"] == code.value
        assert doc["failure"]["error_id"] is None
        assert statuses(doc) == ["failed", "pending", "pending", "pending"]

    @pytest.mark.parametrize("broken", ["provider", "betas", "metrics", "snapshots"])
    def test_an_exception_nobody_expects_in_a_phases_work_ends_the_run_there(
        self, workshop: Workshop, broken: str
    ) -> None:
        """S15, pitfall: raise in each phase; the very first price request included."""
        workshop.provider.raising = RuntimeError("secret detail") if broken == "provider" else None
        run_id = workshop.open(lot("AAPL"), trap=f"{broken} work")[1]
        doc = workshop.carry(run_id)
        check(doc)
        assert doc["failure"]["code"] == "INTERNAL_ERROR"
        assert doc["failure"]["error_id"]
        at = ["provider", "betas", "metrics", "snapshots"].index(broken)
        assert statuses(doc) == [*["completed"] * at, "failed", *["pending"] * (3 - at)]
        assert doc["failure"]["phase_id"] == NAMES[at].wire_id
        assert workshop.codes(run_id)[-2:] == ["PHASE_FAILED", "RUN_FAILED"]
        assert "secret" not in str(doc)

    @pytest.mark.parametrize("broken", ["betas", "metrics", "snapshots"])
    def test_an_exception_in_a_phases_plan_ends_the_run_and_leaves_no_phase_running(
        self, workshop: Workshop, broken: str
    ) -> None:
        """S15. The end of the phase before is the same commit as the plan, so that phase may be named."""
        run_id = workshop.open(lot("AAPL"), trap=f"{broken} plan")[1]
        doc = workshop.carry(run_id)
        check(doc)
        assert doc["failure"]["code"] == "INTERNAL_ERROR"
        at = statuses(doc).index("failed")
        assert ["betas", "metrics", "snapshots"].index(broken) in (at - 1, at)
        assert "secret" not in str(doc)

    def test_a_portfolio_that_is_gone_ends_its_run(self, workshop: Workshop) -> None:
        item, run_id = workshop.open(lot("AAPL"))
        with workshop.database.transaction() as connection:
            portfolios.delete(connection, item.id, item.owner_id, workshop.clock.now())
        workshop.pipeline.carry(run_id, 0)
        with workshop.database.reading() as connection:
            run = rows.get(connection, run_id)
        assert run is not None
        assert (run.conclusion, run.failure_code) == (Conclusion.FAILURE, FailureCode.PORTFOLIO_DELETED)

    def test_a_run_keeps_who_set_it_going_by_the_internal_id(self, workshop: Workshop) -> None:
        """S21: never a subject or an e-mail address."""
        item, run_id = workshop.open(lot("AAPL"))
        with workshop.database.reading() as connection:
            run = rows.get(connection, run_id)
        assert run is not None
        assert (run.trigger.value, run.triggered_by) == ("user", item.owner_id)
        assert "alice" not in run.triggered_by

    def test_an_older_order_carries_nothing(self, workshop: Workshop) -> None:
        """I5: the fence of a run that was handed over is past."""
        run_id = workshop.open(lot("AAPL"))[1]
        with (
            workshop.database.transaction() as connection,
            runs.Turn(connection, run_id, 0, NAMES, workshop.clock.now()) as turn,
        ):
            turn.change(fence=1)
        assert workshop.pipeline.carry(run_id, 0) == "not ours"
        assert workshop.codes(run_id) == ["RUN_QUEUED"]
        assert workshop.carry(run_id, 1)["status"] == "completed"

    def test_carrying_an_ended_run_again_changes_nothing(self, workshop: Workshop) -> None:
        run_id = workshop.open(lot("AAPL"))[1]
        done = workshop.carry(run_id)
        assert workshop.carry(run_id) == done

    def test_a_cancel_before_the_first_chunk_stops_it_there(self, workshop: Workshop) -> None:
        run_id = workshop.open(lot("AAPL"))[1]
        assert workshop.pipeline.claim(run_id, 0)
        with workshop.database.transaction() as connection:
            run = rows.get(connection, run_id)
            assert run is not None
            workshop.starter.cancel(connection, run)
            workshop.starter.cancel(connection, run)
        doc = workshop.carry(run_id)
        assert doc["conclusion"] == "cancelled"
        assert workshop.provider.asked == []
        assert workshop.codes(run_id).count("CANCEL_REQUESTED") == 1

    def test_a_retry_fetches_only_what_is_missing(self, workshop: Workshop) -> None:
        workshop.provider.failing = {"MSFT": FailureKind.UNAUTHORISED}
        item, run_id = workshop.open(lot("AAPL"), lot("MSFT", 1))
        assert workshop.carry(run_id)["status"] == "failed"
        workshop.provider.failing, workshop.provider.asked = {}, []
        with workshop.database.transaction() as connection:
            run = rows.get(connection, run_id)
            assert run is not None
            workshop.starter.retry(connection, run)
        doc = workshop.carry(run_id, 1)
        assert (doc["status"], doc["attempt"], doc["conclusion"]) == ("completed", 2, "success")
        assert workshop.again(item) != run_id


@pytest.mark.parametrize(
    ("error", "code", "has_id"),
    [
        (errors.ProviderKeyRejected(), FailureCode.PROVIDER_KEY_REJECTED, False),
        (errors.ProviderRateLimited(), FailureCode.PROVIDER_RATE_LIMITED, False),
        (errors.ProviderUnavailable(), FailureCode.PROVIDER_UNAVAILABLE, False),
        (errors.NotFound(), FailureCode.PORTFOLIO_DELETED, False),
        (errors.StorageFull(), FailureCode.STORAGE_FULL, False),
        (errors.StorageUnavailable(), FailureCode.STORAGE_UNAVAILABLE, True),
        (errors.StorageReadOnly(), FailureCode.STORAGE_UNAVAILABLE, True),
        (ValueError("secret"), FailureCode.INTERNAL_ERROR, True),
    ],
)
def test_every_exception_becomes_a_reason_an_owner_may_see(
    error: Exception, code: FailureCode, has_id: bool
) -> None:
    fault = as_fault(error)
    assert fault.code is code
    assert (fault.error_id is not None) == has_id


class TestSymbols:
    def test_each_symbol_that_failed_is_named_once_with_reason_and_share(self, workshop: Workshop) -> None:
        """S10, pitfall: failed symbols are never shown."""
        workshop.provider.failing = {"PG": FailureKind.BAD_PAYLOAD}
        run_id = workshop.open(lot("AAPL", quantity=100), lot("ZZZQ", 1), lot("PG", 2))[1]
        doc = workshop.carry(run_id)
        assert doc["conclusion"] == "success_with_warnings"
        told = workshop.messages(run_id, "SYMBOL_FAILED")
        assert sorted(message.split(":")[0] for message in told) == ["PG", "ZZZQ"]
        assert {s["symbol"]: s["reason"] for s in doc["symbols"]}.keys() == {"PG", "ZZZQ"}
        assert all(0 < s["share_of_value"] < 1 for s in doc["symbols"])
        assert doc["phases"][0]["outcome"] == "ok_with_warnings"
        assert doc["phases"][0]["failed"] == 2
        assert doc["completeness"] < 1

    def test_a_symbol_of_several_lots_is_named_once(self, workshop: Workshop) -> None:
        run_id = workshop.open(lot("AAPL", quantity=100), lot("ZZZQ", 1), lot("ZZZQ", 2))[1]
        workshop.carry(run_id)
        assert len(workshop.messages(run_id, "SYMBOL_FAILED")) == 1

    def test_one_bad_symbol_among_good_ones_blocks_nothing(self, workshop: Workshop) -> None:
        workshop.provider.failing = {"MSFT": FailureKind.NETWORK}
        doc = workshop.carry(workshop.open(lot("AAPL", quantity=100), lot("MSFT", 1))[1])
        assert doc["status"] == "completed"
        assert [s["symbol"] for s in doc["symbols"]] == ["MSFT"]


class TestScope:
    def test_only_the_portfolios_symbols_and_the_factor_proxies_are_fetched(self, workshop: Workshop) -> None:
        """S16, pitfall: 1,193 symbols fetched for 27; one range request per symbol."""
        workshop.open(lot("XOM"), lot("CVX", 1))
        workshop.carry(workshop.open(lot("AAPL"), lot("KO", 1))[1])
        symbols = [symbol for symbol, _start, _end in workshop.provider.asked]
        assert sorted(symbols) == sorted(["AAPL", "KO", *FACTORS])

    def test_a_second_run_makes_no_request(self, workshop: Workshop) -> None:
        """Pitfall: refetch on each of 254 dates."""
        item, run_id = workshop.open(lot("AAPL"))
        workshop.carry(run_id)
        workshop.provider.asked.clear()
        doc = workshop.carry(workshop.again(item))
        assert workshop.provider.asked == []
        assert {phase["outcome"] for phase in doc["phases"]} == {"cached"}
        assert {phase["reason"] for phase in doc["phases"]} == {"UP_TO_DATE"}

    def test_a_dead_symbol_is_asked_once_over_all_portfolios(self, workshop: Workshop) -> None:
        workshop.carry(workshop.open(lot("AAPL"), lot("ZZZQ", 1, quantity=1))[1])
        run_id = workshop.open(lot("MSFT"), lot("ZZZQ", 1, quantity=1))[1]
        doc = workshop.carry(run_id)
        assert [symbol for symbol, *_ in workshop.provider.asked].count("ZZZQ") == 1
        assert [s["symbol"] for s in doc["symbols"]] == ["ZZZQ"]
        assert len(workshop.messages(run_id, "SYMBOL_FAILED")) == 1

    def test_a_stored_symbol_is_not_asked_again_for_another_portfolio(self, workshop: Workshop) -> None:
        workshop.carry(workshop.open(lot("AAPL"))[1])
        workshop.provider.asked.clear()
        run_id = workshop.open(lot("AAPL"), lot("MSFT", 1))[1]
        doc = workshop.carry(run_id)
        assert [symbol for symbol, *_ in workshop.provider.asked] == ["MSFT"]
        assert workshop.messages(run_id, "PLAN_READY") == ["7 of 8 symbols are stored; 1 to fetch."]
        assert doc["phases"][0]["cached"] == 7

    def test_a_rerun_gives_the_same_bits(self, workshop: Workshop) -> None:
        """Pitfall: reruns compound P&L."""
        item, run_id = workshop.open(lot("AAPL"), lot("XOM", 1, date(2022, 11, 1), -5))
        workshop.carry(run_id)
        with workshop.database.reading() as connection:
            before = snapshots.between(connection, item.id, None, None)
        workshop.carry(workshop.again(item))
        with workshop.database.reading() as connection:
            assert snapshots.between(connection, item.id, None, None) == before
        assert len(before) == 70


class TestLog:
    def test_a_run_is_told_from_queue_to_summary(self, workshop: Workshop) -> None:
        """S10, S11: phases start, progress, and end with a summary; in order."""
        run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
        workshop.carry(run_id)
        codes = workshop.codes(run_id)
        assert codes[:4] == ["RUN_QUEUED", "RUN_STARTED", "PHASE_STARTED", "PLAN_READY"]
        assert codes[-2:] == ["PHASE_COMPLETED", "RUN_COMPLETED"]
        assert [c for c in codes if c in ("PHASE_STARTED", "PHASE_COMPLETED")] == [
            "PHASE_STARTED",
            "PHASE_COMPLETED",
        ] * 4
        assert workshop.messages(run_id, "RUN_STARTED") == ["Started: 2 symbols, 70 trading days."]

    @pytest.mark.parametrize(("total", "size"), [(254, 64), (1, 1), (5, 5), (7, 3), (70, 64), (12, 1)])
    def test_counted_work_is_told_first_every_fifth_and_last_once(self, total: int, size: int) -> None:
        """Whatever the chunks; 254 dates are 52 lines."""
        phase = PHASES[3]
        told: list[int] = []
        for start in range(0, total, size):
            before = PhaseProgress(phase.name, PhaseStatus.RUNNING, total=total, ok=start)
            items = tuple("2022-12-28" for _ in range(min(size, total - start)))
            told += [int(entry.params["count"]) for entry in progress_lines(phase, before, items)]
        assert told == sorted({1, *range(5, total + 1, 5), total})
        if total == 254:
            assert len(told) == 52

    def test_cached_units_are_counted_and_not_told_again(self) -> None:
        phase = PHASES[0]
        before = PhaseProgress(phase.name, PhaseStatus.RUNNING, total=12, cached=8)
        lines = progress_lines(phase, before, ("A", "B", "C", "D"))
        assert [line.params["count"] for line in lines] == [10, 12]


class TestInOrder:
    def test_results_come_in_the_order_of_the_items_whoever_is_ready_first(self) -> None:
        second_done = threading.Event()

        def work(item: int) -> int:
            if item == 0:
                assert second_done.wait(10)
            if item == 1:
                second_done.set()
            return item * 10

        with ThreadPoolExecutor(4) as pool:
            assert list(in_order(pool, range(6), work, 3)) == [(i, i * 10) for i in range(6)]

    def test_no_more_is_begun_than_a_few_ahead(self) -> None:
        begun: list[int] = []
        with ThreadPoolExecutor(8) as pool:
            results = in_order(pool, range(20), begun.append, 4)
            next(results)
            assert max(begun) <= 5
            results.close()  # type: ignore[attr-defined]

    def test_nothing_to_do_is_nothing(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            assert list(in_order(pool, [], str, 4)) == []


def test_the_percent_of_a_run_only_rises(workshop: Workshop) -> None:
    """S6, at every commit of a real run."""
    run_id = workshop.open(lot("AAPL"), lot("MSFT", 1), lot("KO", 2))[1]
    seen: list[float] = [workshop.document(run_id)["overall_progress"]["percent"]]
    assert workshop.pipeline.claim(run_id, 0)
    for position in range(len(PHASES) + 1):
        with workshop.database.transaction() as connection:
            todo = workshop.pipeline.enter(connection, run_id, 0, position)
        seen.append(workshop.document(run_id)["overall_progress"]["percent"])
        if position == len(PHASES):
            break
        task = workshop.pipeline.workplace.task(run_id)
        for number, result in workshop.pipeline.results(task, 0, PHASES[position], todo or []):
            with workshop.database.transaction() as connection:
                assert workshop.pipeline.settle(connection, run_id, 0, position, number, result)
            doc = workshop.document(run_id)
            check(doc)
            seen.append(doc["overall_progress"]["percent"])
    assert all(a <= b for a, b in pairwise(seen))
    assert seen[-1] == 100
    assert max(seen[:-1]) <= 99.5
    assert len(set(seen)) > 4

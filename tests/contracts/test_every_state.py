"""Rows S1 to S9, S12 to S15 of the contract, through a client that knows only the published fields."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.contracts.conftest import Serve
from tests.contracts.plain_client import PlainClient, check
from tests.contracts.running import HEADER, Running, ShiftedClock, ended, opened, status, stored, wait_for
from tests.fakes.tiingo import FakeTiingo

TWO_LOTS = HEADER + "AAPL,100,126.00,2021-03-15\nMSFT,10,230.00,2021-03-15\n"


def follow(client: httpx.Client, portfolio_id: str, plain: PlainClient) -> dict[str, Any]:
    """Poll without a pause until the run has ended, checking every answer."""

    def over() -> bool:
        doc = status(client, portfolio_id)
        plain.read(doc)
        return bool(doc["status"] != "running")

    wait_for(over)
    return dict(plain.seen[-1])


class TestAcrossRestarts:
    def test_a_life_from_never_onboarded_to_completed_survives_two_restarts(
        self, serve: Serve, fake: FakeTiingo
    ) -> None:
        """S1, S4, S5, S6, S12, S13: not_found, queued, running, completed; the last one durably."""
        fake.delay = 0.02
        plain = PlainClient()
        with serve(worker=False) as service:
            alice = service.client()
            portfolio_id = stored(alice, TWO_LOTS)
            plain.read(status(alice, portfolio_id))
            assert plain.words == ["not_found"]
            started = alice.post(f"/api/v1/portfolios/{portfolio_id}/runs")
            assert started.status_code == 202
            assert int(started.headers["retry-after"]) * 1000 == started.json()["poll_after_ms"]
            plain.read(started.json())
            queued = status(alice, portfolio_id)
            plain.read(queued)
            assert queued["state"] == "queued"
            assert queued["queue"] == {"position": 1, "starts_in": None, "reason": "no_worker"}
            assert queued["overall_progress"]["current_phase"] == "phase_1"
            assert queued["overall_progress"]["percent_complete"] == 0
            assert queued["run_id"] == started.json()["run_id"]
        with serve() as service:
            done = follow(service.client(), portfolio_id, plain)
        assert plain.words == ["not_found", "running", "completed"]
        assert done["state"] == "ended"
        assert done["conclusion"] == "success"
        with serve(worker=False) as service:
            plain.read(status(service.client(), portfolio_id))
        assert plain.words[-1] == "completed"

    def test_a_failure_is_still_there_after_a_restart(self, serve: Serve, fake: FakeTiingo) -> None:
        """S13: the terminal status stays until the next run of this portfolio."""
        fake.set_faults({"*": "unauthorised"})
        plain = PlainClient()
        with serve() as service:
            portfolio_id = opened(service.client())["portfolio_id"]
            failed = follow(service.client(), portfolio_id, plain)
        assert failed["failure"]["code"] == "PROVIDER_KEY_REJECTED"
        assert failed["failure"]["action"]["kind"] == "check_key"
        with serve(worker=False) as service:
            plain.read(status(service.client(), portfolio_id))
        assert plain.words == ["running", "failed"]


def test_alive_and_silent_for_a_minute_is_stalled(serve: Serve, fake: FakeTiingo) -> None:
    fake.delay = 2.5
    with serve() as service:
        client, clock = service.client(), service.parts.clock
        assert isinstance(clock, ShiftedClock)
        portfolio_id = opened(client)["portfolio_id"]
        wait_for(lambda: bool(status(client, portfolio_id)["work_started_at"]))
        clock.move(timedelta(seconds=61))
        wait_for(lambda: bool(status(client, portfolio_id)["stalled"]))
        stalled = status(client, portfolio_id)
        assert (stalled["status"], stalled["state"]) == ("running", "running")
        assert stalled["stalled_reason"] == "provider_silent"
        assert stalled["activity_log"][-1]["code"] == "RUN_STALLED"
        fake.delay = 0.0
        done = ended(client, portfolio_id)
        assert (done["status"], done["stalled"]) == ("completed", False)
        assert 60 <= done["honesty"]["m10_stalled"] <= 65


def test_a_wait_of_an_hour_can_be_cancelled(serve: Serve, fake: FakeTiingo, plain: PlainClient) -> None:
    """The provider's pause holds for all of the service's runs, so this one has the service for itself."""
    fake.set_faults({"*": "rate_limited_1h"})
    with serve() as service:
        alice = service.client()
        answer = opened(alice)
        wait_for(lambda: bool(status(alice, answer["portfolio_id"])["state"] == "waiting"))
        shown = status(alice, answer["portfolio_id"])
        assert shown["poll_after_ms"] == 10_000
        assert shown["overall_progress"]["percent_complete"] < 100
        assert alice.post(f"/api/v1/runs/{answer['run_id']}/cancel").status_code == 202
        assert follow(alice, answer["portfolio_id"], plain)["conclusion"] == "cancelled"


def test_a_clock_that_steps_back_shows_no_negative_time(serve: Serve) -> None:
    """S5: elapsed is never below zero."""
    with serve(worker=False) as service:
        portfolio_id = opened(service.client())["portfolio_id"]
        clock = service.parts.clock
        assert isinstance(clock, ShiftedClock)
        clock.move(timedelta(hours=-1))
        reply = service.anonymous().get(
            f"/api/v1/onboarding/status/{portfolio_id}",
            headers={"Authorization": f"Bearer {service.token()}"},
        )
        check(reply.json())
        assert reply.json()["elapsed_seconds"] == 0


@pytest.fixture
def alice(service: Running) -> httpx.Client:
    return service.client()


@pytest.fixture
def plain() -> PlainClient:
    return PlainClient()


def test_a_retry_of_failed_symbols_asks_for_nothing_else(serve: Serve, fake: FakeTiingo) -> None:
    """S14: whatever has become known since."""
    fake.set_faults({"KO": "server_error"})
    with serve() as service:
        client = service.client("alice")
        answer = opened(client, HEADER + "AAPL,10,20,2021-03-15\nKO,10,50,2021-03-15\n")
        first = ended(client, answer["portfolio_id"])
        assert [one["symbol"] for one in first["symbols"]] == ["KO"]
        fake.set_faults({"KO": None})
        asked, path = len(fake.hits), first["links"]["retry_failed"]
        assert client.post(path, json={"only": "everything"}).status_code == 422
        assert client.post(path, json={"only": "failed_symbols"}).status_code == 202
        second = ended(client, answer["portfolio_id"])
    assert (second["attempt"], second["conclusion"], second["symbols"]) == (2, "success", [])
    assert [hit.symbol for hit in fake.hits[asked:]] == ["KO"]
    assert second["data_as_of"] == first["data_as_of"]


class TestWhileAndAfterWork:
    def test_every_answer_while_the_work_runs_keeps_the_contract(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        """S6, S7, S9: the percent rises only, the counts are committed work, all four phases always."""
        provider.delay = 0.05
        portfolio_id = opened(alice, HEADER + "KO,10,40.00,2021-03-15\nPEP,10,120.00,2021-03-15\n")[
            "portfolio_id"
        ]
        done = follow(alice, portfolio_id, plain)
        assert done["status"] == "completed"
        assert len({doc["overall_progress"]["percent_complete"] for doc in plain.seen}) > 2
        assert any(0 < doc["phases"][0]["current"] < doc["phases"][0]["total"] for doc in plain.seen)

    def test_owners_side_by_side_see_only_their_own_run(self, service: Running, provider: FakeTiingo) -> None:
        """B2, pitfall: starting a run overwrites the one global run; one owner's end ends all."""
        provider.delay = 0.02
        symbols = ["LLY", "UNH", "WMT", "HD", "JPM"]
        owners = [service.client(f"owner-{symbol}") for symbol in symbols]
        answers = [
            opened(owner, HEADER + f"{symbol},10,60.00,2021-03-15\n", name=f"canary-{symbol}")
            for owner, symbol in zip(owners, symbols, strict=True)
        ]
        for owner, answer, symbol in zip(owners, answers, symbols, strict=True):
            done = follow(owner, answer["portfolio_id"], PlainClient())
            assert (done["run_id"], done["status"]) == (answer["run_id"], "completed")
            shown = str(done) + owner.get(f"/api/v1/onboarding/status/{answer['portfolio_id']}/logs").text
            for other in set(symbols) - {symbol}:
                assert f"canary-{other}" not in shown
                assert other not in shown

    def test_an_unknown_symbol_makes_it_completed_with_warnings(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        """S10: each symbol that failed is named once with its reason and what it means."""
        portfolio_id = opened(alice, TWO_LOTS + "ZZZQ,10,24.80,2021-04-19\n")["portfolio_id"]
        done = follow(alice, portfolio_id, plain)
        assert done["status"] == "completed"
        assert done["conclusion"] == "success_with_warnings"
        assert done["warnings_total"] == 1
        assert [(s["symbol"], s["outcome"]) for s in done["symbols"]] == [("ZZZQ", "unknown")]
        assert 0 < done["symbols"][0]["share_of_value"] < 1
        log = alice.get(f"/api/v1/runs/{done['run_id']}/log").json()["entries"]
        failed = [entry["message"] for entry in log if entry["code"] == "SYMBOL_FAILED"]
        assert failed == [
            "ZZZQ: the price source does not know it. It is left out of values and factor results."
        ]

    @pytest.mark.parametrize(
        ("fault", "code", "phase"),
        [("server_error", "PROVIDER_UNAVAILABLE", "phase_1"), ("not_found", "NO_PRICES_FOUND", "phase_1")],
    )
    def test_a_price_source_that_gives_nothing_fails_the_run(
        self,
        alice: httpx.Client,
        provider: FakeTiingo,
        plain: PlainClient,
        fault: str,
        code: str,
        phase: str,
    ) -> None:
        """S15: the very first price request fails, and the run still ends with a reason."""
        symbol = {"server_error": "GE", "not_found": "BBY"}[fault]
        provider.set_faults({"*": fault})
        portfolio_id = opened(alice, HEADER + f"{symbol},10,50.00,2021-03-15\n")["portfolio_id"]
        failed = follow(alice, portfolio_id, plain)
        assert failed["status"] == "failed"
        assert failed["failure"]["code"] == code
        assert failed["failure"]["phase_id"] == failed["overall_progress"]["current_phase"] == phase
        assert failed["failure"]["retryable"] is True
        assert [p["outcome"] for p in failed["phases"]] == ["failed", "not_run", "not_run", "not_run"]
        assert failed["activity_log"][-1]["level"] == "error"

    def test_holdings_of_which_too_little_can_be_valued_fail(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        """`completed` needs results: less than half of the value priced is a failure with its reason."""
        holdings = HEADER + "JNJ,1,150.00,2021-03-15\nZZZX,1000,100.00,2021-03-15\n"
        failed = follow(alice, opened(alice, holdings)["portfolio_id"], plain)
        assert failed["failure"]["code"] == "NOTHING_TO_VALUE"
        assert failed["overall_progress"]["current_phase"] == "phase_2_6"
        assert failed["overall_progress"]["percent_complete"] < 100

    def test_a_retry_shows_running_from_its_first_poll_and_keeps_the_attempt_before(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        """S14, S12: never the outcome of the attempt before; its document and log stay readable."""
        provider.set_faults({"*": "server_error"})
        portfolio_id = opened(alice, HEADER + "XOM,10,60.00,2021-03-15\n")["portfolio_id"]
        failed = follow(alice, portfolio_id, plain)
        provider.set_faults({"*": "good"})
        again = alice.post(failed["links"]["retry"])
        assert again.status_code == 202
        assert again.json()["status"] == "running"
        assert again.json()["attempt"] == 2
        assert status(alice, portfolio_id)["attempt"] == 2
        done = follow(alice, portfolio_id, plain)
        assert plain.words == ["running", "failed", "running", "completed"]
        assert done["run_id"] == failed["run_id"]
        earlier = alice.get(f"/api/v1/runs/{failed['run_id']}", params={"attempt": 1}).json()
        check(earlier)
        assert earlier["status"] == "failed"
        assert earlier["attempt"] == 1
        assert earlier["activity_log"] == failed["activity_log"]
        assert earlier["phases"] == failed["phases"]
        log = alice.get(f"/api/v1/runs/{failed['run_id']}/log").json()["entries"]
        assert [entry["code"] for entry in log].count("RUN_FAILED") == 1
        assert log[-1]["code"] == "RUN_COMPLETED"

    def test_an_earlier_attempt_keeps_its_own_times(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        """S5: started_at and elapsed_seconds belong to the attempt, frozen at its end."""
        provider.set_faults({"*": "server_error"})
        portfolio_id = opened(alice, HEADER + "CVX,10,90.00,2021-03-15\n")["portfolio_id"]
        failed = follow(alice, portfolio_id, plain)
        provider.set_faults({"*": "good"})
        alice.post(failed["links"]["retry"])
        follow(alice, portfolio_id, plain)
        earlier = alice.get(f"/api/v1/runs/{failed['run_id']}", params={"attempt": 1}).json()
        assert earlier["started_at"] == failed["started_at"]
        assert earlier["finished_at"] == failed["finished_at"]
        assert earlier["elapsed_seconds"] == failed["elapsed_seconds"]

    def test_cancelling_ends_in_failed_with_a_way_to_go_on(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        provider.hold("PG")
        before = len(provider.hits)
        answer = opened(alice, HEADER + "PG,10,100.00,2021-03-15\nPFE,10,30.00,2021-03-15\n")
        wait_for(lambda: "PG" in {hit.symbol for hit in provider.hits[before:]})
        asked = alice.post(f"/api/v1/runs/{answer['run_id']}/cancel")
        assert asked.status_code == 202
        plain.read(asked.json())
        assert asked.json()["state"] in ("cancelling", "ended")
        provider.release()
        cancelled = follow(alice, answer["portfolio_id"], plain)
        assert cancelled["status"] == "failed"
        assert cancelled["conclusion"] == "cancelled"
        assert cancelled["failure"]["code"] == "CANCELLED_BY_OWNER"
        assert cancelled["phases"][0]["outcome"] == "cancelled"
        assert [p["outcome"] for p in cancelled["phases"][1:]] == ["not_run"] * 3
        assert alice.post(cancelled["links"]["retry"]).status_code == 202
        assert ended(alice, answer["portfolio_id"])["status"] == "completed"

    def test_a_second_run_of_what_is_stored_completes_with_everything_cached(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        """Nothing to do is `completed`, each phase `cached` with its reason."""
        portfolio_id = opened(alice, HEADER + "MRK,10,70.00,2021-03-15\n")["portfolio_id"]
        first = follow(alice, portfolio_id, plain)
        asked = len(provider.hits)
        assert alice.post(f"/api/v1/portfolios/{portfolio_id}/runs").status_code == 202
        second = follow(alice, portfolio_id, plain)
        assert second["run_id"] != first["run_id"]
        assert {(p["outcome"], p["reason"]) for p in second["phases"]} == {("cached", "UP_TO_DATE")}
        assert len(provider.hits) == asked


class TestTheTruthBesideTheWord:
    """`running` has a state: waiting, stalled, cancelling; each brought about over HTTP."""

    def test_a_provider_that_asks_to_wait_is_shown_with_the_clock_time(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        provider.set_faults({"AMD": ["rate_limited_2s", "good"]})
        portfolio_id = opened(alice, HEADER + "AMD,10,80.00,2021-03-15\n")["portfolio_id"]
        done = follow(alice, portfolio_id, plain)
        waiting = [doc for doc in plain.seen if doc["state"] == "waiting"]
        assert {doc["status"] for doc in waiting} == {"running"}
        assert waiting[0]["phases"][0]["waiting"]["for"] == "provider"
        assert waiting[0]["phases"][0]["waiting"]["until"] > waiting[0]["updated_at"]
        assert (done["conclusion"], done["phases"][0]["waiting"]) == ("success", None)
        codes = [entry["code"] for entry in done["activity_log"]]
        assert codes.index("PROVIDER_WAIT") < codes.index("PROVIDER_RESUMED")


class TestHonesty:
    """B4."""

    def test_a_finished_run_publishes_how_honest_it_was(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        provider.delay = 0.02
        portfolio_id = opened(alice, HEADER + "BAC,10,35.00,2021-03-15\n")["portfolio_id"]
        done = follow(alice, portfolio_id, plain)
        assert all(doc["honesty"] is None for doc in plain.seen if doc["status"] == "running")
        honesty = done["honesty"]
        assert 0 <= honesty["m1"] <= honesty["m2"] <= 1
        assert honesty["m3"] == 0
        assert honesty["text"] == f"The bar was off by {100 * honesty['m1']:.1f} % on average."
        [listed] = alice.get(f"/api/v1/portfolios/{portfolio_id}/runs").json()
        assert listed["honesty"] == honesty

    def test_a_later_run_says_that_it_rests_on_earlier_ones(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        follow(alice, opened(alice, HEADER + "RRC,10,10.00,2021-03-15\n")["portfolio_id"], PlainClient())
        provider.delay = 0.3
        follow(alice, opened(alice, TWO_LOTS + "ZZZW,1,10.00,2021-03-15\n")["portfolio_id"], plain)
        working = [doc for doc in plain.seen if doc["eta"] is not None]
        assert working
        assert {doc["overall_progress"]["percent_basis"] for doc in working} == {"plan+history"}
        assert {doc["eta"]["basis"] for doc in working} == {"history"}
        assert all(doc["eta"]["runs"] >= 1 and "last" in doc["eta"]["text"] for doc in working)

    def test_weights_are_shares_of_the_seconds_and_add_up(
        self, alice: httpx.Client, provider: FakeTiingo, plain: PlainClient
    ) -> None:
        provider.delay = 0.05
        follow(alice, opened(alice, HEADER + "XOM,10,60.00,2021-03-15\n")["portfolio_id"], plain)
        for doc in plain.seen:
            assert sum(phase["weight"] for phase in doc["phases"]) == pytest.approx(1, abs=0.001)


def test_a_check_notices_each_broken_rule(make_document: Callable[[], dict[str, Any]]) -> None:
    """The client above is only worth something if it fails."""
    broken: list[Callable[[dict[str, Any]], object]] = [
        lambda doc: doc.update(status="done"),
        lambda doc: doc.update(elapsed_seconds=1.5),
        lambda doc: doc.update(started_at="2022-12-29 12:00"),
        lambda doc: doc["phases"].pop(),
        lambda doc: doc["phases"].reverse(),
        lambda doc: doc["overall_progress"].update(percent_complete=100),
        lambda doc: doc["overall_progress"].update(percent_complete=12.5),
        lambda doc: doc["overall_progress"].update(phases_total=3),
        lambda doc: doc["overall_progress"].update(phases_completed=1),
        lambda doc: doc["current_phase_progress"].update(total=None),
        lambda doc: doc["phases"][0].update(current=5, total=4),
        lambda doc: doc["phases"][3].update(status="running"),
        lambda doc: doc["activity_log"][0].update(level="debug"),
    ]
    check(make_document())
    for change in broken:
        doc = make_document()
        change(doc)
        with pytest.raises(AssertionError):
            check(doc)
    plain = PlainClient()
    plain.read(make_document() | {"elapsed_seconds": 9})
    with pytest.raises(AssertionError):
        plain.read(make_document())


@pytest.fixture
def make_document() -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        names = ["Market Data Collection", "Factor Analysis", "Symbol Metrics"]
        phases = [
            {
                "phase_id": wire_id,
                "phase_name": name,
                "unit": unit,
                "status": "pending",
                "current": 0,
                "total": 4,
                "duration_seconds": None,
            }
            for wire_id, name, unit in zip(
                ["phase_1", "phase_1_5", "phase_1_75", "phase_2_6"],
                [*names, "Portfolio Snapshots & Analytics"],
                ["symbols", "symbols", "symbols", "dates"],
                strict=True,
            )
        ]
        phases[0] |= {"status": "running", "current": 2}
        moment = "2022-12-29T12:00:00.000Z"
        return {
            "portfolio_id": "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10",
            "status": "running",
            "started_at": moment,
            "elapsed_seconds": 3,
            "overall_progress": {
                "current_phase": "phase_1",
                "current_phase_name": "Market Data Collection",
                "phases_completed": 0,
                "phases_total": 4,
                "percent_complete": 12,
            },
            "current_phase_progress": {"current": 2, "total": 4, "unit": "symbols"},
            "activity_log": [{"timestamp": moment, "message": "Queued.", "level": "info"}],
            "phases": phases,
        }

    return make

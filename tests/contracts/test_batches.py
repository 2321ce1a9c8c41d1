"""The scopes of a batch (S16a to S16f) on a running service: what each touches, and no more."""

import json
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from glassfolio.store import recent, rows
from glassfolio.store.recent import Quota
from tests.contracts.operating import (
    ADMIN,
    AFTER_NEXT,
    BOSS,
    NEWEST,
    NEXT,
    Hire,
    Office,
    hiring,
)
from tests.contracts.running import HEADER, ended, opened, status, stored
from tests.databases import shared_database
from tests.fakes.tiingo import FakeTiingo

APPLE = HEADER + "AAPL,100,126.00,2021-03-15\n"
MICROSOFT = HEADER + "MSFT,10,230.00,2021-03-15\n"
BOTH = HEADER + "AAPL,100,126.00,2021-03-15\nMSFT,10,230.00,2021-03-15\n"
UNKNOWN = HEADER + "AAPL,100,126.00,2021-03-15\nZZZZ,1,1.00,2021-03-15\n"
FIRST, LAST = date(2022, 12, 5), date(2022, 12, 9)


@pytest.fixture
def hire(fake: FakeTiingo, database_url: str, tmp_path: Path) -> Hire:
    return hiring(fake, database_url, tmp_path)


class TestMatrix:
    def test_one_portfolio_gets_its_missing_dates(self, hire: Hire) -> None:
        """S16a: nothing that is there is made again, and nobody else's is touched."""
        with hire() as office:
            mine, other = office.onboarded("alice", APPLE), office.onboarded("bob", APPLE)
            whole = office.days(mine)
            for one in (mine, other):
                office.damage(one)
            office.lose(mine, whole[10:12])
            before = office.snapshots(other), office.runs(other)
            report = office.carried_out(scoped_only=True, portfolio_ids=[mine])
            assert office.healed(mine) == whole[10:12]
            assert office.days(mine) == whole
            assert report["pairs"] == {"filled": 2, "missing": 0}
            assert [item["kind"] for item in report["runs"]] == ["repair"]
            assert (office.snapshots(other), office.runs(other)) == before
            assert report["scope"]["portfolio_ids"] == [mine]

    def test_chosen_portfolios_get_the_requested_dates_again(self, hire: Hire) -> None:
        """S16b: exactly those portfolios, exactly those dates, with the same numbers as at first."""
        with hire() as office:
            chosen = [office.onboarded("alice", APPLE), office.onboarded("bob", MICROSOFT)]
            other = office.onboarded("carol", BOTH)
            right = {one: office.snapshots(one) for one in chosen}
            for one in (*chosen, other):
                office.damage(one)
            before = office.snapshots(other), office.runs(other)
            report = office.carried_out(
                force_rerun=True, portfolio_ids=chosen, start_date=str(FIRST), end_date=str(LAST)
            )
            sessions = office.service.parts.sessions.between(FIRST, LAST).tolist()
            assert len(sessions) == 5
            for one in chosen:
                assert office.healed(one) == sessions
                # A snapshot is a function of its inputs: made again, it is the same row.
                again = [row for row in office.snapshots(one) if row[1] in sessions]
                assert [row[:-1] for row in again] == [row[:-1] for row in right[one] if row[1] in sessions]
            assert (office.snapshots(other), office.runs(other)) == before
            assert report["conclusions"] == {"success": 2}
            assert report["pairs"]["filled"] == 10
            doc = status(office.service.client("alice"), chosen[0])
            assert (doc["kind"], doc["trigger"]) == ("repair", "admin")

    def test_all_active_portfolios_are_made_again(self, hire: Hire) -> None:
        """S16c: every session of the history; deleted ones not, and one never onboarded is onboarded."""
        with hire() as office:
            mine, gone = office.onboarded("alice", APPLE), office.onboarded("bob", APPLE)
            fresh = stored(office.service.client("carol"), MICROSOFT)
            office.damage(mine)
            office.damage(gone)
            office.service.client("bob").delete(f"/api/v1/portfolios/{gone}")
            before = office.snapshots(gone), office.runs(gone)
            whole = office.days(mine)
            report = office.carried_out(force_rerun=True)
            assert office.healed(mine) == whole
            assert {item["portfolio_id"]: item["kind"] for item in report["runs"]} == {
                mine: "repair",
                fresh: "onboarding",
            }
            assert len(office.days(fresh)) == 70
            assert (office.snapshots(gone), office.runs(gone)) == before

    def test_the_catch_up_fills_what_is_missing_of_those_once_onboarded(self, hire: Hire) -> None:
        """S13, S16d: and the owner's status keeps its bytes and its ETag."""
        with hire() as office:
            mine, never = office.onboarded("alice", APPLE), stored(office.service.client("bob"), APPLE)
            whole = office.days(mine)
            office.damage(mine)
            path = f"/api/v1/onboarding/status/{mine}"
            before = office.service.client("alice").get(path)
            office.move(days=2)
            alice = office.service.client("alice")
            report = office.carried_out()
            assert office.healed(mine) == [NEXT, AFTER_NEXT]
            assert office.days(mine) == [*whole, NEXT, AFTER_NEXT]
            assert office.runs(never) == []
            assert [item["kind"] for item in report["runs"]] == ["nightly"]
            after = alice.get(path)
            # The worker's heartbeat is no part of the version.
            told = [{**reply.json(), "heartbeat_at": None} for reply in (before, after)]
            assert told[0] == told[1]
            assert after.headers["etag"] == before.headers["etag"]
            assert alice.get(path, headers={"If-None-Match": before.headers["etag"]}).status_code == 304

    def test_chosen_portfolios_without_force_get_what_is_missing(self, hire: Hire) -> None:
        """S16e: exactly those, only missing pairs, only their symbols and the factors'."""
        with hire() as office:
            chosen, other = office.onboarded("alice", APPLE), office.onboarded("bob", MICROSOFT)
            fresh = stored(office.service.client("carol"), APPLE)
            office.move(days=1)
            office.damage(chosen)
            asked_before = len(office.fake.hits)
            before = office.snapshots(other), office.runs(other)
            report = office.carried_out(portfolio_ids=[chosen, fresh])
            assert office.healed(chosen) == [NEXT]
            assert {item["portfolio_id"]: item["kind"] for item in report["runs"]} == {
                chosen: "repair",
                fresh: "onboarding",
            }
            assert "MSFT" not in {hit.symbol for hit in office.fake.hits[asked_before:]}
            assert (office.snapshots(other), office.runs(other)) == before

    @pytest.mark.parametrize(
        ("body", "codes"),
        [
            ({"portfolio_ids": []}, ["SCOPE_EMPTY_LIST"]),
            ({"portfolio_ids": [], "force_rerun": True}, ["SCOPE_EMPTY_LIST"]),
            ({"scoped_only": True}, ["SCOPE_WITHOUT_IDS"]),
            ({"scoped_only": True, "force_rerun": True}, ["SCOPE_WITHOUT_IDS"]),
            ({"portfolio_ids": ["MINE", "x"]}, ["SCOPE_MALFORMED_ID"]),
            ({"portfolio_ids": ["MINE", "NOBODYS", "GONE"]}, ["SCOPE_UNKNOWN_ID", "SCOPE_UNKNOWN_ID"]),
            ({"start_date": "2022-12-02", "end_date": "2022-12-01"}, ["SCOPE_DATES_REVERSED"]),
            ({"portfolio_id": "MINE"}, None),
            ({"force_rerun": "yes"}, None),
            ({"start_date": 1}, None),
            ({"portfolio_ids": "MINE"}, None),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("dry_run", [False, True])
    def test_what_is_refused_starts_nothing(
        self,
        clerks: Office,
        ids: dict[str, str],
        body: dict[str, Any],
        codes: list[str] | None,
        dry_run: bool,
    ) -> None:
        """S16f"""
        text = json.dumps({**body, "dry_run": dry_run})
        for word, portfolio_id in ids.items():
            text = text.replace(word, portfolio_id)
        before = clerks.everything()
        reply = clerks.boss.post(ADMIN, content=text, headers={"Content-Type": "application/json"})
        assert reply.status_code == 422, reply.text
        if codes is None:
            assert reply.json()["code"] == "INVALID_REQUEST"
        else:
            assert reply.json()["code"] == "BAD_SCOPE"
            assert [item["code"] for item in reply.json()["errors"]] == codes
        assert clerks.everything() == before


@pytest.fixture(scope="module")
def clerks(service_url: str, shared_fake: FakeTiingo, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An office without a worker, shared by tests that start nothing."""
    with hiring(shared_fake, service_url, tmp_path_factory.mktemp("clerks"))(worker=False) as office:
        yield office


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with shared_database(request, tmp_path_factory.mktemp("database")) as url:
        yield url


@pytest.fixture(scope="module")
def ids(clerks: Office) -> dict[str, str]:
    alice = clerks.service.client("alice")
    gone = stored(alice, APPLE)
    alice.delete(f"/api/v1/portfolios/{gone}")
    return {"MINE": stored(alice, APPLE), "NOBODYS": str(uuid4()), "GONE": gone}


class TestDryRun:
    @pytest.mark.parametrize(
        "body",
        [{}, {"force_rerun": True}, {"force_rerun": True, "start_date": "2022-12-05"}],
        ids=str,
    )
    def test_it_touches_nothing_and_tells_what_the_batch_then_does(
        self, hire: Hire, body: dict[str, Any]
    ) -> None:
        """S16: portfolios, sessions, symbols and requests to the provider, exactly."""
        with hire() as office:
            mine = [office.onboarded("alice", APPLE), office.onboarded("bob", BOTH)]
            stored(office.service.client("carol"), MICROSOFT)
            office.move(days=2)
            stale = {one: office.days(one) for one in mine}
            for one in mine:
                office.damage(one)
            before, hits = office.everything("audit"), len(office.fake.hits)
            reply = office.ask(dry_run=True, **body)
            assert reply.status_code == 200, reply.text
            told = reply.json()
            assert office.everything("audit") == before
            assert len(office.fake.hits) == hits
            report = office.carried_out(**body)
            assert sorted(item["portfolio_id"] for item in report["runs"]) == sorted(
                item["portfolio_id"] for item in told["portfolios"]
            )
            asked = [hit.symbol for hit in office.fake.hits[hits:]]
            assert len(asked) == told["requests"] > 0
            assert sorted(set(asked)) == told["symbols"]
            assert report["pairs"]["filled"] == told["pairs"]
            for item in told["portfolios"]:
                healed = office.healed(item["portfolio_id"])
                assert item["sessions"] == {
                    "count": len(healed),
                    "first": str(healed[0]),
                    "last": str(healed[-1]),
                }
            assert all(len(office.days(one)) == len(stale[one]) + 2 for one in mine)

    def test_what_is_up_to_date_is_left_out_and_says_so(self, hire: Hire) -> None:
        with hire() as office:
            mine = office.onboarded("alice", APPLE)
            assert office.start()["skipped"] == [{"portfolio_id": mine, "reason": "up_to_date"}]
            late = office.start(portfolio_ids=[mine], force_rerun=True, start_date="2022-12-22")
            assert late["skipped"] == [{"portfolio_id": mine, "reason": "no_sessions"}]
            assert late["runs"] == []


class TestRedo:
    def test_a_symbol_that_was_unknown_is_asked_again_once(self, hire: Hire) -> None:
        with hire() as office:
            chosen = [office.onboarded("alice", UNKNOWN), office.onboarded("bob", UNKNOWN)]
            hits = len(office.fake.hits)
            office.carried_out(portfolio_ids=chosen)
            told = office.ask(portfolio_ids=chosen, force_rerun=True, dry_run=True).json()
            report = office.carried_out(portfolio_ids=chosen, force_rerun=True)
            assert [hit.symbol for hit in office.fake.hits[hits:]] == ["ZZZZ"]
            assert told["requests"] == 1
            assert report["conclusions"] == {"success_with_warnings": 2}


class TestResults:
    def test_every_session_that_nights_have_added_can_be_looked_at(self, hire: Hire) -> None:
        """S13: though the run on show ends before them."""
        with hire() as office:
            mine = office.onboarded("alice", BOTH)
            for _night in range(2):
                office.move(days=1)
                office.carried_out()
            alice = office.service.client("alice")
            base = f"/api/v1/portfolios/{mine}"
            for session in (NEWEST, NEXT, AFTER_NEXT):
                for kind in ("positions", "risk"):
                    reply = alice.get(f"{base}/{kind}", params={"session": str(session)})
                    assert reply.status_code == 200, (session, kind)
                    found = reply.json()
                    as_of = found["positions"][0]["as_of"] if kind == "positions" else found["as_of"]
                    assert as_of == str(session)
            assert alice.get(f"{base}/factors").json()["as_of"] == str(AFTER_NEXT)
            assert {item["as_of"] for item in alice.get(f"{base}/metrics").json()["metrics"]} == {
                str(AFTER_NEXT)
            }
            assert alice.get(f"{base}/risk").json()["as_of"] == str(AFTER_NEXT)
            snapshots = alice.get(f"{base}/snapshots").json()["snapshots"]
            assert [item["session"] for item in snapshots[-3:]] == [str(NEWEST), str(NEXT), str(AFTER_NEXT)]
            # What nights have added is what a run over the whole history would have made.
            rows = office.snapshots(mine)
            office.carried_out(portfolio_ids=[mine], force_rerun=True)
            assert [row[:-1] for row in office.snapshots(mine)] == [row[:-1] for row in rows]


class TestOperator:
    def test_a_batch_that_is_cancelled_stops_all_its_runs(self, hire: Hire) -> None:
        with hire(worker=False) as office:
            mine = [stored(office.service.client("alice"), text) for text in (APPLE, BOTH)]
            started = office.start(portfolio_ids=mine)
            assert len(started["runs"]) == 2
            reply = office.boss.post(f"{ADMIN}/{started['batch_id']}/cancel")
            assert reply.status_code == 202, reply.text
            assert reply.json()["conclusions"] == {"cancelled": 2}
            doc = status(office.service.client("alice"), mine[0])
            assert doc["failure"]["code"] == "CANCELLED_BY_OPERATOR"
            again = office.boss.post(f"{ADMIN}/{started['batch_id']}/cancel")
            assert (again.status_code, again.json()["code"]) == (409, "RUN_ENDED")
            assert office.boss.post(f"{ADMIN}/{uuid4()}/cancel").status_code == 404

    def test_a_run_at_work_is_cancelled_in_the_operators_name(self, hire: Hire) -> None:
        with hire() as office:
            office.fake.delay = 0.2
            alice = office.service.client("alice")
            told = opened(alice, APPLE)
            assert office.boss.post(f"{ADMIN}/{told['run_id']}/cancel").status_code == 202
            doc = ended(alice, told["portfolio_id"])
            assert doc["failure"]["code"] == "CANCELLED_BY_OPERATOR"

    def test_a_portfolio_at_work_is_left_out_and_says_so(self, hire: Hire) -> None:
        """One active run for each portfolio."""
        with hire(worker=False) as office:
            told = opened(office.service.client("alice"), APPLE)
            started = office.start(force_rerun=True)
            assert started["runs"] == []
            assert started["skipped"] == [{"portfolio_id": told["portfolio_id"], "reason": "at_work"}]

    def test_a_batch_takes_nothing_from_what_the_owner_may_start(self, hire: Hire) -> None:
        with hire(worker=False) as office:
            told = opened(office.service.client("alice"), APPLE)
            office.boss.post(f"{ADMIN}/{told['run_id']}/cancel")
            for _batch in range(2):
                started = office.start(portfolio_ids=[told["portfolio_id"]])
                office.boss.post(f"{ADMIN}/{started['batch_id']}/cancel")
            parts = office.service.parts
            with parts.database.transaction() as connection:
                found = rows.get(connection, told["run_id"])
                assert found is not None
                recent.take_rerun(connection, found.owner_id, (Quota("rerun", 1, 3600),), parts.clock.now())

    def test_a_repeated_request_with_its_key_starts_once(self, hire: Hire) -> None:
        with hire(worker=False) as office:
            mine = stored(office.service.client("alice"), APPLE)
            body, key = {"portfolio_ids": [mine]}, {"Idempotency-Key": "once"}
            first, second = (office.boss.post(ADMIN, json=body, headers=key) for _ in range(2))
            assert first.json() == second.json()
            assert second.headers["idempotency-replayed"] == "true"
            assert len(office.runs(mine)) == 1
            other = office.boss.post(ADMIN, json={"force_rerun": True}, headers=key)
            assert other.json()["code"] == "IDEMPOTENCY_KEY_REUSED"

    def test_runs_are_listed_by_what_they_are_page_by_page(self, hire: Hire) -> None:
        """S21: with the internal id of who set them going, which only operators see."""
        with hire(worker=False) as office:
            alice = office.service.client("alice")
            mine = [stored(alice, APPLE) for _ in range(3)]
            lone = opened(alice, MICROSOFT)
            started = office.start(portfolio_ids=mine)
            assert {len(item["triggered_by"]) for item in office.boss.get(ADMIN).json()["runs"]} == {36}

            def listed(**query: Any) -> list[str]:
                found, cursor = [], None
                while True:
                    given = {**query, **({"cursor": cursor} if cursor else {})}
                    page = office.boss.get(ADMIN, params=given).json()
                    found += [item["run_id"] for item in page["runs"]]
                    cursor = page["next_cursor"]
                    if cursor is None:
                        return found

            ids = [item["run_id"] for item in started["runs"]]
            assert sorted(listed(limit=1)) == sorted([*ids, lone["run_id"]])
            assert sorted(listed(batch_id=started["batch_id"], limit=2)) == sorted(ids)
            assert listed(trigger="user") == [lone["run_id"]]
            assert listed(kind="repair") == []
            assert listed(portfolio_id=mine[1]) == [ids[1]]
            assert len(listed(state="queued")) == 4
            own = alice.get(f"/api/v1/portfolios/{mine[0]}/runs").json()[0]
            assert "triggered_by" not in own
            assert office.boss.get(ADMIN, params={"cursor": "x"}).status_code == 422

    def test_every_act_and_every_look_is_noted(self, hire: Hire) -> None:
        with hire(worker=False) as office:
            mine = stored(office.service.client("alice"), APPLE)
            office.ask(portfolio_ids=[mine], dry_run=True)
            started = office.start(portfolio_ids=[mine])
            batch_id, run_id = started["batch_id"], started["runs"][0]["run_id"]
            document = office.boss.get(f"{ADMIN}/{run_id}").json()
            assert document["portfolio_id"] == mine
            assert document["run_id"] == run_id
            office.boss.get(f"{ADMIN}/{batch_id}")
            for one in (batch_id, run_id):
                log = office.boss.get(f"{ADMIN}/{one}/logs").json()
                assert [entry["code"] for entry in log["entries"]] == ["RUN_QUEUED"]
                assert log["entries"][0]["run_id"] == run_id
                more = office.boss.get(f"{ADMIN}/{one}/logs", params={"after": log["next_after"]}).json()
                assert more == {"entries": [], "next_after": log["next_after"]}
            office.boss.get(ADMIN)
            office.boss.post(f"{ADMIN}/{run_id}/cancel")
            acts = office.acts()
            assert [(act, thing) for _who, act, thing in acts] == [
                ("dry_run", None),
                ("start_batch", batch_id),
                ("look", run_id),
                ("look", batch_id),
                ("read_log", batch_id),
                ("read_log", batch_id),
                ("read_log", run_id),
                ("read_log", run_id),
                ("list_runs", None),
                ("cancel", run_id),
                ("look", run_id),
            ]
            assert len({who for who, _act, _thing in acts}) == 1
            assert BOSS not in str(acts)

    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", ""), ("GET", ""), ("GET", "/{id}"), ("GET", "/{id}/logs"), ("POST", "/{id}/cancel")],
    )
    def test_nobody_else_gets_in(self, clerks: Office, ids: dict[str, str], method: str, path: str) -> None:
        before = clerks.everything()
        for name in ("NOBODYS", "MINE"):
            reply = clerks.service.client("mallory").request(
                method, ADMIN + path.format(id=ids[name]), json={} if path == "" else None
            )
            assert reply.status_code == 403
            assert reply.json()["code"] == "OPERATORS_ONLY"
        assert clerks.everything() == before

"""Starting, retrying and cancelling over HTTP, versions of the status, and the log."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx
import pytest

from tests.contracts.running import HEADER, ONE_LOT, Running, ended, opened, status, stored

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def start(client: httpx.Client, portfolio_id: str) -> httpx.Response:
    return client.post(f"/api/v1/portfolios/{portfolio_id}/runs")


class TestStarting:
    def test_the_answer_is_the_status_already_running(self, alice: httpx.Client) -> None:
        """S12: a poll right after never sees `not_found`."""
        portfolio_id = stored(alice)
        reply = start(alice, portfolio_id)
        assert reply.status_code == 202
        assert reply.json()["status"] == "running"
        where = f"/api/v1/runs/{reply.json()['run_id']}"
        assert reply.headers["location"].endswith(where)
        assert reply.headers["operation-location"].endswith(where)
        assert int(reply.headers["retry-after"]) >= 2
        assert status(alice, portfolio_id)["run_id"] == reply.json()["run_id"]

    def test_a_second_start_while_one_is_active_is_the_same_run(self, alice: httpx.Client) -> None:
        """Pitfall: a second click starts a second backfill."""
        answer = opened(alice)
        again = start(alice, answer["portfolio_id"])
        assert again.status_code == 202
        assert again.json()["run_id"] == answer["run_id"]
        assert len(alice.get(f"/api/v1/portfolios/{answer['portfolio_id']}/runs").json()) == 1

    def test_starts_at_the_same_moment_are_one_run(self, either: Running) -> None:
        client = either.client("racer")
        portfolio_id = stored(client)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _i: start(client, portfolio_id), range(8)))
        assert {reply.status_code for reply in replies} == {202}
        assert len({reply.json()["run_id"] for reply in replies}) == 1
        assert len(client.get(f"/api/v1/portfolios/{portfolio_id}/runs").json()) == 1

    def test_two_runs_within_a_second_are_two_runs(self, alice: httpx.Client) -> None:
        """Pitfall: ids by the second collide."""
        one, other = opened(alice)["run_id"], opened(alice)["run_id"]
        assert one != other
        assert all(UUID4.fullmatch(run_id) for run_id in (one, other))

    def test_the_queue_counts_only_ones_own_runs(self, idle: Running) -> None:
        first, second = (opened(idle.client("waiting")) for _ in range(2))
        opened(idle.client("somebody-else"))
        positions = [
            status(idle.client("waiting"), answer["portfolio_id"])["queue"]["position"]
            for answer in (first, second)
        ]
        assert positions == [1, 2]


class TestCancelling:
    def test_a_waiting_run_stops_at_once(self, alice: httpx.Client) -> None:
        answer = opened(alice)
        reply = alice.post(f"/api/v1/runs/{answer['run_id']}/cancel")
        assert reply.status_code == 202
        doc = status(alice, answer["portfolio_id"])
        assert (doc["status"], doc["conclusion"]) == ("failed", "cancelled")
        assert doc["failure"]["code"] == "CANCELLED_BY_OWNER"
        assert doc["failure"]["retryable"] is True

    def test_an_ended_run_cannot_be_cancelled(self, alice: httpx.Client) -> None:
        run_id = opened(alice)["run_id"]
        alice.post(f"/api/v1/runs/{run_id}/cancel")
        again = alice.post(f"/api/v1/runs/{run_id}/cancel")
        assert again.status_code == 409
        assert again.json()["code"] == "RUN_ENDED"

    def test_a_start_after_a_cancel_is_the_next_attempt_of_the_same_run(self, alice: httpx.Client) -> None:
        answer = opened(alice)
        alice.post(f"/api/v1/runs/{answer['run_id']}/cancel")
        again = start(alice, answer["portfolio_id"])
        assert (again.json()["run_id"], again.json()["attempt"]) == (answer["run_id"], 2)
        assert again.json()["status"] == "running"

    def test_deleting_a_portfolio_stops_its_run(self, alice: httpx.Client) -> None:
        answer = opened(alice)
        assert alice.delete(f"/api/v1/portfolios/{answer['portfolio_id']}").status_code == 204
        assert alice.get(f"/api/v1/runs/{answer['run_id']}").status_code == 404
        assert alice.delete(f"/api/v1/portfolios/{answer['portfolio_id']}").status_code == 404


class TestRetrying:
    def test_a_retry_while_active_is_refused(self, alice: httpx.Client) -> None:
        run_id = opened(alice)["run_id"]
        reply = alice.post(f"/api/v1/runs/{run_id}/retry")
        assert reply.status_code == 409
        assert reply.json()["code"] == "RUN_ACTIVE"

    def test_retries_at_the_same_moment_are_one_attempt(self, either: Running) -> None:
        client = either.client("racer")
        run_id = opened(client)["run_id"]
        client.post(f"/api/v1/runs/{run_id}/cancel")
        with ThreadPoolExecutor(6) as pool:
            codes = list(
                pool.map(lambda _i: client.post(f"/api/v1/runs/{run_id}/retry").status_code, range(6))
            )
        assert sorted(codes) == [202, 409, 409, 409, 409, 409]
        assert client.get(f"/api/v1/runs/{run_id}").json()["attempt"] == 2

    def test_an_attempt_that_never_was_is_not_found(self, alice: httpx.Client) -> None:
        run_id = opened(alice)["run_id"]
        assert alice.get(f"/api/v1/runs/{run_id}", params={"attempt": 2}).status_code == 404
        assert alice.get(f"/api/v1/runs/{run_id}", params={"attempt": 0}).status_code == 422

    def test_each_attempt_has_a_version_of_its_own(self, alice: httpx.Client) -> None:
        """The version names run, attempt and sequence: another attempt never answers 304."""
        run_id = opened(alice)["run_id"]
        alice.post(f"/api/v1/runs/{run_id}/cancel")
        alice.post(f"/api/v1/runs/{run_id}/retry")
        present = alice.get(f"/api/v1/runs/{run_id}").headers["etag"]
        earlier = alice.get(f"/api/v1/runs/{run_id}", params={"attempt": 1}).headers["etag"]
        assert present.startswith(f'W/"{run_id}.2.')
        assert earlier.startswith(f'W/"{run_id}.1.')


class TestVersions:
    def test_an_unchanged_status_is_304_without_a_body(self, alice: httpx.Client) -> None:
        path = f"/api/v1/onboarding/status/{opened(alice)['portfolio_id']}"
        tag = alice.get(path).headers["etag"]
        assert tag.startswith('W/"')
        same = alice.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert same.status_code == 304
        assert same.content == b""
        assert same.headers["etag"] == tag
        assert same.headers["cache-control"] == "private, no-store"
        assert alice.get(path, headers={"If-None-Match": '"other"'}).status_code == 200

    def test_any_change_is_another_version(self, alice: httpx.Client) -> None:
        answer = opened(alice)
        path = f"/api/v1/onboarding/status/{answer['portfolio_id']}"
        tag = alice.get(path).headers["etag"]
        alice.post(f"/api/v1/runs/{answer['run_id']}/cancel")
        changed = alice.get(path, headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != tag

    def test_how_long_to_wait_is_said_until_the_end(self, alice: httpx.Client) -> None:
        answer = opened(alice)
        path = f"/api/v1/onboarding/status/{answer['portfolio_id']}"
        waiting = alice.get(path)
        assert int(waiting.headers["retry-after"]) * 1000 == waiting.json()["poll_after_ms"]
        assert waiting.json()["poll_after_ms"] >= 2000
        alice.post(f"/api/v1/runs/{answer['run_id']}/cancel")
        over = alice.get(path)
        assert "retry-after" not in over.headers
        assert over.headers["vary"] == "Authorization, Cookie"


@pytest.fixture(scope="module")
def done(working: Running) -> tuple[httpx.Client, str, str]:
    """A completed run: who owns it, its portfolio, its id."""
    client = working.client()
    answer = opened(client, HEADER + "AAPL,100,126.00,2021-03-15\nZZZQ,1,20.00,2021-03-15\n")
    ended(client, answer["portfolio_id"])
    return client, answer["portfolio_id"], answer["run_id"]


class TestLog:
    def test_paging_by_cursor_loses_nothing_and_repeats_nothing(
        self, done: tuple[httpx.Client, str, str]
    ) -> None:
        """S8: the whole log is kept."""
        client, _portfolio_id, run_id = done
        whole = client.get(f"/api/v1/runs/{run_id}/log").json()
        paged, after = [], 0
        while page := client.get(f"/api/v1/runs/{run_id}/log", params={"after": after, "limit": 3}).json()[
            "entries"
        ]:
            paged += page
            after = page[-1]["seq"]
        assert paged == whole["entries"]
        assert whole["next_after"] == paged[-1]["seq"]
        assert all(one["seq"] < other["seq"] for one, other in pairwise(paged))
        assert all(one["timestamp"] <= other["timestamp"] for one, other in pairwise(paged))

    def test_the_feed_is_the_end_of_the_log(self, done: tuple[httpx.Client, str, str]) -> None:
        client, portfolio_id, run_id = done
        doc = status(client, portfolio_id)
        entries = client.get(f"/api/v1/runs/{run_id}/log").json()["entries"]
        assert doc["activity_log"] == entries[-50:]
        assert doc["log"] == {
            "last_seq": entries[-1]["seq"],
            "total": len(entries),
            "truncated": len(entries) > 50,
        }

    def test_a_page_beyond_the_end_is_empty_and_keeps_the_cursor(
        self, done: tuple[httpx.Client, str, str]
    ) -> None:
        client, _portfolio_id, run_id = done
        page = client.get(f"/api/v1/runs/{run_id}/log", params={"after": 99_999}).json()
        assert page == {"entries": [], "next_after": 99_999}

    @pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "501"}, {"after": "-1"}, {"after": "x"}])
    def test_a_page_that_cannot_be_is_refused(
        self, done: tuple[httpx.Client, str, str], query: dict[str, str]
    ) -> None:
        assert done[0].get(f"/api/v1/runs/{done[2]}/log", params=query).status_code == 422

    def test_the_downloads_come_from_the_same_source(self, done: tuple[httpx.Client, str, str]) -> None:
        """Pitfall: the log on screen and the log for download come from different stores."""
        client, portfolio_id, run_id = done
        entries = client.get(f"/api/v1/runs/{run_id}/log").json()["entries"]
        path = f"/api/v1/onboarding/status/{portfolio_id}/logs"
        text = client.get(path)
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        lines = text.text.splitlines()[-len(entries) :]
        assert all(line.endswith(entry["message"]) for line, entry in zip(lines, entries, strict=True))
        as_json = client.get(path, params={"format": "json"})
        assert as_json.json()["log_entries"] == entries
        assert as_json.json()["status"] == "completed"
        name = rf'attachment; filename="glassfolio-setup-log-{portfolio_id[:8]}-\d{{8}}T\d{{6}}Z\.'
        assert re.match(name + 'txt"', text.headers["content-disposition"])
        assert re.match(name + 'json"', as_json.headers["content-disposition"])

    def test_the_lines_are_the_entries_one_by_one(self, done: tuple[httpx.Client, str, str]) -> None:
        """S8: JSON lines, from a cursor if wished."""
        client, portfolio_id, run_id = done
        entries = client.get(f"/api/v1/runs/{run_id}/log").json()["entries"]
        path = f"/api/v1/onboarding/status/{portfolio_id}/logs"
        reply = client.get(path, params={"format": "ndjson"})
        assert reply.headers["content-type"] == "application/x-ndjson; charset=utf-8"
        assert reply.headers["content-disposition"].endswith('Z.ndjson"')
        assert [json.loads(line) for line in reply.text.splitlines()] == entries
        later = client.get(path, params={"format": "ndjson", "after": entries[4]["seq"]})
        assert [json.loads(line) for line in later.text.splitlines()] == entries[5:]
        assert client.get(path, params={"format": "ndjson", "after": 99_999}).text == ""

    @pytest.mark.parametrize("form", ["txt", "json", "ndjson"])
    def test_a_download_is_of_all_attempts_or_of_one(self, alice: httpx.Client, form: str) -> None:
        answer = opened(alice)
        path = f"/api/v1/onboarding/status/{answer['portfolio_id']}/logs"
        alice.post(f"/api/v1/runs/{answer['run_id']}/cancel")
        alice.post(f"/api/v1/runs/{answer['run_id']}/retry")
        whole, first, second = (
            alice.get(path, params={"format": form, **more}).text
            for more in ({}, {"attempt": "1"}, {"attempt": "2"})
        )
        assert all(words in whole for words in ("Queued.", "Cancelled;", "Second attempt."))
        assert "Queued." in first
        assert "Second attempt." not in first
        assert "Queued." not in second
        assert "Second attempt." in second
        assert alice.get(path, params={"format": form, "attempt": 3}).status_code == 404

    def test_an_unknown_format_is_refused_and_not_silently_text(
        self, done: tuple[httpx.Client, str, str]
    ) -> None:
        path = f"/api/v1/onboarding/status/{done[1]}/logs"
        assert done[0].get(path, params={"format": "pdf"}).status_code == 422

    def test_without_a_run_there_is_no_log(self, working: Running) -> None:
        client = working.client()
        reply = client.get(f"/api/v1/onboarding/status/{stored(client, ONE_LOT)}/logs")
        assert reply.status_code == 404
        assert reply.json()["code"] == "NO_LOG"

    def test_the_log_tells_the_run_from_its_queueing_to_its_summary(
        self, done: tuple[httpx.Client, str, str]
    ) -> None:
        """S10: start of each phase, progress, and a summary; a symbol that failed is named once."""
        client, _portfolio_id, run_id = done
        entries = client.get(f"/api/v1/runs/{run_id}/log").json()["entries"]
        codes = [entry["code"] for entry in entries]
        assert codes[:2] == ["RUN_QUEUED", "RUN_STARTED"]
        assert codes[-1] == "RUN_COMPLETED_WITH_WARNINGS"
        assert codes.count("PHASE_STARTED") == codes.count("PHASE_COMPLETED") == 4
        assert codes.count("SYMBOL_FAILED") == 1
        assert [e["level"] for e in entries if e["code"] == "SYMBOL_FAILED"] == ["warning"]

    def test_dated_work_is_told_first_every_fifth_and_last(self, done: tuple[httpx.Client, str, str]) -> None:
        client, _portfolio_id, run_id = done
        entries = client.get(f"/api/v1/runs/{run_id}/log").json()["entries"]
        told = [
            int(found[1])
            for e in entries
            if e["code"] == "DATE_PROGRESS" and (found := re.search(r"\((\d+) of 70\)", e["message"]))
        ]
        assert told == [1, *range(5, 71, 5)]

    def test_the_log_has_no_amounts_addresses_or_names(self, done: tuple[httpx.Client, str, str]) -> None:
        """S17: no price, quantity or amount, no host, no subject."""
        client, portfolio_id, run_id = done
        text = client.get(f"/api/v1/onboarding/status/{portfolio_id}/logs").text
        text += client.get(f"/api/v1/runs/{run_id}").text
        text = text.replace(run_id, "").replace(portfolio_id, "")
        for private in ("100000", "http:", "127.0.0.1", "alice", "sqlite", "Traceback"):
            assert private not in text, private
        # The price; not a fraction of a second or of a share that happens to be written alike.
        assert not re.search(r"(?<![0-9.])126(?![0-9])", text)

"""One row of a file, from its upload to its owner's status page and results: the tour of the program.

Read it from top to bottom. Each step names the module where it happens; the service is the real one, on
a loopback port, with the prices that come with the package, once on each database.
"""

from pathlib import Path

from tests.contracts.running import HEADER, ended, make_settings, running, status, upload

# 1. The row. A hundred shares bought on 15 March 2021; the header is that of our own template.
ROW = "AAPL,100,126.00,2021-03-15\n"


def test_one_row_from_upload_to_results(database_url: str, tmp_path: Path) -> None:
    # 2. wiring.assemble chooses the parts from settings.Settings: database, price source, issuer of
    #    tokens. web.app.create_app puts routes over them; its lifespan starts a worker.
    with running(make_settings(tmp_path, database_url)) as service:
        # 3. identity.issuer signs a token for a subject; web.access verifies it with each request and
        #    turns the subject into an internal user id. Every query from here on carries that id.
        owner = service.client("owner")

        # 4. web.portfolios reads the form; onboarding.Onboarding.open has imports.parse turn the row into
        #    a Lot (or into a Problem with its line), then stores portfolio, lots, the run and its order to
        #    the engine in one transaction: all of it, or nothing.
        reply = upload(owner, HEADER + ROW, name="Walk", equity="20000.00")
        assert reply.status_code == 202
        accepted = reply.json()
        assert accepted["positions"] == 1

        # 5. From that moment the status is this run's. reading.Reading copies one encoded document, found
        #    by portfolio and owner together; nobody else finds it.
        first = status(owner, accepted["portfolio_id"])
        assert first["run_id"] == accepted["run_id"]
        assert first["status"] in ("running", "completed")
        path = f"/api/v1/onboarding/status/{accepted['portfolio_id']}"
        assert service.client("stranger").get(path).status_code == 404

        # 6. A worker carries the run through batch.pipeline.PHASES. Each phase plans chunks from what is
        #    missing and works them; a chunk's rows, its log lines, its counters and the status document
        #    are one commit, so what the screen says has happened.
        done = ended(owner, accepted["portfolio_id"])
        assert done["status"] == "completed"
        assert done["overall_progress"]["percent_complete"] == 100
        assert [phase["phase_id"] for phase in done["phases"]] == [
            "phase_1",
            "phase_1_5",
            "phase_1_75",
            "phase_2_6",
        ]

        # 7. Phase 1 fetched one range of prices for AAPL and for each factor's own series; the others
        #    computed betas, metrics, and a snapshot for each of the 70 sessions of the window.
        assert [phase["total"] for phase in done["phases"]] == [7, 1, 1, 70]

        # 8. The log tells all of it in sentences of model.messages; the document holds its newest 50 lines.
        log = owner.get(f"/api/v1/runs/{done['run_id']}/log").json()["entries"]
        assert log[0]["message"] == "Queued."
        assert log[1]["message"] == "Started: 1 symbol, 70 trading days."
        assert log[-1]["message"].startswith("Done in ")
        assert done["activity_log"] == log[-50:]

        # 9. The row has become a position, valued at the last close there is.
        base = f"/api/v1/portfolios/{accepted['portfolio_id']}"
        (position,) = owner.get(f"{base}/positions").json()["positions"]
        assert (position["symbol"], position["quantity"], position["lots"]) == ("AAPL", "100", 1)
        assert position["cost"] == 12_600.00

        # 10. And the account a year of days: analytics.ledger anchors it at the equity its owner stated,
        #     so the last net asset value is that number, and on each day it is cash plus holdings.
        snapshots = owner.get(f"{base}/snapshots").json()["snapshots"]
        assert len(snapshots) == 70
        assert round(snapshots[-1]["nav"], 2) == 20_000.00
        assert round(snapshots[-1]["value"], 2) == round(position["market_value"], 2)
        assert all(abs(day["nav"] - day["cash"] - day["value"]) < 0.005 for day in snapshots)

    # 11. The service has stopped, and a new one on the same database gives the same answer.
    with running(make_settings(tmp_path, database_url), worker=False) as service:
        again = status(service.client("owner"), accepted["portfolio_id"])
        assert again["seq"] == done["seq"]
        assert again["status"] == "completed"

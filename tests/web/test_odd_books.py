"""Books without a single listed symbol, and retries beside other runs, through the real service."""

from collections.abc import Iterator

import pytest

from tests.contracts.running import Running, ended, make_settings, opened, running

HEADER = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class,Investment Subtype,Underlying Symbol,"
    "Strike Price,Expiration Date,Option Type,Exit Date,Exit Price Per Share\n"
)
CASH = HEADER + "CASH_USD,15000,1,2020-01-02,PRIVATE,CASH,,,,,,\n"
PRIVATE = HEADER + "HARBOR-FUND-II,1,25000,2020-01-15,PRIVATE,PRIVATE_EQUITY,,,,,,\n"
OPTION = HEADER + ",1,5.00,2022-06-01,OPTIONS,CALL,AAPL,150,2023-01-20,CALL,,\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(make_settings(tmp_path_factory.mktemp("odd"))) as started:
        yield started


@pytest.mark.parametrize("book", [CASH, PRIVATE])
def test_a_book_without_listed_symbols_is_valued_at_what_was_stated(service: Running, book: str) -> None:
    """B5: no betas, no exposure to markets, and every day's NAV is the equity."""
    client = service.client("ada")
    portfolio = opened(client, book, equity="25000")["portfolio_id"]
    assert ended(client, portfolio)["conclusion"] == "success"
    days = client.get(f"/api/v1/portfolios/{portfolio}/snapshots").json()["snapshots"]
    assert {day["nav"] for day in days} == {25000.0}
    assert len(client.get(f"/api/v1/portfolios/{portfolio}/positions").json()["positions"]) == 1
    assert client.get(f"/api/v1/portfolios/{portfolio}/metrics").json()["metrics"] == []


def test_a_book_of_options_alone_is_valued_by_a_model(service: Running) -> None:
    """B5: the NAV is the stated equity, and exposure follows the shares behind the option."""
    client = service.client("ada")
    portfolio = opened(client, OPTION, equity="25000")["portfolio_id"]
    assert ended(client, portfolio)["status"] == "completed"
    last = client.get(f"/api/v1/portfolios/{portfolio}/snapshots").json()["snapshots"][-1]
    assert last["nav"] == 25000.0
    assert last["gross"] > last["value"] > 0


def test_a_retry_of_an_older_run_is_what_the_status_shows(service: Running) -> None:
    """S14, S13: from its first poll on; and while another run is at work it is refused."""
    client = service.client("ada")
    portfolio = opened(client, CASH)["portfolio_id"]
    first = ended(client, portfolio)["run_id"]
    second = client.post(f"/api/v1/portfolios/{portfolio}/runs").json()["run_id"]
    assert second != first
    ended(client, portfolio)
    assert client.post(f"/api/v1/runs/{first}/retry").status_code == 202
    assert client.get(f"/api/v1/onboarding/status/{portfolio}").json()["run_id"] == first
    refused = client.post(f"/api/v1/runs/{second}/retry")
    assert (refused.status_code, refused.json()["code"]) in {(409, "RUN_ACTIVE"), (202, None)}
    ended(client, portfolio)


@pytest.mark.parametrize("query", ["?attempt=99999999999999999999", "/log?after=99999999999999999999"])
def test_numbers_beyond_the_databases_integers_are_refused(service: Running, query: str) -> None:
    client = service.client("ada")
    run = ended(client, opened(client, CASH)["portfolio_id"])["run_id"]
    assert client.get(f"/api/v1/runs/{run}{query}").status_code == 422

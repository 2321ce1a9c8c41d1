"""The local server behaves as its users rely on, inside a test and as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from glassfolio.bundled import load_prices
from tests.fakes.tiingo import FakeTiingo

ROOT = Path(__file__).resolve().parents[2]
AUTHORISED = {"Authorization": "Token t"}
RANGE = "?startDate=2017-03-01&endDate=2017-03-10"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with FakeTiingo() as fake, httpx.Client(base_url=fake.url, headers=AUTHORISED) as client:
        yield client


@pytest.mark.parametrize("symbol", load_prices().symbols)
def test_every_bundled_symbol_is_served(client: httpx.Client, symbol: str) -> None:
    rows = client.get(f"/tiingo/daily/{symbol}/prices{RANGE}").json()
    assert len(rows) == 8
    assert rows[0]["date"] == "2017-03-01T00:00:00.000Z"
    assert rows[0]["close"] == rows[0]["adjClose"] > 0


def test_hits_are_listed_and_faults_changed_over_http(client: httpx.Client) -> None:
    path = f"/tiingo/daily/aapl/prices{RANGE}"
    assert client.post("/__faults", json={"AAPL": ["server_error", "good"], "*": "html"}).status_code == 200
    assert [client.get(path).status_code for _ in range(3)] == [500, 200, 200]
    assert "html" in client.get(f"/tiingo/daily/KO/prices{RANGE}").headers["content-type"]
    client.post("/__faults", json={"*": None})
    assert client.get(f"/tiingo/daily/KO/prices{RANGE}").json()
    hits = client.get("/__hits").json()
    assert [hit["symbol"] for hit in hits] == ["AAPL"] * 3 + ["KO"] * 2
    assert (hits[0]["start"], hits[0]["end"]) == ("2017-03-01", "2017-03-10")


def test_an_unknown_fault_is_refused(client: httpx.Client) -> None:
    assert client.post("/__faults", json={"AAPL": "typo"}).status_code == 422
    assert client.post("/__faults", content=b"[").status_code == 422
    assert client.post("/__nothing", json={}).status_code == 422


def test_a_request_without_a_key_is_unauthorised(client: httpx.Client) -> None:
    client.headers.pop("Authorization")
    assert client.get(f"/tiingo/daily/AAPL/prices{RANGE}").status_code == 401


def test_it_runs_as_a_process_of_its_own_and_prints_its_address(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"AAPL": "not_found"}))
    command = [
        sys.executable,
        "-m",
        "tests.fakes.tiingo",
        "--port",
        "0",
        "--delay",
        "0.01",
        "--faults",
        str(faults),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert httpx.post(f"{url}/__delay", json={"seconds": 0}).status_code == 200
            answers = [
                httpx.get(f"{url}/tiingo/daily/{symbol}/prices{RANGE}", headers=AUTHORISED).status_code
                for symbol in ("AAPL", "MSFT")
            ]
        finally:
            process.terminate()
    assert answers == [404, 200]

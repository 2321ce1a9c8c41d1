"""What was computed, over HTTP: identities on the API, reasons where a number is missing, and tables."""

import csv
import io
from typing import Any

import httpx
import pytest

from glassfolio import bundled
from glassfolio.web.results import as_table
from tests.contracts.running import HEADER, Running, ended, opened, stored, upload

Record = dict[str, Any]
LONG_SHORT = bundled.SAMPLES["long_short"]


def get(client: httpx.Client, portfolio_id: str, what: str, **query: str) -> Any:
    reply = client.get(f"/api/v1/portfolios/{portfolio_id}/{what}", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.fixture(scope="module")
def client(working: Running) -> httpx.Client:
    return working.client()


@pytest.fixture(scope="module")
def long_short(client: httpx.Client) -> str:
    """A completed long-short book, its equity stated for the middle of its history."""
    content = bundled.read_bytes(LONG_SHORT.filename)
    answer = opened(client, content, equity="200000.00", equity_as_of="2022-11-13")
    assert ended(client, answer["portfolio_id"])["status"] == "completed"
    return str(answer["portfolio_id"])


def test_nav_is_cash_plus_value_on_every_day(client: httpx.Client, long_short: str) -> None:
    """Pitfall: cash clamped at zero hides margin debit."""
    for row in get(client, long_short, "snapshots")["snapshots"]:
        assert row["nav"] == pytest.approx(row["cash"] + row["value"], abs=0.005)
        assert row["value"] == pytest.approx(row["long"] + row["short"], abs=0.005) or row[
            "value"
        ] == pytest.approx(row["long"] - row["short"], abs=0.005)


def test_nav_is_the_stated_equity_on_its_date_a_sunday_counting_as_the_friday_before(
    client: httpx.Client, long_short: str
) -> None:
    rows = {row["session"]: row for row in get(client, long_short, "snapshots")["snapshots"]}
    assert "2022-11-13" not in rows
    assert rows["2022-11-11"]["nav"] == pytest.approx(200_000, abs=0.005)
    assert rows["2022-11-10"]["nav"] != rows["2022-11-14"]["nav"]


def test_without_a_date_the_last_nav_is_the_equity_to_the_cent(client: httpx.Client) -> None:
    """Pitfall: equity stated today is used as equity a year ago."""
    answer = opened(client, HEADER + "KO,100,50.00,2021-03-15\nGE,-10,60.00,2021-06-15\n", equity="7654.32")
    ended(client, answer["portfolio_id"])
    last = get(client, answer["portfolio_id"], "snapshots")["snapshots"][-1]
    assert last["session"] == "2022-12-28"
    assert round(last["nav"], 2) == 7654.32


def test_profits_and_flows_add_up_to_the_change_of_nav(client: httpx.Client, long_short: str) -> None:
    rows = get(client, long_short, "snapshots")["snapshots"]
    gained = sum(row["pnl"] + row["flow"] for row in rows[1:])
    assert rows[-1]["nav"] - rows[0]["nav"] == pytest.approx(gained, abs=0.01)


def test_a_range_of_days_includes_both_ends(client: httpx.Client, long_short: str) -> None:
    query = {"from": "2022-12-01", "to": "2022-12-07"}
    rows = get(client, long_short, "snapshots", **query)["snapshots"]
    assert [row["session"][-2:] for row in rows] == ["01", "02", "05", "06", "07"]
    assert get(client, long_short, "snapshots", **{"from": "2023-01-01"})["snapshots"] == []


def test_a_day_that_is_no_date_is_refused_without_echo(client: httpx.Client, long_short: str) -> None:
    reply = client.get(f"/api/v1/portfolios/{long_short}/snapshots", params={"from": "canary"})
    assert reply.status_code == 422
    assert "canary" not in reply.text


def test_positions_are_what_is_held_at_the_newest_day(client: httpx.Client, long_short: str) -> None:
    """Closed lots are gone, lots of a symbol stand together, weights refer to NAV."""
    rows: list[Record] = get(client, long_short, "positions")["positions"]
    symbols = [row["symbol"] for row in rows]
    assert symbols == sorted(symbols)
    assert "CVX" not in symbols
    last = get(client, long_short, "snapshots")["snapshots"][-1]
    assert sum(row["market_value"] for row in rows) == pytest.approx(last["value"], abs=0.01)
    assert all(row["weight"] == pytest.approx(row["market_value"] / last["nav"]) for row in rows)
    short = next(row for row in rows if row["symbol"] == "AMD")
    assert short["quantity"] == "-250"
    assert short["market_value"] < 0


def test_missing_numbers_are_null_with_a_reason(client: httpx.Client) -> None:
    """Missing is never zero."""
    sample = bundled.SAMPLES["with_gaps"]
    answer = opened(client, bundled.read_bytes(sample.filename), equity=str(sample.equity))
    doc = ended(client, answer["portfolio_id"])
    assert doc["conclusion"] == "success_with_warnings"
    rows = {row["symbol"]: row for row in get(client, answer["portfolio_id"], "positions")["positions"]}
    assert rows["ZZZQ"]["market_value"] is None
    assert rows["ZZZQ"]["reason"]
    assert rows["AAPL"]["reason"] is None
    for row in get(client, answer["portfolio_id"], "metrics")["metrics"]:
        assert (row["value"] is None) == (row["reason"] is not None), row
    factors = get(client, answer["portfolio_id"], "factors")
    for row in factors["symbols"]:
        assert (row["value"] is None) == (row["reason"] is not None), row
    for row in factors["portfolio"]:
        assert (row["beta"] is None) == (row["reason"] is not None), row
    for row in get(client, answer["portfolio_id"], "snapshots")["snapshots"]:
        empty = {name for name, value in row.items() if value is None}
        assert empty == set(row["reasons"]), row["session"]


def test_numbers_say_what_they_rest_on(client: httpx.Client, long_short: str) -> None:
    for row in get(client, long_short, "metrics")["metrics"]:
        assert row["as_of"] == "2022-12-28"
        assert row["n"] >= 0
        assert "window" in row
    for row in get(client, long_short, "factors")["symbols"]:
        assert row["as_of"] == "2022-12-28"
        assert row["n"] <= row["window"]


def test_a_ridge_says_why_it_has_no_standard_error_and_what_to_read_instead(
    client: httpx.Client, long_short: str
) -> None:
    """Least squares has an error and a p-value, ridge R², degrees of freedom and the sum of betas."""
    rows = [row for row in get(client, long_short, "factors")["symbols"] if row["value"] is not None]
    styles = [row for row in rows if row["model"] == "style"]
    assert {row["model"] for row in rows} == {"market", "style", "risk"}
    for row in styles:
        assert (row["stderr"], row["stderr_reason"], row["p_value"]) == (None, "not_applicable", None)
        assert 0 < row["dof"] < 5
        own = [other["value"] for other in styles if other["symbol"] == row["symbol"]]
        assert row["sum_of_betas"] == pytest.approx(sum(own))
    for row in rows:
        if row["model"] != "style":
            assert row["stderr"] > 0
            assert row["stderr_reason"] is None
            assert 0 <= row["p_value"] <= 1
            assert row["dof"] == {"market": 1, "risk": 6}[row["model"]]
            assert row["sum_of_betas"] is None


def test_a_portfolio_without_a_run_has_empty_results(client: httpx.Client) -> None:
    portfolio_id = stored(client)
    assert get(client, portfolio_id, "snapshots") == {"snapshots": []}
    assert get(client, portfolio_id, "positions") == {"positions": []}
    assert get(client, portfolio_id, "metrics")["metrics"] == []
    assert get(client, portfolio_id, "factors")["symbols"] == []


@pytest.mark.parametrize("what", ["snapshots", "positions", "factors", "metrics"])
def test_every_result_comes_as_a_table_too(client: httpx.Client, long_short: str, what: str) -> None:
    reply = client.get(f"/api/v1/portfolios/{long_short}/{what}", headers={"Accept": "text/csv"})
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(reply.text)))
    whole = get(client, long_short, what)
    rows = whole["symbols" if what == "factors" else what]
    assert len(table) == len(rows)
    assert list(table[0]) == list(rows[0])
    assert reply.text.count('"') % 2 == 0
    assert reply.text.startswith('"')


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@x", "  =x", "＝1", "－x", "\t=x"])
def test_text_that_a_spreadsheet_would_run_is_disarmed(text: str) -> None:
    """Pitfall: exports not guarded against formulas."""
    (row,) = csv.DictReader(io.StringIO(as_table([{"cell": text}])))
    assert row["cell"] == "'" + text


@pytest.mark.parametrize(("value", "cell"), [(-5.5, "-5.5"), ("-250", "-250"), (None, ""), ("AAPL", "AAPL")])
def test_our_own_numbers_stay_numbers(value: object, cell: str) -> None:
    (row,) = csv.DictReader(io.StringIO(as_table([{"cell": value}])))
    assert row["cell"] == cell


def test_a_later_equity_date_counts_as_the_newest_session_with_a_warning(client: httpx.Client) -> None:
    dry = upload(client, query="dry_run=true", equity="5000", equity_as_of="2023-06-30").json()
    answer = opened(client, equity="5000", equity_as_of="2023-06-30")
    assert [(w["code"], w["severity"], w["params"]) for w in answer["warnings"]] == [
        ("WARN_PORT_001", "warning", {"newest": "2022-12-28"})
    ]
    assert dry["warnings"] == answer["warnings"]
    doc = ended(client, answer["portfolio_id"])
    log = client.get(f"/api/v1/runs/{doc['run_id']}/log").json()["entries"]
    moved = [entry for entry in log if entry["code"] == "EQUITY_DATE_MOVED"]
    assert [(e["level"], e["message"]) for e in moved] == [
        ("warning", "Prices end on 2022-12-28; your equity counts as that day's.")
    ]
    last = get(client, answer["portfolio_id"], "snapshots")["snapshots"][-1]
    assert round(last["nav"], 2) == 5000


def test_an_entry_price_far_from_that_days_close_is_named_once_prices_are_known(client: httpx.Client) -> None:
    """WARN_POS_003: a slip by a factor of ten, and a lot that is in order beside it."""
    lots = HEADER + "AAPL,100,1420.00,2022-10-03\nMSFT,10,240.00,2022-10-03\n"
    doc = ended(client, opened(client, lots)["portfolio_id"])
    log = client.get(f"/api/v1/runs/{doc['run_id']}/log").json()["entries"]
    far = [entry for entry in log if entry["code"] == "WARN_POS_003"]
    assert [(e["level"], e["message"].split(":")[0]) for e in far] == [
        ("warning", "AAPL, entered on 2022-10-03")
    ]
    assert doc["status"] == "completed"


OPTIONS = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date\n"
    "AAPL230120C00130000,2,9.50,2022-10-03\n"
    "JPM221118P00110000,-1,4.10,2022-10-03\n"
    "MSFT,50,240.00,2022-10-03\n"
)


@pytest.fixture(scope="module")
def options(working: Running) -> str:
    """A portfolio with a call that lives, a put that expired worthless, and shares."""
    client = working.client("options")
    portfolio_id = opened(client, OPTIONS)["portfolio_id"]
    assert ended(client, portfolio_id)["conclusion"] == "success"
    return str(portfolio_id)


class TestOptions:
    def test_a_contract_is_valued_by_the_model_and_counts_by_its_delta(
        self, working: Running, options: str
    ) -> None:
        """B5; pitfall: an option marked at its underlying's price."""
        rows = get(working.client("options"), options, "positions")["positions"]
        assert [row["symbol"] for row in rows] == ["AAPL230120C00130000", "MSFT"]
        call = rows[0]
        assert 0 < call["market_value"] < 2 * 100 * 10
        assert call["market_value"] < call["exposure"] < 2 * 100 * 126
        assert call["warnings"] == ["model_price"]

    def test_an_option_expires_into_cash_once(self, working: Running, options: str) -> None:
        days = get(working.client("options"), options, "snapshots")["snapshots"]
        by_day = {day["session"]: day for day in days}
        assert by_day["2022-11-17"]["lots"] == 3
        assert by_day["2022-11-18"]["lots"] == 2
        assert by_day["2022-11-18"]["realised"] == pytest.approx(410.0)
        assert sum(day["realised"] for day in days) == pytest.approx(410.0)
        assert days[-1]["nav"] == 100_000
        assert days[-1]["vega"] > 0 > days[-1]["theta"]

    def test_stress_values_options_anew(self, working: Running, options: str) -> None:
        """A long call gains more from a rise than it loses from a fall."""
        found = get(working.client("options"), options, "stress")["scenarios"]
        pnl = {row["scenario"]: row["pnl"] for row in found if row["kind"] == "direct"}
        assert pnl["market_up_10"] + pnl["market_down_10"] > 0
        assert all(row["reason"] or "model_price" in row["warnings"] for row in found)


class TestAnalyses:
    @pytest.mark.parametrize("kind", ["positions", "risk", "correlations", "stress"])
    def test_the_newest_session_is_the_same_stored_or_computed(
        self, client: httpx.Client, long_short: str, kind: str
    ) -> None:
        newest = get(client, long_short, kind)
        day = get(client, long_short, "snapshots")["snapshots"][-1]["session"]
        assert get(client, long_short, kind, session=day) == newest

    def test_an_earlier_session_is_computed_as_of_then(self, client: httpx.Client, long_short: str) -> None:
        day = get(client, long_short, "snapshots")["snapshots"][-10]
        found = get(client, long_short, "stress", session=day["session"])
        assert (found["as_of"], found["nav"]) == (day["session"], pytest.approx(day["nav"], rel=1e-12))
        risk = get(client, long_short, "risk", session=day["session"])["figures"]
        for name in ("holdings_vol_21", "holdings_vol_forecast", "systematic_share"):
            assert risk[name]["value"] == pytest.approx(day[name], rel=1e-12)

    def test_a_day_without_a_snapshot_is_not_found(self, client: httpx.Client, long_short: str) -> None:
        reply = client.get(f"/api/v1/portfolios/{long_short}/risk", params={"session": "2022-12-25"})
        assert reply.status_code == 404

    def test_a_market_shock_moves_the_book_by_its_beta(self, client: httpx.Client, long_short: str) -> None:
        """Pitfall: the market leg of a scenario contributed 0."""
        dollars = {row["factor"]: row["dollars"] for row in get(client, long_short, "factors")["portfolio"]}
        found = get(client, long_short, "stress")["scenarios"]
        pnl = {row["scenario"]: row["pnl"] for row in found if row["kind"] == "direct"}
        assert pnl["market_down_10"] == pytest.approx(-0.1 * dollars["risk.market"], rel=1e-9)

    def test_every_missing_number_has_a_reason(self, client: httpx.Client, long_short: str) -> None:
        for day in get(client, long_short, "snapshots")["snapshots"]:
            missing = {name for name, value in day.items() if value is None}
            assert missing == set(day["reasons"])

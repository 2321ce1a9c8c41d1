"""B5: what the service answers agrees with a plain computation from the same file and the same prices.

The plain side is written with loops and pandas or statsmodels, and shares no code with the product but
the bundled prices themselves.
"""

import csv
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from glassfolio import bundled
from tests.contracts.running import make_settings, running

EQUITY = 250_000.0
MANY = 254


def close_to(mine: float, truth: float) -> bool:
    return abs(mine - truth) <= 1e-9 * abs(truth) + 1e-6


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The balanced sample onboarded by a real service, and everything it says about it."""
    settings = make_settings(tmp_path_factory.mktemp("numbers"), history_sessions=MANY)
    with running(settings) as service:
        client = service.client("ada")
        opened = client.post(
            "/api/v1/portfolios",
            files={"file": ("s.csv", bundled.read_bytes("sample_balanced.csv"))},
            data={"name": "S", "account_name": "S", "account_type": "ira", "equity": str(EQUITY)},
        )
        assert opened.status_code == 202, opened.text
        portfolio = opened.json()["portfolio_id"]
        while (status := client.get(f"/api/v1/onboarding/status/{portfolio}").json())["status"] == "running":
            pass
        assert status["conclusion"] == "success", status["failure"]
        base = f"/api/v1/portfolios/{portfolio}"
        yield {
            name: client.get(f"{base}/{name}").json()
            for name in ("snapshots", "positions", "factors", "metrics")
        }


@pytest.fixture(scope="module")
def lots() -> list[dict[str, Any]]:
    text = bundled.read_bytes("sample_balanced.csv").decode()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [
        {
            "symbol": row["Symbol"],
            "quantity": float(row["Quantity"]),
            "price": float(row["Entry Price Per Share"]),
            "entry": date.fromisoformat(row["Entry Date"]),
            "exit": date.fromisoformat(row["Exit Date"]) if row.get("Exit Date") else None,
            "exit_price": float(row["Exit Price Per Share"]) if row.get("Exit Price Per Share") else None,
        }
        for row in rows
    ]


def prices() -> tuple[list[date], dict[str, list[float]]]:
    table = bundled.load_prices()
    days = [day.item() for day in table.sessions]
    return days, {name: table.close[:, j].tolist() for j, name in enumerate(table.symbols)}


def plain_days(lots: list[dict[str, Any]]) -> list[tuple[date, float, float]]:
    """(day, value of what is held, P&L of the day) for the last 254 days, lot by lot and day by day."""
    days, close = prices()
    answer = []
    for i in range(len(days) - MANY, len(days)):
        today, before = days[i], days[i - 1]
        value = pnl = 0.0
        for lot in lots:
            p, yesterday, q = close[lot["symbol"]][i], close[lot["symbol"]][i - 1], lot["quantity"]
            bought_today = before < lot["entry"] <= today
            sold_today = lot["exit"] is not None and before < lot["exit"] <= today
            held_before = lot["entry"] <= before and (lot["exit"] is None or lot["exit"] > before)
            if sold_today:
                pnl += q * (lot["exit_price"] - (lot["price"] if bought_today else yesterday))
            elif bought_today:
                pnl += q * (p - lot["price"])
                value += q * p
            elif held_before:
                pnl += q * (p - yesterday)
                value += q * p
        answer.append((today, value, pnl))
    return answer


def test_every_days_value_and_gain_agree_with_a_plain_loop(
    answers: dict[str, Any], lots: list[dict[str, Any]]
) -> None:
    """B5: the ledger."""
    plain = plain_days(lots)
    shown = answers["snapshots"]["snapshots"]
    assert [row["session"] for row in shown] == [day.isoformat() for day, _value, _pnl in plain]
    for row, (_day, value, pnl) in zip(shown, plain, strict=True):
        assert close_to(row["value"], value)
        assert close_to(row["pnl"], pnl)


def test_net_asset_value_is_rolled_back_from_the_stated_equity(
    answers: dict[str, Any], lots: list[dict[str, Any]]
) -> None:
    """B5: NAV on the last day is the equity to the cent, and each day before lacks the gains after it."""
    nav = EQUITY
    shown = answers["snapshots"]["snapshots"]
    assert shown[-1]["nav"] == EQUITY
    for row, (_day, value, pnl) in zip(reversed(shown), reversed(plain_days(lots)), strict=True):
        assert close_to(row["nav"], nav)
        assert close_to(row["cash"], nav - value)
        nav -= pnl


def test_the_time_weighted_return_is_the_product_of_the_daily_ones(
    answers: dict[str, Any], lots: list[dict[str, Any]]
) -> None:
    """B5: without external flows a day's return is its gain over yesterday's NAV."""
    growth, nav = 1.0, answers["snapshots"]["snapshots"][0]["nav"] - plain_days(lots)[0][2]
    for row, (_day, _value, pnl) in zip(answers["snapshots"]["snapshots"], plain_days(lots), strict=True):
        growth *= 1 + pnl / nav
        nav += pnl
        assert close_to(row["twr_cum"], growth - 1)


def test_exposures_and_concentration_agree_with_the_positions(answers: dict[str, Any]) -> None:
    """B5: long, gross, HHI and the largest three, from the positions of the last day."""
    last = answers["snapshots"]["snapshots"][-1]
    values = sorted((row["market_value"] for row in answers["positions"]["positions"]), reverse=True)
    assert close_to(last["long"], sum(values))
    assert close_to(last["gross"], sum(values))
    assert close_to(last["leverage"], sum(values) / EQUITY)
    weights = [value / sum(values) for value in values]
    assert close_to(last["hhi"], sum(w * w for w in weights))
    assert close_to(last["top_3"], sum(weights[:3]))


def simple(series: list[float]) -> Any:
    closes = np.array(series)
    return closes[1:] / closes[:-1] - 1


@pytest.mark.parametrize("symbol", ["AAPL", "JPM", "XOM"])
def test_betas_agree_with_statsmodels(answers: dict[str, Any], symbol: str) -> None:
    """B5: both models, slopes and standard errors, on real prices."""
    _days, close = prices()
    market = simple(close["SP500"])
    spreads = [simple(close[name]) - market for name in ("VLUE", "MTUM", "QUAL", "SIZE", "USMV")]
    keys = (
        "risk.market",
        "spread.value",
        "spread.momentum",
        "spread.quality",
        "spread.size",
        "spread.low_vol",
    )
    mine = {(row["symbol"], row["factor"]): row for row in answers["factors"]["symbols"]}
    y = simple(close[symbol])
    alone = sm.OLS(y[-90:], sm.add_constant(market[-90:])).fit()
    joint = sm.OLS(y[-180:], sm.add_constant(np.column_stack([market, *spreads])[-180:])).fit()
    truths = [("market_beta", alone, 1), *((key, joint, k) for k, key in enumerate(keys, start=1))]
    for key, truth, k in truths:
        assert close_to(mine[symbol, key]["value"], truth.params[k]), key
        assert close_to(mine[symbol, key]["stderr"], truth.bse[k]), key
        assert close_to(mine[symbol, key]["r2"], truth.rsquared), key


def test_a_portfolios_beta_is_the_weighted_sum_of_its_symbols(answers: dict[str, Any]) -> None:
    """B5: dollars = sum of value times beta; beta = dollars over NAV."""
    betas = {
        row["symbol"]: row["value"] for row in answers["factors"]["symbols"] if row["factor"] == "market_beta"
    }
    dollars = sum(row["market_value"] * betas[row["symbol"]] for row in answers["positions"]["positions"])
    whole = next(row for row in answers["factors"]["portfolio"] if row["factor"] == "market_beta")
    assert close_to(whole["dollars"], dollars)
    assert close_to(whole["beta"], dollars / EQUITY)
    assert whole["coverage"] == pytest.approx(1)


@pytest.mark.parametrize("symbol", ["AAPL", "KO", "RRC"])
def test_returns_and_volatility_agree_with_plain_formulas(answers: dict[str, Any], symbol: str) -> None:
    """B5: the last day is 2022-12-28, so a month back is 2022-11-28 and a year back 2021-12-28."""
    days, close = prices()
    series = close[symbol]
    at = dict(zip(days, series, strict=True))
    mine = {row["metric"]: row["value"] for row in answers["metrics"]["metrics"] if row["symbol"] == symbol}
    bases = {
        "return_1d": series[-2],
        "return_mtd": at[date(2022, 11, 30)],
        "return_1m": at[date(2022, 11, 28)],
        "return_3m": at[date(2022, 9, 28)],
        "return_ytd": at[date(2021, 12, 31)],
        "return_1y": at[date(2021, 12, 28)],
    }
    for key, base in bases.items():
        assert close_to(mine[key], series[-1] / base - 1), key
    for window in (21, 63, 252):
        volatility = np.std(simple(series)[-window:], ddof=1) * np.sqrt(252)
        assert close_to(mine[f"vol_{window}"], volatility), window


@pytest.mark.parametrize("symbol", ["AAPL", "KO", "RRC"])
def test_risk_figures_agree_with_plain_formulas(answers: dict[str, Any], symbol: str) -> None:
    """B5: drawdown with its days, Sharpe ratio with its error, forecast, extremes."""
    days, close = prices()
    window, r = close[symbol][-253:], simple(close[symbol])[-252:]
    mine = {row["metric"]: row for row in answers["metrics"]["metrics"] if row["symbol"] == symbol}
    falls = [(window[s] / window[p] - 1, p, s) for s in range(253) for p in range(s + 1)]
    deepest, peak, trough = min(falls)
    assert close_to(mine["max_drawdown"]["value"], deepest)
    assert mine["max_drawdown"]["details"] == {
        "peak": days[peak - 253].isoformat(),
        "trough": days[trough - 253].isoformat(),
    }
    assert close_to(mine["drawdown"]["value"], window[-1] / max(window) - 1)
    sharpe = np.mean(r) / np.std(r, ddof=1)
    assert close_to(mine["sharpe"]["value"], sharpe * np.sqrt(252))
    assert close_to(mine["sharpe"]["details"]["stderr"], np.sqrt(252 * (1 + sharpe**2 / 2) / 252))
    weights = 0.5 ** (np.arange(252)[::-1] / 21)
    assert close_to(mine["vol_forecast"]["value"], np.sqrt(252 * (weights * r * r).sum() / weights.sum()))
    assert close_to(mine["high_52w"]["value"], max(window[1:]))
    assert mine["high_52w"]["warnings"] == ["adjusted_close_as_price"]
    assert mine["data_quality"]["details"] == {"completeness": 1.0, "freshness": 1.0}
    assert mine["vol_trend"]["category"] in ("rising", "stable", "falling")
    assert (mine["vol_forecast_har"]["value"], mine["vol_forecast_har"]["reason"]) == (
        None,
        "insufficient_history",
    )
    assert answers["metrics"]["risk_free"] == {"rate": 0.0, "source": "RISK_FREE_RATE"}

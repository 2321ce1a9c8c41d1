"""The sample holdings are in our template and fit the bundled prices."""

import csv
from collections import Counter
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from glassfolio import bundled
from glassfolio.model.holdings import SUBTYPES

HEADER = [
    "Symbol",
    "Quantity",
    "Entry Price Per Share",
    "Entry Date",
    "Investment Class",
    "Investment Subtype",
    "Underlying Symbol",
    "Strike Price",
    "Expiration Date",
    "Option Type",
    "Exit Date",
    "Exit Price Per Share",
]
UNPRICED = {"ZZZQ", "HARBOR-FUND-II", "CASH_USD"}
NAMES = sorted(bundled.SAMPLES)


def lines_of(name: str) -> list[str]:
    return bundled.read_bytes(bundled.SAMPLES[name].filename).decode("ascii").splitlines()


def rows_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in lines_of(name) if not line.startswith("#")))


def bundled_close(symbol: str, day: str) -> float:
    table = bundled.load_prices()
    at = np.flatnonzero(table.sessions == np.datetime64(date.fromisoformat(day), "D"))
    assert at.size == 1, f"{day} is no session"
    return float(table.close[at[0], table.symbols.index(symbol)])


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_states_the_equity_that_suits_it_and_has_our_header(name: str) -> None:
    lines = lines_of(name)
    assert lines[0] == f"# equity {bundled.SAMPLES[name].equity}"
    assert next(line for line in lines if not line.startswith("#")).split(",") == HEADER


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_twelve_cells_and_a_known_class(name: str) -> None:
    for row in rows_of(name):
        assert None not in row
        assert None not in row.values()
        assert row["Investment Subtype"] in SUBTYPES[row["Investment Class"]]
        assert Decimal(row["Quantity"]) != 0


@pytest.mark.parametrize("name", NAMES)
def test_tickers_are_bundled_and_bought_near_the_close_of_their_day(name: str) -> None:
    for row in rows_of(name):
        if row["Symbol"] in UNPRICED:
            continue
        legs = [(row["Entry Date"], row["Entry Price Per Share"])]
        if row["Exit Date"]:
            assert row["Exit Date"] > row["Entry Date"]
            legs.append((row["Exit Date"], row["Exit Price Per Share"]))
        for day, price in legs:
            assert float(price) == pytest.approx(bundled_close(row["Symbol"], day), rel=0.01)


def test_the_balanced_sample_spreads_over_all_twenty_stocks_with_repeats_and_closed_lots() -> None:
    rows = rows_of("balanced")
    lots = Counter(row["Symbol"] for row in rows)
    assert set(lots) == set(bundled.load_prices().symbols[:20])
    assert len(rows) >= 30
    assert max(lots.values()) >= 3
    assert sum(bool(row["Exit Date"]) for row in rows) >= 3
    assert {row["Entry Date"][:4] for row in rows} == {"2019", "2020", "2021", "2022"}


def test_the_long_short_sample_holds_both_sides() -> None:
    signs = {Decimal(row["Quantity"]) > 0 for row in rows_of("long_short")}
    assert signs == {True, False}


def test_the_sample_with_gaps_has_an_unknown_ticker_a_private_fund_and_cash() -> None:
    rows = {row["Symbol"]: row for row in rows_of("with_gaps")}
    assert set(rows) >= UNPRICED
    assert "ZZZQ" not in bundled.load_prices().symbols
    assert rows["HARBOR-FUND-II"]["Investment Class"] == "PRIVATE"
    assert rows["CASH_USD"]["Investment Subtype"] == "CASH"


@pytest.mark.parametrize("name", ["balanced", "with_gaps"])
def test_the_equity_covers_what_is_held_on_the_last_session(name: str) -> None:
    table = bundled.load_prices()
    held = 0.0
    for row in rows_of(name):
        if row["Exit Date"]:
            continue
        known = row["Symbol"] in table.symbols
        price = (
            table.close[-1, table.symbols.index(row["Symbol"])]
            if known
            else float(row["Entry Price Per Share"])
        )
        held += float(row["Quantity"]) * price
    assert 0.8 * float(bundled.SAMPLES[name].equity) < held < float(bundled.SAMPLES[name].equity)

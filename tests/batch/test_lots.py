"""A task's lots, flows and prices on its grid of sessions."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from glassfolio.analytics.instruments import Kind
from glassfolio.batch.lots import LotsOnGrid, lay_on_grid
from glassfolio.batch.task import Task, Workplace
from glassfolio.model.holdings import Flow, InvestmentClass, Lot, OptionContract
from tests.batch.workshop import Workshop, lot

CALL = OptionContract("AAPL", date(2023, 1, 20), "C", Decimal(150))


def laid_out(
    workshop: Workshop, *lots: Lot, flows: tuple[Flow, ...] = (), **portfolio: Any
) -> tuple[Task, LotsOnGrid]:
    """The task of a new portfolio after its prices were fetched, and its arrays."""
    _item, run = workshop.open(*lots)
    workshop.carry(run)
    task = Workplace(workshop.setup).task(run)
    task = Task(
        task.run_id,
        task.attempt,
        task.setup,
        replace(task.portfolio, **portfolio),
        task.lots,
        flows,
        task.first,
        task.last,
    )
    return task, lay_on_grid(task)


def day(task: Task, row: int) -> date:
    return task.setup.sessions.day(int(row) + task.grid_first)


@pytest.mark.parametrize(
    ("entered", "first_held"),
    [
        (date(2022, 9, 6), date(2022, 9, 6)),
        (date(2022, 9, 5), date(2022, 9, 6)),  # Labor Day
        (date(2022, 9, 3), date(2022, 9, 6)),  # the Saturday before
    ],
)
def test_a_trade_on_a_day_without_a_session_belongs_to_the_next(
    workshop: Workshop, entered: date, first_held: date
) -> None:
    """Entries, exits and flows alike."""
    sold = replace(lot("AAPL", 1, date(2021, 3, 15)), exit_date=entered, exit_price=Decimal(120))
    flow = Flow(entered, Decimal("1250.50"))
    task, made = laid_out(workshop, lot("AAPL", 0, entered), sold, flows=(flow, flow))
    assert day(task, made.lots.entry[0]) == first_held
    assert day(task, made.lots.exit[1]) == first_held
    assert made.lots.basis[1] == made.lots.exit[1]
    rows = np.flatnonzero(made.accounts.flows[:, 0])
    assert [day(task, row) for row in rows.tolist()] == [first_held]
    assert made.accounts.flows.sum() == 2501


@pytest.mark.parametrize("stated", [date(2022, 9, 2), date(2022, 9, 3), date(2022, 9, 5)])
def test_equity_of_a_day_without_a_session_is_that_of_the_last_one_before(
    workshop: Workshop, stated: date
) -> None:
    task, made = laid_out(workshop, lot("AAPL"), anchor=stated)
    assert day(task, made.accounts.anchor[0]) == date(2022, 9, 2)
    assert made.accounts.equity[0] == 100_000


def test_every_instrument_is_one_column_of_its_kind(workshop: Workshop) -> None:
    fund = replace(lot("FUND", 1), investment_class=InvestmentClass.PRIVATE, subtype="HEDGE_FUND")
    option = replace(lot("AAPL230120C00150000", 3), investment_class=InvestmentClass.OPTIONS, option=CALL)
    cash = replace(lot("CASH_USD", 4), subtype="CASH", entry_price=None)
    bills = replace(lot("BILLS", 5), subtype="TREASURY_BILLS", entry_price=Decimal("0.98"))
    lots = (lot("AAPL"), fund, replace(fund, ordinal=2), option, cash, bills, lot("AAPL", 6))
    task, made = laid_out(workshop, *lots)
    column = made.lots.column
    kinds = [Kind.LISTED, Kind.PRIVATE, Kind.PRIVATE, Kind.OPTION, Kind.CASH, Kind.CASH, Kind.LISTED]
    assert made.instruments.kind[column].tolist() == kinds
    assert column[0] == column[6] == task.panel.column("AAPL")
    assert column[1] == column[2]
    assert len(set(column.tolist())) == 5
    assert made.instruments.close[0, column[4]] == 1
    assert made.instruments.close[0, column[5]] == 0.98
    assert np.isnan(made.instruments.close[:, column[1:4]]).all()
    assert made.lots.multiplier.tolist() == [1, 1, 1, 100, 1, 1, 1]


def test_a_lot_without_a_date_is_held_from_before_the_grid(workshop: Workshop) -> None:
    _task, made = laid_out(workshop, lot("AAPL", entry=None), lot("AAPL", 1, date(1999, 1, 4)))
    assert made.lots.entry.tolist() == [-1, -1]
    assert made.lots.dated.tolist() == [False, True]

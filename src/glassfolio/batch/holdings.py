"""What the holdings of each session of a task say of its risk: volatility, and the models' fits.

Knows no formula: those are in analytics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics import factors
from glassfolio.analytics.factors import Model
from glassfolio.analytics.holdings_betas import HoldingsFit, fit_holdings
from glassfolio.analytics.holdings_risk import (
    HoldingsReturns,
    HoldingsVolatility,
    books_of,
    holdings_returns,
    holdings_volatility,
)
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.rollup import exposures_to_underlyings
from glassfolio.batch.lots import LotsOnGrid
from glassfolio.batch.task import Task
from glassfolio.model.market import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Holdings:
    """The holdings of D sessions, U underlyings.

    columns: (U,) of the grid. exposure: (D, U) USD, signed. returns: (T, U), NaN where there is no exchange
    price. fits: of the models that are fitted by least squares, by key.
    """

    columns: IntArray
    exposure: FloatArray
    returns: FloatArray
    series: HoldingsReturns
    volatility: HoldingsVolatility
    fits: Mapping[str, HoldingsFit]


def look_at(task: Task, on_grid: LotsOnGrid, nav: FloatArray, in_model: Mapping[str, BoolArray]) -> Holdings:
    """The holdings of each session of the window. nav: (D,). in_model: (D, K) of each model's factors."""
    panel, start = task.panel, task.first - task.grid_first
    netted = exposures_to_underlyings(on_grid.lots, on_grid.instruments, start)
    exposure = np.ascontiguousarray(netted.exposure.T)
    daily = simple_returns(panel.close, panel.split, panel.dividend)
    returns = np.full((len(daily), len(netted.column)), np.nan)
    listed = np.flatnonzero(netted.column < len(panel.symbols))
    returns[:, listed] = daily[:, netted.column[listed]]
    books = books_of(exposure, nav, np.arange(start, start + len(nav)))
    series = holdings_returns(books, returns)
    fits = {
        model.key: fit_holdings(series, model, _factors(task, model), in_model[model.key])
        for model in factors.MODELS.values()
        if not model.penalty
    }
    return Holdings(netted.column, exposure, returns, series, holdings_volatility(series), fits)


def _factors(task: Task, model: Model) -> FloatArray:
    return factors.factor_returns(model.members(task.setup.factor_set), task.panel)

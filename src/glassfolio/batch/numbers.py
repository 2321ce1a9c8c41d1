"""The numbers of a snapshot, each with why it may be missing, from the parts of analytics that have it.

Knows no formula: those are in analytics.
"""

from dataclasses import dataclass, field

import numpy as np

from glassfolio.analytics.performance import Daily, Figure, performance
from glassfolio.analytics.rollup import Rollup
from glassfolio.analytics.xirr import xirr
from glassfolio.batch.holdings import Holdings
from glassfolio.batch.lots import LotsOnGrid
from glassfolio.batch.task import Task
from glassfolio.db.tables import SNAPSHOT_NUMBERS
from glassfolio.model.market import DateArray, FloatArray
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason

SYSTEMATIC_MODEL = "risk"
PERFORMANCE = (
    "realised_vol_21",
    "realised_vol_63",
    "realised_vol_252",
    "max_drawdown",
    "sharpe",
    "sortino",
)
GREEKS = ("gamma_1pct", "vega", "theta", "rho")


@dataclass(frozen=True)
class Numbers:
    """By field of the snapshot row; (D,) each. Fields that are never missing have no reason."""

    value: dict[str, FloatArray] = field(default_factory=dict)
    reason: dict[str, CodeArray] = field(default_factory=dict)
    warnings: dict[str, BitArray] = field(default_factory=dict)

    def put(self, name: str, value: FloatArray, reason: CodeArray, warnings: BitArray | None = None) -> None:
        """A number that may be missing."""
        self.value[name], self.reason[name] = value, reason
        if warnings is not None:
            self.warnings[name] = warnings


def gather(task: Task, on_grid: LotsOnGrid, rolled: Rollup, holdings: Holdings) -> Numbers:
    """Every number of the snapshot row."""
    found = Numbers()
    _of_account(found, rolled)
    _of_performance(found, task, rolled)
    _of_holdings(found, holdings)
    _of_options(found, on_grid, len(rolled.ledger.nav))
    return found


def _of_account(found: Numbers, rolled: Rollup) -> None:
    parts = (rolled.ledger.performance, rolled.ledger, rolled.exposures)
    for name in SNAPSHOT_NUMBERS:
        part = next((part for part in parts if hasattr(part, name)), None)
        if part is not None:
            found.value[name] = getattr(part, name)[:, 0]
    ratios, concentration = rolled.exposures.nav_reason[:, 0], rolled.exposures.concentration_reason[:, 0]
    performed = rolled.ledger.performance
    for names, reason in (
        (("leverage", "net_leverage"), ratios),
        (("hhi", "effective_n", "top_3", "top_10"), concentration),
        (("daily_return",), performed.daily_reason[:, 0]),
        (("twr_cum", "drawdown"), performed.twr_reason[:, 0]),
        (("value_coverage",), _where_missing(found.value["value_coverage"], Reason.NO_PRICE)),
    ):
        found.reason.update(dict.fromkeys(names, reason))


def _of_performance(found: Numbers, task: Task, rolled: Rollup) -> None:
    performed = rolled.ledger.performance
    before = max(task.first - 1, 0)
    sessions = task.setup.sessions.dates[before : before + len(task.window) + 1]
    figures = performance(
        Daily(performed.daily_return, performed.daily_reason, sessions), task.setup.risk_free
    )
    for name in PERFORMANCE:
        figure: Figure = figures[name]
        found.put(name, figure.value[:, 0], figure.reason[:, 0])
    found.put("xirr", *_money_weighted(rolled, sessions))


def _money_weighted(rolled: Rollup, sessions: DateArray) -> tuple[FloatArray, CodeArray]:
    """The internal rate of return from the opening on, for each session a year or more after it."""
    nav, flow, opening = rolled.ledger.nav, rolled.ledger.flow, rolled.ledger.opening
    value = np.full(len(nav), np.nan)
    reason = np.full(len(nav), Reason.SHORT_PERIOD.code, dtype=np.int8)
    days = (sessions[1:] - sessions[0]).astype(np.int64)
    for row in np.flatnonzero(days >= 365):
        found = xirr(opening, flow[: row + 1], nav[row], sessions[: row + 2])
        value[row], reason[row] = found.annual[0], found.annual_reason[0]
    return value, reason


def _of_holdings(found: Numbers, holdings: Holdings) -> None:
    volatility = holdings.volatility
    for m, name in enumerate(volatility.keys):
        found.put(name, volatility.value[:, m], volatility.reason[:, m], volatility.warnings[:, m])
    fit = holdings.fits[SYSTEMATIC_MODEL]
    found.put("systematic_share", fit.r2, fit.r2_reason, fit.warnings)


def _of_options(found: Numbers, on_grid: LotsOnGrid, days: int) -> None:
    options = on_grid.options
    if options is None:
        found.value.update({name: np.zeros(days) for name in GREEKS})
        return
    for name, path in options.greeks(on_grid.contracts_held(options)).items():
        own = path[-days:]
        found.put(name, own, _where_missing(own, Reason.NO_MODEL_INPUTS))


def _where_missing(value: FloatArray, reason: Reason) -> CodeArray:
    return np.where(np.isnan(value), reason.code, NONE).astype(np.int8)

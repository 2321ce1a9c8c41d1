"""The money-weighted return of portfolios: the rate at which what was paid in grows to what is there.

Knows nothing of lots, prices or sessions other than their calendar dates.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.model.market import BoolArray, DateArray, FloatArray, IntArray
from glassfolio.model.results import NONE, CodeArray, Reason

DAYS_PER_YEAR = 365
# Where roots are looked for, as the log of the growth over the whole period, and how close together.
_WIDEST, _STEPS, _HALVINGS = 40.0, 1601, 64


@dataclass(frozen=True)
class Xirr:
    """(P,) each, fractions. annual: NaN with short_period under 365 days; period: over all days, not annual.

    Both NaN with no_root where no rate, or more than one, solves the equation.
    """

    annual: FloatArray
    annual_reason: CodeArray
    period: FloatArray
    period_reason: CodeArray


def xirr(opening: FloatArray, flows: FloatArray, closing: FloatArray, days: DateArray) -> Xirr:
    """The rate x with sum(CF (1 + x)^(-days / 365)) = 0.

    opening: (P,) NAV at the close of days[0]; flows: (D, P) contributions less withdrawals on the sessions
    days[1:]; closing: (P,) NAV at the close of days[-1]; USD. CF: -opening, -flows, +closing.
    Checked against pyxirr.xirr and scipy.optimize.brentq to 1e-8.
    """
    cash = _Cash.of(opening, flows, closing, days)
    length = int((days[-1] - days[0]).astype("timedelta64[D]").astype(np.int64))
    low, high = _brackets(cash)
    rising = cash.worth(low) < 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = (cash.worth(middle) < 0) == rising
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    growth = (low + high) / 2
    none = np.where(np.isnan(growth), Reason.NO_ROOT.code, NONE).astype(np.int8)
    if length < DAYS_PER_YEAR:
        short = np.full(len(growth), Reason.SHORT_PERIOD.code, dtype=np.int8)
        return Xirr(np.full(len(growth), np.nan), np.where(none == NONE, short, none), np.expm1(growth), none)
    return Xirr(np.expm1(growth * DAYS_PER_YEAR / length), none, np.expm1(growth), none)


@dataclass(frozen=True)
class _Cash:
    """Amounts that are not 0, in order of portfolio and time. owner: (E,) portfolio; when: (E,) 0 to 1."""

    owner: IntArray
    when: FloatArray
    amount: FloatArray
    portfolios: int

    @classmethod
    def of(cls, opening: FloatArray, flows: FloatArray, closing: FloatArray, days: DateArray) -> "_Cash":
        amounts = np.vstack([-opening[None], -flows])
        amounts[-1] += closing
        owner, row = np.nonzero(amounts.T)
        since = (days - days[0]).astype("timedelta64[D]").astype(np.float64)
        return cls(owner, since[row] / since[-1], amounts[row, owner], len(opening))

    def worth(self, growth: FloatArray) -> FloatArray:
        """(P,) the sum of all amounts, discounted; growth: (P,) log growth over the whole period."""
        present = self.amount * np.exp(-growth[self.owner] * self.when)
        return np.bincount(self.owner, present, self.portfolios).astype(np.float64)

    def of_some(self, portfolios: BoolArray) -> "_Cash":
        """The amounts of some portfolios, numbered anew."""
        mine = portfolios[self.owner]
        number = np.cumsum(portfolios) - 1
        return _Cash(
            number[self.owner[mine]], self.when[mine], self.amount[mine], int(np.count_nonzero(portfolios))
        )

    def sign_changes(self) -> IntArray:
        """(P,) how often the amounts change their sign; no more roots than that are possible (Descartes)."""
        same = self.owner[1:] == self.owner[:-1]
        changes = same & ((self.amount[1:] < 0) != (self.amount[:-1] < 0))
        return np.bincount(self.owner[1:], changes, self.portfolios).astype(np.int64)


def _brackets(cash: _Cash) -> tuple[FloatArray, FloatArray]:
    """Two growths on either side of the only root; NaN where there is none or more than one."""
    low, high = np.full(cash.portfolios, np.nan), np.full(cash.portfolios, np.nan)
    ends = np.full(cash.portfolios, _WIDEST)
    changes = cash.sign_changes()
    once = (changes == 1) & ((cash.worth(-ends) < 0) != (cash.worth(ends) < 0))
    low[once], high[once] = -_WIDEST, _WIDEST
    several = changes > 1
    if several.any():
        grid = np.linspace(-_WIDEST, _WIDEST, _STEPS)
        some = cash.of_some(several)
        negative = np.array([some.worth(np.full(some.portfolios, at)) < 0 for at in grid])
        crossed = negative[1:] != negative[:-1]
        at, only = crossed.argmax(axis=0), crossed.sum(axis=0) == 1
        low[several] = np.where(only, grid[at], np.nan)
        high[several] = np.where(only, grid[at + 1], np.nan)
    return low, high

"""How portfolios move with factors: the betas of what they hold, weighed by exposure.

Knows nothing of how betas are estimated, of dates or of storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from glassfolio.analytics.exposures import Crosswise
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import (
    FULL_COVERAGE,
    LEAST_COVERAGE,
    NONE,
    BitArray,
    CodeArray,
    Reason,
    Warning_,
)

OLDEST_BETA = 5


@dataclass(frozen=True)
class BetaTable:
    """Betas of S instruments to K factors on D sessions, the latest known joined to each session.

    value: (S * D, K), row column * D + session, 0 where there is none.
    group: (K,) factors that are known or not at the same sessions of the same instruments are of one group.
    has: (S * D, G) 1.0 where a group's betas are known, else 0.0; age: (S * D, G) sessions since then.
    in_model: (D, G) whether they take part in that session's regressions.
    complete, fresh: (S,) whether an instrument has all betas at every session, and none of an earlier one.
    """

    keys: tuple[str, ...]
    value: FloatArray
    group: IntArray
    has: FloatArray
    age: IntArray
    in_model: BoolArray
    complete: BoolArray
    fresh: BoolArray

    @property
    def sessions(self) -> int:
        """D."""
        return len(self.in_model)

    def without(self, columns: IntArray, session: int) -> BoolArray:
        """(n, K) whether instruments have no beta at a session, and are left out of the factor's dollars."""
        known = self.has[columns * self.sessions + session] > 0
        return ~known[:, self.group]


@dataclass(frozen=True)
class FactorExposures:
    """Exposure of P portfolios to K factors on D sessions; (D, P, K).

    dollars: sum of X beta over the underlyings that have the beta, USD; NaN with `dollar_reason`.
    group: (K,) factors of one group share reason, coverage and age: group_reason … (D, P, G).
    nav: (D, P).
    """

    keys: tuple[str, ...]
    dollars: FloatArray
    group: IntArray
    group_reason: CodeArray
    group_coverage: FloatArray
    group_age: IntArray
    nav: FloatArray

    @property
    def dollar_reason(self) -> CodeArray:
        """Why there are no dollars: low_coverage, no_factor_data or no_positions."""
        return self.group_reason[:, :, self.group]

    @property
    def coverage(self) -> FloatArray:
        """Share of the sum of |X| that has the beta, NaN without positions."""
        return self.group_coverage[:, :, self.group]

    @property
    def age(self) -> IntArray:
        """Sessions since the oldest beta used, -1 where none is."""
        return self.group_age[:, :, self.group]

    @property
    def beta(self) -> FloatArray:
        """Dollars over NAV, NaN with `beta_reason`."""
        return self.dollars / np.where(self.nav > 0, self.nav, np.nan)[:, :, None]

    @property
    def beta_reason(self) -> CodeArray:
        """Why there is no beta: the reason of the dollars, or nonpositive_nav."""
        poor = (self.dollar_reason == NONE) & ~(self.nav > 0)[:, :, None]
        return np.where(poor, Reason.NONPOSITIVE_NAV.code, self.dollar_reason).astype(np.int8)

    @property
    def warnings(self) -> BitArray:
        """partial_coverage below 0.95."""
        poor = (self.dollar_reason == NONE) & (self.coverage < FULL_COVERAGE)
        return np.where(poor, Warning_.PARTIAL_COVERAGE.bit, 0).astype(np.int16)


def join_as_of(keys: tuple[str, ...], value: FloatArray, in_model: BoolArray, sessions: int) -> BetaTable:
    """The latest beta at or before each of the last `sessions` sessions, up to 5 sessions old.

    value: (B, S, K), NaN where there is none, B >= sessions; in_model: (B, K). Columns are the instruments'.
    """
    joined = np.array(value.transpose(1, 0, 2), order="C")
    asked, shape = slice(len(value) - sessions, None), joined.shape[:2]
    known = np.isfinite(joined)
    holed = np.flatnonzero(~known.all(axis=(1, 2)))
    rows = np.arange(len(value), dtype=np.int16)[:, None]
    last = np.maximum.accumulate(np.where(known[holed], rows, np.int16(-1)), axis=1)
    usable = (last >= 0) & (rows - last <= OLDEST_BETA)
    latest = np.take_along_axis(joined[holed], np.maximum(last, 0), axis=1)
    joined[holed] = np.where(usable, latest, 0.0)
    group, chosen = _alike(last, in_model)
    has, age = np.ones((*shape, len(chosen))), np.zeros((*shape, len(chosen)), dtype=np.int8)
    has[holed], age[holed] = usable[:, :, chosen], np.where(usable, rows - last, 0)[:, :, chosen]
    has, age = has[:, asked], age[:, asked]
    return BetaTable(
        keys=keys,
        value=joined[:, asked].reshape(-1, len(keys)),
        group=group,
        has=has.reshape(-1, len(chosen)),
        age=age.reshape(-1, len(chosen)),
        in_model=in_model[asked][:, chosen],
        complete=(has == 1).all(axis=(1, 2)),
        fresh=(age == 0).all(axis=(1, 2)),
    )


def _alike(last: IntArray, in_model: BoolArray) -> tuple[IntArray, IntArray]:
    """Number the factors that were last known at the same sessions everywhere, and are in the model at the
    same ones; (K,) and a factor of each number.
    """
    number, chosen = np.zeros(last.shape[2], dtype=np.int64), list[int]()
    for factor in range(last.shape[2]):
        same = (
            i
            for i, other in enumerate(chosen)
            if np.array_equal(in_model[:, factor], in_model[:, other])
            and np.array_equal(last[:, :, factor], last[:, :, other])
        )
        number[factor] = next(same, len(chosen))
        if number[factor] == len(chosen):
            chosen.append(factor)
    return number, np.array(chosen, dtype=np.int64)


def weigh(held: Crosswise, betas: BetaTable) -> dict[str, FloatArray]:
    """Dollar exposures by name, as in `FactorExposures`; (P, D, K), by group (P, D, G).

    Coverage below 0.50 leaves no value (low_coverage).
    """
    sessions, (portfolios, _, wide) = betas.sessions, held.exposure.shape
    column = np.maximum(held.column, 0)
    rows = (column[:, None, :] * sessions + np.arange(sessions)[:, None]).astype(np.int32).ravel()
    begins = np.arange(portfolios * sessions + 1, dtype=np.int32) * wide

    def sums(weight: FloatArray, table: FloatArray) -> FloatArray:
        across = csr_array((weight.ravel(), rows, begins), shape=(portfolios * sessions, len(table)))
        total: FloatArray = (across @ table).reshape(portfolios, sessions, -1)
        return total

    gross = held.gross[:, :, None]
    dollars, covered = sums(held.exposure, betas.value), np.repeat(gross, betas.has.shape[1], axis=2)
    if not betas.complete[column].all():
        covered = sums(np.abs(held.exposure), betas.has)
    coverage = covered / np.where(gross > 0, gross, np.nan)
    reason = np.where(coverage < LEAST_COVERAGE, Reason.LOW_COVERAGE.code, NONE)
    reason[~betas.in_model & (covered == 0)] = Reason.NO_FACTOR_DATA.code
    reason = np.where(gross > 0, reason, Reason.NO_POSITIONS.code).astype(np.int8)
    if (reason != NONE).any():
        dollars[(reason != NONE)[:, :, betas.group]] = np.nan
    age = np.where(covered > 0, np.int8(0), np.int8(-1))
    if not betas.fresh[column].all():
        used = (betas.has[rows] > 0) & (held.exposure.reshape(-1, 1) != 0)
        ages = np.where(used, betas.age[rows], 0).reshape(*held.exposure.shape, -1)
        age += ages.max(axis=2, initial=0).astype(np.int8)
    return {"dollars": dollars, "group_reason": reason, "group_coverage": coverage, "group_age": age}


def assemble(numbers: Mapping[str, Any], betas: BetaTable, nav: FloatArray) -> FactorExposures:
    """The FactorExposures made of the numbers of all portfolios, (P, D, …) each. nav: (D, P)."""
    parts = {name: part.swapaxes(0, 1) for name, part in numbers.items()}
    return FactorExposures(keys=betas.keys, group=betas.group, nav=nav, **parts)

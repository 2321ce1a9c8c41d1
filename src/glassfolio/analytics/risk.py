"""What a portfolio is exposed to: long and short, how concentrated, and to which factors.

Positions are linear: exposure is market value. Knows nothing of options, dates or storage.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.factors import Betas
from glassfolio.analytics.ledger import Ledger, total
from glassfolio.analytics.lots import LotTable
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason, Warning_

OLDEST_BETA = 5
LEAST_COVERAGE = 0.50
FULL_COVERAGE = 0.95


@dataclass(frozen=True)
class Positions:
    """Exposure of U instruments on D sessions, lots of one instrument netted, cash-like lots left out.

    exposure: (D, U) USD, signed. columns: (U,) of the price grid, negative for what has no column.
    Instruments come in the ledger's order of lots, so that sums over them do not depend on how symbols are
    arranged.
    """

    exposure: FloatArray
    columns: IntArray


@dataclass(frozen=True)
class Exposures:
    """Size and concentration of D sessions. Money in USD, (D,), short <= 0, never NaN; the rest are pure
    numbers.

    leverage = gross / NAV, net_leverage = net / NAV; NaN with `nav_reason` nonpositive_nav.
    w = |X| / sum |X|: hhi = sum w² (0 to 1), effective_n = 1 / hhi, top_3 and top_10 the sums of the largest
    w;
    NaN with `concentration_reason` no_positions.
    """

    long: FloatArray
    short: FloatArray
    gross: FloatArray
    net: FloatArray
    leverage: FloatArray
    net_leverage: FloatArray
    hhi: FloatArray
    effective_n: FloatArray
    top_3: FloatArray
    top_10: FloatArray
    nav_reason: CodeArray
    concentration_reason: CodeArray


def net_positions(lots: LotTable, ledger: Ledger) -> Positions:
    """Net the lots of each instrument; excluded lots are left out."""
    instrument = lots.instrument
    left_out = {left.lot for left in ledger.unvalued}
    taken = [lot for lot in ledger.order if not lots.cash_like[lot] and int(lot) not in left_out]
    columns = dict.fromkeys(int(instrument[lot]) for lot in taken)
    place = {column: u for u, column in enumerate(columns)}
    exposure = np.zeros((len(ledger.nav), len(place)))
    for lot in taken:
        exposure[:, place[int(instrument[lot])]] += ledger.values[:, lot]
    return Positions(exposure, np.array(list(place), dtype=np.int64))


def measure(positions: Positions, nav: FloatArray) -> Exposures:
    """Size and concentration of the positions against net asset value (D,)."""
    x = positions.exposure
    order = np.arange(x.shape[1])
    long, short = total(np.maximum(x, 0.0), order), total(np.minimum(x, 0.0), order)
    gross, net = long - short, long + short
    base = np.where(nav > 0, nav, np.nan)
    weight = np.abs(x) / np.where(gross > 0, gross, np.nan)[:, None]
    largest = -np.sort(-weight, axis=1)
    empty = gross <= 0
    hhi = np.where(empty, np.nan, total(weight * weight, order))
    return Exposures(
        long=long,
        short=short,
        gross=gross,
        net=net,
        leverage=gross / base,
        net_leverage=net / base,
        hhi=hhi,
        effective_n=1 / hhi,
        top_3=np.where(empty, np.nan, total(largest[:, :3], order[:3])),
        top_10=np.where(empty, np.nan, total(largest[:, :10], order[:10])),
        nav_reason=np.where(nav > 0, NONE, Reason.NONPOSITIVE_NAV.code).astype(np.int8),
        concentration_reason=np.where(empty, Reason.NO_POSITIONS.code, NONE).astype(np.int8),
    )


@dataclass(frozen=True)
class FactorExposures:
    """Dollar and NAV-relative exposure to K factors on D sessions; all (D, K).

    dollars: sum of X beta over the positions that have the beta, USD; NaN with `dollar_reason`.
    beta: dollars / NAV; NaN with `beta_reason`. coverage: share of the sum of |X| that has the beta, NaN
    without positions.
    age: sessions since the oldest beta used, -1 where none is. warnings: bits of Warning_.
    without_beta: (D, U, K) positions that were left out.
    """

    keys: tuple[str, ...]
    dollars: FloatArray
    beta: FloatArray
    coverage: FloatArray
    age: IntArray
    dollar_reason: CodeArray
    beta_reason: CodeArray
    warnings: BitArray
    without_beta: BoolArray


def factor_exposures(positions: Positions, betas: Betas, nav: FloatArray) -> FactorExposures:
    """Weigh each position's betas by its exposure.

    betas: on the same D sessions as the positions; its symbols are the price grid's columns. The latest beta
    at or before each session is used, up to 5 sessions old. Coverage below 0.50 leaves no value
    (low_coverage), below 0.95 a warning.
    """
    x = positions.exposure[:, :, None]
    beta, age = _as_of(betas.value, positions.columns)
    has = np.isfinite(beta)
    used = has & (x != 0)
    dollars = _sum_positions(np.where(used, x * beta, 0.0))
    gross = _sum_positions(np.abs(x))
    coverage = _sum_positions(np.where(used, np.abs(x), 0.0)) / np.where(gross > 0, gross, np.nan)
    reason = np.where(coverage < LEAST_COVERAGE, Reason.LOW_COVERAGE.code, NONE)
    reason[~betas.in_model & ~used.any(axis=1)] = Reason.NO_FACTOR_DATA.code
    reason = np.where(gross > 0, reason, Reason.NO_POSITIONS.code).astype(np.int8)
    poor = (reason == NONE) & (coverage < FULL_COVERAGE)
    dollars = np.where(reason == NONE, dollars, np.nan)
    positive = (nav > 0)[:, None]
    beta_reason = np.where((reason == NONE) & ~positive, Reason.NONPOSITIVE_NAV.code, reason).astype(np.int8)
    return FactorExposures(
        keys=betas.keys,
        dollars=dollars,
        beta=dollars / np.where(positive, nav[:, None], np.nan),
        coverage=coverage,
        age=np.where(used, age, -1).max(axis=1, initial=-1),
        dollar_reason=reason,
        beta_reason=beta_reason,
        warnings=np.where(poor, Warning_.PARTIAL_COVERAGE.bit, 0).astype(np.int16),
        without_beta=~has & (x != 0),
    )


def _as_of(value: FloatArray, columns: IntArray) -> tuple[FloatArray, IntArray]:
    """The latest known beta of each column at or before each session, and its age; (D, U, K)."""
    own = np.full((len(value), len(columns), value.shape[2]), np.nan)
    listed = np.flatnonzero(columns >= 0)
    own[:, listed] = value[:, columns[listed]]
    rows = np.arange(len(value))[:, None, None]
    last = np.maximum.accumulate(np.where(np.isfinite(own), rows, -1), axis=0)
    age = np.where(last >= 0, rows - last, -1)
    beta = np.take_along_axis(own, np.maximum(last, 0), axis=0)
    return np.where((last >= 0) & (age <= OLDEST_BETA), beta, np.nan), age


def _sum_positions(amounts: FloatArray) -> FloatArray:
    """(D, U, K) -> (D, K), one position after the other."""
    if amounts.shape[1] == 0:
        return np.zeros((len(amounts), amounts.shape[2]))
    last: FloatArray = np.cumsum(amounts, axis=1)[:, -1]
    return last

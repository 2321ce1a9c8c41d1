"""What scenarios would do to portfolios: dollar exposures times the factors' returns, options valued anew.

Losses are neither capped nor floored. Knows nothing of how scenarios became returns, of lots or of storage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from glassfolio.analytics.factors import Member
from glassfolio.analytics.options import Terms, intrinsic, price
from glassfolio.analytics.scenarios import Group
from glassfolio.analytics.shocks import Kind, Shock
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import (
    FULL_COVERAGE,
    NONE,
    REASONS,
    CodeArray,
    Reason,
    Warning_,
    finite,
    reason_of,
)

# An exact 5 % move must not fall into the lower band by rounding.
_ROUNDING = 1e-12


class Band(StrEnum):
    """How large a result is against NAV, gain or loss; each begins where the one before it ends."""

    BASE = "base"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"
    EXTREME = "extreme"


BANDS = tuple(Band)
BAND_EDGES = (0.05, 0.10, 0.20, 0.35)


@dataclass(frozen=True)
class FactorBook:
    """P portfolios by their exposures to the K factors of the risk model.

    dollars: (P, K) sums of X beta, USD, NaN with `reason` (codes of Reason). coverage: (P, K) share of gross
    exposure behind each, NaN without positions. nav: (P,) USD.
    Raises ValueError where dollars and reason contradict each other.
    """

    members: tuple[Member, ...]
    dollars: FloatArray
    reason: CodeArray
    coverage: FloatArray
    nav: FloatArray

    def __post_init__(self) -> None:
        if (np.isnan(self.dollars) != (self.reason != NONE)).any():
            raise ValueError("dollars are missing if and only if there is a reason")


@dataclass(frozen=True)
class OptionBook:
    """M option positions that are part of the exposures; every field but beta is (M,), as are the terms.

    portfolio: row of the FactorBook. size: signed quantity times multiplier.
    price: USD per share that the NAV rests on. delta: behind the exposure size * delta * spot.
    beta: (M, K) of the underlying, NaN where it has none.
    """

    portfolio: IntArray
    size: FloatArray
    terms: Terms
    price: FloatArray
    delta: FloatArray
    beta: FloatArray


@dataclass(frozen=True)
class Outcomes:
    """N shocks applied to P portfolios; every array is (N, P).

    pnl: USD, NaN with `reason`. loss: P&L / NAV with the sign of the P&L, NaN with `loss_reason`.
    band: positions in BANDS, by the size of the loss, NONE where that is missing.
    wipe_out: NAV + P&L <= 0. coverage: the least of the factors that move.
    revalued: whether options were valued anew.
    """

    shocks: tuple[Shock, ...]
    book: FactorBook
    pnl: FloatArray
    reason: CodeArray
    loss: FloatArray
    loss_reason: CodeArray
    band: CodeArray
    wipe_out: BoolArray
    coverage: FloatArray
    revalued: BoolArray


def stress(book: FactorBook, shocks: Sequence[Shock], options: OptionBook | None = None) -> Outcomes:
    """P&L of every portfolio under every shock: the sum of D_k s_k, with options valued anew.

    An option takes part with size (max(BSM, intrinsic) after - before), at the spot S (1 + sum of beta s)
    but not below 0, the rate r + Δy and the volatility σ + shift, instead of its size delta S sum of beta s;
    a long one loses at most its price. Factors without dollars are left out; there is no P&L where none of
    those that the scenario names is left. A portfolio's figures do not depend on the others beside it.
    """
    usable = np.isfinite(book.dollars)
    dollars = np.ascontiguousarray(np.where(usable, book.dollars, 0.0).T)
    pnl = np.zeros((len(shocks), len(book.nav)))
    for n, shock in enumerate(shocks):
        for k in np.flatnonzero(shock.returns):
            pnl[n] += shock.returns[k] * dollars[k]
    revalued = np.zeros(pnl.shape, dtype=np.bool_)
    if options is not None:
        usable_there = usable[options.portfolio]
        for n, shock in enumerate(shocks):
            change, taken = _revalue(options, shock, usable_there)
            np.add.at(pnl[n], options.portfolio[taken], change[taken])
            revalued[n, options.portfolio[taken]] = True
    reason = np.stack([_reasons(book, shock, usable) for shock in shocks])
    pnl[reason != NONE] = np.nan
    loss = pnl / np.where(book.nav > 0, book.nav, np.nan)
    poor = (reason == NONE) & ~(book.nav > 0)
    return Outcomes(
        shocks=tuple(shocks),
        book=book,
        pnl=pnl,
        reason=reason,
        loss=loss,
        loss_reason=np.where(poor, Reason.NONPOSITIVE_NAV.code, reason).astype(np.int8),
        band=_bands(loss),
        wipe_out=book.nav + pnl <= 0,
        coverage=_coverages(book, shocks, usable),
        revalued=revalued & (reason == NONE),
    )


def _revalue(options: OptionBook, shock: Shock, usable: BoolArray) -> tuple[FloatArray, BoolArray]:
    """What replacing the linear P&L by a full valuation adds, (M,), and the options it can be done for."""
    terms, scenario = options.terms, shock.scenario
    known = usable & np.isfinite(options.beta)
    move = np.zeros(len(options.size))
    for k in np.flatnonzero(shock.returns):
        move += np.where(known[:, k], options.beta[:, k] * shock.returns[k], 0.0)
    after = _floored(
        Terms(
            call=terms.call,
            spot=np.maximum(terms.spot * (1 + move), 0.0),
            strike=terms.strike,
            years=terms.years,
            rate=terms.rate + scenario.rate_shift,
            dividend_yield=terms.dividend_yield,
            volatility=np.maximum(terms.volatility + scenario.volatility_shift, 0.0),
        )
    )
    per_share = np.maximum(after - _floored(terms), -options.price)
    change = options.size * (per_share - options.delta * terms.spot * move)
    return change, np.isfinite(change) & known.any(axis=1)


def _floored(terms: Terms) -> FloatArray:
    return np.maximum(price(terms), intrinsic(terms.call, terms.spot, terms.strike))


def _reasons(book: FactorBook, shock: Shock, usable: BoolArray) -> CodeArray:
    """Why there is no P&L, (P,); NONE where there is."""
    if shock.reason is not None or not shock.given.any():
        reason = shock.reason or next(iter(shock.missing.values()), Reason.NOT_APPLICABLE)
        return np.full(len(book.nav), reason.code, dtype=np.int8)
    none_left = ~usable[:, shock.given].any(axis=1)
    return np.where(none_left, book.reason[:, shock.given.argmax()], NONE).astype(np.int8)


def _bands(loss: FloatArray) -> CodeArray:
    size = np.abs(loss) + _ROUNDING
    band = np.zeros(loss.shape, dtype=np.int8)
    for edge in BAND_EDGES:
        band += size >= edge
    return np.where(np.isfinite(loss), band, np.int8(NONE))


def _coverages(book: FactorBook, shocks: Sequence[Shock], usable: BoolArray) -> FloatArray:
    """The least coverage of the factors that move and are used, or of all that move if none is; (N, P)."""
    counts = usable | ~usable.any(axis=1, keepdims=True)
    covered = np.where(counts, book.coverage, np.nan)
    least: dict[bytes, FloatArray] = {}
    for shock in shocks:
        moving = shock.returns != 0
        if moving.tobytes() not in least:
            least[moving.tobytes()] = np.fmin.reduce(covered[:, moving], axis=1, initial=np.nan)
    return np.stack([least[(shock.returns != 0).tobytes()] for shock in shocks])


@dataclass(frozen=True, slots=True)
class StressResult:
    """One scenario's outcome for one portfolio.

    pnl: USD; None if and only if `reason` is set. loss: P&L / NAV, with the sign of the P&L, None if and
    only if `loss_reason` is; so is band. wipe_out: whether nothing would be left, None without a P&L.
    coverage: 0 to 1, of the gross exposure. shocks: the return of every factor used, by its key.
    factors_missing: what should have moved and did not, and why.
    """

    key: str
    group: Group
    title: str
    kind: Kind
    pnl: float | None
    loss: float | None
    band: Band | None
    wipe_out: bool | None
    coverage: float | None
    factors_used: tuple[str, ...]
    factors_missing: Mapping[str, Reason]
    shocks: Mapping[str, float]
    rate_shift: float
    volatility_shift: float
    reason: Reason | None
    loss_reason: Reason | None
    warnings: tuple[Warning_, ...]


def results(outcomes: Outcomes, portfolio: int = 0) -> tuple[StressResult, ...]:
    """The outcomes of one portfolio as records, in the order of the shocks."""
    return tuple(_result(outcomes, n, portfolio) for n in range(len(outcomes.shocks)))


def _result(outcomes: Outcomes, n: int, p: int) -> StressResult:
    shock, book = outcomes.shocks[n], outcomes.book
    reason = reason_of(int(outcomes.reason[n, p]))
    usable = np.isfinite(book.dollars[p])
    moved = [k for k in np.flatnonzero(shock.returns != 0) if usable[k] and reason is None]
    without = {
        book.members[k].key: REASONS[book.reason[p, k]]
        for k in np.flatnonzero((shock.returns != 0) & ~usable)
    }
    missing = {**shock.missing, **without}
    coverage = float(outcomes.coverage[n, p])
    kept = Warning_.PARTIAL_COVERAGE if missing or coverage < FULL_COVERAGE else None
    marks = {kept, Warning_.MODEL_PRICE if outcomes.revalued[n, p] else None}
    marks |= {warning for k in moved for warning in book.members[k].warnings}
    band = int(outcomes.band[n, p])
    return StressResult(
        key=shock.scenario.key,
        group=shock.scenario.group,
        title=shock.scenario.title,
        kind=shock.kind,
        pnl=finite(outcomes.pnl[n, p]),
        loss=finite(outcomes.loss[n, p]),
        band=None if band == NONE else BANDS[band],
        wipe_out=None if reason else bool(outcomes.wipe_out[n, p]),
        coverage=finite(coverage),
        factors_used=tuple(book.members[k].key for k in moved),
        factors_missing=missing,
        shocks={book.members[k].key: float(shock.returns[k]) for k in moved},
        rate_shift=shock.scenario.rate_shift,
        volatility_shift=shock.scenario.volatility_shift,
        reason=reason,
        loss_reason=reason_of(int(outcomes.loss_reason[n, p])),
        warnings=tuple(warning for warning in Warning_ if warning in marks) if reason is None else (),
    )

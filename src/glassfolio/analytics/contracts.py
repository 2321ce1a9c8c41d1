"""Prices and sensitivities of option contracts at the close of every session, from entry to settlement.

A contract is priced by what was stated for it and by the closed form, never by its underlying's price. Knows
nothing of lots, files or how the underlying's prices came.
"""

from dataclasses import dataclass, replace

import numpy as np

from glassfolio.analytics.implied import implied_volatility
from glassfolio.analytics.options import DAYS_PER_YEAR, Terms, Valuation, intrinsic, value
from glassfolio.analytics.returns import Carried
from glassfolio.analytics.rolling import rolling_sum
from glassfolio.model.market import BoolArray, DateArray, FloatArray, IntArray
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason, Warning_

SECONDS_PER_YEAR = DAYS_PER_YEAR * 86_400
DIVIDEND_WINDOW = 252


@dataclass(frozen=True)
class Contracts:
    """C option contracts; every field is (C,). Rows and columns are those of the underlyings' price grid.

    call: False is a put. strike: USD per share, on the share basis of row `basis` (-1: before the grid).
    underlying: column, -1 where it has none.
    expiry: row of the session at whose close the contract ends (see `expiry_sessions`), any row past the
    grid when later, negative when earlier. expires_at: that close, in seconds since 1970.
    adjusted: changed by a corporate action, so that strike and multiplier do not say what it delivers.
    """

    call: BoolArray
    strike: FloatArray
    basis: IntArray
    underlying: IntArray
    expiry: IntArray
    expires_at: IntArray
    adjusted: BoolArray


@dataclass(frozen=True)
class StatedPrices:
    """N prices of contracts that were paid, received or reported; every field is (N,).

    contract: its position in Contracts. row: of the price grid, -1 for any session before it.
    price: USD per share, on the share basis of the contract. weight: contracts bought or sold, > 0.
    mark: a broker's valuation at the close; it stands above fills of the same session, which are averaged
    by weight.
    """

    contract: IntArray
    row: IntArray
    price: FloatArray
    weight: FloatArray
    mark: BoolArray


@dataclass(frozen=True)
class Underlyings:
    """What the closed form needs of S underlyings on T sessions.

    closes: (T,) seconds since 1970 of each session's close. spot: (T, S) prices as traded, carried.
    split: (T, S) new shares per old. rate: (T,) continuously compounded, fraction per year.
    dividend_yield, volatility: (T, S) fractions per year; the volatility is the forecast as of the session.
    """

    closes: IntArray
    spot: Carried
    split: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    volatility: FloatArray


@dataclass(frozen=True)
class ContractPaths:
    """What C contracts are worth on T sessions; every field is (T, C).

    price: USD per share; at the expiry session the settlement max(±(S - K), 0), NaN after it.
    split: factor of the number of contracts. stale: sessions since the price that the value rests on, -1
    where there is none.
    terms: of the contract on the session's share basis; their volatility is the one used, NaN without Greeks.
    greeks: per share, of the closed form of these terms; NaN from the expiry session on.
    exposure_price: delta times S, USD per share.
    reason: of a NaN price, exposure_reason: of NaN Greeks, codes of Reason. warnings: bits of Warning_.
    """

    price: FloatArray
    split: FloatArray
    stale: IntArray
    terms: Terms
    greeks: Valuation
    exposure_price: FloatArray
    reason: CodeArray
    exposure_reason: CodeArray
    warnings: BitArray


def expiry_sessions(sessions: DateArray, expiry: DateArray) -> IntArray:
    """The ordinal of the session at whose close each contract ends: its expiry, or the session before it.

    sessions: the whole calendar, rising. -1 for an expiry before all of them.
    """
    return np.searchsorted(sessions, expiry, side="right") - 1


def trailing_yield(spot: FloatArray, split: FloatArray, dividend: FloatArray) -> FloatArray:
    """Dividends of the last 252 sessions over the price; (T, S), NaN where there is no price.

    spot: (T, S) as traded. split, dividend: as in a Panel. Dividends are brought to the session's own share
    basis; those before the first row count as none.
    """
    shares = np.cumprod(split, axis=0)
    return rolling_sum(dividend * shares, DIVIDEND_WINDOW) / shares / spot


def price_contracts(contracts: Contracts, stated: StatedPrices, market: Underlyings) -> ContractPaths:
    """Value every contract on every session.

    On its date the stated price; else the closed form, floored at intrinsic value, with the volatility
    implied by the latest solvable price stated at or before the session (it needs the underlying's own
    close on that date), or with the underlying's forecast where there is none; else the last stated price.
    A whole k:1 split of the underlying makes k contracts of each and divides the strike. Contracts adjusted
    otherwise, and sessions beyond another split, have stated prices only (no_model_inputs). Nothing is read
    from sessions after the one that is valued, except splits between it and the basis.
    """
    life = _Life.of(contracts, market.split)
    spot_stale = _own(market.spot.stale.astype(np.float64), contracts, -1.0).astype(np.int64)
    said = _by_session(stated, life.scale)
    terms = _terms(contracts, market, life)
    solvable = life.live & life.whole & (spot_stale == 0)
    implied = _implied(terms, np.where(solvable, said[1:], np.nan))
    volatility = np.where(np.isfinite(implied), implied, _own(market.volatility, contracts, np.nan))
    used = np.where(life.live & life.whole, volatility, np.nan)
    greeks = value(replace(terms, volatility=used))
    price, stale, warnings = _choose(said, _model_price(greeks.price, terms, life), spot_stale, life)
    known = np.isfinite(greeks.delta)
    return ContractPaths(
        price=price,
        split=life.split,
        stale=stale,
        terms=replace(terms, volatility=np.where(known, used, np.nan)),
        greeks=greeks,
        exposure_price=greeks.delta * terms.spot,
        reason=_reasons(np.isfinite(price), life.live | life.last),
        exposure_reason=_reasons(known, life.live),
        warnings=warnings,
    )


@dataclass(frozen=True)
class _Life:
    """When C contracts live, and how splits change them; (T, C), scale (T + 1, C).

    split: factor of the number of contracts. whole: the stated terms hold, up to whole splits.
    scale: USD per share on the session's share basis for one on the contract's; row 0: before the grid.
    live: before the expiry session. last: on it.
    """

    split: FloatArray
    whole: BoolArray
    scale: FloatArray
    live: BoolArray
    last: BoolArray

    @classmethod
    def of(cls, contracts: Contracts, split: FloatArray) -> "_Life":
        own = _own(split, contracts, 1.0)
        whole = (own >= 1) & (own == np.round(own))
        factor = np.where(whole & ~contracts.adjusted, own, 1.0)
        basis = np.clip(contracts.basis, -1, len(own) - 1)[None, :] + 1
        before = np.ones((1, own.shape[1]))
        shares = np.vstack([before, np.cumprod(factor, axis=0)])
        changes = np.vstack([0 * before, np.cumsum(~whole, axis=0)])
        rows = np.arange(len(own))[:, None]
        return cls(
            split=factor,
            whole=(changes == np.take_along_axis(changes, basis, axis=0))[1:] & ~contracts.adjusted,
            scale=np.take_along_axis(shares, basis, axis=0) / shares,
            live=rows < contracts.expiry,
            last=rows == contracts.expiry,
        )


def _own(grid: FloatArray, contracts: Contracts, otherwise: float) -> FloatArray:
    """The column of each contract's underlying, (T, C); `otherwise` for contracts without one."""
    listed = np.flatnonzero(contracts.underlying >= 0)
    own = np.full((len(grid), len(contracts.underlying)), otherwise)
    own[:, listed] = grid[:, contracts.underlying[listed]]
    return own


def _terms(contracts: Contracts, market: Underlyings, life: _Life) -> Terms:
    """The terms of every contract on every session, (T, C), the volatility left open."""
    spot = _own(market.spot.price, contracts, np.nan)
    return Terms(
        call=np.broadcast_to(contracts.call, spot.shape),
        spot=spot,
        strike=contracts.strike * life.scale[1:],
        years=(contracts.expires_at - market.closes[:, None]) / SECONDS_PER_YEAR,
        rate=np.broadcast_to(market.rate[:, None], spot.shape),
        dividend_yield=_own(market.dividend_yield, contracts, np.nan),
        volatility=np.full(spot.shape, np.nan),
    )


def _by_session(stated: StatedPrices, scale: FloatArray) -> FloatArray:
    """Stated prices on their own sessions' share basis; (T + 1, C), row 0 for all before the grid."""
    # Sums must not depend on the order in which the prices were given.
    order = np.lexsort((stated.weight, stated.price))
    rows, columns = np.maximum(stated.row[order], -1) + 1, stated.contract[order]
    price, weight, mark = stated.price[order], stated.weight[order], stated.mark[order]
    fill, report = ~mark & (rows < len(scale)), mark & (rows < len(scale))
    paid, size, prices = np.zeros(scale.shape), np.zeros(scale.shape), np.full(scale.shape, np.nan)
    np.add.at(paid, (rows[fill], columns[fill]), price[fill] * weight[fill])
    np.add.at(size, (rows[fill], columns[fill]), weight[fill])
    np.divide(paid, size, out=prices, where=size > 0)
    prices[rows[report], columns[report]] = price[report]
    return prices * scale


def _implied(terms: Terms, price: FloatArray) -> FloatArray:
    """The volatility implied by the latest price at or before each session that has one; (T, C)."""
    solved = np.full(price.shape, np.nan)
    at = np.nonzero(np.isfinite(price))
    there = Terms(**{name: term[at] for name, term in vars(terms).items()})
    solved[at] = implied_volatility(there, price[at]).volatility
    return _latest(solved)[0]


def _latest(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """The last finite value of each column at or before each row, NaN before it; and its row, or -1."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan), last


def _model_price(price: FloatArray, terms: Terms, life: _Life) -> FloatArray:
    """The closed form, not below intrinsic value; the settlement on the last session."""
    floor = np.where(life.whole, intrinsic(terms.call, terms.spot, terms.strike), np.nan)
    return np.where(life.last, floor, np.where(life.live, np.maximum(price, floor), np.nan))


def _choose(
    said: FloatArray, model: FloatArray, spot_stale: IntArray, life: _Life
) -> tuple[FloatArray, IntArray, BitArray]:
    """The price of each session, the age of what it rests on, and its warnings."""
    latest, row = _latest(said / life.scale)
    carried = np.where(life.live | life.last, (latest * life.scale)[1:], np.nan)
    stated, modelled = np.isfinite(said[1:]) & life.live, np.isfinite(model)
    age = np.arange(1, len(said))[:, None] - row[1:]
    price = np.where(stated, said[1:], np.where(modelled, model, carried))
    stale = np.where(stated, 0, np.where(modelled, spot_stale, age))
    stale = np.where(np.isfinite(price), stale, -1)
    warnings = np.where(stale > 0, Warning_.STALE_PRICE.bit, 0)
    warnings |= np.where(modelled & ~stated & life.live, Warning_.MODEL_PRICE.bit, 0)
    return price, stale, warnings.astype(np.int16)


def _reasons(known: BoolArray, wanted: BoolArray) -> CodeArray:
    reason = np.where(wanted, Reason.NO_MODEL_INPUTS.code, Reason.NOT_APPLICABLE.code)
    return np.where(known, NONE, reason).astype(np.int8)

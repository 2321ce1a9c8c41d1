"""How much the holdings of a session would have moved on the sessions before it, and how volatile that is.

Today's weights on past returns: a forecast's raw material, not what the account earned (that is `ledger`).
Knows nothing of lots, symbols, dates or storage.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.sparse import csr_array

from glassfolio.analytics.volatility import SESSIONS_PER_YEAR
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

WINDOW, LEAST_RETURNS = 252, 168
HALF_LIFE, LEAST_SQUARES = 21, 63
HORIZONS = {"holdings_vol_21": (21, 14), "holdings_vol_63": (63, 42), "holdings_vol_252": (252, 168)}
FORECAST = "holdings_vol_forecast"
Each = Callable[[Callable[[slice], None], Iterable[slice]], Iterable[None]]
# Sessions whose windows are cut from one strip of returns; books whose series stay in the cache.
_SPAN, _TILE = 32, 128


@dataclass(frozen=True)
class Books:
    """What R books hold: different portfolios on one session, one portfolio on many, or any mixture.

    Book i holds the underlyings `underlying[first[i]:first[i + 1]]`, columns of the grid of returns, each at
    most once, with `exposure` in USD, signed, delta-adjusted, never 0 or NaN. A position without a return
    series has a column of NaN. nav: (R,) USD. at: (R,) row of the grid, non-decreasing.
    """

    first: IntArray
    underlying: IntArray
    exposure: FloatArray
    nav: FloatArray
    at: IntArray

    def entries(self, rows: slice) -> tuple[slice, IntArray]:
        """Where the entries of consecutive books are, and which book each of them belongs to."""
        bounds = self.first[rows.start : rows.stop + 1]
        return slice(bounds[0], bounds[-1]), np.repeat(np.arange(rows.start, rows.stop), np.diff(bounds))


def net_books(
    book: IntArray, underlying: IntArray, amount: FloatArray, nav: FloatArray, at: IntArray
) -> Books:
    """Books out of single positions, such as lots and options: one exposure per book and underlying.

    book, underlying, amount: (N,) in any order, which changes no bit; what sums to 0 is not held.
    """
    order = np.lexsort((amount, underlying, book))
    book, underlying, amount = book[order], underlying[order], amount[order]
    new = np.ones(len(book), dtype=np.bool_)
    new[1:] = (book[1:] != book[:-1]) | (underlying[1:] != underlying[:-1])
    exposure = np.bincount(np.cumsum(new) - 1, weights=amount)
    held = exposure != 0
    first = np.searchsorted(book[new][held], np.arange(len(nav) + 1))
    return Books(first, underlying[new][held], exposure[held], nav, at)


def books_of(exposure: FloatArray, nav: FloatArray, at: IntArray) -> Books:
    """Books out of a table of exposures, (R, U) with 0 for what is not held."""
    book, underlying = np.nonzero(exposure)
    first = np.searchsorted(book, np.arange(len(nav) + 1))
    return Books(first, underlying, exposure[book, underlying], nav, at)


@dataclass(frozen=True)
class HoldingsReturns:
    """Daily returns that the holdings of R books would have had, over the W sessions up to each book's own.

    value: (R, W) fractions, the book's own session last; NaN on a session on which something in it has no
    return, and throughout where there is a `reason`.
    coverage: (R,) share of the sum of |X| in the series; NaN without positions. left_out: (N,) entries of
    `books` that are not in it. reason: (R,) no_positions, low_coverage, nonpositive_nav or NONE.
    """

    books: Books
    value: FloatArray
    coverage: FloatArray
    left_out: BoolArray
    reason: CodeArray


def holdings_returns(
    books: Books, returns: FloatArray, window: int = WINDOW, each: Each = map
) -> HoldingsReturns:
    """The series r_s = sum of w_u r_us with w_u = X_u / NAV, for the `window` sessions up to each book's own.

    returns: (T, U) simple returns, NaN where missing; sessions before the first row count as missing.
    An underlying with less than 168 returns in the last 252 sessions is left out and named; on the rest, a
    session with a hole is dropped. Coverage below 0.50 leaves no series (low_coverage).
    A book's bits depend on its own entries, in the order of columns, and on no other book or later session.
    each: how to go through pieces of the work; the map of a pool of threads, or the builtin one.
    """
    value = np.empty((len(books.nav), window))
    left_out = np.empty(len(books.underlying), dtype=np.bool_)
    longest = max(window, WINDOW)
    for span in _spans(books.at):
        low, high = int(books.at[span][0]), int(books.at[span][-1])
        strip = _transposed(returns, low - longest + 1, high + 1)
        listed = _listed(strip, high - low + 1)
        entries, book = books.entries(span)
        left_out[entries] = ~listed[books.underlying[entries], books.at[book] - low]
        begin = books.at + (longest - window - low)
        list(each(partial(_weigh, value, books, left_out, strip, begin), tiles(span)))
    coverage, reason = _cover(books, left_out)
    value[reason != NONE] = np.nan
    return HoldingsReturns(books, value, coverage, left_out, reason)


def _spans(at: IntArray) -> Iterator[slice]:
    """Runs of books whose sessions lie in the same 32 rows of the grid."""
    cuts = np.flatnonzero(np.diff(at // _SPAN, prepend=-1, append=-1))
    for start, stop in pairwise(cuts.tolist()):
        yield slice(start, stop)


def tiles(rows: slice) -> Iterator[slice]:
    """`rows` in pieces whose series stay in the processor's cache."""
    for start in range(rows.start, rows.stop, _TILE):
        yield slice(start, min(start + _TILE, rows.stop))


def _transposed(returns: FloatArray, start: int, stop: int) -> FloatArray:
    """Rows `start` to `stop` of the grid as (U, stop - start); NaN before its first row."""
    strip, missing = np.empty((returns.shape[1], stop - start)), max(-start, 0)
    strip[:, :missing] = np.nan
    strip[:, missing:] = returns[max(start, 0) : stop].T
    return strip


def _listed(strip: FloatArray, sessions: int) -> BoolArray:
    """Whether each underlying has enough returns in the 252 rows up to each of the last `sessions`."""
    known = np.isfinite(strip[:, 1 - sessions - WINDOW :])
    count = np.empty((len(strip), sessions), dtype=np.int64)
    count[:, 0] = np.count_nonzero(known[:, :WINDOW], axis=1)
    count[:, 1:] = known[:, WINDOW:].astype(np.int64) - known[:, : sessions - 1]
    listed: BoolArray = np.cumsum(count, axis=1) >= LEAST_RETURNS
    return listed


def _weigh(
    value: FloatArray, books: Books, left_out: BoolArray, strip: FloatArray, begin: IntArray, rows: slice
) -> None:
    """Fill in the weighted returns of some books, each from its own column `begin` of the strip on.

    What is left out is no entry of the product, so that its missing returns do not spread.
    """
    entries, book = books.entries(rows)
    taken = ~left_out[entries]
    book, underlying = book[taken], books.underlying[entries][taken]
    weight = books.exposure[entries][taken] / np.where(books.nav > 0, books.nav, np.nan)[book]
    starts = np.searchsorted(book, np.arange(rows.start, rows.stop + 1))
    moves = csr_array((weight, underlying, starts), shape=(rows.stop - rows.start, len(strip))) @ strip
    windows = sliding_window_view(moves, value.shape[1], axis=1)
    value[rows] = windows[np.arange(len(moves)), begin[rows]]


def _cover(books: Books, left_out: BoolArray) -> tuple[FloatArray, CodeArray]:
    size, count = np.abs(books.exposure), len(books.nav)
    _, book = books.entries(slice(0, count))
    gross = np.bincount(book, weights=size, minlength=count)
    covered = np.bincount(book, weights=np.where(left_out, 0.0, size), minlength=count)
    coverage = covered / np.where(gross > 0, gross, np.nan)
    reason = np.where(books.nav > 0, NONE, Reason.NONPOSITIVE_NAV.code)
    reason = np.where(coverage < LEAST_COVERAGE, Reason.LOW_COVERAGE.code, reason)
    reason = np.where(gross > 0, reason, Reason.NO_POSITIONS.code).astype(np.int8)
    return coverage, reason


@dataclass(frozen=True)
class HoldingsVolatility:
    """Volatilities of the holdings of R books, M each; fractions per year.

    keys: M names. value: (R, M), NaN where missing. n, window: sessions used, (R, M), and looked at, (M,).
    reason: (R, M) codes of Reason, NONE where there is a value. warnings: (R, M) bits of Warning_.
    coverage: (R,) as in HoldingsReturns.
    """

    keys: tuple[str, ...]
    value: FloatArray
    n: IntArray
    window: IntArray
    reason: CodeArray
    warnings: BitArray
    coverage: FloatArray


def holdings_volatility(series: HoldingsReturns) -> HoldingsVolatility:
    """Standard deviations of the series over 21, 63 and 252 sessions, and the EWMA forecast.

    std(r, ddof=1) * sqrt(252), from two thirds of the window on; the forecast is
    sqrt(252 * sum(w_j r²_j) / sum(w_j)), w_j = 0.5^(j / 21), j the age in sessions, from 63 returns on.
    Checked against numpy.std, sqrt(w' numpy.cov w * 252) and pandas ewm to 1e-9.
    """
    keys = (*HORIZONS, FORECAST)
    shape = (len(series.value), len(keys))
    value, n = np.empty(shape), np.empty(shape, dtype=np.int64)
    window, least = np.array([*HORIZONS.values(), (WINDOW, LEAST_SQUARES)]).T
    for rows in tiles(slice(0, shape[0])):
        r = series.value[rows]
        figures = [*(deviation(r[:, -sessions:]) for sessions, _ in HORIZONS.values()), ewma(r[:, -WINDOW:])]
        for m, (figure, count) in enumerate(figures):
            value[rows, m], n[rows, m] = np.sqrt(SESSIONS_PER_YEAR) * figure, count
    enough = n >= least
    reason = np.where(enough, NONE, Reason.INSUFFICIENT_HISTORY.code)
    reason = np.where(series.reason[:, None] == NONE, reason, series.reason[:, None]).astype(np.int8)
    value[reason != NONE] = np.nan
    warnings = caveats(series, n < window)
    return HoldingsVolatility(
        keys,
        value,
        n,
        window,
        reason,
        np.where(reason == NONE, warnings, 0).astype(np.int16),
        series.coverage,
    )


def caveats(series: HoldingsReturns, short: BoolArray) -> IntArray:
    """Bits of Warning_: partial_coverage below 0.95, partial_history where `short`; (R, M) like it."""
    poor = (series.coverage < FULL_COVERAGE)[:, None]
    return short * np.int64(Warning_.PARTIAL_HISTORY.bit) | poor * np.int64(Warning_.PARTIAL_COVERAGE.bit)


def deviation(r: FloatArray) -> tuple[FloatArray, IntArray]:
    """std(ddof=1) of each row over what is not NaN, and its count; NaN below two returns."""
    known = np.isfinite(r)
    n = np.count_nonzero(known, axis=1)
    mean = np.where(known, r, 0.0).sum(axis=1) / np.maximum(n, 1)
    apart = np.where(known, r - mean[:, None], 0.0)
    return np.sqrt(np.einsum("ij,ij->i", apart, apart) / np.where(n > 1, n - 1, np.nan)), n


def ewma(r: FloatArray) -> tuple[FloatArray, IntArray]:
    """Daily volatility of each row by exponential weights over what is not NaN, and its count.

    sqrt(sum(w_j r²_j) / sum(w_j)) with w_j = 0.5^(j / 21), j the age in sessions, gaps included; mean 0.
    """
    known = np.isfinite(r)
    weight = 0.5 ** (np.arange(r.shape[1])[::-1] / HALF_LIFE)
    filled = np.where(known, r, 0.0)
    n = np.count_nonzero(known, axis=1)
    weights = np.where(n > 0, np.where(known, weight, 0.0).sum(axis=1), np.nan)
    return np.sqrt(np.einsum("ij,ij,j->i", filled, filled, weight) / weights), n

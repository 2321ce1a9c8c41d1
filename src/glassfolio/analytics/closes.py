"""What a year of closes says by itself: the highest, the lowest, and how complete and fresh they are.

Knows nothing of dividends, symbols or dates.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.trailing import MONTH, QUARTER, YEAR, Combine, add, fold
from glassfolio.analytics.volatility import known, least
from glassfolio.model.market import BoolArray, FloatArray, IntArray

# Sessions after which a last close is worth nothing.
STALE = 5


def highest(close: FloatArray, there: BoolArray, split: FloatArray, n: FloatArray) -> FloatArray:
    """The highest of 252 closes, on the share basis of the last; (T - 251, S), NaN where fewer than 168 are
    there.

    close: (T, S) in USD; there: where it counts; split: (T, S) new shares per old; n: see `count`.
    Checked against pandas rolling max.
    """
    found = _extreme(np.where(there, close, -np.inf) if n.size > 1 else close, split, np.maximum)
    return known(found, n >= least(YEAR))


def lowest(close: FloatArray, there: BoolArray, split: FloatArray, n: FloatArray) -> FloatArray:
    """The lowest of 252 closes, as `highest`. Checked against pandas rolling min."""
    found = _extreme(np.where(there, close, np.inf) if n.size > 1 else close, split, np.minimum)
    return known(found, n >= least(YEAR))


def count(there: BoolArray) -> FloatArray:
    """How many of the last 252 sessions have a close; (T - 251, S), (1, 1) where all have."""
    if there.all():
        return np.full((1, 1), float(YEAR))
    return fold(fold(there.astype(np.float64), QUARTER, 1, add), YEAR // QUARTER, QUARTER, add)


@dataclass(frozen=True)
class Quality:
    """(D, S) each, 0 to 1; NaN without a close in 252 sessions."""

    completeness: FloatArray
    freshness: FloatArray

    @property
    def whole(self) -> FloatArray:
        """Completeness times freshness."""
        return self.completeness * self.freshness


def quality(there: BoolArray, n: FloatArray, stale: IntArray) -> Quality:
    """How good a year of closes is.

    there: (D + 251, S); stale: (D, S) sessions since the last close. completeness: closes over sessions since
    the first of them. freshness: 1 for a close of the session itself, less a fifth for each session since.
    """
    if n.size == 1:
        return Quality(np.ones(stale.shape), np.ones(stale.shape))
    row = np.arange(len(there))[:, None]
    following = np.minimum.accumulate(np.where(there, row, len(there))[::-1], axis=0)[::-1]
    span = row[YEAR - 1 :] - following[: len(stale)] + 1
    completeness = np.where(n > 0, n / np.maximum(span, 1), np.nan)
    freshness = np.where(n > 0, np.maximum(0.0, 1 - stale / STALE), np.nan)
    return Quality(completeness, freshness)


def _extreme(close: FloatArray, split: FloatArray, better: np.ufunc) -> FloatArray:
    found = _over_a_year(close, lambda left, right, _rows: better(left, right))
    splitting = np.flatnonzero((split != 1).any(axis=0))
    if splitting.size:
        # Beside each close the split factor of its stretch, so that older closes can be divided by it.
        pairs = np.stack([close[:, splitting], split[:, splitting]], axis=1)

        def combine(left: FloatArray, right: FloatArray, _rows: int) -> FloatArray:
            divided = better(left[:, 0] / right[:, 1], right[:, 0])
            return np.stack([divided, left[:, 1] * right[:, 1]], axis=1)

        found[:, splitting] = _over_a_year(pairs, combine)[:, 0]
    return found


def _over_a_year(values: FloatArray, combine: Combine) -> FloatArray:
    month = fold(values, MONTH, 1, combine)
    return fold(fold(month, QUARTER // MONTH, MONTH, combine), YEAR // QUARTER, QUARTER, combine)

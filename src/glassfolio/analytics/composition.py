"""Which regressors take part in a regression on which session, and the fits put together again.

Regressors come and go: each group that applies on some sessions is a regression of its own over those. Knows
nothing of what the regressors are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.regression import Fit, Regression
from glassfolio.analytics.rolling import rolling_sum
from glassfolio.model.market import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Composition:
    """Who takes part from session `start` on.

    in_model: (D, K). groups: (K,) masks, each with the sessions (rows of in_model) on which it applies.
    """

    in_model: BoolArray
    groups: tuple[tuple[BoolArray, IntArray], ...]

    def regressions(
        self, regressors: FloatArray, window: int, minimum: int, start: int, penalty: float
    ) -> list[Regression]:
        """One for each group, over all sessions from its first to its last."""
        return [
            Regression(
                regressors[:, group],
                window,
                minimum,
                start + int(sessions[0]),
                start + int(sessions[-1]) + 1,
                penalty,
            )
            for group, sessions in self.groups
        ]

    def join(self, fits: Sequence[Fit], series: int) -> Fit:
        """The groups' fits as one, NaN for a regressor that does not take part."""
        days, count = self.in_model.shape
        if len(fits) == 1 and len(self.groups[0][1]) == days and self.groups[0][0].all():
            return fits[0]
        value, stderr = np.full((2, days, count, series), np.nan).transpose(0, 1, 3, 2)
        r2, dof = np.full((2, days, series), np.nan)
        n = np.zeros((days, series), dtype=np.int64)
        for (group, sessions), part in zip(self.groups, fits, strict=True):
            taken = sessions - sessions[0]
            cells = np.ix_(sessions, np.arange(series), np.flatnonzero(group))
            value[cells], stderr[cells] = part.value[taken], part.stderr[taken]
            r2[sessions], dof[sessions], n[sessions] = part.r2[taken], part.dof[taken], part.n[taken]
        return Fit(value, stderr, r2, dof, n)


def compose(
    regressors: FloatArray, valid: BoolArray, required: BoolArray, window: int, minimum: int, start: int
) -> Composition:
    """Decide who takes part from session `start` on.

    regressors: (T, K), NaN where missing. valid: (T, K). A regressor takes part if it is valid then and has
    `minimum` values in the window; on a session without one of the `required` (K,) nobody does.
    """
    history = rolling_sum(np.isfinite(regressors).astype(np.float64), window, start)
    in_model = valid[start:] & (history >= minimum)
    in_model &= in_model[:, required].all(axis=1, keepdims=True)
    masks = np.unique(in_model[in_model.any(axis=1)], axis=0)
    groups = [(mask, np.flatnonzero((in_model == mask).all(axis=1))) for mask in masks]
    return Composition(in_model, tuple(groups))

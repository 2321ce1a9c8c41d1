"""What a beta says of itself beside its value: why it is missing, and what to keep in mind about it.

Knows nothing of how betas are computed.
"""

import numpy as np

from glassfolio.analytics.regression import Fit
from glassfolio.analytics.rolling import rolling_sum
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason, Warning_

EXTREME_BETA = 5.0
THIN_SHARE = 0.2
_TILE = 64


def reasons(fit: Fit, usable: BoolArray, minimum: int, otherwise: Reason) -> CodeArray:
    """(D, S, K) codes of Reason, NONE where there is a value.

    usable: (D, K), the factors that take part on a session that lacks none of their returns. otherwise: why
    there is no value where a factor is not usable.
    """
    days, series, count = fit.value.shape
    missing = np.where(fit.n < minimum, Reason.INSUFFICIENT_HISTORY.code, Reason.SINGULAR.code)
    missing[fit.n == 0] = Reason.NO_PRICE.code
    missing[np.isfinite(fit.dof)] = NONE
    codes = np.empty((days, count, series), dtype=np.int8)
    codes[:] = missing[:, None, :]
    codes[~usable] = otherwise.code
    return codes.transpose(0, 2, 1)


def warnings(fit: Fit, members: IntArray, thin: BoolArray, window: int) -> BitArray:
    """(D, S, K) bits of Warning_, 0 where there is no value.

    members: (K,) bits that each factor brings. thin: (D, S) as `thinly_traded`.
    """
    days, series, count = fit.value.shape
    bits = np.empty((days, count, series), dtype=np.int16)
    # In pieces that stay in the processor's cache.
    for first in range(0, series, _TILE):
        own = slice(first, first + _TILE)
        shared = np.where(fit.n[:, own] < window, Warning_.PARTIAL_HISTORY.bit, 0).astype(np.int16)
        shared[thin[:, own]] |= Warning_.THIN_TRADING.bit
        for k in range(count):
            value = fit.value[:, own, k]
            each = shared | np.int16(members[k])
            each[np.abs(value) > EXTREME_BETA] |= Warning_.EXTREME.bit
            each[np.isnan(value)] = 0
            bits[:, k, own] = each
    return bits.transpose(0, 2, 1)


def thinly_traded(returns: FloatArray, window: int, minimum: int, start: int) -> BoolArray:
    """(D, S) whether more than a fifth of the returns in the window are 0.

    returns: (T, S), NaN where missing. Where fewer than `minimum` returns are, the answer may be no.
    """
    idle = returns == 0
    thin = np.zeros((len(returns) - start, returns.shape[1]), dtype=np.bool_)
    columns = np.flatnonzero(idle.sum(axis=0) > THIN_SHARE * minimum)
    if columns.size:
        observed = rolling_sum(np.isfinite(returns[:, columns]).astype(np.float64), window, start)
        count = rolling_sum(idle[:, columns].astype(np.float64), window, start)
        thin[:, columns] = (count > THIN_SHARE * observed) & (observed >= minimum)
    return thin

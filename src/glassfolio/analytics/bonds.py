"""How the price of a par bond follows its yield.

A par bond pays half its yield twice a year and its face at maturity, and is worth its face. Yields are
compounded semi-annually, as fractions (0.04 is four per cent). Knows nothing of factors or scenarios.
Source: Fabozzi, Bond Markets, Analysis and Strategies; checked against QuantLib BondFunctions.
"""

import numpy as np

from glassfolio.model.market import FloatArray

PERIODS_PER_YEAR = 2
# Beyond it the third order, which duration and convexity leave out, is too large.
LARGEST_EXPANDED_SHIFT = 0.02


def duration(maturity: float, yield_: float) -> float:
    """Modified duration of the par bond, years: -P'/P = sum of (k/2) CF_k v^(k+1), v = 1 / (1 + y/2).

    maturity: years, a multiple of one half, at least one half; ValueError otherwise.
    """
    flows, period = _flows(maturity, yield_)
    discount = _discount(yield_) ** (period + 1)
    return float(np.sum(flows * discount * period / PERIODS_PER_YEAR))


def convexity(maturity: float, yield_: float) -> float:
    """Convexity of the par bond, years squared: P''/P = sum of (k/2) ((k+1)/2) CF_k v^(k+2).

    maturity: as in `duration`.
    """
    flows, period = _flows(maturity, yield_)
    discount = _discount(yield_) ** (period + 2)
    return float(np.sum(flows * discount * period * (period + 1) / PERIODS_PER_YEAR**2))


def price_change(maturity: float, yield_: float, shift: float) -> float:
    """Return of the par bond when its yield moves by `shift` at once, a fraction.

    -D Δy + C Δy² / 2, up to 200 basis points; beyond, all payments discounted anew. maturity: as in
    `duration`.
    """
    if abs(shift) > LARGEST_EXPANDED_SHIFT:
        return reprice(maturity, yield_, shift)
    return -duration(maturity, yield_) * shift + convexity(maturity, yield_) * shift * shift / 2


def reprice(maturity: float, yield_: float, shift: float) -> float:
    """Return of the par bond of `yield_` when all its payments are discounted at yield_ + shift.

    maturity: as in `duration`.
    """
    flows, period = _flows(maturity, yield_)
    return float(np.sum(flows * _discount(yield_ + shift) ** period)) - 1


def _flows(maturity: float, yield_: float) -> tuple[FloatArray, FloatArray]:
    """Payments for a face of 1, and their half-years from now."""
    periods = maturity * PERIODS_PER_YEAR
    if periods < 1 or periods != round(periods):
        raise ValueError(f"a maturity is a positive multiple of half a year, not {maturity}")
    flows = np.full(round(periods), yield_ / PERIODS_PER_YEAR)
    flows[-1] += 1
    return flows, np.arange(1.0, round(periods) + 1)


def _discount(yield_: float) -> float:
    return 1 / (1 + yield_ / PERIODS_PER_YEAR)

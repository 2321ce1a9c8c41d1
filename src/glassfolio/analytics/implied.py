"""The volatility at which the closed form gives a stated option price.

Every price is first turned into that of the out-of-the-money option of the same strike, whose value is all
time value, and scaled; one unknown is left, the volatility over the whole time to expiry. Knows nothing of
contracts or sessions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise
from scipy.special import erfcx, ndtr

from glassfolio.analytics.options import Terms
from glassfolio.model.market import FloatArray
from glassfolio.model.results import NONE, CodeArray, Reason

# A price with less time value than this share of the strike does not determine a volatility to 1e-8.
_RESOLUTION = 1e-9
_FARTHEST = 40.0


@dataclass(frozen=True)
class Implied:
    """Volatilities as fractions per year, NaN where `reason` (codes of Reason) says why."""

    volatility: FloatArray
    reason: CodeArray


def implied_volatility(terms: Terms, price: FloatArray) -> Implied:
    """Solve value(terms).price == price for the volatility; `terms.volatility` is not read.

    no_model_inputs where a term or the price is missing; no_root at or below the value of certain exercise,
    at or above the bound S e^(-qT) of a call or K e^(-rT) of a put, and without time to expiry.
    Chandrupatla's bracketing method; a price made by `value` gives its volatility back to 1e-8.
    """
    call, spot, strike, years, rate, dividend_yield, price = np.broadcast_arrays(
        terms.call, terms.spot, terms.strike, terms.years, terms.rate, terms.dividend_yield, price
    )
    missing = ~np.isfinite(spot + strike + years + rate + dividend_yield + price) | (strike <= 0) | (spot < 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        stock, bond = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
        scale = np.sqrt(stock * bond)
        time_value = price - np.maximum(np.where(call, stock - bond, bond - stock), 0.0)
        distance = -np.abs(np.log(stock / bond))
        target = time_value / scale
        bound = np.exp(distance / 2)
        solvable = (time_value > _RESOLUTION * np.maximum(stock, bond)) & (target < bound * (1 - _RESOLUTION))
    solvable &= ~missing & (years > 0)
    spread = np.full(price.shape, np.nan)
    spread[solvable] = _solve(distance[solvable], target[solvable])
    with np.errstate(divide="ignore", invalid="ignore"):
        volatility = spread / np.sqrt(years)
    reason = np.where(missing, Reason.NO_MODEL_INPUTS.code, Reason.NO_ROOT.code)
    return Implied(volatility, np.where(np.isfinite(volatility), NONE, reason).astype(np.int8))


def _solve(distance: FloatArray, target: FloatArray) -> FloatArray:
    """σ √T of scaled out-of-the-money prices, 0 < target < e^(distance/2), distance = -|ln(F/K)|."""
    low = np.full(distance.shape, np.finfo(np.float64).tiny)
    high = _FARTHEST - 2 * distance
    found = elementwise.find_root(_gap, (low, high), args=(distance, target))
    return np.asarray(found.x, dtype=np.float64)


def _gap(spread: FloatArray, distance: FloatArray, target: FloatArray) -> FloatArray:
    """How far the price at `spread` is from the target, as a share of both: -1 to 1, rising."""
    price = _scaled_price(spread, distance)
    gap: FloatArray = (price - target) / (price + target)
    return gap


def _scaled_price(spread: FloatArray, distance: FloatArray) -> FloatArray:
    """e^(x/2) N(x/s + s/2) - e^(-x/2) N(x/s - s/2), x <= 0.

    Where d1 is negative both terms share the factor φ(d1) e^(x/2), and without it their difference keeps
    its digits however small the price is.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        d1 = distance / spread + spread / 2
        d2 = distance / spread - spread / 2
        plain = np.exp(distance / 2) * ndtr(d1) - np.exp(-distance / 2) * ndtr(d2)
        factor = np.exp((distance - d1 * d1) / 2) / 2
        small = factor * (erfcx(-d1 / np.sqrt(2)) - erfcx(-d2 / np.sqrt(2)))
        price: FloatArray = np.where(d1 < 0, small, plain)
    return price

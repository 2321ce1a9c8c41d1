"""Price and sensitivities of European options with a dividend yield, in closed form.

Everything is per share of the underlying; rates, yields and volatilities are fractions (0.05 is five per
cent). Early exercise is not modelled. Knows nothing of contracts, sessions or positions.
Source: Black and Scholes (1973), Merton (1973).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from glassfolio.model.market import BoolArray, FloatArray

DAYS_PER_YEAR = 365.0
_PER_CENT = 0.01
_ROOT_TWO_PI = np.sqrt(2 * np.pi)


@dataclass(frozen=True)
class Terms:
    """What an option is worth depends on; fields broadcast against each other.

    call: False is a put. spot, strike: USD per share. years: to the expiry, 365 days each.
    rate: of riskless interest, continuously compounded, as a fraction per year: ln(1 + yield).
    dividend_yield: continuous, fraction per year. volatility: fraction per year.
    """

    call: BoolArray
    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    volatility: FloatArray


@dataclass(frozen=True)
class Valuation:
    """Price and Greeks per share, in the shape of the terms.

    price: USD. delta: USD per USD of the underlying. gamma: delta per USD.
    vega: USD per volatility point. theta: USD per calendar day. rho: USD per percentage point of the rate.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray


def value(terms: Terms) -> Valuation:
    """Price and Greeks of every option.

    d1 = [ln(S/K) + (r - q + σ²/2) T] / (σ √T), d2 = d1 - σ √T; a call is S e^(-qT) N(d1) - K e^(-rT) N(d2).
    Without time the price is the intrinsic value; without volatility it is the discounted value of exercise
    at the forward; gamma is NaN exactly at the kink of either. NaN where any term is NaN, the spot, the time
    or the volatility is negative, or the strike is not positive.
    Checked against vollib's and QuantLib's analytic engines to 1e-9.
    """
    legs = _Legs.of(terms)
    price = legs.price
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        density = legs.stock * np.exp(-legs.d1 * legs.d1 / 2) / _ROOT_TWO_PI
        curvature = np.where(density == 0, 0.0, density / (terms.spot * terms.spot * legs.spread))
        decay = np.where(density == 0, 0.0, density * terms.volatility / (2 * np.sqrt(terms.years)))
    carry = terms.dividend_yield * legs.stock * legs.delivered - terms.rate * legs.bond * legs.exercised
    return Valuation(
        price=price,
        delta=legs.sign * np.exp(-terms.dividend_yield * terms.years) * legs.delivered,
        gamma=np.where(np.isinf(curvature), np.nan, curvature),
        vega=density * np.sqrt(np.maximum(terms.years, 0.0)) * _PER_CENT,
        theta=np.where(terms.years > 0, legs.sign * carry - decay, 0.0 * price) / DAYS_PER_YEAR,
        rho=legs.sign * legs.bond * terms.years * legs.exercised * _PER_CENT,
    )


def price(terms: Terms) -> FloatArray:
    """The prices of `value` alone, USD per share."""
    return _Legs.of(terms).price


@dataclass(frozen=True)
class _Legs:
    """The two sides of an exercise: stock received or delivered, and its payment.

    sign: 1 call, -1 put. stock, bond: present values, S e^(-qT) and K e^(-rT). spread: σ √T.
    delivered: N(±d1). exercised: N(±d2).
    """

    sign: FloatArray
    stock: FloatArray
    bond: FloatArray
    spread: FloatArray
    d1: FloatArray
    delivered: FloatArray
    exercised: FloatArray

    @classmethod
    def of(cls, terms: Terms) -> "_Legs":
        root = np.sqrt(np.where(terms.years >= 0, terms.years, np.nan))
        spread = np.where(terms.volatility >= 0, terms.volatility, np.nan) * root
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.where((terms.strike > 0) & (terms.spot >= 0), terms.spot / terms.strike, np.nan)
            moneyness = np.log(ratio) + (terms.rate - terms.dividend_yield) * terms.years
            # Without any spread the option is surely exercised, or not; at the forward itself it is neither.
            d1 = np.where(moneyness == 0, 0.0, moneyness / spread) + spread / 2
        sign = np.where(terms.call, 1.0, -1.0)
        return cls(
            sign=sign,
            stock=terms.spot * np.exp(-terms.dividend_yield * terms.years),
            bond=terms.strike * np.exp(-terms.rate * terms.years),
            spread=spread,
            d1=d1,
            delivered=ndtr(sign * d1),
            exercised=ndtr(sign * (d1 - spread)),
        )

    @property
    def price(self) -> FloatArray:
        """USD per share; rounding may not make it negative."""
        difference = self.stock * self.delivered - self.bond * self.exercised
        return np.maximum(self.sign * difference, 0.0)


def intrinsic(call: BoolArray, spot: FloatArray, strike: FloatArray) -> FloatArray:
    """What exercise at once would bring, USD per share: max(±(S - K), 0); NaN stays NaN."""
    return np.maximum(np.where(call, spot - strike, strike - spot), 0.0)


def gamma_1pct(gamma: FloatArray, size: FloatArray, spot: FloatArray) -> FloatArray:
    """By how many USD a position's delta exposure changes when the underlying moves by 1 %.

    size: signed quantity times multiplier. Γ q m S² / 100.
    """
    return gamma * size * spot * spot * _PER_CENT

"""Factor sets and factor models as data, and the betas they give.

Names of betas are generated from the set, here and nowhere else. Knows nothing of portfolios or of storage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from glassfolio.analytics.regression import Fit, rolling_ols
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.rolling import rolling_sum
from glassfolio.model.market import BoolArray, DateArray, FloatArray, IntArray, Panel
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason, Warning_

EXTREME_BETA = 5.0
THIN_SHARE = 0.2


class Role(StrEnum):
    """What a member of a set is for."""

    MARKET = "market"
    STYLE = "style"
    SPREAD = "spread"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Member:
    """One factor: the return of `series`, less that of `minus` if there is one.

    valid_from, valid_to: first and last session, inclusive; None is open.
    maturity: years of the par bond whose price the series follows; None for all but a rate.
    warnings: what every number that rests on it carries. note: for people.
    """

    key: str
    role: Role
    series: str
    minus: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    warnings: tuple[Warning_, ...] = ()
    note: str = ""
    maturity: float | None = None


@dataclass(frozen=True, slots=True)
class FactorSet:
    """Named factors that belong together; exactly one of them is the market."""

    name: str
    members: tuple[Member, ...]

    @property
    def series(self) -> tuple[str, ...]:
        """The symbols whose prices the set needs, each once."""
        named = (name for member in self.members for name in (member.series, member.minus))
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def having(self, roles: Sequence[Role]) -> tuple[Member, ...]:
        """The members with one of `roles`, in the order of the set."""
        return tuple(member for member in self.members if member.role in roles)


@dataclass(frozen=True, slots=True)
class Model:
    """One regression: which members, over how many sessions, and what its betas are called.

    names: role -> published key; `{key}` stands for the member's.
    """

    key: str
    title: str
    window: int
    minimum: int
    names: Mapping[Role, str]

    def members(self, factors: FactorSet) -> tuple[Member, ...]:
        """The regressors, in the order of the betas."""
        return factors.having(tuple(self.names))

    def published(self, factors: FactorSet) -> tuple[str, ...]:
        """The keys of the betas."""
        return tuple(self.names[member.role].format(key=member.key) for member in self.members(factors))


MODELS: Mapping[str, Model] = {
    "market": Model("market", "Market model (CAPM)", 90, 60, {Role.MARKET: "market_beta"}),
    "risk": Model(
        "risk",
        "Market, style spreads and rate, jointly",
        180,
        120,
        {Role.MARKET: "risk.market", Role.SPREAD: "spread.{key}", Role.RATE: "risk.rate"},
    ),
}

_DEMO_STYLES = {"value": "VLUE", "momentum": "MTUM", "quality": "QUAL", "size": "SIZE", "low_vol": "USMV"}
_DEMO_PROXIES = {"value": "a stronger tilt than VTV", "size": "low size among large and mid caps, not IWM"}


def _demo_member(key: str, series: str, minus: str | None) -> Member:
    note = _DEMO_PROXIES.get(key, "")
    role = Role.SPREAD if minus else Role.STYLE
    warnings = [Warning_.PROXY_FACTOR] * bool(note) + [Warning_.PRICE_ONLY_MARKET] * bool(minus)
    return Member(key, role, series, minus, warnings=tuple(warnings), note=note)


US_ETF = FactorSet(
    "us-etf",
    (
        Member("market", Role.MARKET, "SPY"),
        Member("value", Role.STYLE, "VTV"),
        Member("growth", Role.STYLE, "VUG"),
        Member("momentum", Role.STYLE, "MTUM"),
        Member("quality", Role.STYLE, "QUAL"),
        Member("size", Role.STYLE, "IWM"),
        Member("low_vol", Role.STYLE, "USMV"),
        Member("growth_value", Role.SPREAD, "VUG", "VTV"),
        Member("momentum", Role.SPREAD, "MTUM", "SPY"),
        Member("quality", Role.SPREAD, "QUAL", "SPY"),
        Member("size", Role.SPREAD, "IWM", "SPY"),
        Member("low_vol", Role.SPREAD, "USMV", "SPY"),
        Member("rate", Role.RATE, "TLT", note="priced as a par bond of 25.5 years", maturity=25.5),
    ),
)
DEMO = FactorSet(
    "demo",
    (
        Member(
            "market",
            Role.MARKET,
            "SP500",
            warnings=(Warning_.PRICE_ONLY_MARKET,),
            note="index without dividends",
        ),
        *(_demo_member(key, series, None) for key, series in _DEMO_STYLES.items()),
        *(_demo_member(key, series, "SP500") for key, series in _DEMO_STYLES.items()),
        Member(
            "rate", Role.RATE, "UST20_TR", valid_to=date(2017, 3, 29), note="20-year par bond", maturity=20.0
        ),
    ),
)
FACTOR_SETS: Mapping[str, FactorSet] = {US_ETF.name: US_ETF, DEMO.name: DEMO}


def factor_returns(members: Sequence[Member], panel: Panel) -> FloatArray:
    """Daily simple returns of each member; (T, K), NaN where a series has none or outside the member's
    validity.
    """
    series = simple_returns(panel.close, panel.split, panel.dividend)
    columns = {symbol: series[:, j] for j, symbol in enumerate(panel.symbols)}
    missing = np.full(len(panel.sessions), np.nan)
    returns = np.empty((len(panel.sessions), len(members)))
    for k, member in enumerate(members):
        leg = columns.get(member.series, missing)
        less = columns.get(member.minus, missing) if member.minus is not None else 0.0
        returns[:, k] = np.where(_valid(member, panel.sessions), leg - less, np.nan)
    return returns


def _valid(member: Member, sessions: DateArray) -> BoolArray:
    valid = np.ones(len(sessions), dtype=np.bool_)
    if member.valid_from is not None:
        valid &= sessions >= np.datetime64(member.valid_from, "D")
    if member.valid_to is not None:
        valid &= sessions <= np.datetime64(member.valid_to, "D")
    return valid


@dataclass(frozen=True)
class Betas:
    """What one model says of S symbols on D sessions.

    keys: K published names. value, stderr: (D, S, K), NaN where missing; r2, n: (D, S).
    reason: (D, S, K) codes of Reason, NONE where there is a value. warnings: (D, S, K) bits of Warning_.
    in_model: (D, K) whether the factor takes part in that session's regression.
    """

    model: Model
    keys: tuple[str, ...]
    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    n: IntArray
    reason: CodeArray
    warnings: BitArray
    in_model: BoolArray


def fit(model: Model, factors: FactorSet, panel: Panel, returns: FloatArray, start: int = 0) -> Betas:
    """Betas of every symbol at each session from `start` on, by rolling OLS.

    panel: prices of the set's series, whatever else it holds. returns: (T, S) of the symbols, on the panel's
    sessions. A factor takes part in the regression of a session if it is valid then and has `model.minimum`
    returns in the window; without the market there is none. A factor that takes part but lacks the session's
    own return leaves that session without betas (no_factor_data).
    """
    members = model.members(factors)
    regressors = factor_returns(members, panel)
    valid = np.stack([_valid(member, panel.sessions) for member in members], axis=1)
    history = rolling_sum(np.isfinite(regressors).astype(np.float64), model.window, start)
    in_model = valid[start:] & (history >= model.minimum)
    in_model &= in_model[:, [member.role is Role.MARKET for member in members]]
    fitted = _fit_by_composition(model, members, regressors, returns, in_model, start)
    absent = (np.isnan(regressors[start:]) & in_model).sum(axis=1, keepdims=True)
    reason = _reasons(fitted, in_model & (absent == 0), model.minimum)
    warnings = _warnings(fitted, model, members, returns, start)
    keys = model.published(factors)
    return Betas(
        model=model,
        keys=keys,
        value=fitted.value,
        stderr=fitted.stderr,
        r2=fitted.r2,
        n=fitted.n,
        reason=reason,
        warnings=warnings,
        in_model=in_model,
    )


def _fit_by_composition(
    model: Model,
    members: tuple[Member, ...],
    regressors: FloatArray,
    returns: FloatArray,
    in_model: BoolArray,
    start: int,
) -> Fit:
    """One regression per distinct group of factors, each over the sessions on which that group applies."""
    shape = (len(returns) - start, returns.shape[1])
    value, stderr = np.full((2, *shape, len(members)), np.nan)
    r2, n = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    for group in np.unique(in_model, axis=0):
        if not group.any():
            continue
        rows = np.flatnonzero((in_model == group).all(axis=1))
        first, end = start + rows[0], start + rows[-1] + 1
        part = rolling_ols(returns[:end], regressors[:end, group], model.window, model.minimum, first)
        taken = rows - rows[0]
        value[np.ix_(rows, np.arange(shape[1]), np.flatnonzero(group))] = part.value[taken]
        stderr[np.ix_(rows, np.arange(shape[1]), np.flatnonzero(group))] = part.stderr[taken]
        r2[rows], n[rows] = part.r2[taken], part.n[taken]
    return Fit(value, stderr, r2, n)


def _reasons(fitted: Fit, usable: BoolArray, minimum: int) -> CodeArray:
    n = fitted.n[:, :, None]
    reason = np.where(n < minimum, Reason.INSUFFICIENT_HISTORY.code, Reason.SINGULAR.code)
    reason = np.where(n == 0, Reason.NO_PRICE.code, reason)
    reason = np.where(usable[:, None, :], reason, Reason.NO_FACTOR_DATA.code)
    return np.where(np.isfinite(fitted.value), NONE, reason).astype(np.int8)


def _warnings(
    fitted: Fit, model: Model, members: Sequence[Member], returns: FloatArray, start: int
) -> BitArray:
    observed = rolling_sum(np.isfinite(returns).astype(np.float64), model.window, start)
    idle = rolling_sum((returns == 0).astype(np.float64), model.window, start)
    bits = np.where(idle > THIN_SHARE * observed, Warning_.THIN_TRADING.bit, 0)
    bits |= np.where(fitted.n < model.window, Warning_.PARTIAL_HISTORY.bit, 0)
    each = np.array([sum(warning.bit for warning in member.warnings) for member in members])
    all_bits = (
        bits[:, :, None] | each | np.where(np.abs(fitted.value) > EXTREME_BETA, Warning_.EXTREME.bit, 0)
    )
    return np.where(np.isfinite(fitted.value), all_bits, 0).astype(np.int16)

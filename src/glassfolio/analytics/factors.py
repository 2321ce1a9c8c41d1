"""Factor sets and factor models as data, and the betas they give.

Names of betas are generated from the set, here and nowhere else. Knows nothing of portfolios or of storage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from glassfolio.analytics import labels
from glassfolio.analytics.composition import Composition, compose
from glassfolio.analytics.regression import Fit, Spread, solve
from glassfolio.analytics.returns import simple_returns
from glassfolio.model.market import BoolArray, DateArray, FloatArray, IntArray, Panel
from glassfolio.model.results import BitArray, CodeArray, Reason, Warning_


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

    def has(self, roles: Sequence[Role]) -> bool:
        """Whether each of `roles` has a member."""
        return set(roles) <= {member.role for member in self.members}

    def having(self, roles: Sequence[Role]) -> tuple[Member, ...]:
        """The members with one of `roles`, in the order of the set."""
        return tuple(member for member in self.members if member.role in roles)


@dataclass(frozen=True, slots=True)
class Model:
    """One regression: which members, over how many sessions, and what its betas are called.

    names: role -> published key; `{key}` stands for the member's. requires: roles without which there is no
    regression at all; a member of another role is left out on sessions where it has no data.
    penalty: 0 for ordinary least squares, else ridge on standardised factors with alpha = n penalty.
    """

    key: str
    title: str
    window: int
    minimum: int
    names: Mapping[Role, str]
    requires: tuple[Role, ...] = ()
    penalty: float = 0.0

    @property
    def estimator(self) -> str:
        """What people call the method."""
        return "ridge" if self.penalty else "OLS"

    def members(self, factors: FactorSet) -> tuple[Member, ...]:
        """The regressors, in the order of the betas."""
        return factors.having(tuple(self.names))

    def published(self, factors: FactorSet) -> tuple[str, ...]:
        """The keys of the betas."""
        return tuple(self.names[member.role].format(key=member.key) for member in self.members(factors))


MODELS: Mapping[str, Model] = {
    model.key: model
    for model in (
        Model("market", "Market (CAPM)", 90, 60, {Role.MARKET: "market_beta"}, (Role.MARKET,)),
        Model(
            "market_rate",
            "Market and rate, jointly",
            90,
            60,
            {Role.MARKET: "market_beta_joint", Role.RATE: "rate_beta"},
            (Role.MARKET, Role.RATE),
        ),
        # Descriptive: these contain the market, so they are never added to a market beta.
        Model("style", "ETF-based styles, jointly", 90, 60, {Role.STYLE: "style.{key}"}, penalty=1 / 90),
        Model(
            "risk",
            "Market, style spreads and rate, jointly",
            180,
            120,
            {Role.MARKET: "risk.market", Role.SPREAD: "spread.{key}", Role.RATE: "risk.rate"},
            (Role.MARKET,),
        ),
    )
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

    keys: K published names, one for each of the set's members in the model. value, stderr: (D, S, K), NaN
    where missing; stderr is NaN throughout where the estimator is biased (not_applicable).
    r2, dof, n: (D, S), as in `regression.Fit`.
    reason: (D, S, K) codes of Reason, NONE where there is a value. warnings: (D, S, K) bits of Warning_.
    in_model: (D, K) whether the factor takes part in that session's regression.
    Raises ValueError when an array has another number of factors than there are keys.
    """

    model: Model
    keys: tuple[str, ...]
    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    dof: FloatArray
    n: IntArray
    reason: CodeArray
    warnings: BitArray
    in_model: BoolArray

    def __post_init__(self) -> None:
        planes = (self.value, self.stderr, self.reason, self.warnings, self.in_model)
        if any(each.shape[-1] != len(self.keys) for each in planes):
            raise ValueError(f"{self.model.key}: {[each.shape for each in planes]} for {self.keys}")


def fit(model: Model, factors: FactorSet, panel: Panel, returns: FloatArray, start: int = 0) -> Betas:
    """Betas of one model, as `fit_all`."""
    return fit_all((model,), factors, panel, returns, start)[0]


def fit_all(
    models: Sequence[Model],
    factors: FactorSet,
    panel: Panel,
    returns: FloatArray,
    start: int = 0,
    spread: Spread = map,
) -> list[Betas]:
    """Betas of every symbol at each session from `start` on, by each model.

    panel: prices of the set's series, whatever else it holds. returns: (T, S) of the symbols, on the panel's
    sessions. spread: a `map` that may work on several pieces at a time; the bits are the same.
    A factor takes part in the regression of a session if it is valid then and has `model.minimum` returns in
    the window; without one that the model requires there is none. A factor that takes part but lacks the
    session's own return leaves that session without betas (no_factor_data).
    """
    parts = [_compose(model, factors, panel, start) for model in models]
    regressions = [
        each
        for model, regressors, part in parts
        for each in part.regressions(regressors, model.window, model.minimum, start, model.penalty)
    ]
    ordinal = int(panel.ordinals[0]) if len(panel.ordinals) else 0
    solved = iter(solve(returns, regressions, ordinal, spread))
    betas = []
    thin: dict[tuple[int, int], BoolArray] = {}
    for model, regressors, part in parts:
        fitted = part.join([next(solved) for _ in part.groups], returns.shape[1])
        key = model.window, model.minimum
        if key not in thin:
            thin[key] = labels.thinly_traded(returns, *key, start)
        betas.append(_label(model, factors, fitted, part.in_model, regressors[start:], thin[key]))
    return betas


def absent(models: Sequence[Model], factors: FactorSet, panel: Panel, at: int) -> list[str]:
    """The published keys whose factor takes no part on the session in row `at`, for want of data.

    A beta that is missing because its model requires another factor is not among them.
    """
    keys = []
    for model in models:
        optional = replace(model, requires=())
        _, regressors, part = _compose(optional, factors, panel, at)
        there = part.in_model[0] & np.isfinite(regressors[at])
        keys += [key for key, own in zip(model.published(factors), there, strict=True) if not own]
    return keys


def _compose(
    model: Model, factors: FactorSet, panel: Panel, start: int
) -> tuple[Model, FloatArray, Composition]:
    members = model.members(factors)
    regressors = factor_returns(members, panel)
    valid = np.empty(regressors.shape, dtype=np.bool_)
    for k, member in enumerate(members):
        valid[:, k] = _valid(member, panel.sessions) & factors.has(model.requires)
    required = np.array([member.role in model.requires for member in members], dtype=np.bool_)
    return model, regressors, compose(regressors, valid, required, model.window, model.minimum, start)


def _label(
    model: Model, factors: FactorSet, fitted: Fit, in_model: BoolArray, own: FloatArray, thin: BoolArray
) -> Betas:
    """own: (D, K) the factors' returns on the sessions themselves."""
    missing = Reason.NO_FACTOR_DATA if factors.has(model.requires) else Reason.FACTOR_NOT_IN_SET
    absent = (np.isnan(own) & in_model).any(axis=1, keepdims=True)
    bits = np.array([sum(warning.bit for warning in member.warnings) for member in model.members(factors)])
    return Betas(
        model=model,
        keys=model.published(factors),
        value=fitted.value,
        stderr=fitted.stderr,
        r2=fitted.r2,
        dof=fitted.dof,
        n=fitted.n,
        reason=labels.reasons(fitted, in_model & ~absent, model.minimum, missing),
        warnings=labels.warnings(fitted, bits, thin, model.window),
        in_model=in_model,
    )

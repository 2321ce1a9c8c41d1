"""What a scenario means for the factors of a model at one session: the return of each of them.

Direct: only what the scenario names. Correlated: the rest follows, as far as it has moved along so far.
Replay: every factor's own return between two sessions. Knows nothing of portfolios.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from glassfolio.analytics.bonds import price_change
from glassfolio.analytics.factors import FactorSet, Member, Role, factor_returns
from glassfolio.analytics.index import total_return_index
from glassfolio.analytics.scenarios import MARKET, SCENARIOS, Replay, Scenario
from glassfolio.model.market import BoolArray, FloatArray, Panel
from glassfolio.model.results import Reason

WINDOW, MINIMUM, HALF_LIFE = 504, 336, 126
# Of a correlation matrix: directions with a smaller share of the largest eigenvalue are rounding.
_SINGULAR = 1e-10


class Kind(StrEnum):
    """How factors that a scenario does not name move."""

    DIRECT = "direct"
    CORRELATED = "correlated"
    REPLAY = "replay"


@dataclass(frozen=True)
class Shock:
    """A scenario in the terms of K factors.

    returns: (K,) fractions, 0 where a factor stays where it is. given: (K,) moved by the scenario itself
    rather than by correlation.
    missing: what should have moved and cannot, and why; names of the scenario or keys of factors.
    reason: why nothing can be said at all; None otherwise.
    """

    scenario: Scenario
    kind: Kind
    returns: FloatArray
    given: BoolArray
    missing: Mapping[str, Reason]
    reason: Reason | None = None


@dataclass(frozen=True)
class FactorState:
    """What is known of K factors at one session.

    in_model: (K,) whether the factor has betas at the session. covariance: (K, K) of daily returns, NaN in
    the rows and columns of factors without enough history (see `covariance`).
    """

    members: tuple[Member, ...]
    in_model: BoolArray
    covariance: FloatArray


def covariance(returns: FloatArray) -> FloatArray:
    """Covariance of daily returns over the last 504 sessions, weights halving every 126; (K, K).

    returns: (T, K), the last row is the session. Rows with a hole are left out; a factor with fewer than 336
    returns is left out instead and NaN, as are all where fewer than 336 common rows remain.
    numpy.cov with aweights 0.5^(age/126), age in sessions.
    """
    recent = returns[-WINDOW:]
    known = np.isfinite(recent).sum(axis=0) >= MINIMUM
    rows = np.flatnonzero(np.isfinite(recent[:, known]).all(axis=1))
    result = np.full((returns.shape[1], returns.shape[1]), np.nan)
    if known.any() and len(rows) >= MINIMUM:
        weights = 0.5 ** ((len(recent) - 1 - rows) / HALF_LIFE)
        result[np.ix_(known, known)] = np.cov(recent[np.ix_(rows, known)].T, aweights=weights)
    return result


def conditional_returns(covariance: FloatArray, given: BoolArray, returns: FloatArray) -> FloatArray:
    """`returns`, the others replaced by what is expected of them when the given ones move so; (K,).

    s_J = Σ_JK Σ_KK^-1 s_K; where given factors repeat each other, the smallest solution. 0 for a factor
    whose covariance is NaN. Source: conditional mean of a multivariate normal distribution.
    """
    moving = np.diag(covariance) > 0
    scale = np.sqrt(np.where(moving, np.diag(covariance), 1.0))
    rest, fixed = moving & ~given, moving & given
    correlation = covariance / np.outer(scale, scale)
    inverse = np.linalg.pinv(correlation[np.ix_(fixed, fixed)], rcond=_SINGULAR, hermitian=True)
    followed = np.where(given, returns, 0.0)
    followed[rest] = scale[rest] * (correlation[np.ix_(rest, fixed)] @ (inverse @ (returns / scale)[fixed]))
    return followed


def replay_returns(members: Sequence[Member], panel: Panel, replay: Replay) -> FloatArray:
    """Total return of each factor between the closes of two sessions; (K,).

    Each leg is compounded by itself, a spread is the difference. NaN where a series has no close on either
    session, the panel does not hold both, or the factor was not valid throughout. A date that is no session
    counts as the session before it.
    """
    start, end = (
        int(np.searchsorted(panel.sessions, np.datetime64(day, "D"), side="right")) - 1
        for day in (replay.start, replay.end)
    )
    if start < 0 or panel.sessions[-1] < np.datetime64(replay.end, "D"):
        return np.full(len(members), np.nan)

    def leg(series: str) -> float:
        if series not in panel.symbols:
            return np.nan
        own = slice(panel.column(series), panel.column(series) + 1)
        ends = panel.close[[start, end], own]
        index = total_return_index(panel.close[:, own], panel.split[:, own], panel.dividend[:, own])
        change = index.change(np.array([start]), np.array([end]))
        return float(change[0, 0]) if np.isfinite(ends).all() else np.nan

    return np.array(
        [
            leg(m.series) - (leg(m.minus) if m.minus is not None else 0.0) if _valid(m, replay) else np.nan
            for m in members
        ]
    )


def _valid(member: Member, replay: Replay) -> bool:
    first, last = member.valid_from or date.min, member.valid_to or date.max
    return first <= replay.start and replay.end <= last


def factor_state(members: tuple[Member, ...], panel: Panel, in_model: BoolArray) -> FactorState:
    """The state at the panel's last session."""
    return FactorState(members, in_model, covariance(factor_returns(members, panel)))


def shocks_at(
    factors: FactorSet,
    state: FactorState,
    panel: Panel,
    rate_yield: float,
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> tuple[Shock, ...]:
    """Every scenario at the panel's last session: first direct and replayed, in the scenarios' order, then
    correlated.

    panel: prices of the set's series, as far back as there are; replays that it does not hold are missing.
    rate_yield: of the bond behind the rate factor, a fraction.
    """
    direct = [
        _replayed(scenario, scenario.replay, state, panel)
        if scenario.replay
        else _direct(scenario, factors, state, rate_yield)
        for scenario in scenarios
    ]
    return (*direct, *(_correlated(shock, state) for shock in direct if shock.kind is Kind.DIRECT))


def _direct(scenario: Scenario, factors: FactorSet, state: FactorState, rate_yield: float) -> Shock:
    returns, given = np.zeros(len(state.members)), np.zeros(len(state.members), dtype=np.bool_)
    missing: dict[str, Reason] = {}
    for name, move in _named_moves(scenario, state.members, rate_yield).items():
        loading = _loading(name, factors, state.members)
        moved = (loading != 0) & state.in_model
        if not moved.any():
            missing[name] = Reason.NO_FACTOR_DATA if loading.any() else Reason.FACTOR_NOT_IN_SET
        elif not np.isfinite(move):
            missing[name] = Reason.NO_MODEL_INPUTS
        else:
            returns[moved] += loading[moved] * move
            given |= moved
    return Shock(scenario, Kind.DIRECT, returns, given, missing)


def _named_moves(scenario: Scenario, members: Sequence[Member], rate_yield: float) -> dict[str, float]:
    """The scenario's shocks, with the rates' shift as the return of the rate factor's bond."""
    moves = dict(scenario.shocks)
    if scenario.rate_shift:
        maturities = [m.maturity for m in members if m.role is Role.RATE and m.maturity is not None]
        change = [price_change(maturity, rate_yield, scenario.rate_shift) for maturity in maturities]
        moves[Role.RATE.value] = change[0] if change else np.nan
    return moves


def _loading(name: str, factors: FactorSet, members: Sequence[Member]) -> FloatArray:
    """By how much each factor moves when `name` does; (K,), of -1, 0 and 1.

    A style moves the spreads that it is a leg of.
    """
    role = {MARKET: Role.MARKET, Role.RATE.value: Role.RATE}.get(name)
    if role is not None:
        return np.array([float(member.role is role) for member in members])
    styles = {style.series for style in factors.having([Role.STYLE]) if style.key == name}
    return np.array(
        [
            float(m.role is Role.SPREAD and (m.key == name or m.series in styles))
            - float(m.role is Role.SPREAD and m.minus in styles)
            for m in members
        ]
    )


def _correlated(direct: Shock, state: FactorState) -> Shock:
    """The same scenario, the factors that it does not name following those that it does."""
    known = np.isfinite(np.diag(state.covariance))
    reason = Reason.INSUFFICIENT_HISTORY if (direct.given & ~known).any() else None
    left_out = ~direct.given & ~(known & state.in_model)
    untold = {
        member.key: Reason.INSUFFICIENT_HISTORY if there else Reason.NO_FACTOR_DATA
        for member, out, there in zip(state.members, left_out, state.in_model, strict=True)
        if out
    }
    returns = direct.returns
    if reason is None:
        followed = conditional_returns(state.covariance, direct.given, direct.returns)
        returns = np.where(left_out, 0.0, followed)
    missing = {**direct.missing, **untold}
    return Shock(direct.scenario, Kind.CORRELATED, returns, direct.given, missing, reason)


def _replayed(scenario: Scenario, replay: Replay, state: FactorState, panel: Panel) -> Shock:
    returns = replay_returns(state.members, panel, replay)
    given = np.isfinite(returns) & state.in_model
    missing = {
        member.key: Reason.INSUFFICIENT_HISTORY if there else Reason.NO_FACTOR_DATA
        for member, moved, there in zip(state.members, given, state.in_model, strict=True)
        if not moved
    }
    return Shock(scenario, Kind.REPLAY, np.where(given, returns, 0.0), given, missing)

"""Scenarios as data: what moves by how much, or between which sessions everything moved.

Names are those of roles and styles, never of series; what they mean for a factor set is found in `shocks`.
Knows nothing of portfolios.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

MARKET = "market"


class Group(StrEnum):
    """Scenarios that are shown together."""

    BASE = "base"
    MARKET = "market"
    RATES = "rates"
    ROTATION = "rotation"
    VOLATILITY = "volatility"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened from the close of one session to that of a later one."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that might happen at once.

    shocks: returns as fractions, by name: `market`, or a style, whose return is relative to the market's.
    rate_shift: change of all yields, a fraction (0.01 is 100 basis points).
    volatility_shift: change of all implied volatilities, a fraction (0.15 is 15 points).
    replay: instead of all these, the factors' own returns between two sessions.
    """

    key: str
    group: Group
    title: str
    shocks: Mapping[str, float] = field(default_factory=dict)
    rate_shift: float = 0.0
    volatility_shift: float = 0.0
    replay: Replay | None = None


def _market(key: str, group: Group, title: str, move: float) -> Scenario:
    return Scenario(key, group, title, {MARKET: move})


def _rates(group: Group, basis_points: int) -> Scenario:
    way = "up" if basis_points > 0 else "down"
    points = abs(basis_points)
    shift = basis_points / 10_000
    return Scenario(f"rates_{way}_{points}", group, f"Rates {way} {points} basis points", rate_shift=shift)


def _replay(key: str, title: str, start: date, end: date) -> Scenario:
    return Scenario(key, Group.REPLAY, title, replay=Replay(start, end))


SCENARIOS: tuple[Scenario, ...] = (
    _market("market_up_5", Group.BASE, "Market up 5 %", 0.05),
    _market("market_down_5", Group.BASE, "Market down 5 %", -0.05),
    _rates(Group.BASE, 50),
    _rates(Group.BASE, -50),
    _market("market_up_10", Group.MARKET, "Market up 10 %", 0.10),
    _market("market_down_10", Group.MARKET, "Market down 10 %", -0.10),
    _market("market_crash_35", Group.MARKET, "Market crash, down 35 %", -0.35),
    _market("market_rally_25", Group.MARKET, "Market rally, up 25 %", 0.25),
    _rates(Group.RATES, 25),
    _rates(Group.RATES, -25),
    _rates(Group.RATES, 100),
    _rates(Group.RATES, -100),
    _rates(Group.RATES, 300),
    Scenario("value_rotation", Group.ROTATION, "Rotation into value", {"value": 0.20, "growth": -0.10}),
    Scenario("growth_rally", Group.ROTATION, "Growth rally", {"growth": 0.15, "momentum": 0.10}),
    Scenario("small_cap", Group.ROTATION, "Small companies lead", {"size": 0.10}),
    Scenario("flight_to_quality", Group.ROTATION, "Flight to quality", {"quality": 0.12, MARKET: -0.05}),
    Scenario(
        "volatility_spike",
        Group.VOLATILITY,
        "Volatility spike",
        {MARKET: -0.15, "low_vol": 0.05},
        volatility_shift=0.15,
    ),
    Scenario(
        "liquidity_crisis",
        Group.VOLATILITY,
        "Liquidity crisis",
        {MARKET: -0.20, "size": -0.10, "quality": 0.05},
        volatility_shift=0.20,
    ),
    _replay("replay_2015", "Correction of 2015 and 2016", date(2015, 5, 21), date(2016, 2, 11)),
    _replay("replay_2018", "Sell-off at the end of 2018", date(2018, 9, 20), date(2018, 12, 24)),
    _replay("replay_2020", "Pandemic crash of 2020", date(2020, 2, 19), date(2020, 3, 23)),
    _replay("replay_vaccine", "Vaccine rotation of November 2020", date(2020, 11, 6), date(2020, 11, 24)),
    _replay("replay_2022", "Bear market of 2022", date(2022, 1, 3), date(2022, 6, 16)),
)

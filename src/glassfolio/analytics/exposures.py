"""What portfolios are exposed to: how much, long and short, how concentrated, and in which sectors.

Knows nothing of factors, dates or storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glassfolio.analytics.grouping import adder, by_first
from glassfolio.analytics.instruments import Kind
from glassfolio.analytics.portion import Portion
from glassfolio.model.market import FloatArray, IntArray
from glassfolio.model.results import NONE, CodeArray, Reason


@dataclass(frozen=True)
class Exposures:
    """Size and concentration of P portfolios on D sessions; (D, P), USD or pure numbers.

    Exposure X is market value, for options delta times the underlying's price times shares, for cash 0.
    long, short: sums of X over instruments, their lots netted; short <= 0. Never NaN.
    nav: the base of every ratio.
    w = |X| / sum |X| by underlying, options beside it netted in: hhi = sum w² (0 to 1), top_3 and top_10 the
    sums of the largest w; NaN with `concentration_reason` no_positions.
    exposure_coverage: share of the value, cash left out, whose exposure is known; 1 where nothing is held.
    sector_net, sector_gross: (D, P, B) USD, sums of X and of |X| by sector, unclassified last.
    """

    long: FloatArray
    short: FloatArray
    nav: FloatArray
    hhi: FloatArray
    top_3: FloatArray
    top_10: FloatArray
    exposure_coverage: FloatArray
    sector_net: FloatArray
    sector_gross: FloatArray

    @property
    def gross(self) -> FloatArray:
        """Exposure of either sign: long - short."""
        return self.long - self.short

    @property
    def net(self) -> FloatArray:
        """Exposure with its sign: long + short."""
        return self.long + self.short

    @property
    def leverage(self) -> FloatArray:
        """Gross over NAV, NaN with `nav_reason`."""
        return self.gross / self._base

    @property
    def net_leverage(self) -> FloatArray:
        """Net over NAV, NaN with `nav_reason`."""
        return self.net / self._base

    @property
    def effective_n(self) -> FloatArray:
        """1 / hhi."""
        return 1 / self.hhi

    @property
    def sector_net_weight(self) -> FloatArray:
        """sector_net / NAV, NaN with `nav_reason`; its sum over sectors is net_leverage."""
        return self.sector_net / self._base[:, :, None]

    @property
    def sector_gross_weight(self) -> FloatArray:
        """sector_gross / NAV, NaN with `nav_reason`; its sum over sectors is leverage."""
        return self.sector_gross / self._base[:, :, None]

    @property
    def nav_reason(self) -> CodeArray:
        """nonpositive_nav where a ratio to NAV has no meaning."""
        return np.where(self.nav > 0, NONE, Reason.NONPOSITIVE_NAV.code).astype(np.int8)

    @property
    def concentration_reason(self) -> CodeArray:
        """no_positions where there is nothing to be concentrated in."""
        return np.where(np.isnan(self.hhi), Reason.NO_POSITIONS.code, NONE).astype(np.int8)

    @property
    def _base(self) -> FloatArray:
        return np.where(self.nav > 0, self.nav, np.nan)


@dataclass(frozen=True)
class Sectors:
    """Which sector each of S instruments belongs to.

    of: (S,) from 0 to count - 1; the last one holds the unclassified.
    Raises ValueError when a number is none of these.
    """

    of: IntArray
    count: int

    def __post_init__(self) -> None:
        if not ((self.of >= 0) & (self.of < self.count)).all():
            raise ValueError(f"a sector that is none of {self.count}")


@dataclass(frozen=True)
class Netted:
    """Signed exposures of a portion's portfolios, the lots of one thing netted; cash left out.

    exposure: (N, D) USD. portfolio, column: (N,) whose, and of what; portfolios: how many there are. They
    stand in order, what they hold in the order of their lots.
    """

    exposure: FloatArray
    portfolio: IntArray
    column: IntArray
    portfolios: int

    @cached_property
    def adder(self) -> Any:
        """Sums over what a portfolio holds: adder @ (N, D) is (P, D)."""
        return adder(self.portfolio, self.portfolios)


def net_instruments(portion: Portion, cut: int) -> tuple[Netted, FloatArray]:
    """The exposure of each instrument, and (P, D) the share of value whose exposure is known.

    cut: the portion's first rows that are not asked for; D are left. What is not known counts as nothing in
    the exposure.
    """
    lots, count = portion.lots, len(portion.portfolios)
    kind = portion.instruments.kind[lots.column]
    taken = np.flatnonzero((kind != Kind.CASH) & (portion.settled.begin < portion.instruments.sessions))
    exposure = portion.worth[:, cut:] if len(taken) == len(lots) else portion.worth[taken, cut:]
    coverage = np.ones((count, exposure.shape[1]))
    options = np.flatnonzero(kind[taken] == Kind.OPTION)
    if len(options):
        lot = taken[options]
        path = portion.grid.exposure[lots.column[lot], cut:] * portion.settled.size[lot, None]
        path = np.where(portion.held[lot, cut:], path, 0.0)
        size = np.abs(exposure)
        whole = adder(lots.portfolio[taken], count) @ size
        lost = adder(lots.portfolio[lot], count) @ np.where(np.isnan(path), size[options], 0.0)
        coverage = np.where(whole > 0, (whole - lost) / np.where(whole > 0, whole, 1.0), 1.0)
        exposure = exposure.copy()
        exposure[options] = np.nan_to_num(path)
    return _net(exposure, lots.portfolio[taken], lots.column[taken], count), coverage


def net_underlyings(instruments: Netted, underlying: IntArray) -> Netted:
    """The exposure to each underlying, its options netted in. underlying: (S,) of each column."""
    column = underlying[instruments.column]
    if (column == instruments.column).all():
        return instruments
    return _net(instruments.exposure, instruments.portfolio, column, instruments.portfolios)


def _net(exposure: FloatArray, portfolio: IntArray, column: IntArray, portfolios: int) -> Netted:
    number, first = by_first(portfolio * (column.max(initial=0) + 1) + column)
    if len(first) < len(number):
        exposure = adder(number, len(first)) @ exposure
    return Netted(exposure, portfolio[first], column[first], portfolios)


@dataclass(frozen=True)
class Crosswise:
    """The exposures of P portfolios to underlyings, session by session.

    exposure: (P, D, U) USD, each portfolio's own underlyings first, then zeros. column: (P, U), -1 behind
    them. gross: (P, D) the sum of |exposure|.
    """

    exposure: FloatArray
    column: IntArray
    gross: FloatArray


def turn(underlyings: Netted) -> Crosswise:
    """Lay the exposures to underlyings out portfolio by portfolio."""
    owner, held = underlyings.portfolio, np.bincount(underlyings.portfolio, minlength=underlyings.portfolios)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(held) - held, held)
    column = np.full((len(held), held.max(initial=0)), -1)
    column[owner, place] = underlyings.column
    exposure = np.zeros((*column.shape, underlyings.exposure.shape[1]))
    exposure[owner, place] = underlyings.exposure
    gross = underlyings.adder @ np.abs(underlyings.exposure)
    return Crosswise(np.ascontiguousarray(exposure.transpose(0, 2, 1)), column, gross)


def measure(instruments: Netted, underlyings: Netted, crosswise: Crosswise) -> dict[str, FloatArray]:
    """Size and concentration by name, as in `Exposures`; (P, D)."""
    squares = underlyings.adder @ (underlyings.exposure * underlyings.exposure)
    base = np.where(crosswise.gross > 0, crosswise.gross, np.nan)
    sizes = np.sort(np.abs(crosswise.exposure), axis=2)
    return {
        "long": instruments.adder @ np.maximum(instruments.exposure, 0.0),
        "short": instruments.adder @ np.minimum(instruments.exposure, 0.0),
        "hhi": squares / (base * base),
        "top_3": _sum_last(sizes, 3) / base,
        "top_10": _sum_last(sizes, 10) / base,
    }


def _sum_last(sizes: FloatArray, count: int) -> FloatArray:
    total = np.zeros(sizes.shape[:2])
    for place in range(1, min(count, sizes.shape[2]) + 1):
        total += sizes[:, :, -place]
    return total


def by_sector(instruments: Netted, sectors: Sectors) -> dict[str, FloatArray]:
    """Net and gross exposure of each sector by name; (P, D, B)."""
    bucket = instruments.portfolio * sectors.count + sectors.of[instruments.column]
    sums = adder(bucket, instruments.portfolios * sectors.count)
    shape = (instruments.portfolios, sectors.count, instruments.exposure.shape[1])
    return {
        "sector_net": (sums @ instruments.exposure).reshape(shape).transpose(0, 2, 1),
        "sector_gross": (sums @ np.abs(instruments.exposure)).reshape(shape).transpose(0, 2, 1),
    }


def assemble(numbers: Mapping[str, Any], nav: FloatArray) -> Exposures:
    """The Exposures made of the numbers of all portfolios, (P, D) or (P, D, B) each. nav: (D, P)."""
    parts = {name: part.swapaxes(0, 1) for name, part in numbers.items()}
    if "sector_net" not in parts:
        parts["sector_net"] = (parts["long"] + parts["short"])[:, :, None]
        parts["sector_gross"] = (parts["long"] - parts["short"])[:, :, None]
    return Exposures(**parts, nav=nav)

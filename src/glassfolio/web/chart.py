"""A series over sessions as the shape of a picture: points of a line, ticks of its axes.

Nothing here draws; a template does. Knows nothing of what the numbers mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10

from glassfolio.web.wording import money

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 84, 12, 10, 28
LEVELS = 4
MOST_DAYS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in the picture's units."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart. path: of the line, broken where a value is missing; below: of the area under it."""

    path: str
    below: str
    levels: tuple[Tick, ...]
    days: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def line_chart(days: Sequence[date], values: Sequence[float | None]) -> Chart | None:
    """The chart of a value for each of some days, in order; None where fewer than two values are known."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    low, high, step = _scale(min(known), max(known))

    def across(place: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * place / (len(values) - 1), 1)

    def up(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    pieces = _pieces(values)
    lines = [[(across(place), up(value)) for place, value in piece] for piece in pieces]
    path = " ".join("M" + " L".join(f"{x},{y}" for x, y in line) for line in lines)
    floor_y = HEIGHT - BOTTOM
    below = " ".join(
        f"M{line[0][0]},{floor_y} L" + " L".join(f"{x},{y}" for x, y in line) + f" L{line[-1][0]},{floor_y} Z"
        for line in lines
    )
    count = round((high - low) / step)
    levels = tuple(Tick(up(low + step * k), money(low + step * k, 0)) for k in range(count + 1))
    return Chart(path, below, levels, tuple(Tick(across(k), _day(days[k])) for k in _shown(len(days))))


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """The ends of the axis and the distance of its levels: round numbers around the values."""
    span = (high - low) or abs(high) or 1.0
    rough = span / LEVELS
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    bottom, top = floor(low / step) * step, ceil(high / step) * step
    return bottom, top if top > bottom else bottom + step, step


def _pieces(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    pieces: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            pieces[-1].append((place, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _shown(count: int) -> list[int]:
    most = min(MOST_DAYS_SHOWN, count)
    return sorted({round((count - 1) * k / (most - 1)) for k in range(most)}) if most > 1 else [0]


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"

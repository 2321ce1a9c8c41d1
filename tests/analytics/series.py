"""Series of closes and returns for the tests of metrics, and how a table of them is read."""

from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassfolio.analytics.symbols import MetricTable, symbol_metrics
from glassfolio.model.market import DateArray, FloatArray, IntArray
from glassfolio.model.results import NONE, REASONS, warnings_of
from tests.analytics.books import panel

NAN = float("nan")
Array = TypeVar("Array", bound=NDArray[Any])


def walk(sessions: int, symbols: int, seed: int = 0, scale: float = 0.02) -> FloatArray:
    """Closes of a random walk."""
    steps = np.random.default_rng(seed).normal(0, scale, (sessions, symbols))
    walked: FloatArray = 50 * np.exp(np.cumsum(steps, axis=0))
    return walked


def holed(close: FloatArray, share: float = 0.05, seed: int = 1) -> FloatArray:
    """The closes with holes."""
    return np.where(np.random.default_rng(seed).random(close.shape) < share, NAN, close)


def returns_of(close: FloatArray) -> pd.DataFrame:
    """Daily returns as pandas makes them."""
    return pd.DataFrame(close).pct_change(fill_method=None)


def table_of(close: FloatArray, start: int = 0, days: DateArray | None = None) -> MetricTable:
    """The metrics of closes without splits and dividends."""
    return symbol_metrics(panel(close, days), start)


def column(table: MetricTable, key: str) -> FloatArray:
    """(D, S) values of one metric."""
    value: FloatArray = table.value[table.keys.index(key)]
    return value


def counted(table: MetricTable, key: str) -> IntArray:
    """(D, S) n of one metric."""
    n: IntArray = table.n[table.keys.index(key)].astype(np.int64)
    return n


def reasons(table: MetricTable, key: str, symbol: int = 0) -> list[str | None]:
    """The reasons of one metric of one symbol, as words."""
    codes = table.reason[table.keys.index(key), :, symbol]
    return [None if code == NONE else REASONS[code].value for code in codes]


def warned(table: MetricTable, key: str, row: int = -1, symbol: int = 0) -> set[str]:
    """The warnings of one value, as words."""
    return {word.value for word in warnings_of(int(table.warnings[table.keys.index(key), row, symbol]))}


def assert_same_table(left: MetricTable, right: MetricTable) -> None:
    """Equal to the last bit."""
    for name in ("value", "n", "reason", "warnings"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for key, detail in left.details.items():
        np.testing.assert_array_equal(detail, right.details[key], err_msg=str(key))


def cut(table: MetricTable, rows: slice, symbols: list[int] | slice = slice(None)) -> MetricTable:
    """Some sessions and symbols of a table."""

    def part(array: Array) -> Array:
        return cast(Array, array[..., rows, :][..., symbols])

    return MetricTable(
        table.keys,
        part(table.value),
        part(table.n),
        part(table.reason),
        part(table.warnings),
        {key: part(detail) for key, detail in table.details.items()},
    )

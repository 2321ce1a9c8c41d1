"""The bundled real prices as a panel."""

from datetime import date
from importlib.resources import files

import numpy as np
import polars as pl
import pytest

from glassfolio.model.market import Panel
from tests.analytics.books import panel

PRICES = files("glassfolio") / "bundled" / "prices.parquet"


def real(first: str, last: str) -> Panel:
    """The bundled prices of a range of dates."""
    if not PRICES.is_file():
        pytest.skip("no bundled prices")
    frame = pl.read_parquet(str(PRICES)).filter(
        pl.col("session").is_between(date.fromisoformat(first), date.fromisoformat(last))
    )
    symbols = tuple(name for name in frame.columns if name != "session")
    close = frame.select(pl.col(*symbols).cast(pl.Float64)).to_numpy() / 1000
    return panel(np.ascontiguousarray(close), frame["session"].to_numpy().astype("datetime64[D]"), symbols)

"""Real daily prices and sample holdings that come with the package, for trying it out and for tests.

Knows nothing of providers, databases or how the table was made; NOTICE in this folder holds its licences.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from io import BytesIO

import numpy as np
import polars as pl

from glassfolio.errors import ProviderUnavailable
from glassfolio.model.market import DateArray, FloatArray

TABLE = "prices.parquet"
CHECKSUMS = "prices.sha256"
THOUSANDTHS = 1000.0


@dataclass(frozen=True, eq=False)
class PriceTable:
    """Fully adjusted closes of every bundled symbol.

    sessions: (T,) datetime64[D], every session from the first to the last, rising.
    symbols: S names; column j of `close` belongs to symbols[j].
    close: (T, S) USD, index points for SP500, levels from 100 for the two _TR series; NaN after one's end.
    """

    sessions: DateArray
    symbols: tuple[str, ...]
    close: FloatArray


@dataclass(frozen=True, slots=True)
class Sample:
    """Holdings somebody can start with; `equity` suits them on the last bundled session."""

    filename: str
    equity: Decimal
    title: str


SAMPLES: Mapping[str, Sample] = {
    "balanced": Sample(
        "sample_balanced.csv", Decimal(250_000), "Twenty large companies, bought over four years"
    ),
    "long_short": Sample("sample_long_short.csv", Decimal(200_000), "A small long-short book"),
    "with_gaps": Sample(
        "sample_with_gaps.csv", Decimal(100_000), "Stocks, cash, a private fund, an unknown ticker"
    ),
}


@cache
def load_prices() -> PriceTable:
    """The price table, read and verified once per process; raises ProviderUnavailable when it was changed."""
    return unpack(read_bytes(TABLE), published_checksum())


def unpack(packed: bytes, checksum: str) -> PriceTable:
    """The table in the bytes of a Parquet file; raises ProviderUnavailable when their sha256 is another."""
    if hashlib.sha256(packed).hexdigest() != checksum:
        raise ProviderUnavailable("The bundled prices are not those this release was published with.")
    frame = pl.read_parquet(BytesIO(packed))
    symbols = tuple(name for name in frame.columns if name != "session")
    sessions = frame["session"].to_numpy().astype("datetime64[D]")
    close = frame.select(pl.col(*symbols).cast(pl.Float64)).to_numpy() / THOUSANDTHS
    close.flags.writeable = False
    return PriceTable(sessions, symbols, np.asarray(close, dtype=np.float64))


def published_checksum() -> str:
    """The sha256 the table had when it was published, in hexadecimal."""
    listed = dict(line.split("  ")[::-1] for line in read_bytes(CHECKSUMS).decode("ascii").splitlines())
    return listed[TABLE]


def read_bytes(filename: str) -> bytes:
    """The content of a file of this folder: the table, NOTICE, or a sample's `filename`."""
    return resources.files(__name__).joinpath(filename).read_bytes()

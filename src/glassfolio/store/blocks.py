"""Series of sessions cut into blocks of 64 and packed as little-endian arrays.

Blocks are cut at session ordinals divisible by 64, not at a run's first date, so that every run writes
the same blocks. Knows nothing of what the numbers mean.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK = 64


def first_of_block(ordinal: int) -> int:
    """The ordinal at which the block of a session begins."""
    return ordinal // BLOCK * BLOCK


def spans(first: int, last: int) -> Iterator[tuple[int, slice, int]]:
    """The blocks of the sessions from ordinal `first`, which begins a block, to `last`.

    Yields (block, slice of a series that begins at `first`, ordinal of its last session).
    """
    for start in range(first, last + 1, BLOCK):
        end = min(start + BLOCK - 1, last)
        yield start // BLOCK, slice(start - first, end - first + 1), end


def pack(values: NDArray[np.generic], dtype: str) -> bytes:
    """Up to 64 rows of numbers as bytes."""
    return np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()


def unpack(packed: bytes, dtype: str, columns: int | None = None) -> NDArray[np.generic]:
    """The rows that `pack` packed; two-dimensional when `columns` is given."""
    flat = np.frombuffer(packed, dtype=np.dtype(dtype).newbyteorder("<"))
    return flat if columns is None else flat.reshape(-1, columns)

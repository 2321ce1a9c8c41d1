"""Series in blocks of 64 sessions: cut at fixed places, packed without loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.store import blocks


@given(st.integers(0, 10_000), st.integers(0, 300))
def test_blocks_cover_every_session_once_and_begin_at_fixed_places(start: int, length: int) -> None:
    """Whatever a run's first date, every run writes the same blocks."""
    first = blocks.first_of_block(start)
    last = start + length
    series = np.arange(first, last + 1)
    seen = []
    for block, part, end in blocks.spans(first, last):
        piece = series[part]
        assert piece[0] == block * blocks.BLOCK
        assert piece[-1] == end
        assert len(piece) <= blocks.BLOCK
        seen += piece.tolist()
    assert seen == series.tolist()


@pytest.mark.parametrize("dtype", ["f8", "i2", "i1"])
def test_what_was_packed_comes_back_bit_for_bit(dtype: str) -> None:
    values = np.array([[0, 1, -1], [100, -100, 7]], dtype=dtype)
    packed = blocks.pack(values, dtype)
    assert len(packed) == values.size * int(dtype[1])
    np.testing.assert_array_equal(blocks.unpack(packed, dtype, 3), values)
    np.testing.assert_array_equal(blocks.unpack(packed, dtype), values.ravel())


def test_missing_numbers_stay_missing() -> None:
    values = np.array([0.1 + 0.2, np.nan, -0.0])
    back = blocks.unpack(blocks.pack(values, "f8"), "f8")
    assert back.tobytes() == values.tobytes()


def test_bytes_are_little_endian_on_every_machine() -> None:
    assert blocks.pack(np.array([1], dtype=">i2"), "i2") == b"\x01\x00"

"""Copies of records are what NumPy's own would be, and share no memory with what they are copies of."""

from __future__ import annotations

import numpy as np
import pytest

from app.wire.records import ENTROPY_DTYPE, FLOW_DTYPE, PACKET_DTYPE
from app.wire.row_copies import chosen, copied, joined

TYPES = (PACKET_DTYPE, FLOW_DTYPE, ENTROPY_DTYPE)


def records(dtype: np.dtype[np.void], count: int) -> np.ndarray:
    random = np.random.default_rng(count)
    return np.frombuffer(random.integers(0, 256, count * dtype.itemsize, np.uint8).tobytes(), dtype)  # read-only


def same(one: np.ndarray, other: np.ndarray) -> None:
    assert one.dtype == other.dtype
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [0, 1, 57])
def test_copies_are_numpys(dtype, count):
    rows = records(dtype, count)
    places, mask = np.arange(count)[::-3], np.arange(count) % 3 == 1
    for ours, numpys in (
        (copied(rows), rows.copy()),
        (copied(rows[::-2]), rows[::-2].copy()),
        (chosen(rows, places), rows[places]),
        (chosen(rows, mask), rows[mask]),
        (joined([rows]), np.concatenate([rows])),
        (joined([rows, rows[:1], rows[::-1]]), np.concatenate([rows, rows[:1], rows[::-1]])),
    ):
        same(ours, numpys)
        assert ours.flags.writeable
        assert not np.shares_memory(ours, rows)


def test_a_record_of_a_copy_is_a_record():
    rows = chosen(records(PACKET_DTYPE, 5), np.array([3]))
    rows["src_port"] = 80
    assert rows[0]["src_port"] == 80
    assert rows.tolist()[0][PACKET_DTYPE.names.index("src_port")] == 80

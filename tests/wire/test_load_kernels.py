"""The unchecked loads and the byte counters of the kernels, against plain indexing and NumPy."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from numba import njit

from app.wire import byte_count_kernels as counters
from app.wire import load_kernels as loads


@njit
def _loads(data, k):
    return loads.load16(data, k), loads.load32(data, k), loads.load64(data, k)


@njit
def _mixed(a, b):
    return loads.multiply_high(a, b)


@njit
def _exchange(array, k, value):
    before = loads.peek(array, k)
    loads.poke(array, k, value)
    loads.prefetch(array, k)
    return before


@njit
def _count(data, begin, end, counts, base):
    counters.count_bytes(data, begin, end, counts, base)


@njit
def _neighbours(data, begin, end, counts, base):
    return counters.count_neighbours(data, begin, end, counts, base)


def test_loads_are_big_endian_at_any_place():
    data = np.frombuffer(random.Random(1).randbytes(64), np.uint8)
    for k in range(56):
        raw = data[k : k + 8].tobytes()
        assert _loads(data, k) == tuple(int.from_bytes(raw[:size], "big") for size in (2, 4, 8))


def test_products_are_those_of_128_bits():
    rng = random.Random(2)
    for _ in range(100):
        a, b = rng.getrandbits(64), rng.getrandbits(64)
        product = a * b
        assert _mixed(np.uint64(a), np.uint64(b)) == (product >> 64) ^ (product & (1 << 64) - 1)


def test_items_are_read_and_written_in_place():
    array = np.arange(10, dtype=np.int64)
    assert _exchange(array, 7, 70) == 7
    assert array.tolist() == [0, 1, 2, 3, 4, 5, 6, 70, 8, 9]


def payloads():
    rng = random.Random(3)
    for size in [*range(1, 80), 255, 256, 1460]:
        yield rng.randbytes(size)
        yield bytes([rng.randrange(256)]) * size
        yield bytes(rng.choice((0, 255)) for _ in range(size))
        half = rng.randbytes(size // 2)
        yield half + bytes(size - len(half) // 2) + half


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
def test_bytes_are_counted_from_any_place_and_nowhere_else(kind):
    for payload in payloads():
        data = np.frombuffer(b"\x07\x07\x07" + payload + b"\x07" * 8, np.uint8)
        counts = np.ones((3, 256), kind)
        _count(data, 3, 3 + len(payload), counts, 256)
        expected = np.bincount(np.frombuffer(payload, np.uint8), minlength=256) + 1
        assert np.array_equal(counts[1], expected)
        assert counts[[0, 2]].sum() == 512


def test_products_of_neighbours_are_summed():
    for payload in payloads():
        data = np.frombuffer(b"\xff" + payload + b"\xff" * 8, np.uint8)
        counts = np.zeros(256, np.uint32)
        values = list(payload)
        expected = sum(a * b for a, b in pairwise(values))
        assert _neighbours(data, 1, 1 + len(payload), counts, 0) == expected
        assert np.array_equal(counts, np.bincount(values, minlength=256))

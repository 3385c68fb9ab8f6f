"""Clocks of pcapng interfaces."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wire import pcap_kernels as kernels
from app.wire import pcap_layout as layout
from app.wire.pcapng import clock_of, options


def time_of(value: int, tsresol: int, offset: int) -> int:
    table = np.zeros((1, layout.IF_COLUMNS), np.int64)
    table[0, [layout.IF_CLOCK, layout.IF_FACTOR, layout.IF_OFFSET]] = clock_of(tsresol, offset)
    return int(kernels.pcapng_time(value >> 32, value & 0xFFFFFFFF, table, 0))


@pytest.mark.parametrize(
    ("value", "tsresol", "offset", "ns"),
    [
        (1_700_000_000_123_456, 6, 0, 1_700_000_000_123_456_000),
        (1_700_000_000_123_456_789, 9, 0, 1_700_000_000_123_456_789),
        (1_700_000_000, 0, 0, 1_700_000_000_000_000_000),
        (17_000_000_001_234_567_899, 10, 0, 1_700_000_000_123_456_789),
        (1_700_000_000 << 20 | 1 << 19, 0x80 | 20, 0, 1_700_000_000_500_000_000),
        (3 << 33 | 1 << 32, 0x80 | 33, 0, 3_500_000_000),
        (500, 3, 1_700_000_000, 1_700_000_000_500_000_000),
        (5_000_000, 6, -3, 2_000_000_000),
        (5_000_000, 6, -30, -1),  # before the epoch
        (2**64 - 1, 6, 0, -1),  # after the year 2262
        (2**63, 9, 0, -1),
        (0, 6, 2**63 - 1, -1),
        (2**64 - 1, 30, 0, -1),
        (2**64 - 1, 0x80 | 127, 7, 7_000_000_000),
    ],
)
def test_units_and_offsets(value: int, tsresol: int, offset: int, ns: int) -> None:
    assert time_of(value, tsresol, offset) == ns


@settings(max_examples=500, deadline=None)
@given(
    st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**10), 10**10)
)
def test_any_clock_is_exact_or_unknown(value: int, tsresol: int, offset: int) -> None:
    exponent = tsresol & 0x7F
    unit = Fraction(1, (2 if tsresol & 0x80 else 10) ** exponent)
    exact = value * unit * 10**9
    ns = time_of(value, tsresol, offset)
    if ns == -1:
        assert not 0 <= exact + offset * 10**9 < 2**63 - 2 * 10**9 or exponent > 27 or exact >= 2**63
        return
    assert abs(ns - (exact + offset * 10**9)) < 2  # two roundings


def test_options_stop_where_a_length_does_not_fit() -> None:
    body = b"\2\0\3\0abc\0" + b"\x09\0\1\0\6\0\0\0" + b"\1\0\xff\0zz"
    assert list(options(body, False)) == [(2, b"abc"), (9, b"\6")]
    assert list(options(b"\0\0\0\0" + body, False)) == []

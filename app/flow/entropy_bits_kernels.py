"""The bit sample of a direction: which eight bits follow each other where random-looking bytes are read bit by bit. Compressed data shows in it, encrypted does not."""

from __future__ import annotations

from numba import int64, njit, uint16

from app.stats import entropy_layout as at
from app.wire.load_kernels import peek, poke

SYMBOLS, ORDERS, TOTAL = at.SYMBOLS, at.ORDERS, at.TOTAL
BITS_FULL, BITS_AGAIN, BITS_N, BITS_NEXT = at.BITS_FULL, at.BITS_AGAIN, at.BITS_N, at.BITS_NEXT
PROBED = 64  # bytes that tell whether a packet looks random
LEAST_HIGH, MOST_HIGH = 18, 46  # of them have the highest bit set: 32 ± 3.5 standard deviations

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def count(counts, value):
    """One more of a value, in a uint16[256]."""
    poke(counts, value, peek(counts, value) + uint16(1))


@njit(**_OPTIONS)
def count_bits(data, begin, end, low, high):
    """Eight bits from each bit position as deflate reads them to `low`, from three as bzip2 and JPEG do to `high`: bzip2's longer codes show in three
    positions, deflate's need all. low, high: uint16[256]."""
    for k in range(begin, end - 1):
        a, b = int64(peek(data, k)), int64(peek(data, k + 1))
        up, down = a | b << 8, a << 8 | b
        for s in range(8):
            count(low, (up >> s) & 0xFF)
        count(high, b)
        count(high, (down >> 3) & 0xFF)
        count(high, (down >> 6) & 0xFF)


@njit(**_OPTIONS)
def bit_score(counts):
    """χ² of the counts against equal ones."""
    n, squares = 0.0, 0.0
    for v in range(SYMBOLS):
        c = float(counts[v])
        n += c
        squares += c * c
    return squares * SYMBOLS / n - n


@njit(**_OPTIONS)
def take_bits(data, begin, end, slot, d, side, bits, levels):
    """The bit sample: BITS_FULL bytes of packets that look random, taken at the beginning and each time that the flow is 16 times as long."""
    high = 0
    for k in range(end - min(int64(PROBED), end - begin), end):
        high += data[k] >> 7
    if end - begin >= PROBED and (high < LEAST_HIGH or high > MOST_HIGH):
        return
    start = begin + min(int64(16), (end - begin) >> 4)  # a record's header is not what it carries
    stop = min(end, start + BITS_FULL - side[BITS_N])
    low, upper = bits[slot, d * ORDERS], bits[slot, d * ORDERS + 1]
    count_bits(data, start, stop, low, upper)
    side[BITS_N] += max(stop - start, int64(0))
    if side[BITS_N] >= BITS_FULL * 3 // 4:
        levels[slot, d, 2], levels[slot, d, 3] = bit_score(low), bit_score(upper)
    if side[BITS_N] >= BITS_FULL:
        side[BITS_NEXT] = side[TOTAL] * BITS_AGAIN
        side[BITS_N] = 0
        for v in range(SYMBOLS):
            low[v] = 0
            upper[v] = 0

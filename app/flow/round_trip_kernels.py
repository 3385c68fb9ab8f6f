"""Round trips of a TCP connection while it goes on: from a segment to the acknowledgement that ends exactly where it ended.

The newest segment of a direction needs nothing beside what the sequence analysis keeps (NEXT_TIME is when it came). When another follows before it is
acknowledged, it is timed in TIMED, one at a time. A segment sent again is ambiguous (Karn's rule, RFC 6298 § 3), and so is all that waits behind the gap: after a
retransmission nothing counts until everything sent before it is acknowledged. Smoothed as RFC 6298 § 2 says (α = 1/8), beside the smallest.
"""

from __future__ import annotations

from numba import int32, njit

from app.flow import layout as at
from app.wire.load_kernels import peek, poke

SEQUENCE, NEXT_TIME, MARKS, TIMED, ROUND_TRIP = at.SEQUENCE, at.NEXT_TIME, at.MARKS, at.TIMED, at.ROUND_TRIP
IN_TIMING, RECOVERING = at.IN_TIMING, at.RECOVERING
TIME_SHIFT = 8  # TIMED keeps times in 256 ns: 32 bits are 18 minutes, longer than an open connection may be silent
UNIT_NS = at.ROUND_TRIP_UNIT_NS
LONGEST = (1 << 32) - 1

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def add_round_trip(tcp, place, elapsed):
    """One sample of `elapsed` ns into the smoothed and the smallest round trip at `place`."""
    if elapsed < 0:  # the capture is not in order of time
        return
    sample = min(max(elapsed // UNIT_NS, 1), LONGEST)
    both = peek(tcp, place)
    smoothed, least = both & 0xFFFFFFFF, both >> 32 & 0xFFFFFFFF
    smoothed = sample if smoothed == 0 else (7 * smoothed + sample + 4) >> 3
    least = sample if least == 0 else min(least, sample)
    poke(tcp, place, smoothed | least << 32)


@njit(**_OPTIONS)
def watched_ack(tcp, sender, ts, ack, expected, marks):
    """A growing acknowledgement for the direction whose columns start at `sender`, while a segment of it is timed or was sent again."""
    timed = peek(tcp, sender + TIMED)
    target = timed & 0xFFFFFFFF
    if int32(ack - target) < 0:
        return
    poke(tcp, sender + MARKS, marks & ~(IN_TIMING | RECOVERING))
    if marks & RECOVERING:
        return
    if ack == expected:
        add_round_trip(tcp, sender + ROUND_TRIP, ts - peek(tcp, sender + NEXT_TIME))
    elif ack == target:
        add_round_trip(tcp, sender + ROUND_TRIP, ((ts >> TIME_SHIFT) - (timed >> 32) & 0xFFFFFFFF) << TIME_SHIFT)


@njit(forceinline=True, **_OPTIONS)
def growing_ack(tcp, sender, ts, ack):
    """An acknowledgement that has moved, for the direction whose columns start at `sender`."""
    marks = peek(tcp, sender + MARKS)
    expected = peek(tcp, sender + SEQUENCE) & 0xFFFFFFFF
    if marks & (IN_TIMING | RECOVERING):
        watched_ack(tcp, sender, ts, ack, expected, marks)
    elif ack == expected and marks != 0:
        add_round_trip(tcp, sender + ROUND_TRIP, ts - peek(tcp, sender + NEXT_TIME))


@njit(forceinline=True, **_OPTIONS)
def time_segment(tcp, sender, ts, after):
    """Time the segment of `ts` that ends before `after`: it is on its way, and another follows."""
    poke(tcp, sender + TIMED, after | (ts >> TIME_SHIFT & 0xFFFFFFFF) << 32)

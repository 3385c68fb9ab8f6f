"""Round trips of a TCP connection while it goes on: from a segment to the acknowledgement that ends exactly where it ended.

The newest segment of a direction needs nothing beside what the sequence analysis keeps (NEXT_TIME is when it came). Those before it that are on their
way are timed in a ring of TIMED_SEGMENTS; when it is full the next ones go untimed until an acknowledgement makes room. A segment sent again is ambiguous
(Karn's rule, RFC 6298 § 3), and so is what waits behind the gap that it fills: none of it counts, while what was sent before it and what is sent later does. Data
that had been acknowledged is another thing: nothing else is on its way, so the same acknowledgement once more (RFC 9293 § 3.10.7.4) answers the copy. Smoothed as
RFC 6298 § 2 says (α = 1/8), beside the smallest.
"""

from __future__ import annotations

from numba import int32, int64, njit

from app.flow import layout as at
from app.wire.load_kernels import peek, poke

SEQUENCE, NEXT_TIME, MARKS, TIMED, ROUND_TRIP = at.SEQUENCE, at.NEXT_TIME, at.MARKS, at.TIMED, at.ROUND_TRIP
COUNT_SHIFT, FIRST_SHIFT, PLACES = at.TIMED_COUNT_SHIFT, at.TIMED_FIRST_SHIFT, at.TIMED_SEGMENTS
SENT_AGAIN, REPEATED, TIMING, ACK_KNOWN = at.SENT_AGAIN, at.REPEATED, at.TIMING, at.ACK_KNOWN
TIME_SHIFT = 8  # TIMED keeps times in 256 ns: 32 bits are 18 minutes, longer than an open connection may be silent
UNIT_NS = at.ROUND_TRIP_UNIT_NS
LONGEST = (1 << 32) - 1
COPY_NS = (
    1_000_000  # sooner than any timer or duplicate acknowledgement makes one send again: the same frame, captured twice
)

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


@njit(forceinline=True, **_OPTIONS)
def since(timed, ts):
    """From the time in a place of the ring to `ts`, in ns."""
    return ((ts >> TIME_SHIFT) - (timed >> 32) & 0xFFFFFFFF) << TIME_SHIFT


@njit(forceinline=True, **_OPTIONS)
def place_of(sender, k):
    """Column of the k-th place of the ring; k may have gone once around."""
    return sender + TIMED + 2 * (k - PLACES if k >= PLACES else k)


@njit(**_OPTIONS)
def watched_ack(tcp, sender, ts, ack, expected, marks):
    """A growing acknowledgement for the direction whose columns start at `sender`, while segments are timed or were sent again."""
    count, first = marks >> COUNT_SHIFT & 7, marks >> FIRST_SHIFT & 7
    while count > 0:
        timed = peek(tcp, place_of(sender, first))
        behind = int32(ack - (timed & 0xFFFFFFFF))
        if behind < 0:
            break
        if behind == 0:
            add_round_trip(tcp, sender + ROUND_TRIP, since(timed, ts))
        first = int64(0) if first + 1 == PLACES else first + 1
        count -= 1
    poke(tcp, sender + MARKS, marks & (~TIMING | SENT_AGAIN) | count << COUNT_SHIFT | first << FIRST_SHIFT)
    if ack == expected and marks & SENT_AGAIN == 0:
        add_round_trip(tcp, sender + ROUND_TRIP, ts - peek(tcp, sender + NEXT_TIME))


@njit(forceinline=True, **_OPTIONS)
def growing_ack(tcp, sender, ts, ack):
    """An acknowledgement that has moved, for the direction whose columns start at `sender`."""
    marks = peek(tcp, sender + MARKS)
    expected = peek(tcp, sender + SEQUENCE) & 0xFFFFFFFF
    if marks & TIMING:
        watched_ack(tcp, sender, ts, ack, expected, marks)
    elif ack == expected and marks != 0:
        add_round_trip(tcp, sender + ROUND_TRIP, ts - peek(tcp, sender + NEXT_TIME))


@njit(**_OPTIONS)
def repeated_ack(tcp, sender, ts):
    """The same acknowledgement again, of a direction that has sent again what was acknowledged."""
    poke(tcp, sender + MARKS, peek(tcp, sender + MARKS) & ~REPEATED)
    add_round_trip(tcp, sender + ROUND_TRIP, since(peek(tcp, sender + TIMED), ts))


@njit(forceinline=True, **_OPTIONS)
def time_segment(tcp, sender, marks, ts, after):
    """Time the segment of `ts` that ends before `after`: it is on its way, and another follows. Returns the marks."""
    count, first = marks >> COUNT_SHIFT & 7, marks >> FIRST_SHIFT & 7
    if count == PLACES:
        return marks
    poke(tcp, place_of(sender, first + count), after | (ts >> TIME_SHIFT & 0xFFFFFFFF) << 32)
    return marks + (int64(1) << COUNT_SHIFT)


@njit(**_OPTIONS)
def sent_again(tcp, sender, receiver, marks, ts, seq, after):
    """A segment from `seq` to before `after`, sent again or late. `receiver`: columns of the other direction. Returns the marks."""
    expected = peek(tcp, sender + SEQUENCE) & 0xFFFFFFFF
    acknowledged = peek(tcp, receiver + SEQUENCE) >> 32 & 0xFFFFFFFF
    if peek(tcp, receiver + MARKS) & ACK_KNOWN and int32(after - acknowledged) <= 0:
        if after != expected:
            return marks
        poke(tcp, sender + TIMED, after | (ts >> TIME_SHIFT & 0xFFFFFFFF) << 32)
        return marks & ~TIMING | REPEATED
    if 0 <= ts - peek(tcp, sender + NEXT_TIME) <= COPY_NS:
        return marks
    count, first = marks >> COUNT_SHIFT & 7, marks >> FIRST_SHIFT & 7
    while count > 0 and int32(peek(tcp, place_of(sender, first + count - 1)) - seq) > 0:
        count -= 1
    return marks & ~TIMING | SENT_AGAIN | count << COUNT_SHIFT | first << FIRST_SHIFT

"""TCP of one packet against its flow: retransmission and order, handshake RTT.

What counts as retransmission follows Wireshark's sequence analysis (its documented conditions: keep-alive, spurious, fast,
out-of-order within the handshake RTT or 3 ms, else retransmission), so that the numbers can be compared. Sequence numbers are
32-bit serial numbers (RFC 9293 § 3.4): compared by the sign of their difference.
"""

from __future__ import annotations

from numba import int32, int64, njit

from app.flow import layout as at
from app.wire import codes

NEXT, ACK, NEXT_TIME, ACK_TIME, WINDOW, DUPLICATES = (
    at.NEXT,
    at.ACK,
    at.NEXT_TIME,
    at.ACK_TIME,
    at.WINDOW,
    at.DUPLICATES,
)
SYN_TIME, RTT, BASE, RETRANSMISSIONS, OUT_OF_ORDER = at.SYN_TIME, at.RTT, at.BASE, at.RETRANSMISSIONS, at.OUT_OF_ORDER
RETRANSMITTED, UNORDERED = codes.KIND_RETRANSMISSION, codes.KIND_OUT_OF_ORDER

OUT_OF_ORDER_NS = 3_000_000  # without a handshake RTT
FAST_RETRANSMISSION_NS = 20_000_000
KEEP_ALIVE = 1 << 32  # in DUPLICATES: the last segment of this direction was a keep-alive
PROBE = 1 << 33  # … a zero-window probe


@njit(forceinline=True, nogil=True, error_model="numpy")
def distance(a, b):
    """a - b as serial numbers: negative when a is before b."""
    return int32(a - b)


@njit(nogil=True, error_model="numpy")
def judge_old(tcp, r, d, ts, seq, length, consumed):
    """Kind of a segment that does not start at the next expected sequence number or later: bits of PACKET.kind."""
    o = 1 - d
    expected = tcp[r, NEXT + d]
    advanced = expected < 0 or distance(seq, expected) >= 0
    if length > 1 and distance(expected - 1, seq) == 0:  # adds data behind a probe
        advanced = True
    acknowledged = tcp[r, ACK + o]
    if length > 0 and acknowledged > 0 and distance(seq + length, acknowledged) <= 0:
        return RETRANSMITTED
    if advanced:
        return 0
    since = ts - tcp[r, ACK_TIME + o]
    if tcp[r, DUPLICATES + o] & 0xFFFF >= 2 and acknowledged == seq and 0 <= since < FAST_RETRANSMISSION_NS:
        return RETRANSMITTED
    since = ts - tcp[r, NEXT_TIME + d]
    limit = tcp[r, RTT] if tcp[r, RTT] > 0 else OUT_OF_ORDER_NS
    if 0 <= since < limit and distance(expected, seq + consumed) != 0:
        return UNORDERED
    return RETRANSMITTED


@njit(forceinline=True, nogil=True, error_model="numpy")
def tcp_segment(tcp, r, d, ts, seq, ack, window, flags, length):
    """Account one segment in direction d; returns bits of PACKET.kind (retransmission, out of order)."""
    o = 1 - d
    kind = int64(0)
    syn, rst = flags & 2, flags & 4
    consumed = length + (1 if flags & 3 else 0)
    expected = tcp[r, NEXT + d]
    last_ack = tcp[r, ACK + d]
    marks = int64(0)

    if flags & 7 == 0 and expected >= 0 and length <= 1:
        if seq == (expected - 1) & 0xFFFFFFFF:
            marks = KEEP_ALIVE
        elif length == 1 and seq == expected and tcp[r, WINDOW + o] == 0 and tcp[r, ACK + o] >= 0:
            marks = PROBE
    count = tcp[r, DUPLICATES + d] & 0xFFFF
    if length == 0 and flags & 7 == 0 and window == tcp[r, WINDOW + d] and seq == expected and ack == last_ack:
        answers = tcp[r, DUPLICATES + o]
        if window != 0 and answers & KEEP_ALIVE == 0 and count < 0xFFFF:
            count += 1
    if ack != last_ack:
        count = 0

    if consumed > 0 and marks & KEEP_ALIVE == 0 and expected >= 0 and seq != expected:
        kind = int64(judge_old(tcp, r, d, ts, seq, length, consumed))
        if kind & RETRANSMITTED:
            tcp[r, RETRANSMISSIONS + d] += 1
        elif kind & UNORDERED:
            tcp[r, OUT_OF_ORDER + d] += 1

    after = (seq + consumed) & 0xFFFFFFFF
    if expected < 0 or (distance(after, expected) > 0 and marks & PROBE == 0):
        tcp[r, NEXT + d] = after
        tcp[r, NEXT_TIME + d] = ts
    if tcp[r, BASE + d] < 0:
        tcp[r, BASE + d] = seq

    if syn:
        if flags & 16 == 0:
            tcp[r, SYN_TIME] = ts
    elif flags & 16 and rst == 0 and tcp[r, RTT] < 0 and tcp[r, SYN_TIME] != 0:
        # The first acknowledgement of the SYN's sender after the other side's SYN-ACK.
        if tcp[r, BASE + o] >= 0 and tcp[r, ACK + o] >= 0 and distance(tcp[r, ACK + o], tcp[r, BASE + d]) > 0:
            tcp[r, RTT] = ts - tcp[r, SYN_TIME]
    tcp[r, WINDOW + d] = window
    tcp[r, DUPLICATES + d] = count | marks
    if flags & 16:
        tcp[r, ACK + d] = ack
    tcp[r, ACK_TIME + d] = ts
    return kind

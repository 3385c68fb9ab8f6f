"""TCP of one packet against its flow: retransmission and order, handshake RTT, round trips of what is sent.

What counts as retransmission follows Wireshark's sequence analysis (its documented conditions: keep-alive, spurious, fast,
out-of-order within the handshake RTT or 3 ms, else retransmission), so that the numbers can be compared. Sequence numbers are
32-bit serial numbers (RFC 9293 § 3.4): compared by the sign of their difference.
"""

from __future__ import annotations

from numba import int32, int64, njit

from app.flow import layout as at
from app.flow.round_trip_kernels import growing_ack, repeated_ack, sent_again, time_segment
from app.wire import codes
from app.wire.load_kernels import peek, poke

SEQUENCE, NEXT_TIME, ACK_TIME, MARKS = at.SEQUENCE, at.NEXT_TIME, at.ACK_TIME, at.MARKS
SYN_TIME, RTT, BASE, RETRANSMISSIONS, OUT_OF_ORDER = at.SYN_TIME, at.RTT, at.BASE, at.RETRANSMISSIONS, at.OUT_OF_ORDER
NEXT_KNOWN, ACK_KNOWN, KEEP_ALIVE, PROBE, RTT_OPEN = (
    at.NEXT_KNOWN,
    at.ACK_KNOWN,
    at.KEEP_ALIVE,
    at.PROBE,
    at.RTT_OPEN,
)
TIMING, SENT_AGAIN, REPEATED = at.TIMING, at.SENT_AGAIN, at.REPEATED
RETRANSMITTED, UNORDERED = codes.KIND_RETRANSMISSION, codes.KIND_OUT_OF_ORDER

TCP_COLUMNS = at.TCP_COLUMNS
OUT_OF_ORDER_NS = 3_000_000  # without a handshake RTT
FAST_RETRANSMISSION_NS = 20_000_000


@njit(forceinline=True, nogil=True, error_model="numpy")
def distance(a, b):
    """a - b as serial numbers: negative when a is before b."""
    return int32(a - b)


@njit(nogil=True, error_model="numpy")
def judge(t, d, ts, seq, length, consumed):
    """Kind of a segment that does not start at the next expected sequence number: bits of PACKET.kind; counted in the row t."""
    o = 1 - d
    expected = t[SEQUENCE + d] & 0xFFFFFFFF
    acknowledged = t[SEQUENCE + o] >> 32 & 0xFFFFFFFF
    ack_known = t[MARKS + o] & ACK_KNOWN != 0
    advanced = distance(seq, expected) >= 0
    if length > 1 and distance(expected - 1, seq) == 0:  # adds data behind a probe
        advanced = True
    if length > 0 and ack_known and distance(seq + length, acknowledged) <= 0:
        t[RETRANSMISSIONS + d] += 1
        return RETRANSMITTED
    if advanced:
        return 0
    since = ts - t[ACK_TIME + o]
    duplicates = t[MARKS + o] >> 16 & 0xFFFF
    if duplicates >= 2 and acknowledged == seq and 0 <= since < FAST_RETRANSMISSION_NS:
        t[RETRANSMISSIONS + d] += 1
        return RETRANSMITTED
    since = ts - t[NEXT_TIME + d]
    limit = t[RTT] if t[RTT] > 0 else OUT_OF_ORDER_NS
    if 0 <= since < limit and distance(expected, seq + consumed) != 0:
        t[OUT_OF_ORDER + d] += 1
        return UNORDERED
    t[RETRANSMISSIONS + d] += 1
    return RETRANSMITTED


@njit(nogil=True, error_model="numpy")
def handshake(t, d, ts, flags):
    """A SYN, or a segment of a direction whose SYN waits for the end of its handshake."""
    o = 1 - d
    if flags & 2:
        if flags & 16 == 0:
            t[SYN_TIME] = ts
            if t[RTT] < 0:
                t[MARKS + d] |= RTT_OPEN
        return
    if flags & 4 or flags & 16 == 0:
        return
    # The first acknowledgement of the SYN's sender after the other side has acknowledged the SYN.
    marks = t[MARKS + o]
    if marks & NEXT_KNOWN and marks & ACK_KNOWN and distance(t[SEQUENCE + o] >> 32 & 0xFFFFFFFF, t[BASE + d]) > 0:
        t[RTT] = ts - t[SYN_TIME]
        t[MARKS + d] &= ~RTT_OPEN


@njit(forceinline=True, nogil=True, error_model="numpy")
def tcp_segment(tcp, r, d, ts, seq, ack, window, flags, length):
    """Account one segment in direction d of the flow at row r; returns bits of PACKET.kind (retransmission, out of order)."""
    base = r * TCP_COLUMNS + d
    other = r * TCP_COLUMNS + 1 - d
    kind = int64(0)
    consumed = length + (1 if flags & 3 else 0)
    old = peek(tcp, base + MARKS)
    sequence = peek(tcp, base + SEQUENCE)
    expected, last_ack = sequence & 0xFFFFFFFF, sequence >> 32 & 0xFFFFFFFF
    new = old & (RTT_OPEN | ACK_KNOWN | TIMING) | NEXT_KNOWN | window
    after = (seq + consumed) & 0xFFFFFFFF
    if old & NEXT_KNOWN:
        if seq != expected or length <= 1:
            count = old >> 16 & 0xFFFF
            if flags & 7 == 0 and length <= 1:
                answers = peek(tcp, other + MARKS)
                if seq == (expected - 1) & 0xFFFFFFFF:
                    new |= KEEP_ALIVE
                elif length == 1 and seq == expected and answers & (0xFFFF | ACK_KNOWN) == ACK_KNOWN:
                    new |= PROBE
                elif (
                    length == 0
                    and ack == last_ack
                    and seq == expected
                    and window == old & 0xFFFF
                    and window != 0
                    and answers & KEEP_ALIVE == 0
                    and count < 0xFFFF
                ):
                    count += 1
            if ack == last_ack:
                new |= count << 16
            if seq != expected and consumed > 0 and new & KEEP_ALIVE == 0:
                kind = int64(judge(tcp[r], d, ts, seq, length, consumed))
                if kind:
                    new = sent_again(tcp, base, other, new, ts, seq, after)
        elif ack == last_ack:
            new |= old & 0xFFFF0000
        if distance(after, expected) > 0 and new & PROBE == 0:
            if new & SENT_AGAIN == 0 and peek(tcp, other + SEQUENCE) >> 32 & 0xFFFFFFFF != expected:
                new = time_segment(tcp, base, new, peek(tcp, base + NEXT_TIME), expected)
            new &= ~(SENT_AGAIN | REPEATED)
            poke(tcp, base + NEXT_TIME, ts)
        else:
            after = expected
    else:
        poke(tcp, base + BASE, seq)
        poke(tcp, base + NEXT_TIME, ts)
    if flags & 16:
        if ack != last_ack and (distance(ack, last_ack) > 0 or old & ACK_KNOWN == 0):
            growing_ack(tcp, other, ts, ack)
        elif ack == last_ack and peek(tcp, other + MARKS) & REPEATED:
            repeated_ack(tcp, other, ts)
        new |= ACK_KNOWN
        last_ack = ack
    poke(tcp, base + MARKS, new)
    poke(tcp, base + SEQUENCE, after | last_ack << 32)
    poke(tcp, base + ACK_TIME, ts)
    if flags & 2 or new & RTT_OPEN:
        handshake(tcp[r], d, ts, flags)
    return kind

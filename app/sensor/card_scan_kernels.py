"""The card scanner's way through a block: which payload is looked at, what is put together from neighbouring segments, what goes to Python.

Segments in order are joined here, by the last bytes of each stream; what comes out of order is handed over in pieces (`app.dpi.cards.pieces`).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from numba import from_dtype, int64, njit, types, uint64

from app.flow import layout as row_at
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT
from app.native.declare import kernel
from app.wire import card_layout as at
from app.wire.card_number_kernels import is_digit, quad, scan_span
from app.wire.load_kernels import load16, load32, peek, poke
from app.wire.records import PACKET_DTYPE

_OPTIONS = {"nogil": True, "error_model": "numpy"}

SIGNATURE = types.intp(
    types.uint8[::1],
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.uint64[::1],
    types.int64[:, ::1],
    types.uint8[::1],
    types.uint8[::1],
    types.int64[:, ::1],
    types.uint8[::1],
    types.int64[:, ::1],
    types.int64[::1],
)


@njit(**_OPTIONS)
def field_follows(buf, i, e):
    """Does a header field that says how the message is coded begin at i? Content-Encoding, Transfer-Encoding, Upgrade."""
    c = peek(buf, i) | 32
    if c == 117:  # upgrade:
        return i + 8 < e and peek(buf, i + 7) == 58 and peek(buf, i + 6) | 32 == 101 and peek(buf, i + 1) | 32 == 112
    if c == 99:  # content-encoding:
        return i + 17 < e and peek(buf, i + 16) == 58 and peek(buf, i + 8) | 32 == 101 and peek(buf, i + 7) == 45
    if c == 116:  # transfer-encoding:
        return i + 18 < e and peek(buf, i + 17) == 58 and peek(buf, i + 9) | 32 == 101 and peek(buf, i + 8) == 45
    return False


@njit(**_OPTIONS)
def is_http(buf, b, e):
    """A message of HTTP/1 begins here."""
    if e - b < 16:
        return False
    four = load32(buf, b)
    if four == 0x48545450:  # HTTP
        return True
    return (
        four == 0x47455420 or four == 0x504F5354 or four == 0x50555420 or four == 0x50415443 or four == 0x44454C45
    )  # GET, POST, PUT, PATC, DELE


@njit(**_OPTIONS)
def needs_decoding(buf, b, e):
    """A head of HTTP/1 whose body is coded, or whose end is not here."""
    if not is_http(buf, b, e):
        return False
    i = b + 8
    while i < e:
        if peek(buf, i) == 10:
            if i + 1 < e and (
                peek(buf, i + 1) == 10 or (peek(buf, i + 1) == 13 and i + 2 < e and peek(buf, i + 2) == 10)
            ):
                return False
            if i + 1 < e and field_follows(buf, i + 1, e):
                return True
        i += 1
    return True


@njit(**_OPTIONS)
def encryption(buf, b, e, protocol, direction, known):
    """What a payload's first bytes say: the flow's flags with what is new."""
    if e - b < 5:
        return known
    c = peek(buf, b)
    if protocol == 6:
        if c == 22 and peek(buf, b + 1) == 3:
            return known | (at.TLS_B if direction else at.TLS_A)
        if c == 23 and peek(buf, b + 1) == 3 and peek(buf, b + 2) <= 4:
            if known & (at.TLS_A | at.TLS_B):
                return known | at.ENCRYPTED
            return known
        if c == 83 and load32(buf, b) == 0x5353482D:  # SSH-
            known = known | (at.SSH_B if direction else at.SSH_A)
            if known & at.SSH_A and known & at.SSH_B:
                return known | at.ENCRYPTED
        return known
    if protocol == 17:
        if c & 0xC0 == 0xC0:
            version = load32(buf, b + 1)
            if e - b >= 20 and (version == 1 or version == 0x6B3343CF or version >> 8 == 0xFF0000):  # QUIC
                return known | at.ENCRYPTED
        if c == 23 and load16(buf, b + 1) == 0xFEFD and e - b > 13:  # DTLS
            return known | at.ENCRYPTED
        if load32(buf, b) == 0x01000000 and e - b == 148:  # WireGuard's initiation
            return known | at.ENCRYPTED
    return known


@njit(forceinline=True, **_OPTIONS)
def goes_on(c):
    """May a number go on behind (or have begun before) this byte?"""
    return is_digit(c) or c == 32 or c == 45 or c == 46 or c == 37 or c == 61 or c == 43


@njit(**_OPTIONS)
def keeps_edge(buf, b, e):
    """Is the end of a stream's bytes worth keeping?"""
    c = peek(buf, e - 1)
    if (
        c & 0xE0 == 0x20
        or c == 0
        or (c >= 0xF0 and c <= 0xF9)
        or (c >= 0x90 and c <= 0x99)
        or c == 0xEF
        or c == 0xBC
        or e - b < 16
    ):
        return True
    if e - b < 4:
        return False
    return quad(buf, e - 4) & quad(buf, e - 3) >> 1 & quad(buf, e - 2) >> 2 & quad(buf, e - 1) >> 3 & 15 != 0


@njit(**_OPTIONS)
def copy_bytes(source, start, target, place, n):
    for k in range(n):
        poke(target, place + k, peek(source, start + k))


@kernel(SIGNATURE)
def scan_payload(data, packets, n, flow_ids, rows, flags, edges, marks, joined, events, counters):
    """Fill `events` (int64[:, COLUMNS]) from packets[counters[RESUME]:n] and return how many; stops early while there is no room: RESUME says where.

    rows: the flow table's; flags: uint8[rows], states of flows; edges: uint8[rows * 2 * EDGE_BYTES]; marks: int64[rows * 2, EDGE_COLUMNS];
    joined: uint8[JOINED_ROWS * JOINED_BYTES], the bytes of events whose JOINED is not -1."""
    limit = int64(len(data))
    count = int64(0)
    used = int64(0)
    scanned = int64(0)
    skipped = int64(0)
    i = counters[at.RESUME]
    while i < n:
        p = packets[i]
        r = int64(p.flow)
        is_fragment = p.kind & (KIND_FRAGMENT | KIND_LATER_FRAGMENT) != 0
        if r < 0 and not is_fragment:
            i += 1
            continue
        if count + at.PACKET_EVENTS + 4 > len(events) or used + 4 > at.JOINED_ROWS:
            break
        protocol = int64(p.protocol)
        b = int64(p.offset) + int64(p.payload_offset)
        e = min(b + int64(p.payload_len), int64(p.offset) + int64(p.cap_len), limit)
        if e <= b:
            if r >= 0 and p.kind & KIND_FIRST_OF_FLOW:
                flags[r] = 0
            i += 1
            continue
        if r < 0:  # it came before the fragment that says whose it is
            events[count, at.KIND], events[count, at.START], events[count, at.END] = at.FRAGMENT, b, e
            events[count, at.PLACE], events[count, at.DIRECTION], events[count, at.JOINED] = i, 0, -1
            events[count, at.SEQ] = 0
            scanned += e - b
            count += 1
            i += 1
            continue
        if p.kind & KIND_FIRST_OF_FLOW:
            flags[r] = 0
        known = int64(flags[r])
        if known & at.ENCRYPTED or protocol == 50:
            skipped += e - b
            i += 1
            continue
        low = (
            int64(p.src_hi) == rows[r, row_at.A_HI]
            and int64(p.src_lo) == rows[r, row_at.A_LO]
            and int64(p.src_port) == rows[r, row_at.KEY] >> 48 & 0xFFFF
        )
        direction = int64(low == (rows[r, row_at.STATE] & row_at.ORIGINATOR_B != 0))
        first = count
        if is_fragment:
            events[count, at.KIND], events[count, at.START], events[count, at.END] = at.FRAGMENT, b, e
            count += 1
        else:
            new = encryption(data, b, e, protocol, direction, known)
            if protocol == 6 and not new & (at.DECODE | at.SPENT):
                mail = p.src_port == 25 or p.dst_port == 25 or p.dst_port == 587 or p.dst_port == 2525
                mail = mail or p.src_port == 110 or p.src_port == 143
                if mail or needs_decoding(data, b, e):
                    new |= at.DECODE
            if new != known:
                flags[r] = new
            if new & at.ENCRYPTED:
                skipped += e - b
                i += 1
                continue
            if new & at.DECODE:
                events[count, at.KIND], events[count, at.START], events[count, at.END] = at.WHOLE, b, e
                count += 1
        most = min(int64(len(events)), first + at.PACKET_EVENTS)
        before = count
        count = scan_span(data, b, e, events[:most], count, int64(-1))
        if count == most and count > before:
            counters[at.EVENTS_LEFT_OUT] += 1
        for k in range(first, count):
            events[k, at.PLACE], events[k, at.DIRECTION], events[k, at.JOINED], events[k, at.SEQ] = (
                i,
                direction,
                -1,
                p.seq,
            )
        scanned += e - b
        if protocol == 6 and not is_fragment:
            key = r * 2 + direction
            edge = key * at.EDGE_BYTES
            seq = int64(p.seq)
            if uint64(marks[key, at.EDGE_OWNER]) != flow_ids[i]:
                marks[key, at.EDGE_OWNER] = int64(flow_ids[i])
                marks[key, at.EDGE_NEXT] = seq
                marks[key, at.EDGE_LENGTH] = 0
                marks[key, at.EDGE_DISORDER] = 0
                marks[key, at.EDGE_HOLED] = 0
                marks[key, at.EDGE_FIRST] = seq
            length = marks[key, at.EDGE_LENGTH]
            distance = (seq + (int64(p.tcp_flags) >> 1 & 1) - marks[key, at.EDGE_NEXT]) & 0xFFFFFFFF
            whole = e - b == int64(p.payload_len)
            in_order = distance == 0
            old = distance >= 0x80000000
            ends = (distance + int64(p.payload_len)) & 0xFFFFFFFF  # as seen from what comes next
            repeated = old and (ends == 0 or ends >= 0x80000000) and marks[key, at.EDGE_HOLED] == 0
            repeated = repeated and (seq - marks[key, at.EDGE_FIRST]) & 0xFFFFFFFF < 0x80000000
            if in_order:
                if length > 0 and (
                    goes_on(peek(data, b)) or peek(data, b) >= 0x80 or peek(data, b) == 0 or length >= 12
                ):
                    place = used * at.JOINED_BYTES
                    copy_bytes(edges, edge, joined, place, length)
                    head = min(e - b, int64(at.HEAD_BYTES))
                    copy_bytes(data, b, joined, place + length, head)
                    begin = count
                    count = scan_span(joined, place, place + length + head, events[:most], count, place + length)
                    if count > begin:
                        for k in range(begin, count):
                            events[k, at.PLACE], events[k, at.DIRECTION] = i, direction
                            events[k, at.JOINED], events[k, at.SEQ] = used, (seq - length) & 0xFFFFFFFF
                            events[k, at.START] -= place
                            events[k, at.END] -= place
                        used += 1
            elif not repeated:
                marks[key, at.EDGE_DISORDER] = at.DISORDER_SEGMENTS
                if not old:
                    marks[key, at.EDGE_HOLED] = 1
                if not old and length > 0:
                    copy_bytes(edges, edge, joined, used * at.JOINED_BYTES, length)
                    events[count, at.KIND], events[count, at.START], events[count, at.END] = at.TAIL, 0, length
                    events[count, at.PLACE], events[count, at.DIRECTION], events[count, at.JOINED] = i, direction, used
                    events[count, at.SEQ] = (marks[key, at.EDGE_NEXT] - length) & 0xFFFFFFFF
                    used += 1
                    count += 1
            if marks[key, at.EDGE_DISORDER] > 0:
                marks[key, at.EDGE_DISORDER] -= 1
                if goes_on(peek(data, b)) or goes_on(peek(data, e - 1)):
                    events[count, at.KIND], events[count, at.START], events[count, at.END] = at.PIECE, b, e
                    events[count, at.PLACE], events[count, at.DIRECTION], events[count, at.JOINED] = i, direction, -1
                    events[count, at.SEQ] = seq
                    count += 1
            if not old:
                marks[key, at.EDGE_NEXT] = (seq + (int64(p.tcp_flags) >> 1 & 1) + int64(p.payload_len)) & 0xFFFFFFFF
                if whole and keeps_edge(data, b, e):
                    if e - b >= at.EDGE_BYTES or not in_order:
                        length = int64(0)
                    take = min(e - b, int64(at.EDGE_BYTES))
                    keep = min(length, at.EDGE_BYTES - take)
                    for k in range(keep):
                        poke(edges, edge + k, peek(edges, edge + length - keep + k))
                    copy_bytes(data, e - take, edges, edge + keep, take)
                    marks[key, at.EDGE_LENGTH] = keep + take
                else:
                    marks[key, at.EDGE_LENGTH] = 0
        i += 1
    counters[at.RESUME] = i
    counters[at.SCANNED] += scanned
    counters[at.SKIPPED_ENCRYPTED] += skipped
    return count

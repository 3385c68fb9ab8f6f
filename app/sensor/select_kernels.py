"""Which packets of a decoded block an inspector wants to see.

`wanted[slot]` is one byte per row of the flow table. A flow that has just begun is judged by the first payload of each direction: where it
fits no signature, Python never hears of the flow. Once a packet was chosen, all with payload are, until Python says that it is enough.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import from_dtype, int32, int64, njit, types, uint64

from app.dpi import signatures as signed
from app.flow import layout as at
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT
from app.native.declare import kernel
from app.sensor.select_layout import (
    ALL,
    ASKED,
    DATAGRAMS,
    DIRECTION,
    DONE,
    EVERY,
    EXPECTED_A,
    EXPECTED_B,
    FIRST_BYTE,
    FITS,
    FRESH_TCP,
    JUDGED_A,
    JUDGED_B,
    LAST_BYTE,
    PIECE,
    PLACE,
)
from app.wire.records import PACKET_DTYPE

STATE, ORIGINATOR_B = at.STATE, at.ORIGINATOR_B
A_HI, A_LO, KEY = at.A_HI, at.A_LO, at.KEY
SYN = 2
MOVES_STREAM = 7  # FIN, SYN and RST

SIGNATURE = types.intp(
    types.uint8[::1],
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.int64[:, ::1],
    types.uint64[:, ::1],
    types.uint8[::1],
    types.int64[:, ::1],
    types.int64[:, ::1],
    types.int64[::1],
)


@njit(forceinline=True, nogil=True, error_model="numpy")
def word(data, begin, end):
    """(the next eight bytes as a big-endian number, mask of those that are there)."""
    value = uint64(0)
    there = uint64(0)
    for i in range(8):
        value <<= uint64(8)
        there <<= uint64(8)
        if begin + i < end:
            value |= uint64(data[begin + i])
            there |= uint64(255)
    return value, there


@njit(nogil=True, error_model="numpy")
def fitting(data, begin, end, signatures, protocol, src_port, dst_port):
    """Bits of the recognisers of which a signature fits data[begin:end]. What is not there yet fits."""
    first, first_there = word(data, begin, end)
    second, second_there = word(data, begin + 8, end)
    spaced = end - begin < signed.SPACED_WITHIN
    for i in range(begin, min(end, begin + signed.SPACED_WITHIN)):
        spaced = spaced or data[i] == 32
    bits = uint64(0)
    for s in range(len(signatures)):
        if signatures[s, signed.TRANSPORT] != uint64(protocol):
            continue
        if (first ^ signatures[s, signed.FIRST_VALUE]) & signatures[s, signed.FIRST_MASK] & first_there != 0:
            continue
        if (second ^ signatures[s, signed.SECOND_VALUE]) & signatures[s, signed.SECOND_MASK] & second_there != 0:
            continue
        if signatures[s, signed.SPACED] != 0 and not spaced:
            continue
        port = signatures[s, signed.PORT]
        if port == 0 or port == src_port or port == dst_port:
            bits |= signatures[s, signed.BIT]
    return int64(bits)


@kernel(SIGNATURE)
def select(data, packets, n, rows, signatures, wanted, skip_to, chosen, skipped):
    """Fill chosen[k] (columns in `select_layout`) and return how many.

    rows: the flow table's; signatures: of `app.dpi.signatures`; skip_to: int64[rows, 2], per direction the sequence number before which nobody
    reads (-1 = none), of a fresh TCP flow the one that its payload begins with; chosen: int64[n, CHOSEN_COLUMNS]; skipped[0] += payload bytes of
    TCP and UDP packets nobody wants."""
    count = 0
    passed = int64(0)
    for i in range(n):
        p = packets[i]
        r = int64(p.flow)
        piece = p.protocol == 17 and p.kind & KIND_FRAGMENT != 0
        if r < 0 or (p.protocol != 6 and p.protocol != 17) or (p.kind & KIND_LATER_FRAGMENT and not piece):
            continue
        if p.kind & KIND_FIRST_OF_FLOW:
            wanted[r] = FRESH_TCP if p.protocol == 6 else DATAGRAMS
            skip_to[r, 0] = -1
            skip_to[r, 1] = -1
        begin = int64(p.offset) + int64(p.payload_offset)
        end = max(begin, min(begin + int64(p.payload_len), int64(p.offset) + int64(p.cap_len)))
        state = int64(wanted[r])
        if state == DONE:
            passed += end - begin
            continue
        moves = p.protocol == 6 and p.tcp_flags & MOVES_STREAM != 0
        if end == begin and not moves:
            continue
        low = (
            int64(p.src_hi) == rows[r, A_HI]
            and int64(p.src_lo) == rows[r, A_LO]
            and int64(p.src_port) == rows[r, KEY] >> 48 & 0xFFFF
        )
        direction = int64(low == (rows[r, STATE] & ORIGINATOR_B != 0))
        fits = int64(0)
        expected_a = int64(-1)
        expected_b = int64(-1)
        if piece:
            fits = PIECE
        elif state <= FRESH_TCP + JUDGED_A + JUDGED_B:
            fits = EVERY
            if p.protocol == 6:
                seq = int64(p.seq)
                if p.tcp_flags & SYN:
                    seq = (seq + 1) & 0xFFFFFFFF
                    skip_to[r, direction] = seq
                if end == begin:
                    continue
                judged = JUDGED_B if direction else JUDGED_A
                if state - FRESH_TCP & judged:
                    passed += end - begin
                    continue
                if skip_to[r, direction] < 0 and int64(p.payload_len) == 1 and data[begin] == 0:
                    continue  # a keep-alive probe more likely than data (RFC 9293 section 3.8.4)
                if skip_to[r, direction] < 0 or skip_to[r, direction] == seq:
                    fits = fitting(data, begin, end, signatures, 6, p.src_port, p.dst_port)
                if fits == 0:
                    passed += end - begin
                    skip_to[r, direction] = -1
                    state |= judged
                    wanted[r] = DONE if state == FRESH_TCP + JUDGED_A + JUDGED_B else state
                    continue
                wanted[r] = ALL
                expected_a, expected_b = skip_to[r, 0], skip_to[r, 1]
                skip_to[r, 0] = -1
                skip_to[r, 1] = -1
            else:
                fits = fitting(data, begin, end, signatures, 17, p.src_port, p.dst_port)
                if fits == 0:
                    passed += end - begin
                    wanted[r] = state - 1
                    continue
                wanted[r] = ASKED + state
        else:
            limit = skip_to[r, direction]
            if limit >= 0 and not moves:
                if int32(int64(p.seq) + int64(p.payload_len) - limit) <= 0:
                    passed += end - begin
                    continue
                skip_to[r, direction] = -1
        chosen[count, PLACE] = i
        chosen[count, DIRECTION] = direction
        chosen[count, FIRST_BYTE] = begin
        chosen[count, LAST_BYTE] = end
        chosen[count, FITS] = fits
        chosen[count, EXPECTED_A] = expected_a
        chosen[count, EXPECTED_B] = expected_b
        count += 1
    skipped[0] += passed
    return count

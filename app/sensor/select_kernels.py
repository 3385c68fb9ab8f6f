"""Which packets of a decoded block an inspector wants to see: those with payload of flows that are not done yet.

`wanted[slot]` is one byte per row of the flow table: ALL while somebody reads the flow, 0 when it is done. A flow that has just begun is wanted; Python says
when it is enough, and is not asked about packets of finished flows in later blocks at all.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import from_dtype, int32, int64, types

from app.flow import layout as at
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_LATER_FRAGMENT
from app.native.declare import kernel
from app.sensor.select_layout import ALL, DIRECTION, FIRST_BYTE, LAST_BYTE, NEW, PLACE
from app.wire.records import PACKET_DTYPE

STATE, ORIGINATOR_B = at.STATE, at.ORIGINATOR_B
A_HI, A_LO, KEY = at.A_HI, at.A_LO, at.KEY

SIGNATURE = types.intp(
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.int64[:, ::1],
    types.uint8[::1],
    types.int64[:, ::1],
    types.int64[:, ::1],
    types.int64[::1],
)


@kernel(SIGNATURE)
def select(packets, n, rows, wanted, skip_to, chosen, skipped):
    """Fill chosen[k] = (place of the packet, direction, first payload byte, one past the last, new flow?) and return how many.

    rows: the flow table's; skip_to: int64[rows, 2], per direction the sequence number before which nobody reads (-1 = none); chosen: int64[n, 5];
    skipped[0] += payload bytes of TCP and UDP packets nobody wants."""
    count = 0
    passed = int64(0)
    for i in range(n):
        p = packets[i]
        r = int64(p.flow)
        if r < 0 or (p.protocol != 6 and p.protocol != 17) or p.kind & KIND_LATER_FRAGMENT:
            continue
        new = p.kind & KIND_FIRST_OF_FLOW
        if new:
            wanted[r] = ALL
            skip_to[r, 0] = -1
            skip_to[r, 1] = -1
        begin = int64(p.offset) + int64(p.payload_offset)
        end = min(begin + int64(p.payload_len), int64(p.offset) + int64(p.cap_len))
        if wanted[r] == 0:
            passed += end - begin
            continue
        if end <= begin and not (p.protocol == 6 and p.tcp_flags & 7):  # SYN, FIN and RST move a stream without payload
            continue
        low = (
            int64(p.src_hi) == rows[r, A_HI]
            and int64(p.src_lo) == rows[r, A_LO]
            and int64(p.src_port) == rows[r, KEY] >> 48 & 0xFFFF
        )
        direction = int64(low == (rows[r, STATE] & ORIGINATOR_B != 0))
        limit = skip_to[r, direction]
        if limit >= 0 and p.tcp_flags & 7 == 0:
            if int32(int64(p.seq) + int64(p.payload_len) - limit) <= 0:
                passed += end - begin
                continue
            skip_to[r, direction] = -1
        chosen[count, PLACE] = i
        chosen[count, DIRECTION] = direction
        chosen[count, FIRST_BYTE] = begin
        chosen[count, LAST_BYTE] = max(begin, end)
        chosen[count, NEW] = int64(new != 0)
        count += 1
    skipped[0] += passed
    return count

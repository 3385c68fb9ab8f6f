"""Which packets are among the first of their flow that carry payload."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import from_dtype, int64, types

from app.model.layers import KIND_LATER_FRAGMENT, KIND_RETRANSMISSION
from app.native.declare import kernel
from app.wire.records import PACKET_DTYPE

PASSED_OVER = KIND_RETRANSMISSION | KIND_LATER_FRAGMENT

SIGNATURE = types.intp(
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.uint64[::1],
    types.uint8[::1],
    types.intp,
    types.uint64[::1],
    types.uint8[::1],
    types.int64[::1],
    types.uint8[::1],
)


@kernel(SIGNATURE)
def first_payloads(packets, n, flow_ids, heads, most, flows, shown, rows, firsts):
    """Write the places of packets[:n] that are among the first `most` with payload of their TCP or UDP flow to `rows`, and to `firsts` which are the very
    first; they count as shown. Returns how many.

    heads: 1 for packets that may be (`app.flow.table`); flows: uint64[rows of the flow table], whose count is in `shown`. A row beyond their end is
    passed over: the caller makes room first."""
    count = int64(0)
    for i in range(n):
        if heads[i] == 0:
            continue
        p = packets[i]
        slot = int64(p.flow)
        if slot < 0 or slot >= len(flows) or flow_ids[i] == 0 or p.payload_len == 0 or p.kind & PASSED_OVER:
            continue
        if (p.protocol != 6 and p.protocol != 17) or (p.ip_version != 4 and p.ip_version != 6):
            continue
        before = int64(shown[slot]) if flows[slot] == flow_ids[i] else int64(0)
        if before >= most:
            continue
        flows[slot] = flow_ids[i]
        shown[slot] = before + 1
        rows[count] = i
        firsts[count] = before == 0
        count += 1
    return count

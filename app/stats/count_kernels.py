"""Counts of a block in one pass: totals, layers, frame sizes, undecoded reasons, and the three time rings."""

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, njit, types

from app.wire import codes
from app.wire.records import BUCKET_DTYPE, PACKET_DTYPE

KIND_RETRANSMISSION, KIND_FIRST = codes.KIND_RETRANSMISSION, codes.KIND_FIRST_OF_FLOW

PACKETS, OCTETS, CAPTURED, FIRST, LAST, MASKS, MASKS_LOST = 0, 1, 2, 3, 4, 5, 6
TOTALS_SIZE = 8
MASK_SLOTS = 1024  # distinct sets of layers; a capture has some tens of them
SIZE_LIMITS = (64, 128, 256, 512, 1024, 1518)
ACCUMULATORS = 10

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_RING = from_dtype(BUCKET_DTYPE)[::1]


@njit(forceinline=True, **_OPTIONS)
def add_to_ring(ring, step, second, sums):
    """Add the sums of one second to its bucket; a newer bucket replaces what stood in its place, an older one is left alone."""
    start = second - second % step
    b = ring[(start // step) % len(ring)]
    if b.start != start:
        if b.start > start:
            return
        b.start = start
        b.packets, b.bytes, b.tcp_bytes, b.udp_bytes, b.icmp_bytes, b.other_bytes = 0, 0, 0, 0, 0, 0
        b.flows, b.retransmissions, b.tcp_packets = 0, 0, 0
    b.packets += sums[0]
    b.bytes += sums[1]
    b.tcp_bytes += sums[2]
    b.udp_bytes += sums[3]
    b.icmp_bytes += sums[4]
    b.other_bytes += sums[5]
    b.flows += sums[6]
    b.retransmissions += sums[7]
    b.tcp_packets += sums[8]


@njit(forceinline=True, **_OPTIONS)
def mask_slot(masks, mask, totals):
    """Slot of a set of layers in an open-addressing table, -1 when the table is full."""
    slot = (mask * 0x9E3779B1 >> 12) & (MASK_SLOTS - 1)
    for _ in range(MASK_SLOTS):
        if masks[slot, 0] == mask:
            return slot
        if masks[slot, 1] == 0:
            masks[slot, 0] = mask
            totals[MASKS] += 1
            return slot
        slot = (slot + 1) & (MASK_SLOTS - 1)
    return int64(-1)


SIGNATURE = types.void(
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.int64[::1],
    types.int64[:, ::1],
    types.int64[:, ::1],
    types.int64[::1],
    _RING,
    _RING,
    _RING,
)


@njit(SIGNATURE, cache=True, **_OPTIONS)
def count_block(packets, n, totals, masks, sizes, reasons, ring_1, ring_10, ring_60):
    """totals: int64[8]; masks: int64[1024, 3] (layer set, packets, bytes); sizes: int64[7, 2]; reasons: int64[16]."""
    if n == 0:
        return
    sums = np.zeros(ACCUMULATORS, np.int64)
    second = packets[0].ts // 1_000_000_000
    second_end = (second + 1) * 1_000_000_000
    second_start = second * 1_000_000_000
    last_mask, slot = int64(-1), int64(-1)
    octets, captured = int64(0), int64(0)
    earliest, latest = totals[FIRST], totals[LAST]
    for i in range(n):
        p = packets[i]
        ts = p.ts
        if ts < second_start or ts >= second_end:
            add_to_ring(ring_1, 1, second, sums)
            add_to_ring(ring_10, 10, second, sums)
            add_to_ring(ring_60, 60, second, sums)
            sums[:] = 0
            second = ts // 1_000_000_000
            second_start = second * 1_000_000_000
            second_end = second_start + 1_000_000_000
        if ts > latest:
            latest = ts
        if ts < earliest or earliest == 0:  # 0: no packet with a known time yet
            earliest = ts
        length = int64(p.wire_len)
        octets += length
        captured += int64(p.cap_len)
        mask = int64(p.layers)
        if mask != last_mask:
            last_mask, slot = mask, mask_slot(masks, mask, totals)
        if slot >= 0:
            masks[slot, 1] += 1
            masks[slot, 2] += length
        else:
            totals[MASKS_LOST] += 1
        if length <= 256:
            row = 0 if length <= 64 else 1 if length <= 128 else 2
        else:
            row = 3 if length <= 512 else 4 if length <= 1024 else 5 if length <= 1518 else 6
        sizes[row, 0] += 1
        sizes[row, 1] += length
        if p.reason:
            reasons[p.reason & 15] += 1
        sums[0] += 1
        sums[1] += length
        protocol = p.protocol
        if protocol == 6:
            sums[2] += length
            sums[8] += 1
        elif protocol == 17:
            sums[3] += length
        elif protocol == 1 or protocol == 58:
            sums[4] += length
        else:
            sums[5] += length
        sums[6] += (p.kind & KIND_FIRST) >> 7
        sums[7] += (p.kind & KIND_RETRANSMISSION) >> 5
    add_to_ring(ring_1, 1, second, sums)
    add_to_ring(ring_10, 10, second, sums)
    add_to_ring(ring_60, 60, second, sums)
    totals[PACKETS] += n
    totals[OCTETS] += octets
    totals[CAPTURED] += captured
    totals[FIRST], totals[LAST] = earliest, latest

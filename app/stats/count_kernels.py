"""Counts of a block in one pass: totals, layers, frame sizes, undecoded reasons, and the three time rings."""

from __future__ import annotations

from numba import from_dtype, int64, njit, types

from app.model.layers import KIND_FIRST_OF_FLOW, KIND_RETRANSMISSION
from app.native.declare import kernel, stack_array
from app.stats.layout import (
    BUCKET_DTYPE,
    CAPTURED,
    FIRST,
    LAST,
    MASK_SLOTS,
    MASKS,
    MASKS_LOST,
    OCTETS,
    PACKET_DTYPE,
    PACKETS,
)

RECENT = 64

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_RING = from_dtype(BUCKET_DTYPE)[::1]
_recent = stack_array((RECENT, 2), types.int64)
_by_size = stack_array((8, 2), types.int64)


@njit(**_OPTIONS)
def add_to_ring(ring, step, second, packets, octets, tcp, udp, icmp, flows, resent, segments):
    """Add the sums of one second to its bucket; a newer bucket replaces what stood in its place, an older one is left alone."""
    start = second - second % step
    b = ring[(start // step) % len(ring)]
    if b.start != start:
        if b.start > start:
            return
        b.start = start
        b.packets, b.bytes, b.tcp_bytes, b.udp_bytes, b.icmp_bytes, b.other_bytes = 0, 0, 0, 0, 0, 0
        b.flows, b.retransmissions, b.tcp_packets = 0, 0, 0
    b.packets += packets
    b.bytes += octets
    b.tcp_bytes += tcp
    b.udp_bytes += udp
    b.icmp_bytes += icmp
    b.other_bytes += octets - tcp - udp - icmp
    b.flows += flows
    b.retransmissions += resent
    b.tcp_packets += segments


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


@kernel(SIGNATURE)
def count_block(packets, n, totals, masks, sizes, reasons, ring_1, ring_10, ring_60):
    """totals: int64[8]; masks: int64[1024, 3] (layer set, packets, bytes); sizes: int64[7, 2]; reasons: int64[16]."""
    if n == 0:
        return
    recent = _recent()  # the last sets of layers and their slots, direct-mapped
    recent[:, :] = -1
    by_size = _by_size()
    by_size[:, :] = 0
    second = packets[0].ts // 1_000_000_000
    second_start = second * 1_000_000_000
    earliest, latest = totals[FIRST], totals[LAST]
    count, octets, captured = int64(0), int64(0), int64(0)
    tcp, udp, icmp, flows, resent, segments = int64(0), int64(0), int64(0), int64(0), int64(0), int64(0)
    counted, all_octets = int64(0), int64(0)
    for i in range(n + 1):
        ts = packets[i].ts if i < n else int64(-1)
        if i == n or ts < second_start or ts >= second_start + 1_000_000_000:
            add_to_ring(ring_1, 1, second, count, octets, tcp, udp, icmp, flows, resent, segments)
            add_to_ring(ring_10, 10, second, count, octets, tcp, udp, icmp, flows, resent, segments)
            add_to_ring(ring_60, 60, second, count, octets, tcp, udp, icmp, flows, resent, segments)
            counted += count
            all_octets += octets
            if i == n:
                break
            count, octets = int64(0), int64(0)
            tcp, udp, icmp, flows, resent, segments = int64(0), int64(0), int64(0), int64(0), int64(0), int64(0)
            second = ts // 1_000_000_000
            second_start = second * 1_000_000_000
        p = packets[i]
        if ts > latest:
            latest = ts
        if ts < earliest or earliest == 0:  # 0: no packet with a known time yet
            earliest = ts
        length = int64(p.wire_len)
        count += 1
        octets += length
        captured += int64(p.cap_len)
        mask = int64(p.layers)
        place = (mask * 0x9E3779B1 >> 20) & (RECENT - 1)
        if recent[place, 0] != mask:
            recent[place, 0], recent[place, 1] = mask, mask_slot(masks, mask, totals)
        slot = recent[place, 1]
        if slot >= 0:
            masks[slot, 1] += 1
            masks[slot, 2] += length
        else:
            totals[MASKS_LOST] += 1
        row = (
            int64(length > 64)
            + int64(length > 128)
            + int64(length > 256)
            + int64(length > 512)
            + int64(length > 1024)
            + int64(length > 1518)
        )
        by_size[row, 0] += 1
        by_size[row, 1] += length
        if p.reason:
            reasons[p.reason & 15] += 1
        protocol = p.protocol
        if protocol == 6:
            tcp += length
            segments += 1
        elif protocol == 17:
            udp += length
        elif protocol == 1 or protocol == 58:
            icmp += length
        flows += (p.kind & KIND_FIRST_OF_FLOW) >> 7
        resent += (p.kind & KIND_RETRANSMISSION) >> 5
    for row in range(len(sizes)):
        sizes[row, 0] += by_size[row, 0]
        sizes[row, 1] += by_size[row, 1]
    totals[PACKETS] += counted
    totals[OCTETS] += all_octets
    totals[CAPTURED] += captured
    totals[FIRST], totals[LAST] = earliest, latest

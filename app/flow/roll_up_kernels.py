"""Sums of flows by host, by pair of hosts and by the responder's port, from what each flow gained since it was last counted."""

from __future__ import annotations

from numba import from_dtype, int64, njit, types, uint64

from app.flow import layout as at
from app.flow.record_kernels import RECORD
from app.wire.load_kernels import multiply_high

KEY, PACKETS, BYTES, FLOW_ID, STATE = at.KEY, at.PACKETS, at.BYTES, at.FLOW_ID, at.STATE
A_HI, A_LO = at.A_HI, at.A_LO
ORIGINATOR_B, CHANGED_SHIFT, CHANGED_MASK = at.ORIGINATOR_B, at.CHANGED_SHIFT, at.CHANGED_MASK
TICK, HIGH_WATER = at.TICK, at.HIGH_WATER
# counters[…]
HOSTS, HOSTS_LOST, PAIRS, PAIRS_LOST = 0, 1, 2, 3

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_I64_2D = types.int64[:, ::1]


@njit(forceinline=True, **_OPTIONS)
def host_slot(hosts, hi, lo, counters):
    """hosts: int64[power of two, 7]: hi, lo, used, packets sent, received, bytes sent, received. -1 when three quarters are used."""
    mask = int64(len(hosts) - 1)
    i = int64(multiply_high(uint64(hi) ^ uint64(0x9E3779B97F4A7C15), uint64(lo) ^ uint64(0xD6E8FEB86659FD93))) & mask
    while True:
        if hosts[i, 2] == 0:
            if counters[HOSTS] * 4 >= len(hosts) * 3:
                return int64(-1)
            hosts[i, 0], hosts[i, 1], hosts[i, 2] = hi, lo, 1
            counters[HOSTS] += 1
            return i
        if hosts[i, 1] == lo and hosts[i, 0] == hi:
            return i
        i = (i + 1) & mask


@njit(forceinline=True, **_OPTIONS)
def pair_slot(pairs, a_hi, a_lo, b_hi, b_lo, counters):
    """pairs: int64[power of two, 7]: a hi, a lo, b hi, b lo, used, packets, bytes."""
    mask = int64(len(pairs) - 1)
    h = multiply_high(uint64(a_lo) ^ uint64(0x9E3779B97F4A7C15), uint64(b_lo) ^ uint64(0xD6E8FEB86659FD93))
    i = int64(multiply_high(h ^ uint64(a_hi), uint64(b_hi) ^ uint64(0xA0761D6478BD642F))) & mask
    while True:
        if pairs[i, 4] == 0:
            if counters[PAIRS] * 4 >= len(pairs) * 3:
                return int64(-1)
            pairs[i, 0], pairs[i, 1], pairs[i, 2], pairs[i, 3], pairs[i, 4] = a_hi, a_lo, b_hi, b_lo, 1
            counters[PAIRS] += 1
            return i
        if pairs[i, 1] == a_lo and pairs[i, 3] == b_lo and pairs[i, 0] == a_hi and pairs[i, 2] == b_hi:
            return i
        i = (i + 1) & mask


@njit(forceinline=True, **_OPTIONS)
def add(
    hosts, pairs, ports, counters, a_hi, a_lo, b_hi, b_lo, protocol, port, packets_a, packets_b, bytes_a, bytes_b
):
    """Count what one flow gained: direction a → b and back. port: the responder's."""
    i = host_slot(hosts, a_hi, a_lo, counters)
    if i >= 0:
        hosts[i, 3] += packets_a
        hosts[i, 4] += packets_b
        hosts[i, 5] += bytes_a
        hosts[i, 6] += bytes_b
    else:
        counters[HOSTS_LOST] += 1
    i = host_slot(hosts, b_hi, b_lo, counters)
    if i >= 0:
        hosts[i, 3] += packets_b
        hosts[i, 4] += packets_a
        hosts[i, 5] += bytes_b
        hosts[i, 6] += bytes_a
    else:
        counters[HOSTS_LOST] += 1
    swap = uint64(a_hi) > uint64(b_hi) or (a_hi == b_hi and uint64(a_lo) > uint64(b_lo))
    if swap:
        i = pair_slot(pairs, b_hi, b_lo, a_hi, a_lo, counters)
    else:
        i = pair_slot(pairs, a_hi, a_lo, b_hi, b_lo, counters)
    if i >= 0:
        pairs[i, 5] += packets_a + packets_b
        pairs[i, 6] += bytes_a + bytes_b
    else:
        counters[PAIRS_LOST] += 1
    if protocol == 6 or protocol == 17:
        row = port + (65536 if protocol == 17 else 0)
        ports[row, 0] += packets_a + packets_b
        ports[row, 1] += bytes_a + bytes_b


ACTIVE_SIGNATURE = types.void(
    types.int64,
    _I64_2D,
    _I64_2D,
    types.int64[::1],
    _I64_2D,
    _I64_2D,
    _I64_2D,
    types.int64[::1],
)


@njit(ACTIVE_SIGNATURE, cache=True, **_OPTIONS)
def add_active(since, rows, rolled, meta, hosts, pairs, ports, counters):
    """Count the active flows that changed in tick `since` or later, and remember in `rolled` that they are counted."""
    tick = meta[TICK] & CHANGED_MASK
    for r in range(meta[HIGH_WATER]):
        if rows[r, FLOW_ID] == 0:
            continue
        state = rows[r, STATE]
        changed = (state >> CHANGED_SHIFT) & CHANGED_MASK
        if (tick - changed) & CHANGED_MASK > (tick - since) & CHANGED_MASK:
            continue
        key = rows[r, KEY]
        port = (key >> 48) & 0xFFFF if state & ORIGINATOR_B else (key >> 32) & 0xFFFF
        add(
            hosts,
            pairs,
            ports,
            counters,
            rows[r, A_HI],
            rows[r, A_LO],
            rows[r, A_HI + 2],
            rows[r, A_LO + 2],
            key & 0xFF,
            port,
            rows[r, PACKETS] - rolled[r, 0],
            rows[r, PACKETS + 1] - rolled[r, 1],
            rows[r, BYTES] - rolled[r, 2],
            rows[r, BYTES + 1] - rolled[r, 3],
        )
        rolled[r, 0] = rows[r, PACKETS]
        rolled[r, 1] = rows[r, PACKETS + 1]
        rolled[r, 2] = rows[r, BYTES]
        rolled[r, 3] = rows[r, BYTES + 1]


ENDED_SIGNATURE = types.void(
    from_dtype(RECORD)[::1], types.intp, _I64_2D, _I64_2D, _I64_2D, _I64_2D, types.int64[::1]
)


@njit(ENDED_SIGNATURE, cache=True, **_OPTIONS)
def add_ended(records, n, rolled, hosts, pairs, ports, counters):
    """Count what ended flows gained since they were last counted (rolled: int64[n, 4], in the table's order of endpoints)."""
    for k in range(n):
        f = records[k]
        o = 0  # is the originator the table's endpoint b?
        if f.kind & 4 == 0:
            if f.src_hi != f.dst_hi:
                o = 1 if f.src_hi > f.dst_hi else 0
            elif f.src_lo != f.dst_lo:
                o = 1 if f.src_lo > f.dst_lo else 0
            elif f.src_port > f.dst_port:
                o = 1
        add(
            hosts,
            pairs,
            ports,
            counters,
            int64(f.src_hi),
            int64(f.src_lo),
            int64(f.dst_hi),
            int64(f.dst_lo),
            int64(f.protocol),
            int64(f.dst_port),
            int64(f.src_packets) - rolled[k, o],
            int64(f.dst_packets) - rolled[k, 1 - o],
            int64(f.src_bytes) - rolled[k, 2 + o],
            int64(f.dst_bytes) - rolled[k, 3 - o],
        )


RESTORE_SIGNATURE = types.void(_I64_2D, _I64_2D, types.int64[::1])


@njit(RESTORE_SIGNATURE, cache=True, **_OPTIONS)
def restore_hosts(kept, hosts, counters):
    """Put rows back into an emptied table."""
    for k in range(len(kept)):
        i = host_slot(hosts, kept[k, 0], kept[k, 1], counters)
        for c in range(3, 7):
            hosts[i, c] = kept[k, c]


@njit(RESTORE_SIGNATURE, cache=True, **_OPTIONS)
def restore_pairs(kept, pairs, counters):
    for k in range(len(kept)):
        i = pair_slot(pairs, kept[k, 0], kept[k, 1], kept[k, 2], kept[k, 3], counters)
        for c in range(5, 7):
            pairs[i, c] = kept[k, c]

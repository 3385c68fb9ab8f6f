"""Sums of flows by host, by pair of hosts and by the responder's port, from what each flow gained since it was last counted.

Hosts and pairs are open-addressing tables of one cache line a row, at most half full. When one is crowded, a newcomer must bring more bytes than the
smallest row that the last pruning kept: a scan of a million addresses does not push out the hosts that talk. What is turned away is counted.
Flows are taken in groups: find the three rows of each and ask for their cache lines, then add.
"""

from __future__ import annotations

from numba import from_dtype, int64, njit, types, uint64

from app.flow import layout as at
from app.flow.record_layout import RECORD
from app.native.declare import kernel, stack_array
from app.wire.load_kernels import multiply_high, prefetch

KEY, PACKETS, BYTES, FLOW_ID, STATE = at.KEY, at.PACKETS, at.BYTES, at.FLOW_ID, at.STATE
A_HI, A_LO = at.A_HI, at.A_LO
ORIGINATOR_B, CHANGED_SHIFT, CHANGED_MASK = at.ORIGINATOR_B, at.CHANGED_SHIFT, at.CHANGED_MASK
TICK, HIGH_WATER = at.TICK, at.HIGH_WATER
HOSTS, HOSTS_LOST, HOSTS_LEAST, PAIRS, PAIRS_LOST, PAIRS_LEAST = (
    at.HOSTS,
    at.HOSTS_LOST,
    at.HOSTS_LEAST,
    at.PAIRS,
    at.PAIRS_LOST,
    at.PAIRS_LEAST,
)
H_HI, H_LO, H_USED, H_PACKETS_OUT, H_PACKETS_IN = at.H_HI, at.H_LO, at.H_USED, at.H_PACKETS_OUT, at.H_PACKETS_IN
H_BYTES_OUT, H_BYTES_IN = at.H_BYTES_OUT, at.H_BYTES_IN
P_A_HI, P_A_LO, P_B_HI, P_B_LO = at.P_A_HI, at.P_A_LO, at.P_B_HI, at.P_B_LO
P_USED, P_PACKETS, P_BYTES = at.P_USED, at.P_PACKETS, at.P_BYTES
GROUP = 32
FIELDS = 10  # of a flow in the scratch: endpoints 4, packets 2, bytes 2, place in the ports, spare

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_I64_2D = types.int64[:, ::1]
_scratch = stack_array((GROUP, FIELDS), types.int64)


@njit(forceinline=True, **_OPTIONS)
def host_hash(hi, lo):
    return int64(multiply_high(uint64(hi) ^ uint64(0x9E3779B97F4A7C15), uint64(lo) ^ uint64(0xD6E8FEB86659FD93)))


@njit(forceinline=True, **_OPTIONS)
def pair_hash(a_hi, a_lo, b_hi, b_lo):
    h = multiply_high(uint64(a_lo) ^ uint64(0x9E3779B97F4A7C15), uint64(b_lo) ^ uint64(0xD6E8FEB86659FD93))
    return int64(multiply_high(h ^ uint64(a_hi), uint64(b_hi) ^ uint64(0xA0761D6478BD642F)))


@njit(forceinline=True, **_OPTIONS)
def host_slot(hosts, hi, lo, gained, counters):
    """Row of a host, a new one where it may have one; -1 where it may not. gained: the bytes it brings."""
    mask = int64(len(hosts) - 1)
    i = host_hash(hi, lo) & mask
    while hosts[i, H_USED] != 0:
        if hosts[i, H_LO] == lo and hosts[i, H_HI] == hi:
            return i
        i = (i + 1) & mask
    if gained <= counters[HOSTS_LEAST] or counters[HOSTS] * 2 >= len(hosts):
        counters[HOSTS_LOST] += 1
        return int64(-1)
    hosts[i, H_HI], hosts[i, H_LO], hosts[i, H_USED] = hi, lo, 1
    counters[HOSTS] += 1
    return i


@njit(forceinline=True, **_OPTIONS)
def pair_slot(pairs, a_hi, a_lo, b_hi, b_lo, gained, counters):
    mask = int64(len(pairs) - 1)
    i = pair_hash(a_hi, a_lo, b_hi, b_lo) & mask
    while pairs[i, P_USED] != 0:
        if (
            pairs[i, P_A_LO] == a_lo
            and pairs[i, P_B_LO] == b_lo
            and pairs[i, P_A_HI] == a_hi
            and pairs[i, P_B_HI] == b_hi
        ):
            return i
        i = (i + 1) & mask
    if gained <= counters[PAIRS_LEAST] or counters[PAIRS] * 2 >= len(pairs):
        counters[PAIRS_LOST] += 1
        return int64(-1)
    pairs[i, P_A_HI], pairs[i, P_A_LO], pairs[i, P_B_HI], pairs[i, P_B_LO] = a_hi, a_lo, b_hi, b_lo
    pairs[i, P_USED] = 1
    counters[PAIRS] += 1
    return i


@njit(forceinline=True, **_OPTIONS)
def ask(flow, hosts, pairs):
    """Ask for the lines where the rows of a flow in the scratch begin to be looked for."""
    mask = int64(len(hosts) - 1)
    prefetch(hosts, (host_hash(flow[0], flow[1]) & mask) * 8)
    prefetch(hosts, (host_hash(flow[2], flow[3]) & mask) * 8)
    mask = int64(len(pairs) - 1)
    prefetch(pairs, (pair_hash(flow[0], flow[1], flow[2], flow[3]) & mask) * 8)


@njit(forceinline=True, **_OPTIONS)
def add(flow, hosts, pairs, ports, counters):
    """Count what one flow of the scratch gained. Endpoint a is the lower one."""
    a_hi, a_lo, b_hi, b_lo = flow[0], flow[1], flow[2], flow[3]
    packets_a, packets_b, bytes_a, bytes_b = flow[4], flow[5], flow[6], flow[7]
    gained = bytes_a + bytes_b
    i = host_slot(hosts, a_hi, a_lo, gained, counters)
    if i >= 0:
        hosts[i, H_PACKETS_OUT] += packets_a
        hosts[i, H_PACKETS_IN] += packets_b
        hosts[i, H_BYTES_OUT] += bytes_a
        hosts[i, H_BYTES_IN] += bytes_b
    i = host_slot(hosts, b_hi, b_lo, gained, counters)
    if i >= 0:
        hosts[i, H_PACKETS_OUT] += packets_b
        hosts[i, H_PACKETS_IN] += packets_a
        hosts[i, H_BYTES_OUT] += bytes_b
        hosts[i, H_BYTES_IN] += bytes_a
    i = pair_slot(pairs, a_hi, a_lo, b_hi, b_lo, gained, counters)
    if i >= 0:
        pairs[i, P_PACKETS] += packets_a + packets_b
        pairs[i, P_BYTES] += gained
    place = flow[8]
    if place >= 0:
        ports[place, 0] += packets_a + packets_b
        ports[place, 1] += gained


@njit(forceinline=True, **_OPTIONS)
def note(flow, a_hi, a_lo, b_hi, b_lo, protocol, port, packets_a, packets_b, bytes_a, bytes_b):
    """Put a flow into the scratch with the lower address first. port: the responder's."""
    if uint64(a_hi) > uint64(b_hi) or (a_hi == b_hi and uint64(a_lo) > uint64(b_lo)):
        flow[0], flow[1], flow[2], flow[3] = b_hi, b_lo, a_hi, a_lo
        flow[4], flow[5], flow[6], flow[7] = packets_b, packets_a, bytes_b, bytes_a
    else:
        flow[0], flow[1], flow[2], flow[3] = a_hi, a_lo, b_hi, b_lo
        flow[4], flow[5], flow[6], flow[7] = packets_a, packets_b, bytes_a, bytes_b
    flow[8] = port if protocol == 6 else port + 65536 if protocol == 17 else int64(-1)


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


@kernel(ACTIVE_SIGNATURE)
def add_active(since, rows, rolled, meta, hosts, pairs, ports, counters):
    """Count the active flows that changed in tick `since` or later, and remember in `rolled` that they are counted."""
    tick = meta[TICK] & CHANGED_MASK
    scratch = _scratch()
    n = 0
    for r in range(meta[HIGH_WATER]):
        if rows[r, FLOW_ID] == 0:
            continue
        state = rows[r, STATE]
        changed = (state >> CHANGED_SHIFT) & CHANGED_MASK
        if (tick - changed) & CHANGED_MASK > (tick - since) & CHANGED_MASK:
            continue
        key = rows[r, KEY]
        port = (key >> 48) & 0xFFFF if state & ORIGINATOR_B else (key >> 32) & 0xFFFF
        flow = scratch[n]
        note(
            flow,
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
        ask(flow, hosts, pairs)
        n += 1
        if n == GROUP:
            for g in range(GROUP):
                add(scratch[g], hosts, pairs, ports, counters)
            n = 0
    for g in range(n):
        add(scratch[g], hosts, pairs, ports, counters)


ENDED_SIGNATURE = types.void(from_dtype(RECORD)[::1], types.intp, _I64_2D, _I64_2D, _I64_2D, _I64_2D, types.int64[::1])


@kernel(ENDED_SIGNATURE)
def add_ended(records, count, rolled, hosts, pairs, ports, counters):
    """Count what ended flows gained since they were last counted (rolled: int64[n, 4], in the table's order of endpoints)."""
    scratch = _scratch()
    n = 0
    for k in range(count):
        f = records[k]
        o = 0  # is the originator the table's endpoint b?
        if f.kind & 4 == 0:
            if f.src_hi != f.dst_hi:
                o = 1 if f.src_hi > f.dst_hi else 0
            elif f.src_lo != f.dst_lo:
                o = 1 if f.src_lo > f.dst_lo else 0
            elif f.src_port > f.dst_port:
                o = 1
        flow = scratch[n]
        note(
            flow,
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
        ask(flow, hosts, pairs)
        n += 1
        if n == GROUP:
            for g in range(GROUP):
                add(scratch[g], hosts, pairs, ports, counters)
            n = 0
    for g in range(n):
        add(scratch[g], hosts, pairs, ports, counters)


RESTORE_SIGNATURE = types.void(_I64_2D, _I64_2D, types.int64[::1])


@kernel(RESTORE_SIGNATURE)
def restore_hosts(kept, hosts, counters):
    """Put rows back into an emptied table; the counter HOSTS_LEAST must be below all of them."""
    for k in range(len(kept)):
        i = host_slot(hosts, kept[k, H_HI], kept[k, H_LO], int64(1) << 62, counters)
        for c in range(H_PACKETS_OUT, H_BYTES_IN + 1):
            hosts[i, c] = kept[k, c]


@kernel(RESTORE_SIGNATURE)
def restore_pairs(kept, pairs, counters):
    for k in range(len(kept)):
        i = pair_slot(
            pairs, kept[k, P_A_HI], kept[k, P_A_LO], kept[k, P_B_HI], kept[k, P_B_LO], int64(1) << 62, counters
        )
        for c in range(P_PACKETS, P_BYTES + 1):
            pairs[i, c] = kept[k, c]

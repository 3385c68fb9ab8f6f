"""Payload bytes to the histograms of the flows that have a slot: over a flow's life, over its last packets, and by bits."""

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, njit, types, uint64

from app.flow import layout as flows
from app.flow.entropy_bits_kernels import take_bits
from app.flow.entropy_measure_kernels import corrected_entropy, sample
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_LATER_FRAGMENT, KIND_ONE_WAY
from app.native.declare import kernel
from app.stats import entropy_layout as at
from app.wire.byte_count_kernels import count_bytes, count_neighbours
from app.wire.load_kernels import prefetch
from app.wire.records import PACKET_DTYPE

SYMBOLS, QUARTERS, ORDERS = at.SYMBOLS, at.QUARTERS, at.ORDERS
LIFE_BYTES, PACKET_BYTES, QUARTER_PACKETS, REFRESH, RATIO, UNHURRIED = (
    at.LIFE_BYTES,
    at.PACKET_BYTES,
    at.QUARTER_PACKETS,
    at.REFRESH,
    at.RATIO,
    at.UNHURRIED,
)
FREE, HAND, PASSED_OVER, TAKEN_OVER, BYTES_COUNTED, BYTES_PASSED, PLACE, ORPHANS = (
    at.FREE,
    at.HAND,
    at.PASSED_OVER,
    at.TAKEN_OVER,
    at.BYTES_COUNTED,
    at.BYTES_PASSED,
    at.PLACE,
    at.ORPHANS,
)
ROW, LAST, NEXT_SAMPLE, DIRTY, NEXT_PACKETS, STATE_SIZE = (
    at.ROW,
    at.LAST,
    at.NEXT_SAMPLE,
    at.DIRTY,
    at.NEXT_PACKETS,
    at.STATE_SIZE,
)
O_HI, O_LO, R_HI, R_LO, PORTS, KIND, CERTAIN = at.O_HI, at.O_LO, at.R_HI, at.R_LO, at.PORTS, at.KIND, at.CERTAIN
TOTAL, LIFE_N, PACKETS, QUARTER, IN_QUARTER, QUARTER_N = (
    at.TOTAL,
    at.LIFE_N,
    at.PACKETS,
    at.QUARTER,
    at.IN_QUARTER,
    at.QUARTER_N,
)
HEAD, BITS_NEXT, PRODUCTS, PAIRS, LEVELS, MEASURED_N, SIDE_SIZE = (
    at.HEAD,
    at.BITS_NEXT,
    at.PRODUCTS,
    at.PAIRS,
    at.LEVELS,
    at.MEASURED_N,
    at.SIDE_SIZE,
)
FLAG_BITS, SPIKE, DROP, FELL = (
    at.FLAG_BITS,
    at.SPIKE,
    at.DROP,
    at.FELL,
)
LEVEL_MEMORY, LEVEL_LEAST, QUARTER_LEAST, HIGH_LEVEL, LOW_LEVEL = (
    at.LEVEL_MEMORY,
    at.LEVEL_LEAST,
    at.QUARTER_LEAST,
    at.HIGH_LEVEL,
    at.LOW_LEVEL,
)
SILENCE_NS, LOOKED_AT, ASK_AGAIN = at.SILENCE_NS, at.LOOKED_AT, at.ASK_AGAIN
FLOW_ID, PAYLOAD, A_HI, A_LO, KEY, STATE, ORIGINATOR_B, ORIGINATOR_CERTAIN = (
    flows.FLOW_ID,
    flows.PAYLOAD,
    flows.A_HI,
    flows.A_LO,
    flows.KEY,
    flows.STATE,
    flows.ORIGINATOR_B,
    flows.ORIGINATOR_CERTAIN,
)
MOST_COUNTS = 65_535  # of a uint16
STRIDE = 97  # how far the counted stretch moves from packet to packet
FAR, NEAR = 6, 3  # packets ahead for which a slot's number, and its counters, are asked of memory
LINE = 64  # bytes of a cache line
WORTH_ASKING = 48  # payload bytes below which most lines of a histogram are not touched

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def clear(slot, row, owner, owners, state, sides, life, window, bits, levels):
    """A slot begins anew for a flow."""
    owners[slot] = owner
    for k in range(STATE_SIZE):
        state[slot, k] = 0
    state[slot, ROW] = row
    for d in range(2):
        for k in range(SIDE_SIZE):
            sides[slot, d, k] = 0
        for k in range(4):
            levels[slot, d, k] = np.nan
    for k in range(2 * SYMBOLS):
        life[slot, k] = 0
    for k in range(2 * QUARTERS):
        for v in range(SYMBOLS):
            window[slot, k, v] = 0
    for k in range(2 * ORDERS):
        for v in range(SYMBOLS):
            bits[slot, k, v] = 0


@njit(**_OPTIONS)
def find_slot(ts, slot_of, owners, state, free, meta):
    """A free slot, or that of a flow that has long been silent; -1: none."""
    if meta[FREE] > 0:
        meta[FREE] -= 1
        return int64(free[meta[FREE]])
    best = int64(-1)
    oldest = ts - SILENCE_NS
    for _ in range(LOOKED_AT):
        s = meta[HAND]
        meta[HAND] = s + 1 if s + 1 < len(owners) else 0
        if state[s, LAST] < oldest:
            best, oldest = s, state[s, LAST]
    if best >= 0:
        row = state[best, ROW]
        if slot_of[row] == best + 1:
            slot_of[row] = -ASK_AGAIN
        meta[TAKEN_OVER] += 1
    return best


@njit(**_OPTIONS)
def note_originator(p, rows, r, known, slot, state):
    """Whom the flow's directions are told by. known: the row still belongs to the flow; else it ended within this block, and the higher port asks."""
    source_low = (
        int64(p.src_hi) == rows[r, A_HI]
        and int64(p.src_lo) == rows[r, A_LO]
        and int64(p.src_port) == rows[r, KEY] >> 48 & 0xFFFF
    )
    forward = source_low == (rows[r, STATE] & ORIGINATOR_B == 0) if known else p.src_port >= p.dst_port
    state[slot, O_HI] = int64(p.src_hi) if forward else int64(p.dst_hi)
    state[slot, O_LO] = int64(p.src_lo) if forward else int64(p.dst_lo)
    state[slot, R_HI] = int64(p.dst_hi) if forward else int64(p.src_hi)
    state[slot, R_LO] = int64(p.dst_lo) if forward else int64(p.src_lo)
    source, target = int64(p.src_port), int64(p.dst_port)
    state[slot, PORTS] = source << 16 | target if forward else target << 16 | source
    kind = int64(p.protocol) | int64(p.ip_version) << 8 | int64(p.interface) << 16
    if known and rows[r, STATE] & ORIGINATOR_CERTAIN:
        kind |= CERTAIN
    state[slot, KIND] = kind


@njit(**_OPTIONS)
def close_quarter(slot, d, side, window, levels, table, ratio):
    """A quarter of the window is full: compare it with the running level, and begin the next. Returns flags."""
    flags = int64(0)
    q = side[QUARTER]
    n = side[QUARTER_N]
    if n >= QUARTER_LEAST:
        value = corrected_entropy(window[slot, d * QUARTERS + q], n, table)
        value = min(max(value, 0.0), 8.0)
        level = levels[slot, d, 0]
        seen = side[LEVELS]
        if seen >= LEVEL_LEAST:
            change = abs(value - level) * 1e6
            if change >= ratio * level and change > 0.0:
                flags |= SPIKE if value > level else DROP
            if level >= HIGH_LEVEL and value <= LOW_LEVEL:
                flags |= FELL
        levels[slot, d, 1] = value
        if flags == 0:
            side[LEVELS] = seen + 1
            levels[slot, d, 0] = value if seen == 0 else level + (value - level) / float(min(seen + 1, LEVEL_MEMORY))
    q = q + 1 if q + 1 < QUARTERS else int64(0)
    side[QUARTER], side[IN_QUARTER], side[QUARTER_N] = q, 0, 0
    fresh = window[slot, d * QUARTERS + q]
    for v in range(SYMBOLS):
        fresh[v] = 0
    return flags


@njit(**_OPTIONS)
def take_payload(data, begin, end, slot, d, config, side, life, window):
    """Count one payload in the life histogram (up to its limit) and in the window."""
    length = end - begin
    if side[PACKETS] == 0:
        head = uint64(0)
        for k in range(min(int64(8), length)):
            head |= uint64(data[begin + k]) << uint64(8 * k)
        side[HEAD] = int64(head)
    side[PACKETS] += 1
    side[TOTAL] += length
    limit = config[LIFE_BYTES]
    room = length if limit == 0 else min(length, limit - side[LIFE_N])
    if room > 0:
        side[PRODUCTS] += count_neighbours(data, begin, begin + room, life, (slot * 2 + d) * SYMBOLS)
        side[LIFE_N] += room
        side[PAIRS] += room - 1
    stretch = config[PACKET_BYTES]
    first, last = begin, end
    if 0 < stretch < length:
        first = begin + side[PACKETS] * STRIDE % (length - stretch + 1)
        last = first + stretch
    last = min(last, first + MOST_COUNTS - side[QUARTER_N])
    count_bytes(data, first, last, window, ((slot * 2 + d) * QUARTERS + side[QUARTER]) * SYMBOLS)
    side[QUARTER_N] += max(last - first, int64(0))
    side[IN_QUARTER] += 1


@njit(forceinline=True, **_OPTIONS)
def look_ahead(packets, i, n, slot_of, config, state, sides, life, window):
    """Slots lie far apart, so packet i would wait for memory again and again: ask for what the next ones need."""
    if i + FAR >= n:
        return
    r = int64(packets[i + FAR].flow)
    if r >= 0:
        prefetch(slot_of, r)
    r = int64(packets[i + NEAR].flow)
    if r >= 0 and slot_of[r] > 0:
        slot = int64(slot_of[r]) - 1
        prefetch(state, slot * STATE_SIZE)
        prefetch(state, slot * STATE_SIZE + STATE_SIZE - 1)
        for k in range(0, 2 * SIDE_SIZE, LINE // 8):
            prefetch(sides, slot * 2 * SIDE_SIZE + k)
    p = packets[i + 1]
    r = int64(p.flow)
    if r >= 0 and slot_of[r] > 0 and int64(p.payload_len) >= WORTH_ASKING:
        slot = int64(slot_of[r]) - 1
        d = int64(int64(p.src_port) != state[slot, PORTS] >> 16)
        quarter = (slot * 2 * QUARTERS + d * QUARTERS + sides[slot, d, QUARTER]) * SYMBOLS
        for k in range(0, SYMBOLS, LINE // 2):
            prefetch(window, quarter + k)
        if config[LIFE_BYTES] == 0 or sides[slot, d, LIFE_N] < config[LIFE_BYTES]:
            whole = (slot * 2 + d) * SYMBOLS
            for k in range(0, SYMBOLS, LINE // 4):
                prefetch(life, whole + k)


SIGNATURE = types.intp(
    types.uint8[::1],
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.uint64[::1],
    types.int64[:, ::1],
    types.int64[::1],
    types.int64[::1],
    types.int32[::1],
    types.int32[::1],
    types.uint64[::1],
    types.int64[:, ::1],
    types.int64[:, :, ::1],
    types.uint32[:, ::1],
    types.uint16[:, :, ::1],
    types.uint16[:, :, ::1],
    types.float64[:, :, ::1],
    types.float64[:, :, ::1],
    types.float64[:, ::1],
    types.uint8[:, ::1],
    types.int64[:, ::1],
    types.float64[:, :, ::1],
)


@kernel(SIGNATURE)
def count_flow_bytes(
    data,
    packets,
    n,
    flow_ids,
    rows,
    config,
    meta,
    slot_of,
    free,
    owners,
    state,
    sides,
    life,
    window,
    bits,
    levels,
    lives,
    table,
    classes,
    ids,
    samples,
):
    """Take packets[meta[PLACE]:n]; returns how many samples were written. When there is no room for another, meta[PLACE] < n says where to go on.

    rows: the flow table's; slot_of: int32[rows], slot + 1, 0 = has not asked, less: packets until it asks again; free: int32[slots]; bits:
    uint16[slots, 4, 256]; levels: float64[slots, 2, (running level, last quarter, low score, high score)]; the rest as in `sample_slots`."""
    held = (state, sides, life, window, levels, lives, table, classes, ids, samples)
    limit = int64(len(data))
    ratio = float(config[RATIO])
    written = int64(0)
    most = int64(len(ids))
    for i in range(meta[PLACE], n):
        look_ahead(packets, i, n, slot_of, config, state, sides, life, window)
        p = packets[i]
        r = int64(p.flow)
        if r < 0 or (p.protocol != 6 and p.protocol != 17) or p.kind & (KIND_LATER_FRAGMENT | KIND_ONE_WAY):
            continue
        begin = int64(p.offset) + int64(p.payload_offset)
        end = min(begin + int64(p.payload_len), int64(p.offset) + int64(p.cap_len), limit)
        if p.kind & KIND_FIRST_OF_FLOW:
            if slot_of[r] > 0:
                meta[ORPHANS] += 1
            slot_of[r] = 0
        if end <= begin:
            continue
        if written + 1 >= most:  # one of a flow whose slot is taken, one of this flow
            meta[PLACE] = i
            return written
        ts = p.ts
        slot = int64(slot_of[r]) - 1
        if slot < 0:
            if slot < -1:
                slot_of[r] += 1
                meta[BYTES_PASSED] += end - begin
                continue
            slot = find_slot(ts, slot_of, owners, state, free, meta)
            if slot < 0:
                slot_of[r] = -ASK_AGAIN
                meta[BYTES_PASSED] += end - begin
                if rows[r, PAYLOAD] + rows[r, PAYLOAD + 1] <= int64(p.payload_len):
                    meta[PASSED_OVER] += 1
                continue
            if state[slot, DIRTY]:  # the last that will be known of the flow before
                sample(slot, state[slot, LAST], int64(0), int64(owners[slot]), held, written)
                written += 1
            clear(slot, r, flow_ids[i], owners, state, sides, life, window, bits, levels)
            slot_of[r] = slot + 1
            note_originator(p, rows, r, int64(flow_ids[i]) == rows[r, FLOW_ID], slot, state)
            state[slot, NEXT_SAMPLE] = ts + config[REFRESH]
        d = int64(
            int64(p.src_port) != state[slot, PORTS] >> 16
            or int64(p.src_lo) != state[slot, O_LO]
            or int64(p.src_hi) != state[slot, O_HI]
        )
        side = sides[slot, d]
        take_payload(data, begin, end, slot, d, config, side, life, window)
        if side[TOTAL] > side[BITS_NEXT]:
            take_bits(data, begin, end, slot, d, side, bits, levels)
        meta[BYTES_COUNTED] += end - begin
        state[slot, LAST] = max(state[slot, LAST], ts)
        state[slot, DIRTY] = 1
        flags = int64(0)
        if side[IN_QUARTER] >= config[QUARTER_PACKETS]:
            flags = close_quarter(slot, d, side, window, levels, table, ratio) << (FLAG_BITS * d)
        seen = sides[slot, 0, PACKETS] + sides[slot, 1, PACKETS]
        if flags or (ts >= state[slot, NEXT_SAMPLE] and seen >= state[slot, NEXT_PACKETS]):
            state[slot, NEXT_SAMPLE] = ts + config[REFRESH]
            if config[UNHURRIED]:
                state[slot, NEXT_PACKETS] = seen + min(seen, config[QUARTER_PACKETS])
            sample(slot, ts, flags, int64(flow_ids[i]), held, written)
            written += 1
            if flags:  # what comes now is compared with what it has become
                levels[slot, d, 0] = levels[slot, d, 1]
                side[LEVELS] = 1
    meta[PLACE] = n
    return written

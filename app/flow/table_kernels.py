"""The flow table's compiled parts: update, sweep, collect.

An index (`app.flow.index_kernels`) leads to dense rows. Packets are taken in groups of 32, three groups under way: one is hashed and its index lines are
asked for, the rows of the next are asked for, a third is updated; so memory works while we compute.
"""

from __future__ import annotations

from numba import from_dtype, int64, types, uint64

from app.flow import layout as at
from app.flow.history_kernels import note_events, segment_events
from app.flow.index_kernels import GROUP, ask_for_rows, hash_group
from app.flow.life_kernels import EVICTION_BATCH, begin, end_flow, evict, idle_limit, release
from app.flow.record_kernels import write_record
from app.flow.record_layout import RECORD
from app.flow.tcp_kernels import tcp_segment
from app.native.declare import kernel, stack_array
from app.wire import codes
from app.wire.load_kernels import peek, poke
from app.wire.records import PACKET_DTYPE

A_HI, A_LO, B_HI, B_LO, KEY, TUNNEL = at.A_HI, at.A_LO, at.B_HI, at.B_LO, at.KEY, at.TUNNEL
FIRST, LAST, PACKETS, BYTES, PAYLOAD, FLOW_ID, STATE = (
    at.FIRST,
    at.LAST,
    at.PACKETS,
    at.BYTES,
    at.PAYLOAD,
    at.FLOW_ID,
    at.STATE,
)
SEEN_SHIFT, FLAGS_SHIFT, DATA = at.SEEN_SHIFT, at.FLAGS_SHIFT, at.SEEN_DATA
ORIGINATOR_B, CLOSED, CARRIER = at.ORIGINATOR_B, at.CLOSED, at.CARRIER
CHANGED_SHIFT, CHANGED_MASK = at.CHANGED_SHIFT, at.CHANGED_MASK
BASE, RTT, MARKS, NEXT_KNOWN, RTT_OPEN = at.BASE, at.RTT, at.MARKS, at.NEXT_KNOWN, at.RTT_OPEN
ROW_COLUMNS, TCP_COLUMNS = at.ROW_COLUMNS, at.TCP_COLUMNS
FREE, ACTIVE, ENDED, TICK, TCP_PACKETS, TCP_RETRANSMISSIONS, CURSOR, HIGH_WATER, RTT_COUNT = (
    at.FREE,
    at.ACTIVE,
    at.ENDED,
    at.TICK,
    at.TCP_PACKETS,
    at.TCP_RETRANSMISSIONS,
    at.CURSOR,
    at.HIGH_WATER,
    at.RTT_COUNT,
)
KIND_RETRANSMISSION, KIND_FIRST, CARRIER_LINK_TYPE = (
    codes.KIND_RETRANSMISSION,
    codes.KIND_FIRST_OF_FLOW,
    codes.CARRIER_LINK_TYPE,
)
CLOSED_BY_ENDS, IDLE, PORT_REUSED, END_OF_CAPTURE = 1, 2, 3, 5  # indexes into ENDINGS
STAGES = 3  # groups under way: hashed, rows asked for, updated
RTT_SAMPLES = at.RTT_SAMPLES
HEAD_BYTES = 65536  # what counts as the beginning of a flow for the packet store

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_I64_2D = types.int64[:, ::1]
_RECORDS = from_dtype(RECORD)[::1]
_hashes = stack_array((STAGES * GROUP,), types.uint64)
_keys = stack_array((STAGES * GROUP, 6), types.int64)
_directions = stack_array((STAGES * GROUP,), types.int64)

UPDATE_SIGNATURE = types.intp(
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.intp,
    types.uint64[::1],
    _I64_2D,
    _I64_2D,
    _I64_2D,
    types.int32[::1],
    types.int64[::1],
    _RECORDS,
    _I64_2D,
    types.uint64[::1],
    types.int64[::1],
    types.int64[::1],
    types.uint64[::1],
    types.uint8[::1],
)


@kernel(UPDATE_SIGNATURE)
def update(
    packets,
    first,
    n,
    index,
    rows,
    tcp,
    rolled,
    free,
    meta,
    ended,
    ended_rolled,
    seeds,
    timeouts,
    rtt_samples,
    flow_ids,
    heads,
):
    """Account packets[first:n]; returns the number of the first packet not done: less than n when `ended` has to be emptied first.

    flow_ids[i], heads[i] and the columns flow and kind of packets[i] are filled. index: uint64[power of two], rows: int64[capacity, 16],
    tcp: int64[capacity, 24], rolled: int64[capacity, 4], free: int32[capacity], ended: records, rtt_samples: int64[1024] ns."""
    mask = int64(len(index) - 1)
    room = int64(len(ended)) - GROUP - EVICTION_BATCH
    large = len(rows) >= 16 * EVICTION_BATCH
    hashes = _hashes()
    keys = _keys()
    directions = _directions()
    tick = meta[TICK] & CHANGED_MASK
    start = int64(first)
    hash_group(packets, start, n, 0, index, hashes, keys, directions, seeds)
    hash_group(packets, start + GROUP, n, GROUP, index, hashes, keys, directions, seeds)
    ask_for_rows(start, n, 0, index, rows, tcp, hashes, keys, directions)
    stage = int64(0)
    while start < n:
        if meta[ENDED] > room:
            return start
        if large and meta[FREE] < GROUP:
            evict(index, rows, tcp, rolled, free, meta, ended, ended_rolled, seeds, EVICTION_BATCH)
        count = min(int64(GROUP), int64(n) - start)
        segments = int64(0)
        following = (stage + GROUP) % (STAGES * GROUP)
        last = (stage + 2 * GROUP) % (STAGES * GROUP)
        hash_group(packets, start + 2 * GROUP, n, last, index, hashes, keys, directions, seeds)
        ask_for_rows(start + GROUP, n, following, index, rows, tcp, hashes, keys, directions)
        for k in range(count):
            i = start + k
            g = stage + k
            d = directions[g]
            p = packets[i]
            if d < 0:
                flow_ids[i] = 0
                heads[i] = 1
                continue
            h = hashes[g]
            a_hi, a_lo, b_hi, b_lo, key, tunnel = keys[g, 0], keys[g, 1], keys[g, 2], keys[g, 3], keys[g, 4], keys[g, 5]
            ts = p.ts
            flags = int64(p.tcp_flags)
            is_tcp = key & 0xFF == 6
            slot = int64(h) & mask
            r = int64(-1)
            while True:
                entry = peek(index, slot)
                if entry == 0:
                    break
                if entry >> uint64(32) == h:
                    c = int64(entry & uint64(0xFFFFFFFF)) - 1
                    base = c * ROW_COLUMNS
                    if (
                        peek(rows, base + KEY) == key
                        and peek(rows, base + A_LO) == a_lo
                        and peek(rows, base + B_LO) == b_lo
                        and peek(rows, base + A_HI) == a_hi
                        and peek(rows, base + B_HI) == b_hi
                        and peek(rows, base + TUNNEL) == tunnel
                    ):
                        r = c
                        break
                slot = (slot + 1) & mask
            if r >= 0:
                why = int64(0)
                if ts - rows[r, LAST] > idle_limit(key, rows[r, STATE], timeouts):
                    why = CLOSED_BY_ENDS if rows[r, STATE] & CLOSED else IDLE
                elif (
                    is_tcp and flags & 0x12 == 2 and tcp[r, MARKS + d] & NEXT_KNOWN and tcp[r, BASE + d] != int64(p.seq)
                ):
                    why = PORT_REUSED  # a SYN with another initial sequence number is another connection
                if why:
                    end_flow(rows, tcp, rolled, meta, ended, ended_rolled, r, why)
                    from_b = d
                    if is_tcp and flags & 2 == 0:  # a straggler: who opened the connection has not changed
                        from_b = 1 if rows[r, STATE] & ORIGINATOR_B else 0
                    begin(rows, tcp, rolled, meta, r, ts, int64(p.interface), flags, from_b)
                    p.kind |= KIND_FIRST
            else:
                if meta[FREE] == 0:
                    evict(index, rows, tcp, rolled, free, meta, ended, ended_rolled, seeds, 1)
                    slot = int64(h) & mask
                    while index[slot] != 0:
                        slot = (slot + 1) & mask
                meta[FREE] -= 1
                r = int64(free[meta[FREE]])
                if r >= meta[HIGH_WATER]:
                    meta[HIGH_WATER] = r + 1
                index[slot] = h << uint64(32) | uint64(r + 1)
                rows[r, A_HI], rows[r, A_LO], rows[r, B_HI], rows[r, B_LO] = a_hi, a_lo, b_hi, b_lo
                rows[r, KEY], rows[r, TUNNEL] = key, tunnel
                meta[ACTIVE] += 1
                begin(rows, tcp, rolled, meta, r, ts, int64(p.interface), flags, d)
                p.kind |= KIND_FIRST
            length = int64(p.payload_len)
            size = int64(p.wire_len)
            base = r * ROW_COLUMNS
            here = base + d
            sent = peek(rows, here + BYTES)
            heads[i] = 1 if sent + peek(rows, base + BYTES + 1 - d) < HEAD_BYTES else 0
            flow_ids[i] = uint64(peek(rows, base + FLOW_ID))
            p.flow = r
            poke(rows, here + PACKETS, peek(rows, here + PACKETS) + 1)
            poke(rows, here + BYTES, sent + size)
            poke(rows, here + PAYLOAD, peek(rows, here + PAYLOAD) + length)
            last = peek(rows, base + LAST)
            if ts > last:
                poke(rows, base + LAST, ts)
            elif ts < rows[r, FIRST]:
                rows[r, FIRST] = ts
            state = peek(rows, base + STATE)
            state = (state & ~(CHANGED_MASK << CHANGED_SHIFT)) | tick << CHANGED_SHIFT
            if is_tcp:
                state |= flags << (FLAGS_SHIFT + 8 * d)
                poke(rows, base + STATE, state)
                seen = segment_events(flags, length)
                if seen & ~(state >> (SEEN_SHIFT * d)) & 0xFF:
                    note_events(rows, tcp, r, d, seen)
                waiting = peek(tcp, r * TCP_COLUMNS + MARKS + d) & RTT_OPEN
                kind = tcp_segment(tcp, r, d, ts, int64(p.seq), int64(p.ack), int64(p.window), flags, length)
                segments += 1
                if kind:
                    p.kind |= kind
                    if kind & KIND_RETRANSMISSION:
                        meta[TCP_RETRANSMISSIONS] += 1
                if waiting and tcp[r, MARKS + d] & RTT_OPEN == 0:
                    rtt_samples[meta[RTT_COUNT] % RTT_SAMPLES] = tcp[r, RTT]
                    meta[RTT_COUNT] += 1
            else:
                if p.link_type == CARRIER_LINK_TYPE:
                    state |= CARRIER
                rows[r, STATE] = state
                if length > 0 and state >> (SEEN_SHIFT * d) & DATA == 0:
                    note_events(rows, tcp, r, d, int64(DATA))
        start += count
        stage = following
        meta[TCP_PACKETS] += segments
    return int64(n)


SWEEP_SIGNATURE = types.boolean(
    types.int64,
    types.boolean,
    types.uint64[::1],
    _I64_2D,
    _I64_2D,
    _I64_2D,
    types.int32[::1],
    types.int64[::1],
    _RECORDS,
    _I64_2D,
    types.uint64[::1],
    types.int64[::1],
)


@kernel(SWEEP_SIGNATURE)
def sweep(now, everything, index, rows, tcp, rolled, free, meta, ended, ended_rolled, seeds, timeouts):
    """End flows that have been silent too long at time `now`, or all of them. True when the sweep is complete, False when `ended`
    has to be emptied before it goes on (the place is kept in meta[CURSOR])."""
    r = meta[CURSOR]
    while r < meta[HIGH_WATER]:
        if rows[r, FLOW_ID] != 0:
            silent = now - rows[r, LAST] > idle_limit(rows[r, KEY], rows[r, STATE], timeouts)
            if everything or silent:
                if meta[ENDED] >= len(ended):
                    meta[CURSOR] = r
                    return False
                closed = rows[r, STATE] & CLOSED != 0
                why = CLOSED_BY_ENDS if closed else END_OF_CAPTURE if everything else IDLE
                end_flow(rows, tcp, rolled, meta, ended, ended_rolled, r, why)
                release(index, rows, free, meta, r, seeds)
        r += 1
    meta[CURSOR] = 0
    return True


COLLECT_SIGNATURE = types.intp(types.int64, _I64_2D, _I64_2D, types.int64[::1], _RECORDS, types.int64[::1])


@kernel(COLLECT_SIGNATURE)
def collect(since, rows, tcp, meta, out, cursor):
    """Records of active flows changed in tick `since` or later, from slot cursor[0] on, as many as `out` holds; returns their number.

    cursor[0] is where to go on (0 when complete); cursor[1] counts changed rows that did not fit."""
    n = 0
    waiting = 0
    resume = int64(0)
    tick = meta[TICK] & CHANGED_MASK
    for r in range(cursor[0], meta[HIGH_WATER]):
        if rows[r, FLOW_ID] != 0:
            changed = (rows[r, STATE] >> CHANGED_SHIFT) & CHANGED_MASK
            if (tick - changed) & CHANGED_MASK <= (tick - since) & CHANGED_MASK:
                if n < len(out):
                    write_record(rows, tcp, r, 0, out[n])
                    n += 1
                else:
                    if waiting == 0:
                        resume = r
                    waiting += 1
    cursor[0], cursor[1] = resume, waiting
    return n

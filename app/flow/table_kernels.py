"""The flow table's compiled parts: look up, create, update, expire, evict.

An open-addressing index (entry = 32 bits of the hash | slot + 1; linear probing; deletion by shifting back, so no tombstones) leads to
dense rows. Packets are taken in groups of 32, three groups under way: one is hashed and its index lines are asked for, the rows of the
next are asked for, a third is updated; so memory works while we compute. The hash is keyed with random numbers of the process, so that nobody can fill one chain from outside.
"""

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, njit, types, uint64

from app.flow import layout as at
from app.flow.record_kernels import RECORD, write_record
from app.flow.tcp_kernels import tcp_segment
from app.wire import codes
from app.wire.load_kernels import multiply_high, peek, poke, prefetch
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
SEEN_SHIFT, FLAGS_SHIFT = at.SEEN_SHIFT, at.FLAGS_SHIFT
SYN, SYN_ACK, ACKED, DATA, FIN, RST = (
    at.SEEN_SYN,
    at.SEEN_SYN_ACK,
    at.SEEN_ACK,
    at.SEEN_DATA,
    at.SEEN_FIN,
    at.SEEN_RST,
)
ORIGINATOR_B, ORIGINATOR_CERTAIN, CLOSED = at.ORIGINATOR_B, at.ORIGINATOR_CERTAIN, at.CLOSED
CHANGED_SHIFT, CHANGED_MASK, CARRIER = at.CHANGED_SHIFT, at.CHANGED_MASK, at.CARRIER
CARRIER_LINK_TYPE = codes.CARRIER_LINK_TYPE
BASE, RTT, HISTORY, INTERFACE, MARKS = at.BASE, at.RTT, at.HISTORY, at.INTERFACE, at.MARKS
NEXT_KNOWN, RTT_OPEN = at.NEXT_KNOWN, at.RTT_OPEN
ROW_COLUMNS, TCP_COLUMNS, ROLLED_COLUMNS = at.ROW_COLUMNS, at.TCP_COLUMNS, at.ROLLED_COLUMNS
NEXT_FLOW_ID, FREE, ACTIVE, EVICTED, HAND, ENDED, TICK, CREATED = (
    at.NEXT_FLOW_ID,
    at.FREE,
    at.ACTIVE,
    at.EVICTED,
    at.HAND,
    at.ENDED,
    at.TICK,
    at.CREATED,
)
TCP_PACKETS, TCP_RETRANSMISSIONS, CURSOR, HIGH_WATER, RTT_COUNT = (
    at.TCP_PACKETS,
    at.TCP_RETRANSMISSIONS,
    at.CURSOR,
    at.HIGH_WATER,
    at.RTT_COUNT,
)
KIND_ONE_WAY, KIND_NO_FLOW, KIND_RETRANSMISSION, KIND_FIRST = (
    codes.KIND_ONE_WAY,
    codes.KIND_NO_FLOW,
    codes.KIND_RETRANSMISSION,
    codes.KIND_FIRST_OF_FLOW,
)
CLOSED_BY_ENDS, IDLE, PORT_REUSED, EVICTION, END_OF_CAPTURE = 1, 2, 3, 4, 5
GROUP = 32
STAGES = 3  # groups under way: hashed, rows asked for, updated
EVICTION_SAMPLE = 4
LOOK_AHEAD = 8  # rows from the clock's hand to those that are asked for
EVICTION_BATCH = 64  # flows evicted at a time in a large table
RTT_SAMPLES = 1024
NEVER_SILENT = (1 << 63) - 1
HEAD_BYTES = 65536  # what counts as the beginning of a flow for the packet store

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_I64_2D = types.int64[:, ::1]
_RECORDS = from_dtype(RECORD)[::1]


@njit(forceinline=True, **_OPTIONS)
def hash_key(a_hi, a_lo, b_hi, b_lo, key, tunnel, seeds):
    h = multiply_high(uint64(a_lo) ^ seeds[0], uint64(b_lo) ^ uint64(key))
    h = multiply_high(h ^ uint64(a_hi) ^ uint64(tunnel), uint64(b_hi) ^ seeds[1] ^ (uint64(key) >> uint64(7)))
    return h & uint64(0xFFFFFFFF)


@njit(forceinline=True, **_OPTIONS)
def idle_limit(key, state, timeouts):
    """Nanoseconds of silence that end a flow. timeouts: [TCP open, TCP closed, UDP, other]."""
    protocol = key & 0xFF
    if protocol == 6:
        return timeouts[1] if state & CLOSED else timeouts[0]
    return timeouts[2] if protocol == 17 else timeouts[3]


@njit(**_OPTIONS)
def remove(index, rows, r, seeds):
    """Take slot r out of the index: shift later entries of its run back."""
    mask = int64(len(index) - 1)
    h = hash_key(rows[r, A_HI], rows[r, A_LO], rows[r, B_HI], rows[r, B_LO], rows[r, KEY], rows[r, TUNNEL], seeds)
    i = int64(h) & mask
    while int64(index[i] & uint64(0xFFFFFFFF)) != r + 1:
        if index[i] == 0:
            return
        i = (i + 1) & mask
    j = i
    while True:
        j = (j + 1) & mask
        entry = index[j]
        if entry == 0:
            break
        home = int64(entry >> uint64(32)) & mask
        if (j - home) & mask >= (j - i) & mask:  # may stand at i: its home is not between i and j
            index[i] = entry
            i = j
    index[i] = uint64(0)


@njit(**_OPTIONS)
def end_flow(rows, tcp, rolled, meta, ended, ended_rolled, r, why):
    """Write slot r to the buffer of ended flows; the caller has seen to it that there is room."""
    n = meta[ENDED]
    write_record(rows, tcp, r, why, ended[n])
    for k in range(ROLLED_COLUMNS):
        ended_rolled[n, k] = rolled[r, k]
    meta[ENDED] = n + 1


@njit(**_OPTIONS)
def release(index, rows, free, meta, r, seeds):
    remove(index, rows, r, seeds)
    rows[r, FLOW_ID] = 0
    rows[r, LAST] = NEVER_SILENT
    free[meta[FREE]] = r
    meta[FREE] += 1
    meta[ACTIVE] -= 1


@njit(forceinline=True, **_OPTIONS)
def longest_silent(rows, hand):
    """Of the few rows at the clock's hand the one that has been silent longest (free rows look as if they had just spoken)."""
    capacity = len(rows)
    best = hand
    for k in range(1, EVICTION_SAMPLE):
        r = hand + k
        if r >= capacity:
            r -= capacity
        if rows[r, LAST] < rows[best, LAST]:
            best = r
    return best


@njit(**_OPTIONS)
def evict(index, rows, tcp, rolled, free, meta, ended, ended_rolled, seeds, wanted):
    """End up to `wanted` flows to make room. Their index lines are asked for before the first of them is taken out."""
    capacity = len(rows)
    mask = int64(len(index) - 1)
    victims = np.empty(EVICTION_BATCH, np.int64)
    n = 0
    for _ in range(wanted):
        hand = meta[HAND]
        for ahead in range(LOOK_AHEAD, LOOK_AHEAD + EVICTION_SAMPLE):
            place = hand + ahead
            prefetch(rows, (place - capacity if place >= capacity else place) * ROW_COLUMNS)
        r = longest_silent(rows, hand)
        hand += EVICTION_SAMPLE
        meta[HAND] = hand - capacity if hand >= capacity else hand
        if rows[r, FLOW_ID] == 0:
            continue
        h = hash_key(rows[r, A_HI], rows[r, A_LO], rows[r, B_HI], rows[r, B_LO], rows[r, KEY], rows[r, TUNNEL], seeds)
        prefetch(index, int64(h) & mask)
        prefetch(tcp, r * TCP_COLUMNS)
        prefetch(tcp, r * TCP_COLUMNS + 8)
        prefetch(tcp, r * TCP_COLUMNS + 16)
        victims[n] = r
        n += 1
    for k in range(n):
        r = victims[k]
        if rows[r, FLOW_ID] == 0:  # in a small table the hand may come round within a batch
            continue
        end_flow(rows, tcp, rolled, meta, ended, ended_rolled, r, EVICTION)
        release(index, rows, free, meta, r, seeds)
        meta[EVICTED] += 1


@njit(**_OPTIONS)
def begin(rows, tcp, rolled, meta, r, ts, interface, flags, d):
    """Start a flow in slot r whose key is set; the first packet goes in direction d with these TCP flags."""
    rows[r, FIRST] = ts
    rows[r, LAST] = ts
    for k in range(PACKETS, FLOW_ID):
        rows[r, k] = 0
    meta[NEXT_FLOW_ID] += 1
    meta[CREATED] += 1
    rows[r, FLOW_ID] = meta[NEXT_FLOW_ID]
    state = ORIGINATOR_B if d == 1 else int64(0)
    for k in range(0 if rows[r, KEY] & 0xFF == 6 else INTERFACE, TCP_COLUMNS):
        tcp[r, k] = 0
    for k in range(ROLLED_COLUMNS):
        rolled[r, k] = 0
    tcp[r, INTERFACE] = interface
    if rows[r, KEY] & 0xFF == 6:
        tcp[r, RTT] = -1
        if flags & 0x12 == 0x12:  # a SYN-ACK first: its receiver opened the connection (Zeek's '^')
            state = int64(0) if d == 1 else ORIGINATOR_B
            state |= ORIGINATOR_CERTAIN
            tcp[r, HISTORY] = 94
        elif flags & 2:
            state |= ORIGINATOR_CERTAIN
    rows[r, STATE] = state


@njit(**_OPTIONS)
def add_letter(tcp, r, letter):
    """Append to the history; full after 24 letters."""
    for word in range(3):
        value = uint64(tcp[r, HISTORY + word])
        if value >> uint64(56):
            continue
        for k in range(8):
            if (value >> uint64(8 * k)) & uint64(0xFF) == 0:
                tcp[r, HISTORY + word] = int64(value | uint64(letter) << uint64(8 * k))
                return


@njit(**_OPTIONS)
def swap_case(tcp, r):
    """The other endpoint turned out to be the originator: upper and lower case change places."""
    for word in range(3):
        value = uint64(tcp[r, HISTORY + word])
        for k in range(8):
            letter = (value >> uint64(8 * k)) & uint64(0xFF)
            if letter >= 65 and letter != 94:
                value ^= uint64(32) << uint64(8 * k)
        tcp[r, HISTORY + word] = int64(value)


@njit(**_OPTIONS)
def note_events(rows, tcp, r, d, seen):
    """New history bits of direction d: letters, originator, closed state."""
    state = rows[r, STATE]
    if seen & SYN and state & ORIGINATOR_CERTAIN == 0:
        state |= ORIGINATOR_CERTAIN
        if (1 if state & ORIGINATOR_B else 0) != d:
            state ^= ORIGINATOR_B
            swap_case(tcp, r)
    shift = SEEN_SHIFT * d
    fresh = seen & ~(state >> shift) & 0xFF
    upper = 0 if (1 if state & ORIGINATOR_B else 0) == d else 32
    if fresh & SYN:
        add_letter(tcp, r, 83 + upper)
    if fresh & SYN_ACK:
        add_letter(tcp, r, 72 + upper)
    if fresh & ACKED:
        add_letter(tcp, r, 65 + upper)
    if fresh & DATA:
        add_letter(tcp, r, 68 + upper)
    if fresh & FIN:
        add_letter(tcp, r, 70 + upper)
    if fresh & RST:
        add_letter(tcp, r, 82 + upper)
    state |= (seen & 0xFF) << shift
    both = (state & 0xFF) & ((state >> SEEN_SHIFT) & 0xFF)
    if both & FIN or (state | state >> SEEN_SHIFT) & RST:
        state |= CLOSED
    rows[r, STATE] = state


@njit(forceinline=True, **_OPTIONS)
def segment_events(flags, length):
    """History bits of one TCP segment."""
    seen = int64(0)
    if flags & 2:
        seen |= SYN_ACK if flags & 16 else SYN
    elif flags & 16 and length == 0 and flags & 5 == 0:
        seen |= ACKED
    if length > 0:
        seen |= DATA
    if flags & 1:
        seen |= FIN
    if flags & 4:
        seen |= RST
    return seen


@njit(forceinline=True, **_OPTIONS)
def hash_group(packets, start, n, stage, index, hashes, keys, directions, seeds):
    """Keys and hashes of up to GROUP packets from `start` into the buffers from `stage` on; their index lines are asked for."""
    mask = int64(len(index) - 1)
    for k in range(min(int64(GROUP), int64(n) - start)):
        p = packets[start + k]
        g = stage + k
        if p.ip_version == 0 or p.kind & KIND_NO_FLOW:
            directions[g] = -1
            continue
        d = int64(0)
        one_way = int64(p.kind & KIND_ONE_WAY)
        if one_way == 0:
            if p.src_hi != p.dst_hi:
                d = int64(p.src_hi > p.dst_hi)
            elif p.src_lo != p.dst_lo:
                d = int64(p.src_lo > p.dst_lo)
            else:
                d = int64(p.src_port > p.dst_port)
        tail = int64(p.vlan) << 16 | one_way << 13 | int64(p.ip_version) << 8 | int64(p.protocol)
        tunnel = int64(p.tunnel) | int64(p.depth) << 32
        if d == 0:
            a_hi, a_lo, b_hi, b_lo = int64(p.src_hi), int64(p.src_lo), int64(p.dst_hi), int64(p.dst_lo)
            key = int64(p.src_port) << 48 | int64(p.dst_port) << 32 | tail
        else:
            a_hi, a_lo, b_hi, b_lo = int64(p.dst_hi), int64(p.dst_lo), int64(p.src_hi), int64(p.src_lo)
            key = int64(p.dst_port) << 48 | int64(p.src_port) << 32 | tail
        h = hash_key(a_hi, a_lo, b_hi, b_lo, key, tunnel, seeds)
        keys[g, 0], keys[g, 1], keys[g, 2], keys[g, 3], keys[g, 4], keys[g, 5] = a_hi, a_lo, b_hi, b_lo, key, tunnel
        hashes[g] = h
        directions[g] = d
        prefetch(index, int64(h) & mask)


@njit(forceinline=True, **_OPTIONS)
def ask_for_rows(start, n, stage, index, rows, tcp, hashes, keys, directions):
    """Ask for the rows that the index names first for the group at `stage`."""
    mask = int64(len(index) - 1)
    for g in range(stage, stage + min(int64(GROUP), int64(n) - start)):
        if directions[g] >= 0:
            entry = index[int64(hashes[g]) & mask]
            if entry != 0:
                r = int64(entry & uint64(0xFFFFFFFF)) - 1
                prefetch(rows, r * ROW_COLUMNS)
                prefetch(rows, r * ROW_COLUMNS + 8)
                if keys[g, 4] & 0xFF == 6:
                    prefetch(tcp, r * TCP_COLUMNS)


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


@njit(UPDATE_SIGNATURE, cache=True, **_OPTIONS)
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
    hashes = np.empty(STAGES * GROUP, np.uint64)
    keys = np.empty((STAGES * GROUP, 6), np.int64)
    directions = np.empty(STAGES * GROUP, np.int64)
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
                elif is_tcp and flags & 0x12 == 2 and tcp[r, MARKS + d] & NEXT_KNOWN and tcp[r, BASE + d] != int64(p.seq):
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


@njit(SWEEP_SIGNATURE, cache=True, **_OPTIONS)
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


@njit(COLLECT_SIGNATURE, cache=True, **_OPTIONS)
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

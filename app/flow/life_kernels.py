"""Beginning and end of a flow's row: begin, end, eviction, timeouts."""

from __future__ import annotations

from numba import int64, njit, types

from app.flow import layout as at
from app.flow.index_kernels import hash_key, remove
from app.flow.record_kernels import write_record
from app.native.declare import stack_array
from app.wire.load_kernels import prefetch

A_HI, A_LO, B_HI, B_LO, KEY, TUNNEL = at.A_HI, at.A_LO, at.B_HI, at.B_LO, at.KEY, at.TUNNEL
FIRST, LAST, PACKETS, FLOW_ID, STATE = at.FIRST, at.LAST, at.PACKETS, at.FLOW_ID, at.STATE
ORIGINATOR_B, ORIGINATOR_CERTAIN, CLOSED = at.ORIGINATOR_B, at.ORIGINATOR_CERTAIN, at.CLOSED
RTT, HISTORY, INTERFACE = at.RTT, at.HISTORY, at.INTERFACE
ROW_COLUMNS, TCP_COLUMNS, TIMED, ROLLED_COLUMNS = at.ROW_COLUMNS, at.TCP_COLUMNS, at.TIMED, at.ROLLED_COLUMNS
NEXT_FLOW_ID, FREE, ACTIVE, EVICTED, HAND, ENDED, CREATED = (
    at.NEXT_FLOW_ID,
    at.FREE,
    at.ACTIVE,
    at.EVICTED,
    at.HAND,
    at.ENDED,
    at.CREATED,
)
EVICTION = 4  # index into ENDINGS
EVICTION_SAMPLE = 4
LOOK_AHEAD = 8  # rows from the clock's hand to those that are asked for
EVICTION_BATCH = 64  # flows evicted at a time in a large table
NEVER_SILENT = (1 << 63) - 1
TURNED_ROUND = 94  # '^' in the history

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_victims = stack_array((EVICTION_BATCH,), types.int64)


@njit(forceinline=True, **_OPTIONS)
def idle_limit(key, state, timeouts):
    """Nanoseconds of silence that end a flow. timeouts: [TCP open, TCP closed, UDP, other]."""
    protocol = key & 0xFF
    if protocol == 6:
        return timeouts[1] if state & CLOSED else timeouts[0]
    return timeouts[2] if protocol == 17 else timeouts[3]


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
    victims = _victims()
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
    for k in range(
        0 if rows[r, KEY] & 0xFF == 6 else INTERFACE, TIMED
    ):  # of the ring behind it MARKS says what is in use
        tcp[r, k] = 0
    for k in range(ROLLED_COLUMNS):
        rolled[r, k] = 0
    tcp[r, INTERFACE] = interface
    if rows[r, KEY] & 0xFF == 6:
        tcp[r, RTT] = -1
        if flags & 0x12 == 0x12:  # a SYN-ACK first: its receiver opened the connection (Zeek's '^')
            state = int64(0) if d == 1 else ORIGINATOR_B
            state |= ORIGINATOR_CERTAIN
            tcp[r, HISTORY] = TURNED_ROUND
        elif flags & 2:
            state |= ORIGINATOR_CERTAIN
    rows[r, STATE] = state

"""Compiled loops over the records of pcap and pcapng buffers: read them into `FRAME` records, and write them from such.

Every load is preceded by a check that the bytes are there: the kernels run without bounds checking. They keep no state; what goes
in and out beside the frames is in small int64 arrays whose places are named below.
"""

# mypy: disable-error-code="no-untyped-def,call-arg,var-annotated,assignment"
from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numba import types

from app.native.declare import kernel
from app.wire.load_kernels import load16, load32
from app.wire.pcap_layout import (
    CLOCK_BINARY,
    CLOCK_DIVIDE,
    CLOCK_MULTIPLY,
    COUNT,
    DAMAGED,
    ENHANCED_PACKET,
    FULL,
    IF_CLOCK,
    IF_FACTOR,
    IF_INDEX,
    IF_LINK_TYPE,
    IF_OFFSET,
    IF_SNAPLEN,
    INTERFACE_DESCRIPTION,
    MAX_BLOCK,
    MAX_FRAME,
    MAX_RECORD,
    META,
    MORE,
    NO_TIME,
    OLD_PACKET,
    OTHERS,
    POSITION,
    SECTION_HEADER,
    SIMPLE_PACKET,
    SKIP,
    WHY,
    WHY_BLOCK_LENGTH,
    WHY_FRAME_LENGTH,
    WHY_INTERFACE,
    WHY_TRAILER,
)
from app.wire.records import FRAME_DTYPE

_LAST_NS: Final = np.uint64(2**63 - 1)
_BYTES: Final = types.Array(types.uint8, 1, "C")
_LONGS: Final = types.Array(types.int64, 1, "C")
_TABLE: Final = types.Array(types.int64, 2, "C")
_FRAMES: Final = numba.from_dtype(FRAME_DTYPE)[::1]


@numba.njit(inline="always")
def _u32(data, offset, big):
    value = load32(data, offset)
    if big:
        return value
    return ((value & 0xFF) << 24) | ((value & 0xFF00) << 8) | ((value >> 8) & 0xFF00) | (value >> 24)


@numba.njit(inline="always")
def _u16(data, offset, big):
    value = load16(data, offset)
    if big:
        return value
    return ((value & 0xFF) << 8) | (value >> 8)


@numba.njit(inline="always")
def _put(frames, i, ts, offset, cap_len, wire_len, interface, link_type):
    frame = frames[i]
    frame.ts = ts
    frame.offset = offset
    frame.cap_len = cap_len
    frame.wire_len = wire_len
    frame.interface = interface
    frame.link_type = link_type
    frame.vlan_tci = 0
    frame.vlan_tpid = 0
    frame.reserved = 0


@kernel(types.int64(_BYTES, types.int64, types.int64, _LONGS, _FRAMES, _LONGS))
def walk_pcap(data, start, end, layout, frames, state):
    """Records of a pcap in data[start:end]. `layout`: big-endian, unit_ns, record header bytes, link type, order of lengths."""
    big = layout[0] != 0
    unit_ns, header, link_type, lengths = layout[1], layout[2], layout[3], layout[4]
    end = min(end, len(data))
    position, count, status = start, 0, MORE
    while end - position >= header:
        cap_len = _u32(data, position + 8, big)
        wire_len = _u32(data, position + 12, big)
        if lengths != 0 and (lengths == 2 or cap_len > wire_len):
            cap_len, wire_len = wire_len, cap_len
        if cap_len > MAX_FRAME:
            status = DAMAGED
            break
        if end - position - header < cap_len:
            break
        if count == len(frames):
            status = FULL
            break
        ts = _u32(data, position, big) * 1_000_000_000 + _u32(data, position + 4, big) * unit_ns
        _put(frames, count, ts, position + header, cap_len, wire_len, 0, link_type)
        count += 1
        position += header + cap_len
    state[POSITION] = position
    state[COUNT] = count
    return status


@numba.njit(nogil=True, error_model="numpy")
def pcapng_time(high, low, table, row):
    """The two halves of a pcapng timestamp as ns since the epoch, by the clock of interface `row`; NO_TIME if no int64 holds it."""
    value = (np.uint64(high) << np.uint64(32)) | np.uint64(low)
    clock = table[row, IF_CLOCK]
    factor = np.uint64(table[row, IF_FACTOR])
    if clock == CLOCK_MULTIPLY:
        if value > _LAST_NS // factor:
            return NO_TIME
        value = value * factor
    elif clock == CLOCK_DIVIDE:
        value = value // factor
    elif clock == CLOCK_BINARY:
        bits = factor
        if bits > np.uint64(34):  # 34 bits of a second times 10^9 fit into 64 bits; finer ones are below a nanosecond
            extra = bits - np.uint64(34)
            value = value >> extra if extra < np.uint64(64) else np.uint64(0)
            bits = np.uint64(34)
        seconds = value >> bits
        if seconds > _LAST_NS // np.uint64(1_000_000_000):
            return NO_TIME
        fraction = value & ((np.uint64(1) << bits) - np.uint64(1))
        value = seconds * np.uint64(1_000_000_000) + ((fraction * np.uint64(1_000_000_000)) >> bits)
    else:
        return NO_TIME
    if value > _LAST_NS:
        return NO_TIME
    ts = np.int64(value)
    offset = table[row, IF_OFFSET]
    if offset > 0 and ts > np.int64(_LAST_NS) - offset:
        return NO_TIME
    ts += offset
    return ts if ts >= 0 else NO_TIME


@kernel(types.int64(_BYTES, types.int64, types.int64, types.boolean, _TABLE, types.int64, _FRAMES, _LONGS))
def walk_pcapng(data, start, end, big, table, interfaces, frames, state):
    """Blocks of one pcapng section in data[start:end]; stops with META where the section or its interfaces change.

    `table`: one row (IF_ columns) for each of the section's `interfaces`.
    """
    end = min(end, len(data))
    position, count, others, skip, why, status = start, 0, 0, 0, 0, MORE
    while end - position >= 12:
        kind = _u32(data, position, big)
        if kind in (SECTION_HEADER, INTERFACE_DESCRIPTION):
            status = META
            break
        length = (_u32(data, position + 4, big) + 3) & ~3  # some writers leave the padding out
        if length < 12 or length > MAX_BLOCK:
            why = WHY_BLOCK_LENGTH
            break
        whole = length <= MAX_RECORD
        if whole:
            if end - position < length:
                break
            trailer = (_u32(data, position + length - 4, big) + 3) & ~3
            if trailer != length:
                why = WHY_TRAILER
                break
        if kind in (ENHANCED_PACKET, OLD_PACKET, SIMPLE_PACKET):
            simple = kind == SIMPLE_PACKET
            begin = 12 if simple else 28
            if length < begin + 4:
                why = WHY_BLOCK_LENGTH
                break
            if end - position < begin:
                break
            row, ts = 0, NO_TIME
            if kind == ENHANCED_PACKET:
                row = _u32(data, position + 8, big)
            elif kind == OLD_PACKET:
                row = _u16(data, position + 8, big)
            if row >= interfaces or row >= len(table):
                why = WHY_INTERFACE
                break
            if simple:
                wire_len = _u32(data, position + 8, big)
                cap_len = min(wire_len, length - 16)
                if table[row, IF_SNAPLEN] > 0:
                    cap_len = min(cap_len, table[row, IF_SNAPLEN])
            else:
                cap_len = _u32(data, position + 20, big)
                wire_len = _u32(data, position + 24, big)
                ts = pcapng_time(_u32(data, position + 12, big), _u32(data, position + 16, big), table, row)
            if cap_len > length - begin - 4 or cap_len > MAX_FRAME:
                why = WHY_FRAME_LENGTH
                break
            if end - position - begin < cap_len:
                break
            if count == len(frames):
                status = FULL
                break
            _put(frames, count, ts, position + begin, cap_len, wire_len, table[row, IF_INDEX], table[row, IF_LINK_TYPE])
            count += 1
        else:
            others += 1
        if not whole and end - position < length:  # a huge block: what is not here yet is of no interest
            skip = length - (end - position)
            position = end
            break
        position += length
    state[POSITION] = position
    state[COUNT] = count
    state[OTHERS] = others
    state[SKIP] = skip
    state[WHY] = why
    return DAMAGED if why else status

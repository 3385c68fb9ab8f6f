"""Compiled loop over one block of a TPACKET_V3 ring (linux/if_packet.h: tpacket3_hdr, sockaddr_ll behind it)."""

# mypy: disable-error-code="no-untyped-def,call-arg,var-annotated,assignment"
from __future__ import annotations

import sys
from typing import Final

import numba
import numpy as np
from numba import types

from app.capture.ring_layout import (
    ADDRESS,
    COUNT,
    DAMAGED,
    DONE,
    FULL,
    HEADER,
    KERNEL_INDEX,
    LEFT,
    LINK_TYPE,
    LOOPBACK,
    POSITION,
    UNKNOWN_INTERFACE,
)
from app.native.declare import kernel
from app.wire.load_kernels import load16, load32
from app.wire.records import FRAME_DTYPE

_VLAN_VALID: Final = 1 << 4
_TPID_VALID: Final = 1 << 6
_OUTGOING: Final = 4
_RAW: Final = 101
_ETHERNET: Final = 1
_BIG: Final = sys.byteorder == "big"

_BYTES: Final = types.Array(types.uint8, 1, "C")
_LONGS: Final = types.Array(types.int64, 1, "C")
_TABLE: Final = types.Array(types.int64, 2, "C")
_FRAMES: Final = numba.from_dtype(FRAME_DTYPE)[::1]


@numba.njit(inline="always")
def _u32(data, offset):
    value = load32(data, offset)
    if _BIG:
        return value
    return ((value & 0xFF) << 24) | ((value & 0xFF00) << 8) | ((value >> 8) & 0xFF00) | (value >> 24)


@numba.njit(inline="always")
def _u16(data, offset):
    value = load16(data, offset)
    if _BIG:
        return value
    return ((value & 0xFF) << 8) | (value >> 8)


@kernel(types.int64(_BYTES, types.int64, _TABLE, types.int64, types.int64, _FRAMES, _LONGS))
def walk_ring_block(data, end, table, rows, fixed, frames, state):
    """Packets of the ring block that ends at `end`, from state[POSITION] on, into frames from state[COUNT] on.

    `table`: `rows` interfaces. `fixed`: the row of all packets, or -1: found by the kernel's number in each packet.
    """
    position, left, count = state[POSITION], state[LEFT], state[COUNT]
    end = min(end, len(data))
    row, status = max(fixed, 0), DONE
    while left > 0:
        if position < 0 or end - position < HEADER + ADDRESS:
            status = DAMAGED
            break
        if count == len(frames):
            status = FULL
            break
        if fixed < 0:
            number = _u32(data, position + HEADER + 4)
            if row >= rows or table[row, KERNEL_INDEX] != number:
                row = 0
                while row < rows and table[row, KERNEL_INDEX] != number:
                    row += 1
                if row == rows:
                    status = UNKNOWN_INTERFACE
                    break
        following = _u32(data, position)
        # A packet that a loopback interface sends comes twice; as libpcap, keep the one that was received.
        if table[row, LOOPBACK] == 0 or np.int64(data[position + HEADER + 10]) != _OUTGOING:
            begin = _u16(data, position + 24)
            cap_len = _u32(data, position + 12)
            wire_len = _u32(data, position + 16)
            link_type = table[row, LINK_TYPE]
            if link_type == _RAW:
                before = min(_u16(data, position + 26) - begin, cap_len)
                if before > 0:
                    begin, cap_len, wire_len = begin + before, cap_len - before, wire_len - before
            if cap_len > end - position - begin:
                status = DAMAGED
                break
            flags = _u32(data, position + 20)
            tci, tpid = 0, 0
            if flags & _VLAN_VALID and link_type == _ETHERNET:
                tci = _u32(data, position + 32) & 0xFFFF
                tpid = _u16(data, position + 36) if flags & _TPID_VALID else 0x8100
                wire_len += 4
            frame = frames[count]
            frame.ts = _u32(data, position + 4) * 1_000_000_000 + _u32(data, position + 8)
            frame.offset = position + begin
            frame.cap_len = cap_len
            frame.wire_len = wire_len
            frame.interface = row
            frame.link_type = link_type
            frame.vlan_tci = tci
            frame.vlan_tpid = tpid
            frame.reserved = 0
            count += 1
        left -= 1
        if following == 0:
            break
        position += following
    state[POSITION] = position
    state[LEFT] = left
    state[COUNT] = count
    return status

"""Compiled loops that put frames into pcap and pcapng records.

A VLAN tag that the kernel moved into the ring header (vlan_tpid ≠ 0) is put back at byte 12, where it was on the wire.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,var-annotated,assignment,operator"
from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numba import types

from app.native.declare import kernel
from app.wire.records import FRAME_DTYPE

PCAP_HEADER: Final = 16
PCAPNG_AROUND: Final = 32  # bytes of an Enhanced Packet Block beside the frame
TAG: Final = 4
TAG_AT: Final = 12

_BYTES: Final = types.Array(types.uint8, 1, "C")
_FRAMES: Final = numba.from_dtype(FRAME_DTYPE)[::1]


@numba.njit(inline="always")
def _put32(out, position, value):
    out[position] = value & 0xFF
    out[position + 1] = (value >> 8) & 0xFF
    out[position + 2] = (value >> 16) & 0xFF
    out[position + 3] = (value >> 24) & 0xFF


@numba.njit(nogil=True, error_model="numpy")
def put_frame(out, position, data, offset, cap_len, tpid, tci):
    """Copy a frame, with its tag where there is one; the position behind it. The caller has checked the room."""
    head = TAG_AT if tpid else 0
    for i in range(head):
        out[position + i] = data[offset + i]
    if tpid:
        position += TAG_AT
        out[position] = tpid >> 8
        out[position + 1] = tpid & 0xFF
        out[position + 2] = tci >> 8
        out[position + 3] = tci & 0xFF
        position += TAG
    rest = cap_len - head
    for i in range(rest):
        out[position + i] = data[offset + head + i]
    return position + rest


@kernel(types.UniTuple(types.int64, 3)(_BYTES, _FRAMES, types.int64, types.int64, _BYTES))
def pack_pcap(data, frames, first, link_type, out):
    """Records with ns times of frames[first:] of one link type, until `out` is full: (next frame, bytes, frames left out)."""
    position, left_out, i = 0, 0, first
    while i < len(frames):
        frame = frames[i]
        offset, cap_len = np.int64(frame.offset), np.int64(frame.cap_len)
        if offset + cap_len > len(data) or frame.link_type != link_type:
            left_out += 1
            i += 1
            continue
        tpid = np.int64(frame.vlan_tpid) if cap_len >= TAG_AT else 0
        kept = cap_len + (TAG if tpid else 0)
        if position + PCAP_HEADER + kept > len(out):
            break
        ts = max(np.int64(frame.ts), 0)
        _put32(out, position, ts // 1_000_000_000)
        _put32(out, position + 4, ts % 1_000_000_000)
        _put32(out, position + 8, kept)
        _put32(out, position + 12, np.int64(frame.wire_len))
        position = put_frame(out, position + PCAP_HEADER, data, offset, cap_len, tpid, np.int64(frame.vlan_tci))
        i += 1
    return i, position, left_out


@kernel(types.UniTuple(types.int64, 3)(_BYTES, _FRAMES, types.int64, types.int64, _BYTES))
def pack_pcapng(data, frames, first, interfaces, out):
    """Enhanced Packet Blocks of frames[first:] from described interfaces, until `out` is full: as `pack_pcap`."""
    position, left_out, i = 0, 0, first
    while i < len(frames):
        frame = frames[i]
        offset, cap_len = np.int64(frame.offset), np.int64(frame.cap_len)
        if offset + cap_len > len(data) or frame.interface >= interfaces:
            left_out += 1
            i += 1
            continue
        tpid = np.int64(frame.vlan_tpid) if cap_len >= TAG_AT else 0
        kept = cap_len + (TAG if tpid else 0)
        length = PCAPNG_AROUND + ((kept + 3) & ~3)
        if position + length > len(out):
            break
        ts = max(np.int64(frame.ts), 0)
        _put32(out, position, 6)
        _put32(out, position + 4, length)
        _put32(out, position + 8, np.int64(frame.interface))
        _put32(out, position + 12, ts >> 32)
        _put32(out, position + 16, ts & 0xFFFFFFFF)
        _put32(out, position + 20, kept)
        _put32(out, position + 24, np.int64(frame.wire_len))
        end = position + length
        at = put_frame(out, position + 28, data, offset, cap_len, tpid, np.int64(frame.vlan_tci))
        while at < end - 4:
            out[at] = 0
            at += 1
        _put32(out, end - 4, length)
        position = end
        i += 1
    return i, position, left_out

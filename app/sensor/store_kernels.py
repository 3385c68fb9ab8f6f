"""Copying frames into the two byte rings of the packet store, and their index records beside them.

A ring is a byte array, a circular array of `STORED_DTYPE` records in order of arrival, and `RING_FIELDS` numbers of state. A frame
lies in one piece: what does not fit before the end of the ring starts at its beginning. Making room forgets the oldest
frames, which are counted.
"""

# mypy: disable-error-code="no-untyped-def,call-arg,assignment"

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import from_dtype, njit, types
from numba.extending import intrinsic

from app.native.declare import kernel
from app.sensor.store_layout import (
    CUT,
    HELD,
    OLDEST,
    OLDEST_BYTE,
    OVERWRITTEN,
    STORED_DTYPE,
    WRITE,
    WRITE_OFFSET,
)
from app.wire.records import FRAME_DTYPE, PACKET_DTYPE

_PACKET_WORDS: Final = PACKET_DTYPE.itemsize // 8

VLAN_TAG: Final = 4
ADDRESSES: Final = 12  # bytes of an Ethernet header before a VLAN tag
ETHERNET: Final = 1
WORDS_TYPE = types.Array(types.uint64, 2, "C")
_I8P = ir.IntType(8).as_pointer()


@intrinsic
def copy_bytes(typingctx: Any, to: Any, to_offset: Any, source: Any, source_offset: Any, length: Any) -> Any:
    """memcpy between two uint8 arrays that do not overlap. Checks nothing: the caller has checked both ranges."""
    if not (isinstance(to, types.Array) and isinstance(source, types.Array)):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def address(place: int) -> Any:
            data = context.make_array(signature.args[place])(context, builder, args[place]).data
            return builder.gep(builder.bitcast(data, _I8P), [args[place + 1]])

        length_type = ir.IntType(64)
        function_type = ir.FunctionType(ir.VoidType(), [_I8P, _I8P, length_type, ir.IntType(1)])
        function = builder.module.declare_intrinsic("llvm.memcpy", [_I8P, _I8P, length_type], function_type)
        builder.call(function, [address(0), address(2), args[4], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp, types.int64), codegen


_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
_BYTES = types.Array(types.uint8, 1, "C")
_STORED = from_dtype(STORED_DTYPE)[::1]
_STATE = types.Array(types.int64, 1, "C")


@njit(forceinline=True, **_OPTIONS)
def reserve(length, capacity, index, state):
    """Room for a frame of `length` bytes (at most half of `capacity`) and its record; the frame's offset in the ring.

    No division: this runs per packet."""
    records = np.int64(len(index))
    offset = state[WRITE_OFFSET]
    start = state[WRITE]
    if offset + length > capacity:  # a frame lies in one piece
        start += capacity - offset
        offset = np.int64(0)
    end = start + length
    held = state[HELD]
    while held > 0 and (state[OLDEST_BYTE] + capacity < end or held >= records):
        held -= 1
        state[OVERWRITTEN] += 1
        old = state[OLDEST]
        new = old + 1 if old + 1 < records else np.int64(0)
        state[OLDEST] = new
        if held > 0:
            # Frames follow each other by less than a lap (none is longer than half the ring), so offsets tell positions.
            step = np.int64(index[new].offset) - np.int64(index[old].offset)
            state[OLDEST_BYTE] += step if step >= 0 else step + capacity
    if held == 0:
        state[OLDEST_BYTE] = start
    state[HELD] = held
    state[WRITE] = end
    state[WRITE_OFFSET] = offset + length
    return offset


@njit(forceinline=True, **_OPTIONS)
def put(data, frame, have, tag, packets, i, packet_id, flow_id, ring, index, words, state):
    """One frame into one ring. The caller has checked that `have` bytes lie in `data`."""
    capacity = np.int64(len(ring))
    start = np.int64(frame.offset)
    if have + tag > capacity // 2:
        have = capacity // 2 - tag
        state[CUT] += 1
    at = reserve(have + tag, capacity, index, state)
    if tag == 0:
        copy_bytes(ring, at, data, start, have)
    else:
        copy_bytes(ring, at, data, start, np.int64(ADDRESSES))
        ring[at + 12] = np.uint8(frame.vlan_tpid >> 8)
        ring[at + 13] = np.uint8(frame.vlan_tpid & 255)
        ring[at + 14] = np.uint8(frame.vlan_tci >> 8)
        ring[at + 15] = np.uint8(frame.vlan_tci & 255)
        copy_bytes(ring, at + 16, data, start + ADDRESSES, have - ADDRESSES)
    slot = state[OLDEST] + state[HELD]
    if slot >= len(index):
        slot -= len(index)
    for word in range(_PACKET_WORDS):
        words[slot, word] = packets[i, word]
    record = index[slot]
    record.offset = at
    record.cap_len = have + tag
    if tag != 0:
        record.payload_offset = min(np.int64(record.payload_offset) + tag, np.int64(0xFFFF))
    record.packet_id = packet_id
    record.flow_id = flow_id
    state[HELD] += 1


@kernel(
    types.int64(
        _BYTES,
        from_dtype(FRAME_DTYPE)[::1],
        types.Array(types.uint64, 2, "C", readonly=True),
        types.Array(types.uint8, 1, "C", readonly=True),
        types.Array(types.uint64, 1, "C", readonly=True),
        types.uint64,
        _BYTES,
        _STORED,
        WORDS_TYPE,
        _STATE,
        _BYTES,
        _STORED,
        WORDS_TYPE,
        _STATE,
    )
)
def store_frames(
    data,
    frames,
    packets,
    heads,
    flow_ids,
    first_id,
    head_bytes,
    head_index,
    head_words,
    head_state,
    bulk_bytes,
    bulk_index,
    bulk_words,
    bulk_state,
):
    """Copy all frames of a block; returns how many lay outside the buffer (held with no bytes).

    packets: uint64[n, 12], the PACKET records as words; *_words: the index records as words (uint64[m, 14], same memory)."""
    outside = 0
    limit = np.int64(len(data))
    for i in range(len(frames)):
        frame = frames[i]
        start = np.int64(frame.offset)
        have = np.int64(frame.cap_len)
        if start + have > limit:
            have = np.int64(0)
            outside += 1
        tag = np.int64(0)
        if frame.vlan_tpid != 0 and frame.link_type == ETHERNET and have >= ADDRESSES:
            tag = np.int64(VLAN_TAG)
        packet_id, flow_id = first_id + np.uint64(i), flow_ids[i]
        if heads[i] != 0:  # two calls: choosing the arrays first would count references per packet
            put(data, frame, have, tag, packets, i, packet_id, flow_id, head_bytes, head_index, head_words, head_state)
        else:
            put(data, frame, have, tag, packets, i, packet_id, flow_id, bulk_bytes, bulk_index, bulk_words, bulk_state)
    return outside

"""The classic BPF machine, compiled: one frame, and a block of frames. `app.wire.bpf` says which programs may run.

Every load of a frame is checked, and one that is outside ends the program with 0, "does not match".
"""

# mypy: disable-error-code="no-untyped-def,call-arg,var-annotated,assignment"
from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numba import types

from app.native.declare import kernel
from app.wire.load_kernels import load16, load32
from app.wire.records import FRAME_DTYPE

_MASK: Final = 0xFFFFFFFF
_BYTES: Final = types.Array(types.uint8, 1, "C")
_PROGRAM: Final = types.Array(types.int64, 2, "C")
_LONGS: Final = types.Array(types.int64, 1, "C")
_FRAMES: Final = numba.from_dtype(FRAME_DTYPE)[::1]


@numba.njit(inline="always")
def _alu(op, a, operand):
    """One arithmetic step on 32-bit values; the operand of a division is not 0."""
    if op == 0x00:
        a += operand
    elif op == 0x10:
        a -= operand
    elif op == 0x20:
        a = np.int64(np.uint64(a) * np.uint64(operand) & np.uint64(_MASK))
    elif op == 0x30:
        a = a // operand
    elif op == 0x40:
        a |= operand
    elif op == 0x50:
        a &= operand
    elif op == 0x60:
        a = a << operand if operand < 32 else 0
    elif op == 0x70:
        a = a >> operand if operand < 32 else 0
    elif op == 0x80:
        a = -a
    elif op == 0x90:
        a = a % operand
    else:
        a ^= operand
    return a & _MASK


@numba.njit(nogil=True, error_model="numpy")
def run_program(data, start, cap_len, wire_len, program, memory):
    """The return value of a program that `problem` found nothing against, on the frame data[start:start + cap_len]."""
    a, x, at = 0, 0, 0
    memory[:] = 0
    while at < len(program):
        code, k = program[at, 0], program[at, 3]
        kind = code & 7
        at += 1
        if kind == 0 or kind == 1:  # load into A, into X
            mode, size = code & 0xE0, code & 0x18
            value = 0
            if mode == 0x00:
                value = k
            elif mode == 0x60:
                value = memory[k]
            elif mode == 0x80:
                value = wire_len
            else:
                offset = k + x if mode == 0x40 else k
                width = 1 if mode == 0xA0 or size == 0x10 else 2 if size == 0x08 else 4
                if offset > cap_len - width:
                    return 0
                if width == 4:
                    value = load32(data, start + offset)
                elif width == 2:
                    value = load16(data, start + offset)
                else:
                    value = np.int64(data[start + offset])
                if mode == 0xA0:
                    value = (value & 15) << 2
            if kind == 0:
                a = value
            else:
                x = value
        elif kind == 2:
            memory[k] = a
        elif kind == 3:
            memory[k] = x
        elif kind == 4:
            operand = x if code & 0x08 else k
            op = code & 0xF0
            if operand == 0 and (op == 0x30 or op == 0x90):
                return 0
            a = _alu(op, a, operand)
        elif kind == 5:
            operand = x if code & 0x08 else k
            op = code & 0xF0
            if op == 0x00:
                at += k
            else:
                true = (
                    a == operand
                    if op == 0x10
                    else a > operand
                    if op == 0x20
                    else a >= operand
                    if op == 0x30
                    else (a & operand) != 0
                )
                at += program[at - 1, 1] if true else program[at - 1, 2]
        elif kind == 6:
            return k if code == 0x06 else a if code == 0x16 else x
        elif code & 0x80:
            a = x
        else:
            x = a
    return 0


@kernel(types.int64(_BYTES, types.int64, types.int64, types.int64, _PROGRAM, _LONGS))
def run(data, start, cap_len, wire_len, program, memory):
    """One frame; see `run_program`."""
    return run_program(data, start, cap_len, wire_len, program, memory)


@kernel(types.int64(_BYTES, _FRAMES, types.int64, _PROGRAM, _LONGS))
def select(data, frames, link_type, program, memory):
    kept = 0
    for i in range(len(frames)):
        frame = frames[i]
        if frame.link_type == link_type:
            start, cap_len = np.int64(frame.offset), np.int64(frame.cap_len)
            if (
                start + cap_len > len(data)
                or run_program(data, start, cap_len, np.int64(frame.wire_len), program, memory) == 0
            ):
                continue
        if kept != i:
            frames[kept] = frames[i]
        kept += 1
    return kept

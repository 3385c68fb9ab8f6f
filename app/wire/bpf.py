"""Classic BPF over a block of frames: `Filter(program).select(data, frames)` keeps the frames that match.

The machine is that of McCanne and Jacobson, "The BSD Packet Filter" (1993): accumulator, index register, 16 words of memory, jumps only
forward. `Filter` refuses programs that could leave their own code; every load of a frame is checked, and one that is outside
ends the program with 0, "does not match". So any program over any bytes ends after at most its own length of steps.
"""

# mypy: disable-error-code="no-untyped-def,call-arg,var-annotated,assignment"
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from app.wire.load_kernels import load16, load32
from app.wire.records import FRAME_DTYPE

MAX_INSTRUCTIONS: Final = 4096  # BPF_MAXINSNS
_MEMORY_WORDS: Final = 16
_MASK: Final = 0xFFFFFFFF

# Instruction classes, and the parts of a code.
_LD, _LDX, _ST, _STX, _ALU, _JMP, _RET, _MISC = range(8)
_LOADS: Final = {0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80}
_INDEX_LOADS: Final = {0x01, 0x61, 0x81, 0xB1}
_ALU_OPS: Final = {0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0}
_JUMPS: Final = {0x05, 0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D, 0x45, 0x4D}
_CODES: Final = frozenset(
    _LOADS
    | _INDEX_LOADS
    | {_ST, _STX}
    | {op | source | _ALU for op in _ALU_OPS for source in (0x00, 0x08)}
    | _JUMPS
    | {0x06, 0x0E, 0x16}  # ret k, x, a
    | {0x07, 0x87}  # tax, txa
)
_MEMORY_CODES: Final = {0x60, 0x61, _ST, _STX}

_BYTES: Final = types.Array(types.uint8, 1, "C")
_PROGRAM: Final = types.Array(types.int64, 2, "C")
_LONGS: Final = types.Array(types.int64, 1, "C")
_FRAMES: Final = numba.from_dtype(FRAME_DTYPE)[::1]
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "cache": True, "error_model": "numpy"}


def problem(program: Sequence[Sequence[int]]) -> str | None:
    """Why a program may not run; None: it may."""
    size = len(program)
    if not 0 < size <= MAX_INSTRUCTIONS:
        return f"a filter program has 1 to {MAX_INSTRUCTIONS} instructions, not {size}"
    for place, (code, jt, jf, k) in enumerate(program):
        if code not in _CODES:
            return f"instruction {place} has the unknown code {code:#x}"
        if not (0 <= jt <= 255 and 0 <= jf <= 255 and 0 <= k <= _MASK):
            return f"instruction {place} has a field out of range"
        if code in _MEMORY_CODES and k >= _MEMORY_WORDS:
            return f"instruction {place} uses memory word {k} of {_MEMORY_WORDS}"
        furthest = k if code == 0x05 else max(jt, jf) if code & 7 == _JMP else 0
        if place + 1 + furthest >= size and code & 7 != _RET:
            return f"instruction {place} leaves the program"
        if code in (0x34, 0x94) and k == 0:
            return f"instruction {place} divides by zero"
    return None


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


@numba.njit(types.int64(_BYTES, types.int64, types.int64, types.int64, _PROGRAM, _LONGS), **_OPTIONS)
def run(data, start, cap_len, wire_len, program, memory):
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


@numba.njit(types.int64(_BYTES, _FRAMES, types.int64, _PROGRAM, _LONGS), **_OPTIONS)
def _select(data, frames, link_type, program, memory):
    kept = 0
    for i in range(len(frames)):
        frame = frames[i]
        if frame.link_type == link_type:
            start, cap_len = np.int64(frame.offset), np.int64(frame.cap_len)
            if start + cap_len > len(data) or run(data, start, cap_len, np.int64(frame.wire_len), program, memory) == 0:
                continue
        if kept != i:
            frames[kept] = frames[i]
        kept += 1
    return kept


class Filter:
    """A program ready to run over frames of one link type."""

    def __init__(self, program: Sequence[Sequence[int]]) -> None:
        """Raises ValueError with one clause if the program may not run."""
        why = problem(program)
        if why:
            raise ValueError(why)
        self._program = np.array([tuple(i) for i in program], np.int64)
        self._memory = np.zeros(_MEMORY_WORDS, np.int64)

    def matches(self, frame: bytes, wire_len: int | None = None) -> bool:
        """Does one frame match?"""
        data = np.frombuffer(frame or b"\0", np.uint8).copy()
        return bool(run(data, 0, len(frame), len(frame) if wire_len is None else wire_len, self._program, self._memory))

    def select(self, data: NDArray[np.uint8], frames: NDArray[np.void], link_type: int) -> int:
        """Move the frames that match, or have another link type, to the front of `frames`; their number."""
        return int(_select(data, frames, link_type, self._program, self._memory))

"""Classic BPF over a block of frames: `Filter(program).select(data, frames)` keeps the frames that match.

The machine is that of McCanne and Jacobson, "The BSD Packet Filter" (1993): accumulator, index register, 16 words of memory, jumps only
forward. `Filter` refuses programs that could leave their own code; every load of a frame is checked, and one that is outside
ends the program with 0, "does not match". So any program over any bytes ends after at most its own length of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.native.loader import kernel

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


class Filter:
    """A program ready to run over frames of one link type."""

    def __init__(self, program: Sequence[Sequence[int]]) -> None:
        """Raises ValueError with one clause if the program may not run."""
        why = problem(program)
        if why:
            raise ValueError(why)
        self._program = np.array([tuple(i) for i in program], np.int64)
        self._memory = np.zeros(_MEMORY_WORDS, np.int64)
        self._run, self._select = kernel("run_filter"), kernel("select_frames")

    def matches(self, frame: bytes, wire_len: int | None = None) -> bool:
        """Does one frame match?"""
        data = np.frombuffer(frame or b"\0", np.uint8).copy()
        return bool(
            self._run(data, 0, len(frame), len(frame) if wire_len is None else wire_len, self._program, self._memory)
        )

    def select(self, data: NDArray[np.uint8], frames: NDArray[np.void], link_type: int) -> int:
        """Move the frames that match, or have another link type, to the front of `frames`; their number."""
        return int(self._select(data, frames, link_type, self._program, self._memory))

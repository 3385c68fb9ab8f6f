"""A filter over the frames of a file, which may have several link types: one program for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.capture.bpf_compile import compile_dead
from app.model.errors import CaptureError
from app.wire.bpf import Filter

Program = Sequence[Sequence[int]]  # (code, jt, jf, k) each


class FileFilter:
    """Filter text is compiled for each link type when it appears; a ready program is used for all."""

    def __init__(self, bpf: str | Program) -> None:
        self._bpf = bpf
        self._filters: dict[int, Filter | None] = {}

    def prepare(self, link_type: int, big_endian: bool) -> None:
        """Compile for a link type. Raises CaptureError(bad_filter) for the first one of a file only.

        Where the text has no meaning for a later link type (say `vlan` on raw IP), none of its frames match.
        """
        if link_type in self._filters:
            return
        try:
            program = self._compile(link_type, big_endian)
            self._filters[link_type] = Filter(program)
        except CaptureError:
            if not self._filters:
                raise
            self._filters[link_type] = None
        except ValueError as error:
            raise CaptureError("bad_filter", str(error)) from None

    def _compile(self, link_type: int, big_endian: bool) -> Program:
        return compile_dead(self._bpf, link_type, big_endian=big_endian) if isinstance(self._bpf, str) else self._bpf

    def keep(self, data: NDArray[np.uint8], frames: NDArray[np.void]) -> int:
        """Move the frames that match to the front; their number."""
        count = len(frames)
        for link_type in np.unique(frames["link_type"]).tolist():
            chosen = self._filters.get(link_type)
            if chosen is not None:
                count = chosen.select(data, frames[:count], link_type)
                continue
            others = frames[:count][frames["link_type"][:count] != link_type]
            count = len(others)
            frames[:count] = others
        return count

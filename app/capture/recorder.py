"""The files of a recording: one, or a ring of them by size and time of which the oldest are removed."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.capture.output_file import STANDARD_OUTPUT, OutputFile
from app.capture.pcap_writer import PcapngWriter, PcapWriter, Writer
from app.capture.source import SourceInterface
from app.wire.block import Block

_PIECE: Final = 128  # frames between two looks at a file's size


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a new file begins, and how many are kept. None: no such limit."""

    bytes: int | None = None
    seconds: float | None = None
    files: int | None = None

    @property
    def wanted(self) -> bool:
        return self.bytes is not None or self.seconds is not None


class Recorder:
    """Frames into `path`; with a rotation into `name_00001_20261121143215.pcap` and so on. Raises CaptureError where a file cannot be opened,
    OSError where it cannot be written."""

    def __init__(self, path: str, interfaces: Sequence[SourceInterface], snaplen: int, rotation: Rotation) -> None:
        self._path = path
        self._interfaces = interfaces
        self._snaplen = snaplen
        self._rotation = rotation
        self._number = 0
        self._before = self._size_before = self._left_out_before = 0
        self._names: deque[str] = deque()
        self.removed = 0
        self._open()

    @property
    def written(self) -> int:
        """Frames in all files so far, those that were removed too."""
        return self._before + self._writer.written

    @property
    def left_out(self) -> int:
        return self._left_out_before + self._writer.left_out

    @property
    def size(self) -> int:
        """Bytes in all files so far."""
        return self._size_before + self._output.size

    @property
    def names(self) -> list[str]:
        """The files that are there, oldest first."""
        return list(self._names)

    @property
    def count(self) -> int:
        """How many files were begun."""
        return self._number

    def write(self, block: Block) -> None:
        """Append frames; a file that is full or old enough is closed first."""
        if not self._rotation.wanted:
            self._writer.write(block)
            return
        for start in range(0, len(block.frames), _PIECE):
            self.turn_if_due()
            self._writer.write(Block(block.data, block.frames[start : start + _PIECE], block.token))

    def turn_if_due(self) -> None:
        """Begin the next file where it is time, also without frames."""
        rotation = self._rotation
        full = rotation.bytes is not None and self._output.size >= rotation.bytes
        old = rotation.seconds is not None and time.monotonic() - self._opened >= rotation.seconds
        if full or old:
            self._turn()

    def finish(self, ts: int, received: int, dropped: int) -> None:
        """Once, at the end: what the kernel counted until `ts` (ns)."""
        self._writer.finish(ts, received, dropped)
        self._output.close()

    def abandon(self) -> None:
        """After an error; what was written stays."""
        self._output.abandon()

    def _turn(self) -> None:
        self._writer.finish()
        self._output.close()
        self._before += self._writer.written
        self._size_before += self._output.size
        self._left_out_before += self._writer.left_out
        self._open()

    def _open(self) -> None:
        self._number += 1
        name = self._next_name()
        self._output = OutputFile(name)
        self._opened = time.monotonic()
        self._names.append(self._output.name)
        self._writer = self._new_writer()
        while self._rotation.files is not None and len(self._names) > self._rotation.files:
            os.unlink(self._names.popleft())
            self.removed += 1

    def _next_name(self) -> str:
        if not self._rotation.wanted or self._path == STANDARD_OUTPUT:
            return self._path
        stem, suffix = os.path.splitext(self._path)
        return f"{stem}_{self._number:05}_{time.strftime('%Y%m%d%H%M%S')}{suffix}"

    def _new_writer(self) -> Writer:
        if self._path.lower().endswith(".pcapng"):
            return PcapngWriter(self._output.write, self._interfaces, self._snaplen)
        link_type = self._interfaces[0].link_type if self._interfaces else None
        return PcapWriter(self._output.write, link_type, self._snaplen)

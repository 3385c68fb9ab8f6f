"""Capture files as a source: pcap and pcapng, plain or gzip-compressed, from a path or a stream.

One buffer is read into again and again; what is left of a cut record is carried to its front. A file that is no capture is
refused at once with one sentence; damage further on ends the file with `truncated` and keeps what came before it.
"""

from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO, Final, cast

import numpy as np

from app.capture.file_filter import FileFilter, Program
from app.capture.gunzip import Gunzip, Input
from app.capture.source import SourceInterface, SourceStatistics
from app.model.errors import CaptureError
from app.wire import pcap, pcapng
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE

READ_SIZE: Final = 512 << 10  # stays in a core's level 2 cache
FRAMES_PER_BLOCK: Final = 8192
_READS_PER_CALL: Final = 64  # a call comes back after this much without a packet
_ALLOWED: Final = "pcap and pcapng are allowed, also gzip-compressed"


class CaptureFile:
    """A pcap or pcapng file as a `Source`. A block is valid until the next `read`."""

    def __init__(self, stream: Input, name: str, size: int | None, bpf: str | Program | None) -> None:
        self.name = name
        self.interfaces: list[SourceInterface] = []
        self.finished = False
        self.truncated = False
        self.problem: str | None = None  # why the file could not be read to its end
        self._stream = stream
        self._size = size
        self._consumed = 0
        self._input: Input = stream
        self._buffer = bytearray(pcap.MAX_RECORD + READ_SIZE)
        self._view = memoryview(self._buffer)
        self._data = np.frombuffer(self._buffer, np.uint8)
        self._frames = np.zeros(FRAMES_PER_BLOCK, FRAME_DTYPE)
        self._end = 0
        self._skip = 0
        self._at_end = False
        self._hungry = False  # the last walk wanted more bytes
        self._statistics = SourceStatistics()
        self._walker = self._recognise()
        self._filter = FileFilter(bpf) if bpf else None
        self._take_interfaces()

    def fileno(self) -> None:
        """A file can always be read."""
        return None

    def read(self) -> Block | None:
        """The next frames, at most `FRAMES_PER_BLOCK`; None: none in this stretch, or the file is finished."""
        for _ in range(_READS_PER_CALL):
            if self.finished:
                return None
            if self._hungry:
                self._fill()
                if self._skip and not self._at_end:
                    continue
            walker = self._walker
            count, stopped = walker.walk(self._data, walker.position, self._end, self._frames)
            self._skip += walker.skip
            self._hungry = stopped == pcap.Walked.MORE
            self._take_interfaces()
            if stopped == pcap.Walked.DAMAGED:
                self._stop(walker.damage)
            elif self._hungry and self._at_end:
                left = self._end - walker.position
                self._stop("it ends inside a record" if (left or self._skip) and not self.problem else self.problem)
            if self._filter and count:
                kept = self._filter.keep(self._data, self._frames[:count])
                self._statistics.filtered += count - kept
                count = kept
            if count:
                self._statistics.packets += count
                return Block(self._data, self._frames[:count])
        return None

    def release(self, block: Block) -> None:
        """Nothing to do: the buffer is used again by the next `read`."""

    def statistics(self) -> SourceStatistics:
        """What was read so far."""
        self._statistics.other_records = self._walker.other_records
        return self._statistics

    def progress(self) -> float | None:
        """How much of the file was read, 0 to 1; None for a stream of unknown length."""
        if self.finished:
            return 1.0
        if not self._size:
            return None
        try:
            done = cast(io.RawIOBase, self._stream).tell()
        except (OSError, ValueError):
            return None
        return min(1.0, done / self._size)

    def close(self) -> None:
        """Close the file; the last block stays readable while somebody holds it."""
        self.finished = True
        self._stream.close()

    def _recognise(self) -> pcap.Walker:
        """Read the first stretch and find out what the file is."""
        self._first()
        if bytes(self._view[:2]) == pcap.GZIP_MAGIC:
            self._input = Gunzip(bytes(self._view[: self._end]), self._stream)
            self._end = 0
            self._first()
        head = bytes(self._view[: min(self._end, 64)])
        if not head:
            raise self._refuse(self.problem or "it is empty")
        if head[:4] == pcapng.MAGIC:
            return self._recognise_pcapng()
        if not pcap.is_pcap(head):
            raise self._refuse(self.problem or "it is not a capture file")
        header = pcap.parse_header(head)
        if isinstance(header, str):
            raise self._refuse(header)
        walker = pcap.PcapWalker(header)
        walker.position = pcap.HEADER_SIZE
        return walker

    def _recognise_pcapng(self) -> pcap.Walker:
        """Read on to the first packet, so that the interfaces are known."""
        self._walker = walker = pcapng.PcapngWalker()
        for _ in range(_READS_PER_CALL):
            _, stopped = walker.walk(self._data, walker.position, self._end, self._frames[:0])
            self._skip += walker.skip
            self._hungry = stopped == pcap.Walked.MORE
            if not walker.sections and (walker.damage or self._at_end):
                raise self._refuse(walker.damage or "it ends inside the first block")
            if not self._hungry or self._skip or self._at_end:
                break
            self._fill()
        return walker

    def _refuse(self, why: str) -> CaptureError:
        return CaptureError("bad_file", f"{self.name} cannot be read: {why}; {_ALLOWED}")

    def _first(self) -> None:
        """Fill the buffer's first stretch; short reads (a pipe) are repeated until a header is there."""
        self._at_end = False
        while self._end < 64 and not self._at_end:
            self._receive()

    def _fill(self) -> None:
        """Carry the rest to the front, skip what nobody wants, read on."""
        start = self._walker.position
        left = self._end - start
        if left and start:
            self._view[:left] = bytes(self._view[start : self._end])
        self._walker.position = 0
        self._end = left
        self._receive()
        if self._skip:  # only when nothing was left
            drop = min(self._skip, self._end)
            self._skip -= drop
            self._walker.position = drop

    def _receive(self) -> None:
        """Read up to READ_SIZE bytes behind what is there. An error ends the file like its end does, but says why."""
        try:
            size = self._input.readinto(self._view[self._end : self._end + READ_SIZE])
        except OSError as error:
            self.problem = f"reading failed ({error.strerror or error})"
            size = 0
        if not size:
            self._at_end = True
            if isinstance(self._input, Gunzip):
                self.problem = self.problem or self._input.problem
            return
        self._end += size
        self._consumed += size

    def _stop(self, problem: str | None) -> None:
        self.finished = True
        self.truncated = problem is not None
        self.problem = problem

    def _take_interfaces(self) -> None:
        known = self._walker.interfaces
        while len(self.interfaces) < len(known):
            index = len(self.interfaces)
            self.interfaces.append(SourceInterface(known[index].name, known[index].link_type, index))
            if self._filter:
                self._filter.prepare(known[index].link_type, self._walker.big_endian)


def open_file(
    path: str | os.PathLike[str] | BinaryIO, bpf: str | Program | None = None, *, name: str | None = None
) -> CaptureFile:
    """Open a capture file; "-" is standard input. `bpf`: libpcap filter text, or a compiled program. `name`: for messages.

    Raises CaptureError with one sentence: bad_file, not_permitted, bad_filter, no_libpcap.
    """
    if not isinstance(path, (str, os.PathLike)):
        return CaptureFile(cast(Input, path), name or _printable(str(getattr(path, "name", "stream"))), None, bpf)
    if path == "-":
        stdin = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        return CaptureFile(cast(Input, stdin), name or "standard input", None, bpf)
    name = name or _printable(os.fspath(path))
    try:
        stream = io.FileIO(os.fspath(path))
        size = os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        raise CaptureError("bad_file", f"{name} does not exist") from None
    except PermissionError:
        raise CaptureError("not_permitted", f"{name} may not be read by this user") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CaptureError("bad_file", f"{name} cannot be read: {why}; {_ALLOWED}") from None
    try:
        return CaptureFile(cast(Input, stream), name, size, bpf)
    except BaseException:  # raised again: nothing may stay open
        stream.close()
        raise


def _printable(name: str) -> str:
    """A file name on one line, whatever is in it."""
    return name if name.isprintable() else ascii(name)

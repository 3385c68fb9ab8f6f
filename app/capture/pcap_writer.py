"""Capture files as they are written: blocks in, a pcap or pcapng stream out.

The stream is anything with `write`; it is not closed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from app.capture.source import SourceInterface
from app.wire.block import Block
from app.wire.pcap_write import Packer, pcap_header, pcapng_header, pcapng_interface, pcapng_statistics

FORMATS: Final = ("pcap", "pcapng")
_ETHERNET: Final = 1
Write = Callable[[Any], Any]


class Writer(Protocol):
    """What both writers offer."""

    written: int  # frames
    left_out: int  # frames that the format cannot hold

    def write(self, block: Block) -> None:
        """Append a block's frames. Raises what the stream raises."""
        ...

    def finish(self, ts: int = 0, received: int = 0, dropped: int = 0) -> None:
        """Once, after the last block: what the kernel counted until `ts` (ns)."""
        ...


class PcapWriter:
    """A pcap file has one link type: that of the first frame, unless it is given; frames of others are left out and counted."""

    def __init__(self, write: Write, link_type: int | None = None, snaplen: int = 0) -> None:
        self.written = 0
        self.left_out = 0
        self._write = write
        self._snaplen = snaplen
        self._packer = Packer()
        self._link_type = link_type
        if link_type is not None:
            write(pcap_header(link_type, snaplen))

    def write(self, block: Block) -> None:
        """See `Writer.write`."""
        if not len(block.frames):
            return
        if self._link_type is None:
            self._link_type = int(block.frames["link_type"][0])
            self._write(pcap_header(self._link_type, self._snaplen))
        before = self._packer.left_out
        for piece in self._packer.pcap(block, self._link_type):
            self._write(piece)
        self.left_out = self._packer.left_out
        self.written += len(block.frames) - (self.left_out - before)

    def finish(self, ts: int = 0, received: int = 0, dropped: int = 0) -> None:
        """See `Writer.finish`. A file without packets gets its header; counters have no place in a pcap."""
        if self._link_type is None:
            self._link_type = _ETHERNET
            self._write(pcap_header(_ETHERNET, self._snaplen))


class PcapngWriter:
    """A pcapng file; interfaces that appear later in the list are described when they do."""

    def __init__(self, write: Write, interfaces: Sequence[SourceInterface], snaplen: int = 0) -> None:
        self.written = 0
        self.left_out = 0
        self._write = write
        self._interfaces = interfaces
        self._described = 0
        self._snaplen = snaplen
        self._packer = Packer()
        write(pcapng_header())
        self._describe()

    def write(self, block: Block) -> None:
        """See `Writer.write`."""
        self._describe()
        before = self._packer.left_out
        for piece in self._packer.pcapng(block, self._described):
            self._write(piece)
        self.left_out = self._packer.left_out
        self.written += len(block.frames) - (self.left_out - before)

    def finish(self, ts: int = 0, received: int = 0, dropped: int = 0) -> None:
        """See `Writer.finish`. The counters are noted where there is one interface they belong to."""
        if self._described == 1:
            self._write(pcapng_statistics(0, ts, received, dropped))

    def _describe(self) -> None:
        for interface in self._interfaces[self._described :]:
            self._write(pcapng_interface(interface.name, interface.link_type, self._snaplen))
            self._described += 1

"""What every source of packets offers, whether an interface or a file is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.wire.block import Block


@dataclass(slots=True)
class SourceInterface:
    """Where frames come from. `index` is its place in the source's list and the frames' FRAME.interface."""

    name: str  # "" where a file does not say
    link_type: int  # LINKTYPE_ number (tcpdump.org/linktypes.html)
    index: int
    up: bool = True


@dataclass(slots=True)
class SourceStatistics:
    """Counted since the source was opened."""

    packets: int = 0  # handed over in blocks
    kernel_drops: int = 0  # seen by the kernel, but there was no room for them
    queue_freezes: int = 0  # how often the ring was full
    filtered: int = 0  # dropped by a filter that runs in this process (files; a live filter runs in the kernel)
    other_records: int = 0  # records of a file that are not packets
    interface_events: int = 0  # an interface went down, away, or came back


class Source(Protocol):
    """Gives blocks of frames until it is finished."""

    @property
    def interfaces(self) -> list[SourceInterface]:
        """Grows while reading, in files that describe interfaces late; an entry never changes its index."""
        ...

    @property
    def finished(self) -> bool:
        """Nothing will ever come again."""
        ...

    @property
    def truncated(self) -> bool:
        """The file ended inside a record, or a length in it lied."""
        ...

    def fileno(self) -> int | None:
        """Readable when `read` will give something; None: it always does (a file)."""
        ...

    def read(self) -> Block | None:
        """What is ready; None: nothing now, look at `finished`."""
        ...

    def release(self, block: Block) -> None:
        """Give a block back; its data and frames are not valid after that."""
        ...

    def statistics(self) -> SourceStatistics:
        """Cumulative counters; cheap enough for once a second."""
        ...

    def close(self) -> None:
        """Free everything. Blocks that were not released become invalid."""
        ...

"""Bodies of HTTP/1.x messages: where they end. By length, in chunks (RFC 9112 section 7.1), or with the connection.

`feed` takes bytes from a place on and gives the place after what was the body's; `gap` takes a hole. Bodies are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

Sink = Callable[[bytes], None]

_SIZE: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_FAR: Final = 1 << 30  # bytes; half of what sequence numbers can tell apart
_LINE_LIMIT: Final = 4096  # a chunk's size with its extensions
_TRAILER_LIMIT: Final = 64 << 10


class Body(Protocol):
    """One body. After `feed` or `gap`: `done` – it ended; `lost` – nobody can say where it ends."""

    done: bool
    lost: bool

    def feed(self, data: bytes, position: int, sink: Sink | None) -> int:
        """Take what belongs to the body from `data[position:]`; returns the place behind it."""
        ...

    def gap(self, length: int) -> int:
        """A hole of `length` bytes; returns how many of them lie behind the body."""
        ...

    def skippable(self) -> int:
        """How many of the next bytes say nothing about where the body ends."""
        ...


class Length:
    """A body of known length."""

    __slots__ = ("done", "lost", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = length == 0
        self.lost = False

    def feed(self, data: bytes, position: int, sink: Sink | None) -> int:
        """Takes at most what remains."""
        end = min(len(data), position + self.remaining)
        if sink and end > position:
            sink(data[position:end])
        self.remaining -= end - position
        self.done = self.remaining == 0
        return end

    def gap(self, length: int) -> int:
        """Skips by length."""
        inside = min(length, self.remaining)
        self.remaining -= inside
        self.done = self.remaining == 0
        return length - inside

    def skippable(self) -> int:
        """All that remains."""
        return self.remaining


class UntilClose:
    """A body that ends with the connection."""

    __slots__ = ("done", "lost")

    def __init__(self) -> None:
        self.done = False
        self.lost = False

    def feed(self, data: bytes, position: int, sink: Sink | None) -> int:
        """Takes everything."""
        if sink:
            sink(data[position:])
        return len(data)

    def gap(self, length: int) -> int:
        """A hole is inside."""
        return 0

    def skippable(self) -> int:
        """As much as a stream can skip at once."""
        return _FAR


class Chunked:
    """A body in chunks; extensions and trailer fields are passed over."""

    __slots__ = ("_chunk", "_in_trailer", "_line", "_trailer", "done", "lost")

    def __init__(self) -> None:
        self._chunk = 0  # bytes of the current chunk that are still to come
        self._line = b""  # the begin of a line that is not complete
        self._in_trailer = False
        self._trailer = 0
        self.done = False
        self.lost = False

    def feed(self, data: bytes, position: int, sink: Sink | None) -> int:
        """Takes chunks until the last and its trailer."""
        while position < len(data) and not (self.done or self.lost):
            if self._chunk:
                end = min(len(data), position + self._chunk)
                if sink:
                    sink(data[position:end])
                self._chunk -= end - position
                position = end
                continue
            end = data.find(b"\n", position, position + _LINE_LIMIT)
            if end < 0:
                self._line += data[position : position + _LINE_LIMIT]
                self.lost = len(self._line) >= _LINE_LIMIT
                return len(data)
            line = (self._line + data[position:end]).rstrip(b"\r")
            self._line = b""
            position = end + 1
            self._take(line)
        return position

    def gap(self, length: int) -> int:
        """Skips inside a chunk; a hole in a size line loses the count."""
        inside = min(length, self._chunk)
        self._chunk -= inside
        self.lost = self.lost or length > inside or bool(self._line)
        return length - inside

    def skippable(self) -> int:
        """The rest of the chunk."""
        return self._chunk

    def _take(self, line: bytes) -> None:
        """One line between chunks: empty (after a chunk), a size, or of the trailer."""
        if self._in_trailer:
            self._trailer += len(line) + 1
            self.done = not line
            self.lost = self._trailer > _TRAILER_LIMIT
            return
        if not line:
            return
        found = _SIZE.fullmatch(line)
        if not found:
            self.lost = True
            return
        self._chunk = int(found[1], 16)
        self._in_trailer = self._chunk == 0

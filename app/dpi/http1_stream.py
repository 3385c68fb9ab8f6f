"""One direction of an HTTP/1.x connection cut into messages: heads are parsed, bodies passed over, lost places found again.

The stream asks its owner about each head (`on_head`), because a response's body depends on the request it answers. After a hole whose
end is not known, and after what is no message, it looks for the next line that begins one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.dpi.http1_body import Body, Sink
from app.dpi.http1_message import RAW_LIMIT, Head, read_fields, start_line

HEAD_LIMIT: Final = 64 << 10
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_NEXT_START: Final = re.compile(
    rb"(?:^|\n)(HTTP/1\.[01] [1-5][0-9]{2}[ \r]|[A-Z]{3,16} [!-~]{1,4096} HTTP/1\.[01]\r?\n)"
)
_KEEP: Final = 8192  # bytes kept while looking for a start line: longer than the longest there is
_LOOK: Final = 1 << 20  # bytes without a message after which nobody looks any more

# What on_head answers.
STOP: Final = "stop"  # nothing more is wanted of the connection
HOLD: Final = "hold"  # keep what follows until the owner knows whose bytes they are
_SMALL_HOLE: Final = 256  # a hole shorter than a segment: a head goes on behind it
_HOLES: Final = 4  # so many of them in one head
GO_ON: Final = ""


class Http1Stream:
    """Cuts one direction into messages. `data`, `gap` and `release` return False when nothing more is wanted."""

    __slots__ = (
        "_body",
        "_buffer",
        "_hold_next",
        "_holes",
        "_line",
        "_lost",
        "_on_head",
        "_passed",
        "_searched",
        "body_ended",
        "body_sink",
        "cut_head",
        "first_ts",
        "held",
        "messages",
        "uncertain",
    )

    def __init__(self, on_head: Callable[[Head, int], tuple[Body | None, str]]) -> None:
        self._on_head = on_head
        self._buffer = bytearray()
        self._searched = 0  # the head's end is not before this place
        self.first_ts = 0  # when the first byte of the head came
        self._line: Head | None = None  # the start line in the buffer
        self._body: Body | None = None
        self._hold_next = False
        self._lost = False  # looking for the next start line
        self._passed = 0  # bytes passed over since then
        self.held: bytearray | None = None  # bytes that wait for the owner's decision
        self.body_sink: Sink | None = None
        self.body_ended: Callable[[], None] | None = None
        self.messages = 0
        self._holes = 0
        self.cut_head: Head | None = None  # a head that a hole cut off
        self.uncertain = False  # messages may have been lost since the last one

    def data(self, data: bytes, ts: int) -> bool:
        """The next bytes."""
        position = 0
        while position < len(data):
            if self.held is not None:
                self.held += data[position:]
                return len(self.held) <= HEAD_LIMIT
            if self._body is not None:
                position = self._body.feed(data, position, self.body_sink)
                self._after_body()
                continue
            if not self._buffer:
                self.first_ts = ts
                behind = 0 if self._lost else self._whole(data, position)
                if behind is None:
                    return False
                if behind:
                    position = behind
                    continue
            self._buffer += data[position:] if position else data
            if self._lost and not self._found_again():
                self._passed += len(data) - position
                return self._passed <= _LOOK
            consumed = self._head(ts)
            if consumed is None:
                return False
            if consumed < 0:
                return True
            data, position = bytes(self._buffer[consumed:]), 0
            self._buffer.clear()
        return True

    def gap(self, length: int) -> bool:
        """A hole."""
        if self.held is not None:
            return False  # what was held cannot be put together any more
        if self._body is not None:
            behind = self._body.gap(length)
            self._after_body()
            if not behind and not self._lost:
                return True
        elif length <= _SMALL_HOLE and self._holes < _HOLES and b"\n" in self._buffer and not self._lost:
            self._holes += 1
            del self._buffer[self._buffer.rfind(b"\n") + 1 :]
            self._searched = 0
            self._buffer += b"?"  # what is left of the damaged line has no name that anybody wants
            return True
        self.cut_head = self.unfinished_head()
        self._lose()
        return True

    def skippable(self) -> int:
        """Bytes of a body that nobody reads."""
        return (
            0 if self._body is None or self.held is not None or self.body_sink is not None else self._body.skippable()
        )

    def release(self, ts: int) -> bool:
        """What was held is of this protocol after all."""
        held, self.held = self.held, None
        self._hold_next = False
        return self.data(bytes(held), ts) if held else True

    def unfinished_head(self) -> Head | None:
        """The head so far, where its start line is complete."""
        if self._lost or not self._buffer:
            return None
        return self._parsed(len(self._buffer))

    def _after_body(self) -> None:
        assert self._body is not None
        if self.body_ended is not None and (self._body.done or self._body.lost):
            self.body_ended()
        if self._body.lost:
            self._body = None
            self._lose()
        elif self._body.done:
            self._body = None
            if self._hold_next:
                self.held = bytearray()

    def _lose(self) -> None:
        self._lost = self.uncertain = True
        self._hold_next = False
        self.forget()

    def forget(self) -> None:
        """Drop the head so far."""
        self._buffer.clear()
        self._searched = 0
        self._line = None

    def _found_again(self) -> bool:
        """Look for a start line; what is before it is dropped."""
        found = _NEXT_START.search(self._buffer)
        if found:
            del self._buffer[: found.start(1)]
            self._lost = False
            self._passed = 0
            return True
        line = self._buffer.rfind(b"\n")
        del self._buffer[: max(line, len(self._buffer) - _KEEP, 0)]
        return False

    def _whole(self, data: bytes, position: int) -> int | None:
        """A head that is all in one piece, as nearly all are, without the buffer. Returns the place behind it; 0: it is not; None: nothing more is wanted."""
        found = _HEAD_END.search(data, position)
        if not found or data[position] in b"\r\n":
            return 0
        lines = data[position : found.start()].split(b"\n")
        head = start_line(lines[0])
        if head is None:
            return 0
        head.raw = data[position : min(found.start(), position + RAW_LIMIT)]
        read_fields(head, lines[1:])
        behind = found.end()
        if self._tell(head):
            return behind
        self.held = bytearray(data[behind:])  # for the protocol that follows
        return None

    def _head(self, ts: int) -> int | None:
        """Parse the head in the buffer. Returns its length; -1: not complete; None: nothing more is wanted."""
        buffer = self._buffer
        if self._line is None:
            blank = len(buffer) - len(buffer.lstrip(b"\r\n"))  # RFC 9112 section 2.2
            if blank:
                del buffer[:blank]
            end = buffer.find(b"\n")
            if end < 0:
                return -1 if len(buffer) <= HEAD_LIMIT else None
            self._line = start_line(bytes(buffer[:end]))
            if self._line is None:
                self._lost = True
                if not self._found_again():
                    return -1
                return self._head(ts)
        found = _HEAD_END.search(buffer, self._searched)
        if not found:
            self._searched = max(0, len(buffer) - 2)
            return -1 if len(buffer) <= HEAD_LIMIT else None
        head = self._parsed(found.start())
        if head is None:
            return None
        if self._tell(head):
            return found.end()
        del self._buffer[: found.end()]
        self.held, self._buffer = self._buffer, bytearray()  # for the protocol that follows
        return None

    def _parsed(self, end: int) -> Head | None:
        lines = bytes(self._buffer[:end]).split(b"\n")
        head, self._line = self._line or start_line(lines[0]), None
        if head is not None:
            head.raw = bytes(self._buffer[: min(end, RAW_LIMIT)])
            read_fields(head, lines[1:])
        return head

    def _tell(self, head: Head) -> bool:
        """Ask the owner about a head; False: the connection is another protocol's from here on."""
        self.messages += 1
        self._holes = 0
        self._searched = 0
        self._body, then = self._on_head(head, self.first_ts)
        if then == STOP:
            return False
        self._hold_next = then == HOLD
        if self._hold_next and self._body is None:
            self.held = bytearray()
        return True

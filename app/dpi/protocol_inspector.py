"""What the inspectors of small protocols share: one `Recognized` per flow, logins without secrets, lines and messages in pieces.

An inspector collects `details` and calls `tell` when the first messages are complete; at the end of the flow the rest is told.
"""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar, Final

from app.dpi.facts import CleartextLogin, Recognized
from app.dpi.inspector import DONE, MORE, FlowContext
from app.dpi.printable import printable

LINE_LIMIT: Final = 8192
_LINES: Final = 2000  # lines looked at: logins come early
_DETAILS: Final = 16
_LOGINS: Final = 1000  # attempts told per flow


class ProtocolInspector:
    """The base: `protocol` is the name in the facts."""

    protocol: ClassVar[str]

    def __init__(self, flow: FlowContext) -> None:
        self.flow = flow
        self.details: dict[str, str] = {}
        self._told = False
        self._first_ts = 0
        self._logins = 0

    def note(self, name: str, value: bytes | str | int | None) -> None:
        """Keep a detail; the first value counts, empty ones do not."""
        text = printable(value) if isinstance(value, bytes) else "" if value is None else str(value)
        if text and name not in self.details and len(self.details) < _DETAILS:
            self.details[name] = text

    def tell(self, ts: int) -> None:
        """Say once that the flow speaks this protocol."""
        if not self._told:
            self._told = True
            self.flow.sink(Recognized(self.flow.flow_id, ts, self.protocol, self.details))

    def login(self, ts: int, username: bytes | None, succeeded: bool | None) -> None:
        """Somebody logged in, or tried to."""
        self.tell(ts)
        self._logins += 1
        if self._logins <= _LOGINS:
            name = printable(username) if username else None
            self.flow.sink(CleartextLogin(self.flow.flow_id, ts, self.protocol, name, succeeded))

    def gap(self, direction: int, length: int) -> bool:
        """Without the count of bytes most protocols cannot be read on."""
        self.close(0)
        return DONE

    def close(self, ts: int) -> None:
        """Tell what is still held."""
        self.tell(ts or self._first_ts)


class LineInspector(ProtocolInspector):
    """A protocol of lines. `line` gets each without its end; over-long lines are cut, holes cost the line they are in."""

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = [bytearray(), bytearray()]
        self._skip = [False, False]  # the line's beginning is missing
        self._lines = 0

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """One line. Returns MORE or DONE."""
        raise NotImplementedError

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        begun = self._begun[direction]
        begun += data
        position = 0
        while (end := begun.find(b"\n", position)) >= 0:
            line = bytes(begun[position : min(end, position + LINE_LIMIT)]).rstrip(b"\r")
            position = end + 1
            self._lines += 1
            if self._skip[direction]:
                self._skip[direction] = False
            elif not self.line(direction, line, ts) or self._lines > _LINES:
                self.close(ts)
                return DONE
        del begun[:position]
        if len(begun) > LINE_LIMIT:
            del begun[LINE_LIMIT:]
        return MORE

    def gap(self, direction: int, length: int) -> bool:
        """The line is lost."""
        self._begun[direction].clear()
        self._skip[direction] = True
        return MORE


class MessageInspector(ProtocolInspector):
    """A protocol of messages with their length in front. `size` reads it, `message` gets each whole message up to `limit` bytes."""

    limit: ClassVar[int] = 16 << 10
    messages: ClassVar[int] = 50  # looked at per flow

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = [bytearray(), bytearray()]
        self._passed = [0, 0]  # bytes of a long message still to pass over
        self._count = 0

    def size(self, direction: int, begun: bytearray) -> int | None:
        """Length of the message at the front; 0: not known yet; None: this is not the protocol."""
        raise NotImplementedError

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """One message (long ones are cut at `limit`). Returns MORE or DONE."""
        raise NotImplementedError

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        if self._passed[direction]:
            used = min(self._passed[direction], len(data))
            self._passed[direction] -= used
            data = data[used:]
        begun = self._begun[direction]
        begun += data
        while begun:
            size = self.size(direction, begun)
            if size is None:
                self.close(ts)
                return DONE
            wanted = min(size, self.limit)
            if not size or len(begun) < wanted:
                break
            message = bytes(begun[:wanted])
            self._passed[direction] = max(0, size - len(begun))
            del begun[:size]
            self._count += 1
            if not self.message(direction, message, ts) or self._count >= self.messages:
                self.close(ts)
                return DONE
        return MORE


def decoded_base64(text: bytes) -> bytes | None:
    """Base64 with or without its padding, None where it is none."""
    text = text.strip()
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def plain_user(text: bytes) -> bytes | None:
    """The user of a SASL PLAIN response (RFC 4616): authorization NUL user NUL password."""
    parts = (decoded_base64(text) or b"").split(b"\0")
    return parts[1] if len(parts) == 3 else None


def on_port(flow: FlowContext, *ports: int) -> bool:
    """Whether one end of the flow has one of the ports: only ever a hint beside content."""
    return flow.dst_port in ports or flow.src_port in ports

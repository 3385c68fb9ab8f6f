"""What an HTTP/1 message looks like from outside: its head as sent and the first bytes of its body, told when they are there.

A body is read on only up to `BODY_LIMIT`; from there on it may be passed over as before.
"""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import HttpMessage, HttpTransaction
from app.dpi.http1_message import Head
from app.dpi.inspector import FlowContext

BODY_LIMIT: Final = 4096
_SECRET: Final = re.compile(rb"(?im)^((?:proxy-)?authorization:[ \t]*(?:basic|bearer|digest|negotiate|ntlm)\b)[^\r\n]*")


class MessageContent:
    """One direction of a connection: the message whose body is being collected."""

    __slots__ = ("_body", "_flow", "_message", "_sender")

    def __init__(self, flow: FlowContext, sender: int) -> None:
        self._flow = flow
        self._sender = sender
        self._message: HttpMessage | None = None
        self._body = b""

    def begin(self, head: Head, request: HttpTransaction | None, ts: int, has_body: bool) -> None:
        """A head is complete. Without a body the message is told at once."""
        self.end()
        raw = head.raw
        if b"authorization" in raw.lower():
            raw = _SECRET.sub(rb"\1", raw)
        self._message = HttpMessage(self._flow.flow_id, ts, self._sender, request, raw, b"")
        if not has_body:
            self.end()

    def take(self, data: bytes) -> bool:
        """Bytes of the body; False: no more are wanted."""
        if self._message is None:
            return False
        self._body += data[: BODY_LIMIT - len(self._body)]
        if len(self._body) < BODY_LIMIT:
            return True
        self.end()
        return False

    def end(self) -> None:
        """Tell the message that is being collected."""
        message, self._message = self._message, None
        if message is not None:
            message.body, self._body = self._body, b""
            self._flow.sink(message)

"""HTTP/1.x: requests with their responses (RFC 9112), pipelined or not, until the connection becomes something else.

After CONNECT or an upgrade the inspector is DONE: `flow.notes` then holds "tunnel" (True) or "upgrade" (the protocol's name), and "rest":
{direction: bytes} that came already and belong to what follows. A caller that wants the bodies puts a `BodySink` into
`flow.notes["http.body"]` before the first byte. A request is told when its response's head is complete, else when the flow ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.dpi.facts import HttpTransaction
from app.dpi.http1_body import Body, Sink
from app.dpi.http1_content import MessageContent
from app.dpi.http1_message import METHODS, Head, body_of
from app.dpi.http1_stream import GO_ON, HOLD, STOP, Http1Stream
from app.dpi.http_facts import HttpTeller
from app.dpi.inspector import FlowContext, Inspector
from app.dpi.printable import printable
from app.dpi.signatures import TCP, begins, exactly, pattern
from app.stats.bounded import Last

_PENDING: Final = 256  # requests that wait for their responses
_ORPHANS: Final = 64  # responses that wait for a request that a hole held up
_FIRST_LINE: Final = re.compile(
    rb"[\r\n]{0,8}(?:HTTP/[01]\.[0-9] [1-5][0-9]{2}[ \r\n]|[A-Z][A-Z0-9_-]{2,31} [^\0-\x1f\x7f]{1,8192} HTTP/[01]\.[0-9]\r?\n)"
)
_METHOD: Final = b"(?:" + b"|".join(sorted(METHODS)) + b")"
_WITHOUT_VERSION: Final = re.compile(_METHOD + rb" (?:/|\*|https?://|HTTP/)[^\0-\x1f\x7f]{0,8192}\r?\n")
_BEGUN: Final = re.compile(
    _METHOD + rb" (?:/|\*|https?://|[!-~]{1,255}:[0-9])[^\0-\x1f\x7f]{0,65536}\r?"
)  # the line's end is to come


@dataclass(frozen=True, slots=True)
class BodyKind:
    """What the head says of the body that follows. One object per message."""

    content_type: str
    content_encoding: str


BodySink = Callable[[int, bytes, BodyKind], None]  # direction, bytes without chunk framing, what they are


@dataclass(slots=True)
class _Request:
    """A request that waits for its response."""

    told: HttpTransaction
    method: bytes
    switches: bool  # asks for another protocol: CONNECT or Upgrade


class Http1Inspector:
    """One connection. Thousands are open at a time, so it is kept small."""

    __slots__ = ("_body_sink", "_contents", "_flow", "_orphans", "_over", "_pending", "_streams", "_teller")

    def __init__(self, flow: FlowContext) -> None:
        self._flow = flow
        self._streams = (Http1Stream(self._head_of_first), Http1Stream(self._head_of_second))
        self._pending: list[_Request] = []  # lists: a deque takes 700 bytes before it holds anything
        self._orphans: Last[tuple[Head, int]] = Last(_ORPHANS)
        self._contents = (MessageContent(flow, 0), MessageContent(flow, 1)) if flow.messages else None
        if self._contents is not None:
            for stream, content in zip(self._streams, self._contents, strict=True):
                stream.body_ended = content.end
        self._teller = HttpTeller(flow)
        self._over = False
        sink = flow.notes.get("http.body")
        self._body_sink: BodySink | None = sink if callable(sink) else None

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        if not self._over and not self._streams[direction].data(data, ts):
            self._end()
        return not self._over

    def gap(self, direction: int, length: int) -> bool:
        """Bodies are skipped by their length; a head with a hole is told as far as it came."""
        if not self._over:
            stream = self._streams[direction]
            if not stream.gap(length):
                self._end()
            elif stream.cut_head is not None:
                self._begun(stream, stream.cut_head)
                stream.cut_head = None
        return not self._over

    def skippable(self, direction: int) -> int:
        """See `Inspector`."""
        return 0 if self._over or self._body_sink is not None else self._streams[direction].skippable()

    def close(self, ts: int) -> None:
        """The requests that nobody answered."""
        if self._over:
            return
        for stream in self._streams:
            if stream.held:
                stream.release(ts)
        self._end()

    def _end(self) -> None:
        """Tell what waits, and leave what follows to others."""
        self._over = True
        for stream in self._streams:
            head = stream.unfinished_head()
            stream.forget()
            if head is not None:
                self._begun(stream, head)
        for content in self._contents or ():
            content.end()
        while self._pending:
            self._teller.tell(self._pending.pop(0).told, None)
        rest = {direction: bytes(stream.held) for direction, stream in enumerate(self._streams) if stream.held}
        if rest:
            self._flow.notes["rest"] = rest

    def _begun(self, stream: Http1Stream, head: Head) -> None:
        """A request whose head never came to its end."""
        if head.method is not None:
            request = self._request_of(head, stream.first_ts)
            self._pending.append(request)
            if self._contents is not None:
                content = self._contents[self._streams.index(stream)]
                content.begin(head, request.told, stream.first_ts, has_body=False)

    def _head_of_first(self, head: Head, ts: int) -> tuple[Body | None, str]:
        return self._head(0, head, ts)

    def _head_of_second(self, head: Head, ts: int) -> tuple[Body | None, str]:
        return self._head(1, head, ts)

    def _head(self, direction: int, head: Head, ts: int) -> tuple[Body | None, str]:
        """A head is complete: what its body is, and how the stream goes on."""
        self._teller.recognized(ts, head.version)
        request: HttpTransaction | None
        if head.method is not None:
            request, body, then = self._request(head, ts)
        else:
            request, body, then = self._response(direction, head, ts)
        if self._contents is not None:
            self._contents[direction].begin(head, request, ts, body is not None)
        self._streams[direction].body_sink = self._sink_for(direction, head) if body else None
        return body, then

    def _request(self, head: Head, ts: int) -> tuple[HttpTransaction, Body | None, str]:
        request = self._request_of(head, ts)
        while self._orphans:  # this request was held up by a hole while its response came
            response, response_ts = self._orphans.pop(0)
            if response_ts >= ts:
                self._teller.tell(request.told, response, response_ts)
                return request.told, body_of(head, None), STOP if self._switched(request, response) else GO_ON
        self._pending.append(request)
        if len(self._pending) > _PENDING:
            self._teller.tell(self._pending.pop(0).told, None)
        return request.told, body_of(head, None), HOLD if request.switches else GO_ON

    def _response(self, direction: int, head: Head, ts: int) -> tuple[HttpTransaction | None, Body | None, str]:
        status = head.status or 0
        stream = self._streams[direction]
        if 100 <= status < 200 and status != 101:
            return None, None, GO_ON
        if stream.uncertain:  # responses may be missing: clients that do not pipeline have one request open, the newest
            stream.uncertain = False
            while len(self._pending) > 1:
                self._teller.tell(self._pending.pop(0).told, None)
        if not self._pending:
            self._orphans.append((head, ts))
            return None, body_of(head, None), GO_ON
        request = self._pending.pop(0)
        self._teller.tell(request.told, head, ts)
        if self._switched(request, head):
            return request.told, None, STOP
        if request.switches:
            self._streams[1 - direction].release(ts)
        return request.told, body_of(head, request.method), GO_ON

    def _switched(self, request: _Request, response: Head) -> bool:
        """Whether the connection is another protocol's from here on; leaves a note of it."""
        if request.switches and response.status == 101:
            self._flow.notes["upgrade"] = printable(response.fields.get(b"upgrade", b"").lower())
            return True
        if request.method == b"CONNECT" and response.status is not None and 200 <= response.status < 300:
            self._flow.notes["tunnel"] = True
            return True
        return False

    def _request_of(self, head: Head, ts: int) -> _Request:
        method = head.method or b""
        return _Request(
            self._teller.request(head, ts), method, method == b"CONNECT" or bool(head.fields.get(b"upgrade"))
        )

    def _sink_for(self, direction: int, head: Head) -> Sink | None:
        wanted, stream = self._body_sink, self._streams[direction]
        content = self._contents[direction] if self._contents is not None else None
        if wanted is None:
            if content is None:
                return None

            def first_bytes(data: bytes) -> None:
                if not content.take(data):
                    stream.body_sink = None  # the rest may be passed over

            return first_bytes
        kind = BodyKind(
            printable(head.fields.get(b"content-type", b"")),
            printable(head.fields.get(b"content-encoding", b"").lower()),
        )

        def all_bytes(data: bytes) -> None:
            if content is not None:
                content.take(data)
            wanted(direction, data, kind)

        return all_bytes


@begins(exactly(TCP, b"\r", b"\n"), pattern(TCP, "4?", "5?", spaced=True))
def recognize_http1(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A request line or a status line of HTTP/1.x (or the one line of HTTP/0.9); also the begin of a long one."""
    if flow.protocol != 6 or not data:
        return None
    if _FIRST_LINE.match(data) or _WITHOUT_VERSION.match(data) or _BEGUN.fullmatch(data):
        return Http1Inspector(flow)
    return None

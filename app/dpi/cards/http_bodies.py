"""One direction of HTTP/1.x: bodies in chunks or compressed to running text; after an upgrade the frames of WebSocket."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from app.dpi.cards.detect import CardNumber, Scanner
from app.dpi.cards.running_text import RunningText
from app.dpi.cards.websocket import WebSocketText
from app.dpi.http1_body import Body, Chunked
from app.dpi.http1_message import Head, body_of
from app.dpi.http1_stream import GO_ON, STOP, Http1Stream

MOST_TEXT: Final = 8 << 20  # decompressed bytes of one body
_STEP: Final = 256 << 10  # decompressed at a time
_MARGIN: Final = 1 << 16

Found = Callable[[CardNumber, str, int], None]  # number, where, place in the stream from which on bytes hold it coded


def inflater(coding: bytes) -> Callable[[], zlib._Decompress] | None:
    """A maker of decompressors; None: the coding is not known here (br, zstd)."""
    if coding in (b"gzip", b"x-gzip"):
        return lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)
    return zlib.decompressobj if coding == b"deflate" else None


class _CodedBody:
    """A body that is being read: dechunked bytes in, text out."""

    def __init__(self, coding: bytes, text: RunningText) -> None:
        self._text = text
        self._maker = inflater(coding)
        self._inflate = self._maker() if self._maker else None
        self._fresh = coding == b"deflate"
        self._out = 0
        self.failed = coding not in (b"", b"identity") and self._inflate is None

    def feed(self, data: bytes) -> None:
        if self.failed:
            return
        if self._inflate is None:
            self._text.feed(data)
            return
        try:
            while data:
                part = self._decompress(data)
                self._text.feed(part)
                self._out += len(part)
                if self._out > MOST_TEXT:
                    self.failed = True
                    return
                data = self._inflate.unconsumed_tail
                if not part and not data:
                    return
        except zlib.error:
            self.failed = True

    def _decompress(self, data: bytes) -> bytes:
        assert self._inflate is not None
        try:
            part = self._inflate.decompress(data, _STEP)
        except zlib.error:
            if not self._fresh:
                raise
            self._inflate = zlib.decompressobj(
                -zlib.MAX_WBITS
            )  # servers that leave out the zlib header (RFC 9110 section 8.4.1.2)
            part = self._inflate.decompress(data, _STEP)
        self._fresh = False
        return part

    def close(self) -> None:
        self._text.close()


class HttpBodies:
    """`data(bytes, place)` with bytes in order; `plain` once nothing here is coded (then raw scanning does it all)."""

    def __init__(self, scanner: Scanner, found: Found) -> None:
        self._scanner = scanner
        self._found = found
        self._stream = Http1Stream(self._head)
        self._body: _CodedBody | None = None
        self._where = ""
        self._from = 0
        self._place = 0
        self._websocket: WebSocketText | None = None
        self.upgrades = False
        self.plain = False
        self.bytes_failed = 0

    def data(self, data: bytes, place: int, ts: int) -> bool:
        """False: nothing more is wanted."""
        self._place = place
        if self._websocket is not None:
            return self._websocket.data(data, place)
        more = self._stream.data(data, ts)
        if not more and self.upgrades:
            rest = bytes(self._stream.held or b"")
            self._websocket = WebSocketText(self._scanner, self._found)
            return self._websocket.data(rest, place) if rest else True
        return more and not self.plain

    def gap(self, length: int) -> bool:
        """A hole: what is coded cannot be read on."""
        self.close()
        return self._websocket is None and self._stream.gap(length)

    def close(self) -> None:
        """The end of the stream."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _head(self, head: Head, ts: int) -> tuple[Body | None, str]:
        self.close()
        body = body_of(head, None)
        coding = head.fields.get(b"content-encoding", b"").lower().strip()
        side = "request" if head.status is None else "response"
        if head.fields.get(b"upgrade", b"").lower() == b"websocket" and (head.status in (None, 101)):
            self.upgrades = True
            return None, STOP
        if body is None or (coding in (b"", b"identity") and not isinstance(body, Chunked)):
            self._stream.body_sink = None
            self.plain = True
            return body, GO_ON
        self._where = f"HTTP {side} body{shape_of(head.fields.get(b'content-type', b''))}{', ' + coding.decode('ascii', 'replace')[:16] if coding else ''}"
        self._from = self._place
        self._body = _CodedBody(coding, RunningText(self._scanner, self._tell))
        self._stream.body_sink = self._body.feed
        self.plain = False
        return body, GO_ON

    def _tell(self, number: CardNumber) -> None:
        self._found(number, self._where, self._from)


def shape_of(content_type: bytes) -> str:
    """ ", JSON" and the like."""
    kind = content_type.lower()
    for word, name in _SHAPES:
        if word in kind:
            return name
    return ""


_SHAPES: Final = (
    (b"json", ", JSON"),
    (b"urlencoded", ", form"),
    (b"multipart", ", multipart form"),
    (b"xml", ", XML"),
    (b"html", ", HTML"),
    (b"csv", ", CSV"),
    (b"text/plain", ", text"),
)

"""One direction of WebSocket (RFC 6455): masked or compressed (RFC 7692) messages to running text. Control frames are passed over."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from app.dpi.cards.detect import CardNumber, Scanner
from app.dpi.cards.running_text import RunningText

_MOST_FRAME: Final = 1 << 20
_MOST_TEXT: Final = 8 << 20
_STEP: Final = 1 << 20


class WebSocketText:
    """Frames in, numbers out."""

    def __init__(self, scanner: Scanner, found: Callable[[CardNumber, str, int], None]) -> None:
        self._scanner = scanner
        self._found = found
        self._buffer = bytearray()
        self._place = 0
        self._text = RunningText(scanner, self._tell)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._compressed = False
        self._total = 0

    def data(self, data: bytes, place: int) -> bool:
        """False: too much, or no frames."""
        if not self._buffer:
            self._place = place
        self._buffer += data
        while (size := self._frame()) > 0:
            del self._buffer[:size]
            self._place = place
        return size == 0 and self._total <= _MOST_TEXT

    def _frame(self) -> int:
        """Bytes of the first frame, 0: it is not complete, -1: this cannot be."""
        buffer = self._buffer
        if len(buffer) < 2:
            return 0
        length, at = buffer[1] & 127, 2
        if length > 125:
            at = 4 if length == 126 else 10
            length = int.from_bytes(buffer[2:at], "big")
        if length > _MOST_FRAME:
            return -1
        masked = buffer[1] & 128
        end = at + (4 if masked else 0) + length
        if len(buffer) < end:
            return 0
        payload = bytes(buffer[end - length : end])
        if masked:
            key = bytes(buffer[at : at + 4])
            whole = int.from_bytes(payload, "big") ^ int.from_bytes((key * (length // 4 + 1))[:length], "big")
            payload = whole.to_bytes(length, "big")
        self._message(buffer[0], payload)
        return end

    def _message(self, first: int, payload: bytes) -> None:
        opcode = first & 15
        if opcode > 2:
            return
        if opcode:
            self._compressed = bool(first & 0x40)
        self._total += len(payload)
        if self._compressed:
            try:
                payload = self._inflate.decompress(payload + (b"\0\0\xff\xff" if first & 0x80 else b""), _STEP)
            except zlib.error:
                self._total = _MOST_TEXT + 1
                return
            self._total += len(payload)
        self._text.feed(payload)
        if first & 0x80:
            self._text.close()

    def _tell(self, number: CardNumber) -> None:
        self._found(number, "WebSocket message", self._place)

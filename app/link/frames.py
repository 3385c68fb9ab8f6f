"""Frames on a byte stream: a 4-byte big-endian length, then that many bytes. Sans-I/O.

One idea: the length is believed only up to MAX_FRAME, so the most a peer can make us hold is one frame.
"""

from __future__ import annotations

import struct
from typing import Final

from app.model.errors import ProtocolError

MAX_FRAME: Final = 32 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")


def encode_frame(payload: bytes) -> bytes:
    """The payload with its length in front. Raises ProtocolError where it is empty or longer than MAX_FRAME."""
    if not 0 < len(payload) <= MAX_FRAME:
        raise ProtocolError(f"a frame of {len(payload)} bytes cannot be sent; allowed: 1..{MAX_FRAME}")
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Takes bytes as they arrive, gives back whole frames.

    After a ProtocolError the stream is out of step for good: every later call raises it again.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._error: str | None = None

    def feed(self, data: bytes) -> None:
        """Add what was read from the stream."""
        self._buffer += data

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not complete yet; not 0 at the end of a stream means it was cut."""
        return len(self._buffer)

    def next_frame(self) -> bytes | None:
        """The next whole frame, or None until more bytes came. Raises ProtocolError at a length that is not allowed."""
        if self._error:
            raise ProtocolError(self._error)
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if not 0 < length <= self._limit:
            self._error = f"a frame of {length} bytes was announced; allowed: 1..{self._limit}"
            raise ProtocolError(self._error)
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(memoryview(self._buffer)[_LENGTH.size : end])
        del self._buffer[:end]
        return frame

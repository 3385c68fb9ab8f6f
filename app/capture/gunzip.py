"""gzip data as they come (RFC 1952), keeping what could be decompressed before an error.

`gzip.GzipFile` throws away what it has when the data end too early; a cut capture is worth reading up to the cut.
"""

from __future__ import annotations

import zlib
from typing import Any, Final, Protocol

_CHUNK: Final = 32 << 10
_GZIP_FORMAT: Final = 31  # zlib's wbits: a gzip header, the largest window


class Input(Protocol):
    """What can be read from: a raw file, a pipe, a stream in memory."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Bytes put into the buffer; 0 at the end."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Gunzip:
    """Decompresses one or more gzip members; what follows the last one is ignored, as gzip does."""

    def __init__(self, head: bytes, stream: Input) -> None:
        """`head`: what was already read from the stream."""
        self.problem: str | None = None
        self._stream = stream
        self._pending = head
        self._chunk = memoryview(bytearray(_CHUNK))
        self._decompress = zlib.decompressobj(_GZIP_FORMAT)
        self._members = 0
        self._fresh = True  # nothing of the current member was seen
        self._at_end = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Decompressed bytes; 0 at the end, and `problem` says if that came too early. Raises OSError of the stream."""
        while not self._at_end and len(buffer):
            if not self._pending:
                size = self._stream.readinto(self._chunk) or 0
                self._pending = bytes(self._chunk[:size])
                if not size and not self._fresh:
                    self._end("the gzip data end too early")
                if not size:
                    break
            out = self._advance(len(buffer))
            if out:
                buffer[: len(out)] = out
                return len(out)
        self._at_end = True
        return 0

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    def _advance(self, limit: int) -> bytes:
        """Feed the decompressor once."""
        before = self._decompress.copy()
        try:
            out = self._decompress.decompress(self._pending, limit)
        except zlib.error:
            rubbish = self._fresh and self._members  # behind the last member
            self._end(None if rubbish else "the gzip data are damaged")
            return b"" if rubbish else _up_to_the_damage(before, self._pending)[:limit]
        self._fresh = False
        self._pending = self._decompress.unconsumed_tail
        if self._decompress.eof:
            self._pending = self._decompress.unused_data
            self._decompress = zlib.decompressobj(_GZIP_FORMAT)
            self._members += 1
            self._fresh = True
        return out

    def _end(self, problem: str | None) -> None:
        self._at_end = True
        self.problem = problem


def _up_to_the_damage(decompress: Any, data: bytes) -> bytes:
    """What comes out before the error; fed whole, zlib throws that away."""
    out = []
    try:
        for at in range(len(data)):
            out.append(decompress.decompress(data[at : at + 1]))
    except zlib.error:
        pass  # reached
    return b"".join(out)

"""Ends of segments that came out of order, put together by their sequence numbers; and datagrams from their IP fragments."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

_MOST_STREAMS: Final = 2048
_MOST_PIECES: Final = 24  # of one direction of a flow
_END: Final = 96  # bytes of each end of a segment that are kept
_HALF: Final = 1 << 31
_WORD: Final = (1 << 32) - 1
_MOST_DATAGRAMS: Final = 256
_MOST_BYTES: Final = 4 << 20
Source = tuple[int, int]  # number of the packet, bytes of the transport header in the part
_PATIENCE_NS: Final = 30_000_000_000  # RFC 791, RFC 8200: fragments wait 15 to 60 s for each other


class Pieces:
    """Short stretches of streams; what touches is joined."""

    def __init__(self) -> None:
        self._streams: OrderedDict[Hashable, list[tuple[int, bytes]]] = OrderedDict()

    def add(self, key: Hashable, seq: int, data: bytes) -> list[tuple[int, bytes]]:
        """A segment's bytes at `seq`; returns the joined stretches (first sequence number, bytes) that hold something new."""
        pieces = self._streams.get(key)
        if pieces is None:
            if len(self._streams) >= _MOST_STREAMS:
                self._streams.popitem(last=False)
            pieces = self._streams[key] = []
        joined: list[tuple[int, bytes]] = []
        ends = [(seq, data)]
        if len(data) > 2 * _END:
            ends = [(seq, data[:_END]), ((seq + len(data) - _END) & 0xFFFFFFFF, data[-_END:])]
        for start, part in ends:
            result = _merge(pieces, start, part)
            if result is not None:
                joined.append(result)
        del pieces[:-_MOST_PIECES]
        return joined

    def forget(self, key: Hashable) -> None:
        self._streams.pop(key, None)


def _merge(pieces: list[tuple[int, bytes]], start: int, data: bytes) -> tuple[int, bytes] | None:
    """Put a stretch among the others; the longer one it became part of, None where it stands alone or was there already."""
    grown, touching = False, True
    while touching:
        touching, size, shift = False, len(data), _HALF - start
        for i, (other, kept) in enumerate(pieces):
            ahead = (other + shift & _WORD) - _HALF
            if ahead <= size and -len(kept) <= ahead:
                if ahead <= 0 and ahead + len(kept) >= size:
                    return None  # nothing new
                low = min(ahead, 0)
                high = max(size, ahead + len(kept))
                whole = bytearray(high - low)
                whole[-low : -low + size] = data
                whole[ahead - low : ahead - low + len(kept)] = kept
                start, data = (start + low) & _WORD, bytes(whole)
                del pieces[i]
                grown = touching = True
                break
    if len(data) > 4 * _END:
        pieces.append(((start + len(data) - _END) & 0xFFFFFFFF, data[-_END:]))
        pieces.append((start, data[:_END]))
    else:
        pieces.append((start, data))
    return (start, data) if grown else None


class Datagrams:
    """IP fragments of datagrams (RFC 791 section 3.2, RFC 8200 section 4.5) to whole payloads."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, Datagram] = OrderedDict()
        self._bytes = 0
        self.let_go = 0  # bytes of datagrams that were given up

    def add(self, key: Hashable, offset: int, more: bool, data: bytes, ts: int, source: Source) -> Datagram | None:
        """One fragment: its place in the datagram, whether others follow, its bytes. Returns the datagram once it is whole."""
        datagram = self._waiting.get(key)
        if datagram is not None and not 0 <= ts - datagram.ts <= _PATIENCE_NS:
            self._drop(key)
            datagram = None
        if datagram is None:
            datagram = self._waiting[key] = Datagram(ts)
        self._bytes += datagram.put(offset, more, data, source)
        if datagram.whole:
            self._bytes -= datagram.held
            del self._waiting[key]
            return datagram
        while len(self._waiting) > _MOST_DATAGRAMS or self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._waiting)))
        return None

    def _drop(self, key: Hashable) -> None:
        datagram = self._waiting.pop(key)
        self._bytes -= datagram.held
        self.let_go += datagram.held


class Datagram:
    """Fragments of one datagram. Of overlapping ones the first counts; RFC 5722 forbids them."""

    __slots__ = ("held", "parts", "size", "ts")

    def __init__(self, ts: int) -> None:
        self.ts = ts
        self.parts: dict[int, tuple[bytes, Source]] = {}
        self.size: int | None = None
        self.held = 0

    def put(self, offset: int, more: bool, data: bytes, source: Source) -> int:
        """Returns the bytes it took."""
        if offset in self.parts or offset + len(data) > 65_535:
            return 0
        self.parts[offset] = (data, source)
        self.held += len(data)
        if not more:
            self.size = offset + len(data)
        return len(data)

    @property
    def whole(self) -> bool:
        return self.size is not None and self.held >= self.size and self.payload() is not None

    def payload(self) -> bytes | None:
        """All bytes; None while some are missing."""
        out = bytearray()
        for offset in sorted(self.parts):
            if offset > len(out):
                return None
            out += self.parts[offset][0][len(out) - offset :]
        return bytes(out) if self.size is not None and len(out) >= self.size else None

"""Bytes that arrive in pieces with an offset each, in any order, overlapping: QUIC's CRYPTO frames, DTLS's fragments.

The first copy of a byte wins where pieces disagree. Size and number of gaps are bounded; what does not fit is refused.
"""

from __future__ import annotations

from typing import Final

MAX_GAPS: Final = 64


class OffsetBuffer:
    """The bytes from offset 0 on, at most `limit`."""

    __slots__ = ("_data", "_limit", "_ranges")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._ranges: list[tuple[int, int]] = []  # what is there: sorted, disjoint, not touching

    def add(self, offset: int, piece: bytes) -> bool:
        """False where the piece lies beyond the limit or leaves too many gaps."""
        start, end = offset, offset + len(piece)
        if end > self._limit:
            return False
        if start == end:
            return True
        if len(self._data) < end:
            self._data.extend(bytes(end - len(self._data)))
        at, merged_start, merged_end = start, start, end
        keep: list[tuple[int, int]] = []
        for low, high in self._ranges:
            if high < start or low > end:
                keep.append((low, high))
                continue
            if at < low:
                self._data[at:low] = piece[at - start : low - start]
            at = max(at, high)
            merged_start, merged_end = min(merged_start, low), max(merged_end, high)
        if at < end:
            self._data[at:end] = piece[at - start :]
        keep.append((merged_start, merged_end))
        keep.sort()
        self._ranges = keep
        return len(keep) <= MAX_GAPS

    @property
    def ready(self) -> int:
        """How many bytes from offset 0 on are there without a gap."""
        ranges = self._ranges
        return ranges[0][1] if ranges and ranges[0][0] == 0 else 0

    def read(self, start: int, end: int) -> bytes:
        """Bytes below `ready`."""
        return bytes(self._data[start:end])

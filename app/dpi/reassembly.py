"""One direction of a TCP connection as bytes in order: each byte once, what is missing named as a gap.

Segments ahead of a hole are held until the hole fills. What is held is bounded per stream (bytes and pieces) and by a budget that all
streams share; when a bound is passed, or the stream is flushed, the hole is told as a gap and what was held goes out. Positions are
offsets into the stream (64 bits and more); only the distance to the next expected byte is computed modulo 2^32 (RFC 9293 section 3.4).

Overlaps: bytes that went out stay as they were. Among held bytes `policy` decides: "first" keeps the byte that came first (Windows,
BSD and most others keep most of it), "last" takes the newer one. Bytes the capture cut off never win over bytes that are there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, Literal

Policy = Literal["first", "last"]

HELD_BYTES: Final = 64 << 10
HELD_PIECES: Final = 64
_PIECE_COST: Final = 128  # bytes of memory that a piece takes beside its data
_UNLIMITED: Final = 1 << 62
_MASK: Final = 0xFFFFFFFF
_WINDOW: Final = (
    1 << 30
)  # the largest window there is (RFC 7323 section 2.3): what lies farther ahead is not of this stream
_PATIENCE_NS: Final = (
    200_000_000  # how long an acknowledged hole may still fill: captures swap packets of two directions
)


class ReassemblyBudget:
    """What all streams together may hold."""

    __slots__ = ("held", "limit", "refused")

    def __init__(self, limit_bytes: int) -> None:
        self.limit = limit_bytes
        self.held = 0
        self.refused = 0  # how often a stream had to let go because the others held too much

    @property
    def exhausted(self) -> bool:
        """Whether more is held than allowed."""
        return self.held > self.limit


class _Piece:
    """Held bytes [start, end) of the stream; data None: the capture cut them off."""

    __slots__ = ("data", "end", "start", "ts")

    def __init__(self, start: int, end: int, data: bytes | None, ts: int) -> None:
        self.start = start
        self.end = end
        self.data = data
        self.ts = ts

    def part(self, start: int, end: int) -> _Piece:
        """The bytes of it in [start, end)."""
        data = None if self.data is None else self.data[start - self.start : end - self.start]
        return _Piece(start, end, data, self.ts)

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return _PIECE_COST + (len(self.data) if self.data else 0)


class TcpStream:
    """Puts segments of one direction in order.

    `deliver(data, ts)` gets the bytes in order with the capture time (ns) of the segment they came in; `gap(length)` gets the number
    of bytes that are missing at that place. Neither may call back into the stream except `stop`.
    """

    __slots__ = (
        "_budget", "_deliver", "_expected", "_fin", "_gap", "_held", "_held_bytes", "_limit_bytes", "_limit_pieces", "_policy",
        "_position", "_stopped", "conflicts", "delivered_bytes", "discarded_bytes", "gap_bytes", "gaps",
    )  # fmt: skip

    def __init__(
        self,
        deliver: Callable[[bytes, int], None],
        gap: Callable[[int], None],
        limit_bytes: int = HELD_BYTES,
        limit_pieces: int = HELD_PIECES,
        policy: Policy = "first",
        budget: ReassemblyBudget | None = None,
        expected: int | None = None,
    ) -> None:
        """`expected`: the sequence number of the next byte, where it is known."""
        if policy not in ("first", "last"):
            raise ValueError(f"overlap policy {policy!r}: first and last are allowed")
        self._deliver = deliver
        self._gap = gap
        self._limit_bytes = limit_bytes
        self._limit_pieces = limit_pieces
        self._policy = policy
        self._budget = budget or ReassemblyBudget(_UNLIMITED)
        self._expected = expected  # sequence number of the next byte; None before the first segment
        self._position = 0  # offset of that byte in the stream
        self._fin: int | None = None
        self._held: list[_Piece] = []  # in rising order, without overlap, all at or after _position
        self._held_bytes = 0
        self._stopped = False
        self.delivered_bytes = 0
        self.discarded_bytes = 0  # came again, or lay outside the stream
        self.gaps = 0
        self.gap_bytes = 0
        self.conflicts = 0  # overlaps whose bytes differed

    @property
    def waiting(self) -> bool:
        """Whether something is held behind a hole."""
        return bool(self._held)

    @property
    def held_bytes(self) -> int:
        """Memory held, about."""
        return self._held_bytes

    @property
    def finished(self) -> bool:
        """Whether the stream came to its FIN, or was stopped."""
        return self._stopped or (self._fin is not None and self._position >= self._fin)

    def segment(self, seq: int, payload: bytes, syn: bool, fin: bool, ts: int, wire_len: int) -> None:
        """One segment as captured. `wire_len`: payload bytes on the wire; `payload` may be shorter (snap length)."""
        if self._stopped:
            return
        if syn:
            seq = (seq + 1) & _MASK  # the SYN takes one number; data may follow it (RFC 7413)
            if self._expected is None or (not self.delivered_bytes and not self._held and not self.gaps):
                self._expected = seq
        elif self._expected is None:
            self._expected = seq  # the capture began in the middle
            if payload == b"\0" and wire_len == 1:  # a keep-alive probe more likely than data (RFC 9293 section 3.8.4)
                self._expected = (seq + 1) & _MASK
                self.discarded_bytes += 1
                return
        ahead = (seq - self._expected) & _MASK
        length = len(payload)
        if ahead == 0 and not self._held and length == wire_len and not fin and self._fin is None:
            if length:
                self._send(payload, ts)
            return
        if ahead >= 1 << 31:
            ahead -= 1 << 32
        wire_len = max(wire_len, length)
        if ahead > _WINDOW or self.finished:
            self.discarded_bytes += length
            return
        self._place(self._position + ahead, payload, wire_len, fin, ts)

    def acknowledged(self, ack: int, ts: int) -> None:
        """The receiver acknowledged up to `ack`: a hole before it was received, and is missing in the capture only."""
        if not self._held or self._expected is None:
            return
        first = self._held[0]
        ahead = (ack - self._expected) & _MASK
        if first.start - self._position <= ahead <= _WINDOW and ts - first.ts >= _PATIENCE_NS:
            self._skip_hole()
            self._drain()

    def skip(self, length: int) -> int | None:
        """Nobody wants the next `length` bytes: go on behind them. Returns the sequence number there; None while something is held behind a hole."""
        if self._held or self._stopped or self._expected is None or not 0 < length <= _WINDOW:
            return None
        self._advance(length)
        self.discarded_bytes += length
        return self._expected

    def flush(self) -> None:
        """The flow ended: name the holes and give out what is held."""
        while self._held:
            self._skip_hole()
            self._drain()

    def stop(self) -> None:
        """Nobody wants more of this stream: let go of what is held and ignore what comes."""
        self._stopped = True
        self._release()

    def _place(self, start: int, payload: bytes, wire_len: int, fin: bool, ts: int) -> None:
        """Sort a segment into the held pieces and give out what is in order now."""
        if fin and self._fin is None:
            self._fin = start + wire_len
        end, wire_end = start + len(payload), start + wire_len
        if self._fin is not None:
            end, wire_end = min(end, self._fin), min(wire_end, self._fin)
        low = self._position
        if end > max(start, low):
            skip = max(0, low - start)
            self._insert(_Piece(start + skip, end, payload[skip : end - start], ts))
        self.discarded_bytes += min(len(payload), max(0, low - start))
        if wire_end > max(end, low):
            self._insert(_Piece(max(end, low), wire_end, None, ts))
        self._drain()
        while self._held and self._over_limit():
            self._skip_hole()
            self._drain()

    def _over_limit(self) -> bool:
        if (
            len(self._held) > self._limit_pieces
            or self._held_bytes > self._limit_bytes + _PIECE_COST * self._limit_pieces
        ):
            return True
        if self._budget.exhausted:
            self._budget.refused += 1
            return True
        return False

    def _insert(self, new: _Piece) -> None:
        """Add a piece; overlaps are resolved byte by byte."""
        held = self._held
        if not held or new.start >= held[-1].end:
            held.append(new)
            self._account(new.size)
            return
        first = max(0, bisect_left(held, new.start, key=_start_of) - 1)
        last = first
        parts: list[_Piece] = []
        place = new.start
        while last < len(held) and held[last].start < new.end:
            old = held[last]
            last += 1
            if old.end <= new.start:
                parts.append(old)
                continue
            low, high = max(old.start, new.start), min(old.end, new.end)
            if old.start > place:
                parts.append(new.part(place, old.start))
            if self._new_wins(old, new, low, high):
                if old.start < low:
                    parts.append(old.part(old.start, low))
                parts.append(new.part(low, high))
                if high < old.end:
                    parts.append(old.part(high, old.end))
            else:
                parts.append(old)
            place = max(place, high)
        if place < new.end:
            parts.append(new.part(place, new.end))
        before = sum(piece.size for piece in held[first:last])
        held[first:last] = parts
        self._account(sum(piece.size for piece in parts) - before)

    def _new_wins(self, old: _Piece, new: _Piece, low: int, high: int) -> bool:
        """Whose bytes count in [low, high); counts conflicts."""
        if new.data is None or old.data is None:
            return new.data is not None
        if old.data[low - old.start : high - old.start] == new.data[low - new.start : high - new.start]:
            self.discarded_bytes += high - low
            return False
        self.conflicts += 1
        return self._policy == "last"

    def _drain(self) -> None:
        """Give out the held pieces that have no hole before them."""
        while self._held and self._held[0].start <= self._position:
            piece = self._held.pop(0)
            self._account(-piece.size)
            if piece.data is None:
                self._miss(piece.end - piece.start)
            else:
                self._send(piece.data, piece.ts)

    def _skip_hole(self) -> None:
        if self._held and self._held[0].start > self._position:
            self._miss(self._held[0].start - self._position)

    def _send(self, data: bytes, ts: int) -> None:
        self._advance(len(data))
        self.delivered_bytes += len(data)
        self._deliver(data, ts)

    def _miss(self, length: int) -> None:
        self._advance(length)
        self.gaps += 1
        self.gap_bytes += length
        self._gap(length)

    def _advance(self, length: int) -> None:
        assert self._expected is not None
        self._position += length
        self._expected = (self._expected + length) & _MASK

    def _account(self, change: int) -> None:
        self._held_bytes += change
        self._budget.held += change

    def _release(self) -> None:
        self._held.clear()
        self._account(-self._held_bytes)


def _start_of(piece: _Piece) -> int:
    return piece.start

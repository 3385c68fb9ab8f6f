"""UDP datagrams that came in IP fragments are put together again for the inspectors (RFC 791 § 3.2, RFC 8200 § 4.5).

Large DNS answers, SIP and RADIUS come so. Bounded in datagrams, pieces and bytes; what stays incomplete is forgotten, never guessed. A datagram whose
pieces overlap is dropped (RFC 5722).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.wire.network_header import ip_header

MAX_DATAGRAMS: Final = 256  # under way
MAX_PIECES: Final = 64
MAX_BYTES: Final = 4 << 20  # held
LONGEST: Final = 65_535
APART_NS: Final = 30 * 10**9  # between the pieces of one datagram; an identification comes again
UDP_HEADER: Final = 8
FRAGMENT: Final = 44
_EXTENSIONS: Final = (0, 43, 60)  # hop-by-hop options, routing, destination options
_MOST_EXTENSIONS: Final = 8

Key = tuple[int, int, bytes]  # flow id, direction, identification


class Piece(NamedTuple):
    """What a fragment says of itself."""

    identification: bytes
    begin: int  # in the datagram, its UDP header among it
    more: bool


@dataclass(slots=True)
class _Datagram:
    ts: int
    pieces: dict[int, bytes] = field(default_factory=dict)  # by their place in the payload
    held: int = 0
    total: int | None = None  # known from the last piece

    def whole(self) -> bytes | None:
        if self.total != self.held:
            return None
        at = 0
        for begin in sorted(self.pieces):
            if begin != at:
                return None
            at += len(self.pieces[begin])
        return b"".join(self.pieces[begin] for begin in sorted(self.pieces))


class FragmentJoiner:
    """Takes pieces in any order."""

    def __init__(self) -> None:
        self._open: OrderedDict[Key, _Datagram] = OrderedDict()
        self._bytes = 0

    def take(
        self, row: np.void, data: NDArray[np.uint8], first: int, last: int, flow_id: int, direction: int
    ) -> bytes | None:
        """A fragment (PACKET_DTYPE) with its payload data[first:last] → the payload of the datagram that it completes. What is cut by the snap length or
        inside a tunnel is left alone."""
        if last - first != int(row["payload_len"]) or row["depth"]:
            return None
        piece = read_piece(data[int(row["offset"]) : first].tobytes(), int(row["link_type"]))
        if piece is None:
            return None
        return self.add(flow_id, direction, piece, data[first:last].tobytes(), int(row["ts"]))

    def add(self, flow_id: int, direction: int, piece: Piece, payload: bytes, ts: int) -> bytes | None:
        """The payload of the datagram when this piece was the last that missed. `payload`: of the piece, without the UDP header."""
        key = (flow_id, direction, piece.identification)
        datagram = self._open.get(key)
        if datagram is None or abs(ts - datagram.ts) > APART_NS:
            self._forget(key)
            datagram = self._open[key] = _Datagram(ts)
        begin = max(piece.begin - UDP_HEADER, 0)
        end = begin + len(payload)
        if begin in datagram.pieces and len(datagram.pieces[begin]) == len(payload):
            return None  # sent twice
        if not piece.more:
            datagram.total = end
        overlaps = any(begin < at + len(other) and at < end for at, other in datagram.pieces.items())
        if overlaps or end > LONGEST or len(datagram.pieces) >= MAX_PIECES:
            self._forget(key)
            return None
        datagram.pieces[begin] = payload
        datagram.held += len(payload)
        self._bytes += len(payload)
        whole = datagram.whole()
        if whole is not None:
            self._forget(key)
        while len(self._open) > MAX_DATAGRAMS or self._bytes > MAX_BYTES:
            self._forget(next(iter(self._open)))
        return whole

    def _forget(self, key: Key) -> None:
        datagram = self._open.pop(key, None)
        if datagram is not None:
            self._bytes -= datagram.held


def read_piece(frame: bytes, link_type: int) -> Piece | None:
    """Of the outermost IP header; None: it is no fragment, or cannot be read."""
    at = ip_header(frame, link_type)
    if at is None or at + 20 > len(frame):
        return None
    if frame[at] >> 4 == 4:
        field_ = int.from_bytes(frame[at + 6 : at + 8], "big")
        piece = Piece(frame[at + 4 : at + 6], (field_ & 0x1FFF) * 8, bool(field_ & 0x2000))
        return piece if piece.more or piece.begin else None
    return _read_ipv6(frame, at) if frame[at] >> 4 == 6 else None


def _read_ipv6(frame: bytes, at: int) -> Piece | None:
    """The fragment header behind at most a few others."""
    if at + 40 > len(frame):
        return None
    kind, at = frame[at + 6], at + 40
    for _ in range(_MOST_EXTENSIONS):
        if at + 8 > len(frame):
            return None
        if kind == FRAGMENT:
            field_ = int.from_bytes(frame[at + 2 : at + 4], "big")
            return Piece(frame[at + 4 : at + 8], field_ & 0xFFF8, bool(field_ & 1))
        if kind not in _EXTENSIONS:
            return None
        kind, at = frame[at], at + (frame[at + 1] + 1) * 8
    return None

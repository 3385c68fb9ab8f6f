"""Flows whose card numbers do not lie open in the packets: bodies in chunks or compressed, mail, WebSocket. Put in order and decoded, within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from app.dpi.cards.detect import CardNumber, Scanner
from app.dpi.cards.http_bodies import HttpBodies
from app.dpi.cards.mail_bodies import MailBodies
from app.dpi.reassembly import ReassemblyBudget, TcpStream

MOST_BYTES: Final = 16 << 20  # of one flow, before decoding
_HTTP: Final = re.compile(rb"(?:HTTP/1\.[01] [1-5][0-9]{2}|[A-Z]{3,10} )")
_MAIL_PORTS: Final = frozenset({25, 587, 2525, 110, 143})

# number, where, sequence numbers (from, to) that hold it in coded form
Found = Callable[[CardNumber, str, int, int], None]


class _Decoder(Protocol):
    def data(self, data: bytes, place: int, ts: int) -> bool: ...

    def gap(self, length: int) -> bool: ...

    def close(self) -> None: ...


class _Direction:
    """One direction: segments in order, and who decodes them."""

    def __init__(self, decoder: _Decoder, budget: ReassemblyBudget, base: int) -> None:
        self.decoder = decoder
        self.base = base  # sequence number of the first byte
        self.position = 0
        self.over = False
        self.stream = TcpStream(self._deliver, self._gap, budget=budget)

    def _deliver(self, data: bytes, ts: int) -> None:
        place = self.position
        self.position += len(data)
        if not self.over:
            self.over = not self.decoder.data(data, place, ts)

    def _gap(self, length: int) -> None:
        self.position += length
        if not self.over:
            self.over = not self.decoder.gap(length)


class CodedFlow:
    """Both directions of a flow."""

    def __init__(self, scanner: Scanner, budget: ReassemblyBudget, ports: tuple[int, int]) -> None:
        self._scanner = scanner
        self._budget = budget
        self._mail = bool(_MAIL_PORTS & set(ports))
        self._ways: list[_Direction | None] = [None, None]
        self._found: Found | None = None
        self.bytes = 0

    def segment(
        self, direction: int, seq: int, payload: bytes, fin: bool, ts: int, wire_len: int, found: Found
    ) -> bool:
        """One segment. False: nothing here is coded any more, or it is too much."""
        self.bytes += len(payload)
        way = self._ways[direction]
        if way is None:
            if not self._mail and not _HTTP.match(payload):
                return self.bytes <= MOST_BYTES
            way = self._ways[direction] = self._begin(direction, seq)
        self._found = found
        way.stream.segment(seq, payload, False, fin, ts, wire_len)
        other = self._ways[1 - direction]
        if way.over:
            way.decoder.close()
            way.stream.stop()
            self._ways[direction] = None
            if other is None:
                return False
        return self.bytes <= MOST_BYTES

    def close(self, found: Found | None) -> None:
        """The flow ended, or nobody wants more."""
        for way in self._ways:
            if way is not None:
                self._found = found
                way.stream.flush()
                way.decoder.close()
                way.stream.stop()
        self._ways = [None, None]

    def _begin(self, direction: int, seq: int) -> _Direction:
        def tell(number: CardNumber, where: str, place: int) -> None:
            way = self._ways[direction]
            if self._found is not None and way is not None:
                first, last = way.base + place, way.base + way.position
                self._found(number, where, first & 0xFFFFFFFF, last & 0xFFFFFFFF)

        decoder: _Decoder = MailBodies(self._scanner, tell) if self._mail else HttpBodies(self._scanner, tell)
        return _Direction(decoder, self._budget, seq)

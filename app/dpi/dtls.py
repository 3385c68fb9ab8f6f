"""DTLS 1.0 to 1.3 over UDP: datagrams to handshake messages (RFC 6347 § 4.2, RFC 9147 § 5).

Every handshake message has a number and may travel in fragments, several times. Messages are handed on once, in the order of their numbers;
only the epoch 0 is in the clear. A HelloVerifyRequest makes the client say its hello again with the next number: two facts.
"""

from __future__ import annotations

from typing import Final

from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.offset_buffer import OffsetBuffer
from app.dpi.signatures import UDP, begins, pattern
from app.dpi.tls_handshake import CLIENT_HELLO, SERVER_HELLO, Handshake

_CHANGE_CIPHER_SPEC: Final = 20
_HANDSHAKE: Final = 22
_HELLO_VERIFY_REQUEST: Final = 3
_RECORD: Final = 13  # bytes of the headers
_FRAGMENT: Final = 12
_VERSIONS: Final = frozenset((b"\xfe\xff", b"\xfe\xfd", b"\xfe\xfc", b"\x01\x00"))
_MAX_MESSAGE: Final = 32 << 10
_MAX_HELD: Final = 64 << 10  # of one direction
_MAX_MESSAGES: Final = 16  # of one direction that are not whole
_MAX_FRAGMENTS: Final = 64  # of one datagram
_MAX_DATAGRAMS: Final = 64


class _Partial:
    __slots__ = ("buffer", "kind", "length")

    def __init__(self, kind: int, length: int) -> None:
        self.kind = kind
        self.length = length
        self.buffer = OffsetBuffer(length)


class _Side:
    """One direction: the next message's number, and what is there of it and of later ones."""

    __slots__ = ("held", "next", "partial")

    def __init__(self) -> None:
        self.next: int | None = None
        self.partial: dict[int, _Partial] = {}
        self.held = 0


class DtlsInspector:
    """One UDP flow that speaks DTLS."""

    __slots__ = ("_datagrams", "_handshake", "_sides")

    def __init__(self, flow: FlowContext) -> None:
        self._handshake = Handshake(flow, "dtls")
        self._sides = (_Side(), _Side())
        self._datagrams = 0

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """One datagram."""
        self._datagrams += 1
        at, fragments = 0, 0
        while at + _RECORD <= len(data) and fragments < _MAX_FRAGMENTS:
            kind, version, epoch = data[at], data[at + 1 : at + 3], data[at + 3 : at + 5]
            end = at + _RECORD + (data[at + 11] << 8 | data[at + 12])
            if version not in _VERSIONS or end > len(data):
                break
            if epoch != b"\0\0":
                self._encrypted(direction)
                break
            if kind == _HANDSHAKE:
                fragments += self._read_fragments(direction, data[at + _RECORD : end], ts)
            elif kind == _CHANGE_CIPHER_SPEC:
                self._encrypted(direction)
            at = end
        handshake = self._handshake
        if handshake.over or self._datagrams >= _MAX_DATAGRAMS:
            handshake.end()
            return DONE
        return MORE

    def gap(self, direction: int, length: int) -> bool:
        """Datagrams may be lost: each stands for itself."""
        return MORE

    def close(self, ts: int) -> None:
        """Tell a ServerHello whose certificates never came."""
        self._handshake.end()

    def _encrypted(self, direction: int) -> None:
        if direction != self._handshake.client:
            self._handshake.answered()

    def _read_fragments(self, direction: int, record: bytes, ts: int) -> int:
        """The fragments of one record; how many there were."""
        side, at, count = self._sides[direction], 0, 0
        while at + _FRAGMENT <= len(record) and count < _MAX_FRAGMENTS:
            count += 1
            kind, length = record[at], int.from_bytes(record[at + 1 : at + 4], "big")
            number = record[at + 4] << 8 | record[at + 5]
            offset = int.from_bytes(record[at + 6 : at + 9], "big")
            size = int.from_bytes(record[at + 9 : at + 12], "big")
            end = at + _FRAGMENT + size
            if end > len(record) or offset + size > length or length > _MAX_MESSAGE:
                break
            self._add(side, number, kind, length, offset, record[at + _FRAGMENT : end])
            at = end
        self._deliver(side, direction, ts)
        return max(count, 1)

    def _add(self, side: _Side, number: int, kind: int, length: int, offset: int, piece: bytes) -> None:
        if side.next is None:
            side.next = number
        if number < side.next:
            return  # a repetition
        partial = side.partial.get(number)
        if partial is None:
            if len(side.partial) >= _MAX_MESSAGES or side.held + length > _MAX_HELD:
                return
            partial = side.partial[number] = _Partial(kind, length)
            side.held += length
        if partial.kind == kind and partial.length == length and not partial.buffer.add(offset, piece):
            side.held -= length
            del side.partial[number]

    def _deliver(self, side: _Side, direction: int, ts: int) -> None:
        while side.next is not None:
            partial = side.partial.get(side.next)
            if partial is None or partial.buffer.ready < partial.length:
                return
            del side.partial[side.next]
            side.held -= partial.length
            side.next += 1
            if partial.kind != _HELLO_VERIFY_REQUEST:
                self._handshake.message(direction, partial.kind, partial.buffer.read(0, partial.length), ts)


@begins(pattern(UDP, "16 fe ff 00 00", "16 fe fd 00 00", "16 fe fc 00 00", "16 01 00 00 00"))
def recognize_dtls(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """An inspector where a datagram begins with a record of epoch 0 that holds (a fragment of) a hello."""
    if flow.protocol != 17 or len(data) < _RECORD + _FRAGMENT or data[0] != _HANDSHAKE:
        return None
    if data[1:3] not in _VERSIONS or data[3:5] != b"\0\0":
        return None
    record = data[11] << 8 | data[12]
    if record < _FRAGMENT or _RECORD + record > len(data):
        return None
    kind, length = data[13], int.from_bytes(data[14:17], "big")
    offset, size = int.from_bytes(data[19:22], "big"), int.from_bytes(data[22:25], "big")
    fits = offset + size <= length <= _MAX_MESSAGE and _FRAGMENT + size <= record
    return DtlsInspector(flow) if fits and kind in (CLIENT_HELLO, SERVER_HELLO, _HELLO_VERIFY_REQUEST) else None

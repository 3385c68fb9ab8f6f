"""TLS over TCP, from SSL 2.0 to TLS 1.3: a byte stream to handshake messages.

Records are cut at any place by TCP, messages at any place by records, so each direction keeps two buffers, together at most 64 KiB. The inspector
ends when both hellos (and the certificates that travel in the clear) were told, or when the bytes are no TLS.
"""

from __future__ import annotations

from typing import Final

from app.dpi.facts import Action, TlsServerHello
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.signatures import TCP, Signature, begins, pattern
from app.dpi.tls_handshake import CLIENT_HELLO, SERVER_HELLO, TYPES, Handshake
from app.dpi.tls_hello import parse_ssl2_client_hello

_CHANGE_CIPHER_SPEC: Final = 20
_HANDSHAKE: Final = 22
_APPLICATION_DATA: Final = 23
_HEARTBEAT: Final = 24
_MAX_RECORD: Final = (1 << 14) + 2048  # RFC 5246 § 6.2.3
_MAX_HELD: Final = 64 << 10
_MAX_READ: Final = 256 << 10  # of one direction: more is no handshake
_MAX_IDLE: Final = 64 << 10  # bytes of a direction that told all, before the other one is given up


class _Stream:
    """One direction. `ended`: nothing more can be read of it."""

    __slots__ = ("ended", "idle", "messages", "records", "sealed", "started", "total")

    def __init__(self) -> None:
        self.records = bytearray()
        self.messages = bytearray()
        self.started = False
        self.ended = False
        self.sealed = False  # encrypted: only the headers of records are read
        self.idle = 0
        self.total = 0

    def hold_records(self, records: bytes | bytearray, at: int) -> None:
        """Keep what begins at `at`, of the records held or of new ones."""
        if records is not self.records:
            self.records += records[at:]
        elif at:
            del self.records[:at]

    def end(self) -> None:
        self.ended = True
        self.records.clear()
        self.messages.clear()


class TlsInspector:
    """One TCP connection that speaks TLS from its first byte, or from where another inspector saw STARTTLS."""

    __slots__ = ("_flow", "_handshake", "_heartbeats", "_streams")

    def __init__(self, flow: FlowContext) -> None:
        self._flow = flow
        self._handshake = Handshake(flow, "tls")
        self._streams = (_Stream(), _Stream())
        self._heartbeats = 0

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """The next bytes of one direction."""
        stream = self._streams[direction]
        stream.total += len(data)
        if stream.ended:
            stream.idle += len(data)
        else:
            if stream.records:
                stream.records += data
                self._read_records(stream, stream.records, direction, ts)
            else:
                self._read_records(stream, data, direction, ts)
            if len(stream.records) + len(stream.messages) > _MAX_HELD or stream.total > _MAX_READ:
                stream.end()
        return self._verdict()

    def gap(self, direction: int, length: int) -> bool:
        """The border of the next record is unknown behind a gap: the direction ends."""
        self._streams[direction].end()
        if self._handshake.client is not None and direction != self._handshake.client:
            self._handshake.end()
        return self._verdict()

    def close(self, ts: int) -> None:
        """Tell a ServerHello whose certificates never came."""
        self._handshake.end()

    def _verdict(self) -> bool:
        handshake, (a, b) = self._handshake, self._streams
        # where heartbeats were offered, what follows the hellos in the clear is read on (CVE-2014-0160)
        over = handshake.over and not (handshake.heartbeats and max(a.total, b.total) < _MAX_HELD)
        if over or (a.ended and b.ended) or max(a.idle, b.idle) > _MAX_IDLE:
            handshake.end()
            return DONE
        return MORE

    def _read_records(self, stream: _Stream, records: bytes | bytearray, direction: int, ts: int) -> None:
        """`records`: all that is held of the stream, or all that came where nothing is held; what cannot be read yet is held."""
        at = 0
        if not stream.started:
            if len(records) < 5 or records[0] & 0x80:
                stream.hold_records(records, 0)
                if len(records) >= 5:
                    self._ssl2(stream, direction, ts)
                return
            stream.started = True
        while not stream.ended and len(records) - at >= 5:
            kind, length = records[at], records[at + 3] << 8 | records[at + 4]
            if not _CHANGE_CIPHER_SPEC <= kind <= _HEARTBEAT or records[at + 1] != 3 or length > _MAX_RECORD:
                stream.end()
                return
            end = at + 5 + length
            if kind == _APPLICATION_DATA and not stream.sealed:
                self._application_data(stream, direction, length)
            if end > len(records):
                break
            if kind == _HANDSHAKE and not stream.sealed:
                if stream.messages:
                    stream.messages += records[at + 5 : end]
                    self._read_messages(stream, stream.messages, direction, ts)
                else:
                    self._read_messages(stream, records[at + 5 : end], direction, ts)
            elif kind == _CHANGE_CIPHER_SPEC and not stream.sealed:
                self._change_cipher(stream, direction)
            elif kind == _HEARTBEAT:
                self._heartbeat(stream, direction, bytes(records[at + 5 : at + 8]), length, ts)
            at = end
        if not stream.ended:
            stream.hold_records(records, at)

    def _read_messages(self, stream: _Stream, messages: bytes | bytearray, direction: int, ts: int) -> None:
        """`messages`: as `records` in `_read_records`."""
        at = 0
        while len(messages) - at >= 4:
            kind, length = messages[at], int.from_bytes(messages[at + 1 : at + 4], "big")
            if kind not in TYPES or length > _MAX_HELD:
                stream.end()
                return
            end = at + 4 + length
            if end > len(messages):
                break
            self._handshake.message(direction, kind, bytes(messages[at + 4 : end]), ts)
            at = end
        if messages is not stream.messages:
            stream.messages += messages[at:]
        elif at:
            del stream.messages[:at]

    def _application_data(self, stream: _Stream, direction: int, length: int) -> None:
        """Behind it nothing is in the clear, but for early data, which a second ClientHello may follow (RFC 8446 § 4.2.10)."""
        handshake = self._handshake
        stream.idle += length
        if handshake.finished or direction != handshake.client or stream.idle > _MAX_IDLE:
            self._seal(stream)

    def _change_cipher(self, stream: _Stream, direction: int) -> None:
        """Encrypted from here on, up to TLS 1.2; in TLS 1.3 it means nothing (RFC 8446 appendix D.4)."""
        handshake = self._handshake
        if handshake.retried:
            return
        if direction != handshake.client:
            handshake.answered()
            self._seal(stream)
        elif handshake.finished:
            self._seal(stream)

    def _seal(self, stream: _Stream) -> None:
        """Nothing more can be read of a direction, but for the lengths of heartbeats where they were offered."""
        if self._handshake.heartbeats:
            stream.sealed = True
        else:
            stream.end()

    def _heartbeat(self, stream: _Stream, direction: int, head: bytes, length: int, ts: int) -> None:
        """A heartbeat in the clear (RFC 6520): one that claims more payload than its record holds reads the other side's memory."""
        self._heartbeats += 1
        if stream.sealed and self._heartbeats <= 64:
            details = {"record": str(length)}
            self._flow.sink(Action(self._flow.flow_id, ts, "tls", "heartbeat_sealed", "", direction, details))
            return
        if len(head) < 3 or head[0] not in (1, 2) or self._heartbeats > 64:
            return
        claimed = int.from_bytes(head[1:3], "big")
        name = "heartbeat" if claimed + 3 <= length else "heartbeat_overread"
        details = {"kind": "request" if head[0] == 1 else "response", "claimed": str(claimed), "record": str(length)}
        self._flow.sink(Action(self._flow.flow_id, ts, "tls", name, "", direction, details))

    def _ssl2(self, stream: _Stream, direction: int, ts: int) -> None:
        """The first record in the form of SSL 2.0 (RFC 6101 appendix E): two bytes of length, then the message."""
        records = stream.records
        length = (records[0] & 0x7F) << 8 | records[1]
        if records[2] not in (CLIENT_HELLO, 4):
            stream.end()
        if stream.ended or len(records) < 2 + length:
            return
        body = bytes(records[2 : 2 + length])
        if body[:1] == b"\x01":
            hello = parse_ssl2_client_hello(body)
            if hello is None or hello.version == 2:
                stream.end()  # what follows is in the form of SSL 2.0
            if hello is not None:
                self._handshake.client_hello(direction, hello, ts)
        elif _is_ssl2_server_hello(body) and direction != self._handshake.client:
            self._flow.sink(self._ssl2_answer(body, ts))
            self._handshake.finished = True
            stream.end()
        else:
            stream.end()
        if not stream.ended:
            stream.started = True
            del records[: 2 + length]
            self._read_records(stream, stream.records, direction, ts)

    def _ssl2_answer(self, body: bytes, ts: int) -> TlsServerHello:
        """The server names all ciphers that it shares; only where there is one, it is known which the client takes."""
        at = 11 + int.from_bytes(body[5:7], "big")
        kinds = body[at : at + int.from_bytes(body[7:9], "big")]
        cipher = f"0x{kinds.hex()}" if len(kinds) == 3 else ""
        return self._handshake.server_fact("SSL 2.0", cipher, ts)


def _is_ssl2_server_hello(body: bytes) -> bool:
    """SERVER-HELLO: type, session hit, certificate type, version, three lengths that fill the record."""
    if len(body) < 11 or body[0] != 4 or body[1] > 1 or body[3:5] != b"\x00\x02":
        return False
    return 11 + sum(int.from_bytes(body[i : i + 2], "big") for i in (5, 7, 9)) == len(body)


@begins(pattern(TCP, "16 03 0?"), [Signature(TCP, b"\x80\0\1", b"\x80\0\xff")])
def recognize_tls(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """An inspector where a TCP stream begins with a ClientHello or ServerHello, on any port."""
    return TlsInspector(flow) if flow.protocol == 6 and (_begins_record(data) or _begins_ssl2(data)) else None


def _begins_record(data: bytes) -> bool:
    """A handshake record with the header of a hello, as far as the bytes reach."""
    if len(data) < 6 or data[0] != _HANDSHAKE or data[1] != 3 or data[2] > 4:
        return False
    length = data[3] << 8 | data[4]
    if not 0 < length <= 1 << 14 or data[5] not in (CLIENT_HELLO, SERVER_HELLO):
        return False
    if length < 6 or len(data) < 11:
        return True  # the message's own header lies in the next record or segment
    size = int.from_bytes(data[6:9], "big")
    if not 38 <= size <= _MAX_HELD or not ((data[9] == 3 and data[10] <= 4) or data[9] == 0x7F):
        return False
    return length < 39 or len(data) < 44 or data[43] <= 32  # session id


def _begins_ssl2(data: bytes) -> bool:
    if len(data) < 11 or not data[0] & 0x80:
        return False
    length = (data[0] & 0x7F) << 8 | data[1]
    if data[2] != 1 or (data[3:5] != b"\x00\x02" and not (data[3] == 3 and data[4] <= 4)):
        return False
    ciphers, session, challenge = (int.from_bytes(data[i : i + 2], "big") for i in (5, 7, 9))
    return (
        ciphers > 0
        and ciphers % 3 == 0
        and session in (0, 16)
        and 16 <= challenge <= 32
        and length == 9 + ciphers + session + challenge
    )

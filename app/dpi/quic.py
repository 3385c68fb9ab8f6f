"""QUIC: the hellos inside Initial packets (RFC 9000, RFC 9001, RFC 9369), and Google's own QUIC before them.

Only what authenticates under the keys of the connection counts, so other traffic on UDP 443 is never taken for QUIC. A Retry gives the client a new
connection id and so new keys; a server may answer a client of version 1 in version 2 with the client's first connection id.
"""

from __future__ import annotations

from typing import Final

from app.dpi.facts import Recognized, TlsClientHello
from app.dpi.gquic import Chlo, parse_chlo, read_tags
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.offset_buffer import OffsetBuffer
from app.dpi.printable import printable
from app.dpi.quic_crypto import CLIENT, SERVER, InitialKeys, first_keys, initial_keys
from app.dpi.quic_packets import INITIAL, RETRY, LongHeader, crypto_frames, parse_long_header
from app.dpi.quic_versions import READABLE, is_reserved, salts, version_name
from app.dpi.signatures import UDP, Signature, begins
from app.dpi.tls_handshake import Handshake

_MAX_INITIALS: Final = 10  # of each direction
_MAX_CRYPTO: Final = 32 << 10  # of each direction
_MAX_DATAGRAMS: Final = 40
_MAX_COALESCED: Final = 8
_MAX_VERSIONS: Final = 16  # told of a negotiation
_NEGOTIATED_SIZE: Final = 1200  # a client fills its first datagram to at least this (RFC 9000 § 14.1)


class _Side:
    """One direction: its CRYPTO bytes, and how many Initials it sent."""

    __slots__ = ("crypto", "initials", "taken")

    def __init__(self) -> None:
        self.initials = 0
        self.reset()

    def reset(self) -> None:
        self.crypto = OffsetBuffer(_MAX_CRYPTO)
        self.taken = 0  # bytes of whole messages that were handed on


class QuicInspector:
    """One UDP flow that speaks QUIC."""

    __slots__ = (
        "_client",
        "_connection_id",
        "_datagrams",
        "_details",
        "_flow",
        "_handshake",
        "_keys",
        "_offered",
        "_over",
        "_sides",
    )

    def __init__(self, flow: FlowContext) -> None:
        self._flow = flow
        self._handshake = Handshake(flow, "quic")
        self._sides = (_Side(), _Side())
        self._keys: dict[tuple[int, bytes], InitialKeys | None] = {}
        self._connection_id: bytes | None = None  # the one that the keys are made of
        self._client: int | None = None  # the direction that the client sends in
        self._offered: LongHeader | None = None  # the client's first packet
        self._details: dict[str, str] = {}
        self._datagrams = 0
        self._over = False

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """One datagram with its coalesced packets."""
        self._datagrams += 1
        at = 0
        for _ in range(_MAX_COALESCED):
            header = parse_long_header(data, at)
            if header is None:
                if at == 0 and self._connection_id is None:
                    self._google(direction, data, ts)
                break
            if self._offered is None:
                self._offered, self._client = header, direction
            if header.kind == -1:
                self._negotiation(direction, header, data, ts)
            elif header.kind == RETRY:
                self._retry(direction, header, ts)
            elif header.kind == INITIAL:
                self._initial(direction, header, data[at : header.end], header.number_at - at, ts)
            at = header.end
            if at >= len(data):
                break
        return self._verdict()

    def gap(self, direction: int, length: int) -> bool:
        """Datagrams may be lost: each stands for itself."""
        return MORE

    def close(self, ts: int) -> None:
        """Tell what is held."""
        self._handshake.end()

    def _verdict(self) -> bool:
        handshake = self._handshake
        exhausted = min(side.initials for side in self._sides) >= _MAX_INITIALS or self._datagrams >= _MAX_DATAGRAMS
        if exhausted or self._over or handshake.over:
            handshake.end()
            return DONE
        return MORE

    def _initial(self, direction: int, header: LongHeader, packet: bytes, number_at: int, ts: int) -> None:
        side = self._sides[direction]
        if side.initials >= _MAX_INITIALS:
            return
        side.initials += 1
        payload = self._open(direction, header, packet, number_at)
        if payload is None:
            return
        if direction == self._client:
            self._handshake.quic_version = version_name(header.version)
        frames = crypto_frames(payload, header.version)
        for offset, piece in frames:
            side.crypto.add(offset, piece)
        if not self._google_message(direction, side, ts):
            self._messages(direction, side, ts)

    def _open(self, direction: int, header: LongHeader, packet: bytes, number_at: int) -> bytes | None:
        """The frames of an Initial. The keys follow the client's connection id when it changes."""
        if self._connection_id is not None:
            keys = self._side_keys(header.version, CLIENT if direction == self._client else SERVER)
            payload = keys.open(packet, number_at) if keys is not None else None
            if payload is not None or direction != self._client or header.destination == self._connection_id:
                return payload
        first = first_keys(header.version, header.destination, packet, number_at)
        if first is None:
            return None
        self.adopt(direction, header, first[0])
        return first[1]

    def adopt(self, direction: int, header: LongHeader, keys: InitialKeys) -> None:
        """The client's first Initial under these keys was authentic."""
        self._connection_id, self._client = header.destination, direction
        self._keys = {(header.version, CLIENT): keys}
        for side in self._sides:
            side.reset()

    def _side_keys(self, version: int, side: bytes) -> InitialKeys | None:
        known = (version, side)
        if known not in self._keys:
            if len(self._keys) >= 8 or self._connection_id is None:
                return None
            self._keys[known] = initial_keys(version, self._connection_id, side)
        return self._keys[known]

    def _messages(self, direction: int, side: _Side, ts: int) -> None:
        """Hand on the handshake messages that are whole."""
        while side.crypto.ready - side.taken >= 4:
            head = side.crypto.read(side.taken, side.taken + 4)
            start = side.taken + 4
            end = start + int.from_bytes(head[1:], "big")
            if end > side.crypto.ready:
                return
            self._handshake.message(direction, head[0], side.crypto.read(start, end), ts)
            side.taken = end

    def _negotiation(self, direction: int, header: LongHeader, data: bytes, ts: int) -> None:
        """The server does not speak the client's version (RFC 9000 § 17.2.1): it swaps the connection ids and lists its own."""
        offered = self._offered
        if offered is None or direction == self._client or "version_negotiation" in self._details:
            return
        if header.destination != offered.source or header.source != offered.destination:
            return
        listed = data[header.number_at : header.number_at + 4 * _MAX_VERSIONS]
        versions = [int.from_bytes(listed[i : i + 4], "big") for i in range(0, len(listed) - 3, 4)]
        names = ", ".join(version_name(v) for v in versions)
        self._tell({"version": version_name(offered.version), "version_negotiation": names}, ts)

    def _retry(self, direction: int, header: LongHeader, ts: int) -> None:
        """The server wants its token back first; the client's next Initial brings new keys (RFC 9000 § 17.2.5)."""
        if self._connection_id is not None and direction != self._client and "retry" not in self._details:
            self._handshake.repeats = self._handshake.client is not None
            self._tell({"version": version_name(header.version), "retry": "yes"}, ts)

    def _tell(self, details: dict[str, str], ts: int) -> None:
        self._details.update(details)
        self._flow.sink(Recognized(self._flow.flow_id, ts, "quic", dict(self._details)))

    def _google(self, direction: int, data: bytes, ts: int) -> None:
        """A datagram of Google's QUIC up to Q046."""
        chlo = parse_chlo(data)
        if chlo is not None:
            self._tell_chlo(direction, chlo, ts)

    def _google_message(self, direction: int, side: _Side, ts: int) -> bool:
        """Q050 carries Google's CHLO in CRYPTO frames."""
        if self._handshake.quic_version != "Q050" or direction != self._client:
            return False
        tags = read_tags(side.crypto.read(0, side.crypto.ready), 0)
        if tags:
            self._tell_chlo(direction, Chlo("Q050", tags.get(b"SNI\0") or None), ts)
        return True

    def _tell_chlo(self, direction: int, chlo: Chlo, ts: int) -> None:
        """A CHLO is no ClientHello: it has neither JA3 nor JA4."""
        name = printable(chlo.server_name) if chlo.server_name is not None else None
        flow = self._flow
        flow.sink(TlsClientHello(flow.flow_id, ts, "quic", name, [], "QUIC Crypto", "", "", quic_version=chlo.version))
        self._over = True


@begins(
    [Signature(UDP, b"\xc0" + version.to_bytes(4, "big"), b"\xc0\xff\xff\xff\xff") for version in READABLE],
    [Signature(UDP, b"\xc0\x0a\x0a\x0a\x0a", b"\xc0\x0f\x0f\x0f\x0f")],  # reserved (RFC 9000 section 15)
    [
        Signature(UDP, b"\x80Q0", b"\x80\xff\xff"),
        Signature(UDP, b"\x09" + bytes(8) + b"Q0", b"\x09" + bytes(8) + b"\xff\xff"),
    ],
)
def recognize_quic(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """An inspector where a datagram begins with a client's Initial that authenticates, or with a CHLO of Google's QUIC.

    A reserved version, with which clients try whether servers negotiate, is believed in a datagram of full size.
    """
    if flow.protocol != 17 or len(data) < 40:
        return None
    if data[0] & 0xC0 == 0xC0:
        header = parse_long_header(data, 0)
        if header is not None and header.kind == INITIAL:
            first = first_keys(header.version, header.destination, data[: header.end], header.number_at)
            if first is not None:
                inspector = QuicInspector(flow)
                inspector.adopt(direction, header, first[0])
                return inspector
            if is_reserved(header.version) and len(data) >= _NEGOTIATED_SIZE:
                return QuicInspector(flow)
            if salts(header.version):
                return None
    return QuicInspector(flow) if parse_chlo(data) is not None else None

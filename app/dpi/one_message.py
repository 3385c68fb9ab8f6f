"""Protocols that one message gives away: STUN, BitTorrent, WireGuard, OpenVPN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector, on_port
from app.dpi.signatures import TCP, UDP, begins, exactly, pattern

_STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
_HANDSHAKE: Final = b"\x13BitTorrent protocol"
_DHT: Final = re.compile(rb"d1:[arq](?:d2:id20:|1:q|[0-9]{1,2}:)|d1:rd2:id20:|d1:ad2:id20:")
_OPENVPN_RESETS: Final = {0x38: "client", 0x40: "server", 0x50: "client"}  # P_CONTROL_HARD_RESET_*_V2 and V3 with key 0
_WIREGUARD: Final = {1: 148, 2: 92, 3: 64}  # lengths of initiation, response, cookie reply


class OneMessageInspector(ProtocolInspector):
    """Tells what `read` finds in the first message of either side."""

    def __init__(
        self, flow: FlowContext, protocol: str, read: Callable[[ProtocolInspector, bytes], None], size: int = 0
    ) -> None:
        super().__init__(flow)
        self.protocol = protocol  # type: ignore[misc]  # one class for several protocols
        self._read = read
        self._size = size  # of the message, where it may come in pieces
        self._begun = [b"", b""]

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        self._begun[direction] += data
        if len(self._begun[direction]) < self._size:
            return MORE
        self._read(self, self._begun[direction])
        self.tell(ts)
        return DONE


def _nothing(inspector: ProtocolInspector, data: bytes) -> None:
    """The protocol's name is all there is to tell."""


def _stun(inspector: ProtocolInspector, data: bytes) -> None:
    """SOFTWARE (RFC 8489 section 14.14) and USERNAME are not secrets; only the software is told."""
    place = 20
    while place + 4 <= len(data):
        kind, length = (
            int.from_bytes(data[place : place + 2], "big"),
            int.from_bytes(data[place + 2 : place + 4], "big"),
        )
        if kind == 0x8022:
            inspector.note("software", data[place + 4 : place + 4 + length])
        place += 4 + (length + 3 & ~3)


def _bittorrent(inspector: ProtocolInspector, data: bytes) -> None:
    if len(data) >= 68:
        inspector.note("info_hash", data[28:48].hex())
        inspector.note("peer", data[48:56])


@begins(pattern(TCP, "?? ?? ?? ?? 21 12 a4 42"), pattern(UDP, "?? ?? ?? ?? 21 12 a4 42"))
def recognize_stun(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The magic cookie, and a length that fits (RFC 8489 section 5)."""
    if len(data) < 20 or data[4:8] != _STUN_COOKIE or data[0] & 0xC0:
        return None
    length = int.from_bytes(data[2:4], "big")
    fits = length % 4 == 0 and (length == len(data) - 20 if flow.protocol == 17 else length <= 2048)
    return OneMessageInspector(flow, "stun", _stun) if fits else None


@begins(exactly(TCP, _HANDSHAKE), exactly(UDP, b"d1:"))
def recognize_bittorrent(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A peer's handshake (BEP 3), or a query or response of the distributed hash table (BEP 5)."""
    if flow.protocol == 6:
        return OneMessageInspector(flow, "bittorrent", _bittorrent, 68) if data.startswith(_HANDSHAKE) else None
    table = _DHT.match(data) and data.endswith(b"e") and (b"1:y1:q" in data or b"1:y1:r" in data)
    return OneMessageInspector(flow, "bittorrent", _nothing) if table else None


@begins(exactly(UDP, *(bytes((kind, 0, 0, 0)) for kind in _WIREGUARD)))
def recognize_wireguard(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A handshake message of its exact length; reserved bytes are zero."""
    known = flow.protocol == 17 and len(data) >= 64 and data[1:4] == b"\0\0\0" and _WIREGUARD.get(data[0]) == len(data)
    return OneMessageInspector(flow, "wireguard", _nothing) if known and len(set(data[4:])) > 16 else None


@begins(pattern(TCP, "?? ?? 38", "?? ?? 40", "?? ?? 50"), pattern(UDP, "38", "40", "50"))
def recognize_openvpn(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A hard reset: plain, or with an HMAC on OpenVPN's port. Over TCP two bytes of length come before it."""
    if flow.protocol == 6:
        if len(data) < 16 or int.from_bytes(data[:2], "big") != len(data) - 2:
            return None
        data = data[2:]
    if len(data) < 14 or data[0] not in _OPENVPN_RESETS:
        return None
    plain = data[0] == 0x38 and len(data) == 14 and data[9:14] == b"\0\0\0\0\0" and any(data[1:9])
    keyed = on_port(flow, 1194) and len(data) in (
        42,
        50,
        54,
        62,
        66,
        74,
        78,
        86,
    )  # digests of 16 to 64 bytes, with acknowledgements or none
    return OneMessageInspector(flow, "openvpn", _nothing) if plain or keyed else None

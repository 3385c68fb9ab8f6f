"""Google's own QUIC up to Q046: the CHLO message, which names the server in the clear.

Between the public header and the CHLO lie a packet number, a hash and a stream frame, whose sizes differ from version to version; the
message is found by its tag instead. Source: "QUIC Crypto" (Langley, Chang), § "Handshake message format".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_VERSION_AT: Final = (9, 1)  # behind flags and connection id (to Q043); behind the first byte (from Q044)
_REACH: Final = 96  # bytes in which the CHLO must begin
_MAX_TAGS: Final = 128


@dataclass(slots=True)
class Chlo:
    """What is told of a CHLO."""

    version: str
    server_name: bytes | None


def parse_chlo(data: bytes) -> Chlo | None:
    """A datagram with a CHLO of Google's QUIC; None where it is none."""
    version = _version(data)
    at = data.find(b"CHLO", 5, _REACH) if version else -1
    if at < 0:
        return None
    tags = read_tags(data, at)
    return Chlo(version, tags.get(b"SNI\0") or None) if tags else None


def read_tags(data: bytes, at: int) -> dict[bytes, bytes]:
    """Tag → value of the handshake message at `at`; empty where its table is broken. Values that are not in this packet are left out."""
    if at + 8 > len(data):
        return {}
    count = int.from_bytes(data[at + 4 : at + 6], "little")
    values = at + 8 + 8 * count
    if not 0 < count <= _MAX_TAGS or values > len(data):
        return {}
    found: dict[bytes, bytes] = {}
    start = last = 0
    for entry in range(at + 8, values, 8):
        order, end = (
            int.from_bytes(data[entry : entry + 4], "little"),
            int.from_bytes(data[entry + 4 : entry + 8], "little"),
        )
        if order <= last or end < start:  # tags ascend, ends do not fall
            return {}
        if values + end <= len(data):
            found[data[entry : entry + 4]] = data[values + start : values + end]
        start, last = end, order
    return found


def _version(data: bytes) -> str:
    for at in _VERSION_AT:
        text = data[at : at + 4]
        if len(text) == 4 and text[:2] == b"Q0" and text[2:].isdigit():
            long = bool(data[0] & 0x80)
            if (at == 1) == long and (long or data[0] & 0x09 == 0x09):
                return text.decode("ascii")
    return ""

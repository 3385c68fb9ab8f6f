"""The outside of QUIC's long header packets, and the CRYPTO frames inside Initial packets (RFC 9000 § 17.2, § 19)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.dpi.quic_versions import is_google, is_v2

INITIAL: Final = 0
ZERO_RTT: Final = 1
HANDSHAKE: Final = 2
RETRY: Final = 3
_MAX_CONNECTION_ID: Final = 20
_MAX_FRAMES: Final = 64


@dataclass(slots=True)
class LongHeader:
    """One packet with a long header. `kind`: INITIAL … as numbered by version 1; -1 for a version negotiation."""

    version: int
    kind: int
    destination: bytes
    source: bytes
    number_at: int  # where the packet number lies; where a version negotiation's list begins
    end: int  # of the packet


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and where it ends (RFC 9000 § 16). Raises IndexError beyond the data."""
    first = data[at]
    size = 1 << (first >> 6)
    if at + size > len(data):
        raise IndexError
    if size == 1:
        return first, at + 1
    mask = (1 << (8 * size - 2)) - 1
    return int.from_bytes(data[at : at + size], "big") & mask, at + size


def parse_long_header(data: bytes, at: int) -> LongHeader | None:
    """The packet at `at` of a datagram; None where there is none with a long header."""
    try:
        first = data[at]
        if not first & 0x80:
            return None
        version = int.from_bytes(data[at + 1 : at + 5], "big")
        size = data[at + 5]
        source_at = at + 6 + size
        source_size = data[source_at]
        position = source_at + 1 + source_size
        if size > _MAX_CONNECTION_ID or source_size > _MAX_CONNECTION_ID or position > len(data):
            return None
        header = LongHeader(version, -1, data[at + 6 : source_at], data[source_at + 1 : position], position, len(data))
        if version == 0:
            return header
        if not first & 0x40:
            return None
        header.kind = ((first >> 4) - is_v2(version)) & 3
        if header.kind == RETRY:
            return header
        if header.kind == INITIAL:
            token, position = read_varint(data, position)
            position += token
        length, header.number_at = read_varint(data, position)
        header.end = header.number_at + length
        return header if length and header.end <= len(data) else None
    except IndexError:
        return None


def crypto_frames(payload: bytes, version: int) -> list[tuple[int, bytes]]:
    """(offset, bytes) of the CRYPTO frames of an Initial packet, up to the first frame that may not be in one."""
    found: list[tuple[int, bytes]] = []
    at = 0
    try:
        for _ in range(_MAX_FRAMES):
            if at < len(payload) and not payload[at]:  # PADDING
                at = len(payload) - len(payload[at:].lstrip(b"\0"))
            if at >= len(payload):
                break
            kind = payload[at]
            at += 1
            if kind == 0x06 or (kind == 0x08 and is_google(version)):
                offset, at = read_varint(payload, at)
                size, at = read_varint(payload, at)
                found.append((offset, payload[at : at + size]))
                at += size
            elif kind in (0x02, 0x03):
                at = _skip_ack(payload, at, kind == 0x03)
            elif kind != 0x01:  # PING
                break
    except IndexError:
        pass  # the last frame is cut: what came before it counts
    return found


def _skip_ack(payload: bytes, at: int, congestion: bool) -> int:
    _, at = read_varint(payload, at)
    _, at = read_varint(payload, at)
    ranges, at = read_varint(payload, at)
    for _ in range(min(2 * ranges, len(payload)) + 1 + 3 * congestion):
        _, at = read_varint(payload, at)
    return at

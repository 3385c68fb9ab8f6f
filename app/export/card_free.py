"""Frames without card numbers for a capture file: the hidden digits become zeros, and the checksums over them stay right.

Checksums are changed by the difference (RFC 1624), not computed anew: a wrong or partial one stays as wrong as it was, and frames
cut by the snap length need no special case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.wire.card_mask import hidden_positions
from app.wire.network_header import ethernet_header, ip_after, ip_header

_ZERO: Final = ord("0")
_MAX_DEPTH: Final = 8
_ICMP, _IPIP, _TCP, _UDP, _IPV6, _GRE, _ICMPV6 = 1, 4, 6, 17, 41, 47, 58
_CHECKSUM_AT: Final = {_TCP: 16, _UDP: 6, _ICMP: 2, _ICMPV6: 2}
_HEADER: Final = {_TCP: 20, _UDP: 8, _ICMP: 4, _ICMPV6: 4}
_EXTENSIONS: Final = (0, 43, 60)  # hop-by-hop, routing, destination options (RFC 8200)
_VXLAN_PORT: Final = 4789


def card_free(frame: bytes, link_type: int, known: Sequence[int] = ()) -> tuple[bytes, bool]:
    """The frame with its card numbers masked by zeros, and whether there was any. known: positions that are known to belong to one."""
    hidden = sorted({*known, *hidden_positions(frame)})
    if not hidden:
        return frame, False
    changed = bytearray(frame)
    for position in hidden:
        changed[position] = _ZERO
    positions = set(hidden)
    for span in reversed(list(checksummed(frame, link_type))):  # inner ones first: outer ones cover them
        _correct(frame, changed, positions, span)
    return bytes(changed), True


def _correct(frame: bytes, changed: bytearray, positions: set[int], span: tuple[int, int, int, bool]) -> None:
    """Carry the changes at `positions` inside a span into its checksum, and add the checksum's own place to them."""
    start, end, at, is_udp = span
    old = int.from_bytes(frame[at : at + 2], "big")
    if is_udp and old == 0:  # RFC 768: no checksum
        return
    difference = 0
    for position in positions:
        if start <= position < end:
            weight = 256 if (position - start) % 2 == 0 else 1
            difference += (changed[position] - frame[position]) * weight
    if difference == 0:
        return
    # One's complement sums are numbers modulo 65535; a sum over real data is never the zero with all bits clear.
    total = (0xFFFF - old + difference) % 0xFFFF or 0xFFFF
    new = 0xFFFF - total
    if is_udp and new == 0:
        new = 0xFFFF
    changed[at : at + 2] = new.to_bytes(2, "big")
    positions.update((at, at + 1))


def checksummed(frame: bytes, link_type: int) -> Iterator[tuple[int, int, int, bool]]:
    """(start, end, place of the checksum, is it UDP's) of every checksum over payload, through tunnels."""
    at = ip_header(frame, link_type)
    for _ in range(_MAX_DEPTH):
        if at is None or at >= len(frame):
            return
        transport = _transport(frame, at)
        if transport is None:
            return
        protocol, start, end = transport
        if protocol in _CHECKSUM_AT and start + _HEADER[protocol] <= len(frame):
            yield start, end, start + _CHECKSUM_AT[protocol], protocol == _UDP
        at = _inner_ip(frame, protocol, start)


def _transport(frame: bytes, at: int) -> tuple[int, int, int] | None:
    """(protocol, where its header starts, where the packet ends) behind an IP header; None for later fragments and damage."""
    version = frame[at] >> 4
    if version == 4 and at + 20 <= len(frame):
        start = at + (frame[at] & 15) * 4
        end = at + int.from_bytes(frame[at + 2 : at + 4], "big")
        is_later_fragment = int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF
        return None if is_later_fragment else (frame[at + 9], start, end if end > start else len(frame))
    if version == 6 and at + 40 <= len(frame):
        end = at + 40 + (int.from_bytes(frame[at + 4 : at + 6], "big") or len(frame))
        return _behind_extensions(frame, frame[at + 6], at + 40, end)
    return None


def _behind_extensions(frame: bytes, following: int, at: int, end: int) -> tuple[int, int, int] | None:
    for _ in range(_MAX_DEPTH):
        if following in _EXTENSIONS and at + 2 <= len(frame):
            following, at = frame[at], at + 8 * (frame[at + 1] + 1)
        elif following == 44 and at + 8 <= len(frame):  # fragment header
            if int.from_bytes(frame[at + 2 : at + 4], "big") & 0xFFF8:
                return None
            following, at = frame[at], at + 8
        else:
            return following, at, end
    return None


def _inner_ip(frame: bytes, protocol: int, start: int) -> int | None:
    """Where the IP header inside a tunnel starts, if the transport header at `start` carries one."""
    if protocol in (_IPIP, _IPV6):
        return start
    if protocol == _UDP and frame[start + 2 : start + 4] == _VXLAN_PORT.to_bytes(2, "big"):
        return ip_after(frame, *ethernet_header(frame, start + 16))
    if protocol == _GRE and start + 4 <= len(frame):
        flags = frame[start]
        at = start + 4 + 4 * bool(flags & 0xC0) + 4 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
        ether_type = int.from_bytes(frame[start + 2 : start + 4], "big")
        return ip_after(frame, *ethernet_header(frame, at)) if ether_type == 0x6558 else ip_after(frame, ether_type, at)
    return None

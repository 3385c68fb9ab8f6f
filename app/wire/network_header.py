"""Where the network header of a frame begins: a few bytes of link header read in plain Python, for single frames.

Whole blocks are read by `app.wire.decode`; this is for frames that are about to be shown or written.
"""

from __future__ import annotations

from typing import Final

ETHERNET, SLL, SLL2, NULL, LOOP = 1, 113, 276, 0, 108
RAW_IP: Final = (12, 14, 101, 228, 229)
VLAN_TYPES: Final = (0x8100, 0x88A8, 0x9100)
IPV4, IPV6, MPLS, PPPOE = 0x0800, 0x86DD, 0x8847, 0x8864
_SMALLEST_ETHER_TYPE: Final = 0x0600  # below: the length field of IEEE 802.3
_MOST_TAGS: Final = 8


def network_header(frame: bytes, link_type: int) -> tuple[int, int]:
    """(EtherType or 0, where the network header starts) of a frame; (0, 0) for link types that name no EtherType."""
    if link_type == SLL:
        return int.from_bytes(frame[14:16], "big"), 16
    if link_type == SLL2:
        return int.from_bytes(frame[0:2], "big"), 20
    return ethernet_header(frame, 0) if link_type == ETHERNET else (0, 0)


def ethernet_header(frame: bytes, start: int) -> tuple[int, int]:
    """(EtherType or 0, where the header after it starts) of an Ethernet header at `start`, behind its VLAN tags."""
    at = start + 12
    ether_type = int.from_bytes(frame[at : at + 2], "big")
    for _ in range(_MOST_TAGS):
        if ether_type not in VLAN_TYPES:
            break
        at += 4
        ether_type = int.from_bytes(frame[at : at + 2], "big")
    return (ether_type if ether_type >= _SMALLEST_ETHER_TYPE else 0), at + 2


def ip_header(frame: bytes, link_type: int) -> int | None:
    """Where the outermost IP header of a frame starts; None where there is none (or the link type is not known here)."""
    if link_type in RAW_IP:
        return 0
    if link_type in (NULL, LOOP):
        return 4
    return ip_after(frame, *network_header(frame, link_type))


def ip_after(frame: bytes, ether_type: int, at: int) -> int | None:
    """Where IP starts behind an EtherType: at once, or behind MPLS labels or a PPPoE session header."""
    if ether_type in (IPV4, IPV6):
        return at
    if ether_type == MPLS:
        while at + 4 <= len(frame) and not frame[at + 2] & 1:  # RFC 3032: bottom of stack
            at += 4
        return at + 4 if frame[at + 4 : at + 5] and frame[at + 4] >> 4 in (4, 6) else None
    if ether_type == PPPOE:
        return at + 8 if frame[at + 6 : at + 8] in (b"\x00\x21", b"\x00\x57") else None
    return None

"""Whose socket the other end of a loopback connection is, read from the kernel's table."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

TABLES: Final = {4: "/proc/net/tcp", 6: "/proc/net/tcp6"}
_UID, _INODE = 7, 9  # fields of a line


def peer_uid(peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    """The uid that owns the peer's end of a TCP connection on this machine; None where it cannot be told.

    A socket without an inode has no owner any more (its uid reads 0), and is therefore not told as root's.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        ends = _Ends(ip_address(peer[0]), peer[1], ip_address(own[0]), own[1])
    except ValueError:
        return None
    for version, needle in ends.needles():
        try:
            with open(TABLES[version], "rb") as table:
                uid = _owner(table.read(), needle)
        except OSError:
            continue
        if uid is not None:
            return uid
    return None


class _Ends:
    """Both ends as the table writes them. An IPv4 connection may belong to an IPv6 socket, as ::ffff:a.b.c.d."""

    def __init__(
        self, peer: IPv4Address | IPv6Address, peer_port: int, own: IPv4Address | IPv6Address, own_port: int
    ) -> None:
        self.peer, self.peer_port = _plain(peer), peer_port
        self.own, self.own_port = _plain(own), own_port

    def needles(self) -> list[tuple[int, bytes]]:
        found = []
        if self.peer.version == self.own.version == 4:
            found.append((4, self._line(_hex(self.peer.packed), _hex(self.own.packed))))
        prefix = b"\0" * 10 + b"\xff\xff"
        six = [prefix + end.packed if end.version == 4 else end.packed for end in (self.peer, self.own)]
        found.append((6, self._line(_hex(six[0]), _hex(six[1]))))
        return found

    def _line(self, peer: str, own: str) -> bytes:
        return f"{peer}:{self.peer_port:04X} {own}:{self.own_port:04X} ".encode()


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _hex(packed: bytes) -> str:
    """Words of four bytes in the machine's order (net/ipv4/tcp_ipv4.c prints them as integers)."""
    return "".join(
        f"{socket.ntohl(word) if sys.byteorder == 'little' else word:08X}"
        for word in struct.unpack(f"!{len(packed) // 4}I", packed)
    )


def _owner(table: bytes, needle: bytes) -> int | None:
    at = table.find(needle)
    if at < 0:
        return None
    start, end = table.rfind(b"\n", 0, at) + 1, table.find(b"\n", at)
    words = table[start : end if end >= 0 else len(table)].split()
    if len(words) <= _INODE or words[_INODE] == b"0":
        return None
    return int(words[_UID])

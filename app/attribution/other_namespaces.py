"""Sockets of the machine's other network namespaces (containers), from /proc/<pid>/net: sock_diag answers for our own namespace only.

The tables are text and whole, so they are read with pauses, one process for each namespace.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Final

from app.attribution.process_records import network_namespace
from app.attribution.sock_diag import LISTEN, Found

REFRESH_SECONDS: Final = 0.02  # between two readings, and PAUSE times what one took
PAUSE: Final = 100
NAMESPACE_SECONDS: Final = 1.0
MAX_NAMESPACES: Final = 64
MAX_BYTES: Final = 1 << 20  # of one table
_MAPPED: Final = bytes(10) + b"\xff\xff"
_TABLES: Final = (("tcp", 6), ("tcp6", 6), ("udp", 17), ("udp6", 17))

_LOCAL = re.compile(rb"\|-- ([\d.]+)\s+/32 host LOCAL")
_LOOPBACK: Final = bytes(15) + b"\x01"

Ends = tuple[int, bytes, int, bytes, int]  # protocol, local address and port, remote address and port


class OtherNamespaces:
    """What the last look found. `own`: inode of the namespace that is left out."""

    def __init__(self, own: int) -> None:
        self._own = own
        self._members: dict[int, list[int]] = {}  # namespace → its processes
        self._addresses: set[bytes] = set()
        self._sockets: dict[Ends, list[tuple[Found, int]]] = {}
        self._listed_at = self._next_read = -1e9

    def any(self) -> bool:
        """Whether there are other namespaces with processes in them."""
        self._refresh_list()
        return bool(self._members)

    def has(self, address: bytes) -> bool:
        """Whether one of them has this address."""
        self._refresh_list()
        return address in self._addresses

    def members(self, namespace: int) -> list[int]:
        return self._members.get(namespace, [])

    def find(self, protocol: int, local: bytes, port: int, remote: bytes, remote_port: int) -> tuple[Found, int] | None:
        """(socket, namespace); None where none has these ends, or more than one namespace has."""
        if not self.has(local):
            return None
        self._refresh()
        zero = _MAPPED + bytes(4) if local.startswith(_MAPPED) else bytes(16)
        for ends in (
            (protocol, local, port, remote, remote_port),
            (protocol, local, port, zero, 0),
            (protocol, zero, port, zero, 0),
            (protocol, bytes(16), port, bytes(16), 0),
        ):
            if ends[1] != local and not self._unique(port):
                return None
            hits = self._sockets.get(ends)
            if hits:
                return hits[0] if len({namespace for _, namespace in hits}) == 1 else None
        return None

    def _unique(self, port: int) -> bool:
        """A wildcard address says nothing where several namespaces could be meant."""
        return len(self._members) == 1

    def _refresh(self) -> None:
        self._refresh_list()
        now = time.monotonic()
        if self._members and now >= self._next_read:
            self._sockets = {}
            for namespace, pids in self._members.items():
                self._read(namespace, pids)
            done = time.monotonic()
            self._next_read = done + max(REFRESH_SECONDS, PAUSE * (done - now))

    def _refresh_list(self) -> None:
        now = time.monotonic()
        if now - self._listed_at > NAMESPACE_SECONDS:
            self._listed_at = now
            self._list()

    def _list(self) -> None:
        members: dict[int, list[int]] = {}
        try:
            names = os.listdir("/proc")
        except OSError:
            return
        for name in names:
            if name.isdigit():
                namespace = network_namespace(name)
                if namespace and namespace != self._own and (namespace in members or len(members) < MAX_NAMESPACES):
                    members.setdefault(namespace, []).append(int(name))
        self._members = members
        self._addresses = {address for pids in members.values() for address in _local_addresses(pids[:4])}
        if not members:
            self._sockets = {}

    def _read(self, namespace: int, pids: list[int]) -> None:
        for table, protocol in _TABLES:
            for pid in pids[:4]:  # the first may be gone by now
                try:
                    with open(f"/proc/{pid}/net/{table}", "rb") as file:
                        text = file.read(MAX_BYTES)
                except OSError:
                    continue
                self._take(namespace, protocol, text)
                break

    def _take(self, namespace: int, protocol: int, text: bytes) -> None:
        for line in text.splitlines()[1:]:
            parts = line.split()
            if len(parts) < 10:
                continue
            try:
                local, port = _endpoint(parts[1])
                remote, remote_port = _endpoint(parts[2])
                found = Found(int(parts[9]), int(parts[7]), int(parts[3], 16))
            except ValueError:
                continue
            if (protocol == 6 and found.state == LISTEN) or found.inode:
                self._sockets.setdefault((protocol, local, port, remote, remote_port), []).append((found, namespace))


def _local_addresses(pids: list[int]) -> set[bytes]:
    """The addresses of the namespace of these processes; loopback's are in every namespace and tell nothing."""
    found: set[bytes] = set()
    for pid in pids:
        try:
            with open(f"/proc/{pid}/net/fib_trie", "rb") as file:
                found.update(_MAPPED + socket.inet_aton(text.decode()) for text in _LOCAL.findall(file.read(MAX_BYTES)))
            with open(f"/proc/{pid}/net/if_inet6", "rb") as file:
                found.update(bytes.fromhex(line[:32].decode()) for line in file.read(MAX_BYTES).splitlines())
        except (OSError, ValueError):
            continue
        break
    return {address for address in found if address != _LOOPBACK and not address.startswith(_MAPPED + b"\x7f")}


def _endpoint(text: bytes) -> tuple[bytes, int]:
    """`0100007F:1F90` → (16 bytes, port); the kernel prints 32-bit words in the machine's order."""
    address, _, port = text.partition(b":")
    raw = bytes.fromhex(address.decode())
    words = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    if len(words) not in (4, 16):
        raise ValueError("not an address")
    return (_MAPPED + words if len(words) == 4 else words), int(port, 16)

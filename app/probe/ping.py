"""How far away a host is: one ICMP echo, with ping3's packets and our own check of the answer.

ping3's own waiting takes any answer with its process's number: here each question has a number of its own in `seq`, its payload is random, and the
answer must come from the address that was asked.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import secrets
import select
import socket
import struct
import sys
import threading
import time
from typing import Any, Final

import ping3

SECONDS: Final = 2.0
SIZE: Final = 24  # bytes of payload: ping3's time and padding
_HEADER: Final = struct.Struct("!BBHHH")
_REPLIES: Final = {socket.AF_INET: 0, socket.AF_INET6: 129}  # ICMP echo reply (RFC 792, RFC 4443)


class NotPermitted(Exception):
    """The system lets this process send no echo requests; the text says what would help."""


class Pinger:
    """Thread-safe; each call has a socket of its own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(secrets.randbelow(1 << 16))
        self._lock = threading.Lock()
        self.asked = self.answered = 0
        self.problem: str | None = None

    def ping(self, address: str, timeout: float = SECONDS) -> float | None:
        """Round trip in milliseconds; None: no answer. `NotPermitted`, or `ValueError` where the text is no address."""
        family = socket.AF_INET if ipaddress.ip_address(address).version == 4 else socket.AF_INET6
        with self._lock:
            number = next(self._numbers) & 0xFFFF
            self.asked += 1
        try:
            with _echo_socket(family) as sock:
                answer = _measure(sock, address, number, timeout)
        except NotPermitted as error:
            self.problem = str(error)
            raise
        except (OSError, ping3.errors.PingError):
            return None  # no route, or refused on the way: as if it had not answered
        with self._lock:
            self.answered += answer is not None
        self.problem = None
        return answer

    def document(self) -> dict[str, Any]:
        """The status as it is shown."""
        text = self.problem or "Remote hosts are pinged."
        return {
            "state": "failed" if self.problem else "ready",
            "text": text,
            "asked": self.asked,
            "answered": self.answered,
        }


def _echo_socket(family: socket.AddressFamily) -> socket.socket:
    """Without rights where the system allows that (`net.ipv4.ping_group_range`), raw otherwise."""
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol)
        except PermissionError:
            continue
    raise NotPermitted("Pinging is not permitted: net.ipv4.ping_group_range does not have this user's group.")


def _measure(sock: socket.socket, address: str, number: int, timeout: float) -> float | None:
    identity = (os.getpid() * 31 + threading.get_ident()) & 0xFFFF
    sock.setblocking(False)
    began = time.perf_counter()
    ping3.send_one_ping(sock, address, identity, number, SIZE)
    if sock.type == socket.SOCK_DGRAM and sys.platform == "linux":
        identity = sock.getsockname()[1]  # the kernel writes its own (icmp(7))
    deadline = began + timeout
    while (left := deadline - time.perf_counter()) > 0:
        if not select.select([sock], [], [], left)[0]:
            return None
        data, source = sock.recvfrom(2048)
        passed = time.perf_counter() - began
        if _is_reply(sock, data, source, address, identity, number):
            return round(1000 * passed, 3)
    return None


def _is_reply(sock: socket.socket, data: bytes, source: Any, address: str, identity: int, number: int) -> bool:
    """An echo reply to this very question, from the address that was asked."""
    if ipaddress.ip_address(str(source[0]).partition("%")[0]) != ipaddress.ip_address(address.partition("%")[0]):
        return False
    if sock.family == socket.AF_INET and (sock.type == socket.SOCK_RAW or sys.platform == "darwin"):
        data = data[(data[0] & 15) * 4 :] if data else b""
    if len(data) < _HEADER.size:
        return False
    kind, code, _, answered, sequence = _HEADER.unpack_from(data)
    return (kind, code, answered, sequence) == (_REPLIES[sock.family], 0, identity, number)

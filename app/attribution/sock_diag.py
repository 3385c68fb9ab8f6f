"""Exact look-ups of sockets over netlink (sock_diag(7), linux/inet_diag.h), without any right: addresses and ports → inode and user.

For TCP the kernel answers with the connection, or with the socket that listens for it. UDP wants source and destination swapped, "for historical
reasons" (net/ipv4/udp_diag.c). A socket that was not accepted yet, or that waits in TIME_WAIT, has inode 0.
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from typing import Final

TCP, UDP = 6, 17
ESTABLISHED, LISTEN = 1, 10
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_REQUEST, _DUMP = 1, 0x300
_ERROR, _DONE = 2, 3
_HEADER: Final = struct.Struct("=IHHII")
_REQUEST_FORM: Final = struct.Struct("=BBBxI2s2s16s16sIII")
_NO_COOKIE: Final = 0xFFFFFFFF
_ALL_STATES: Final = 0xFFFFFFFF
_MAPPED: Final = bytes(10) + b"\xff\xff"
_RTM_GETADDR: Final = 22
_ANSWER_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """A socket. `inode` 0: it belongs to no process (yet, or any more)."""

    inode: int
    uid: int
    state: int


class SocketTable:
    """One netlink socket, one question at a time. Raises OSError in the constructor where the kernel has no sock_diag."""

    def __init__(self) -> None:
        self._netlink = socket.socket(
            getattr(socket, "AF_NETLINK", 16), socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
        )
        self._netlink.settimeout(_ANSWER_SECONDS)
        self._sequence = 0
        self.asked = 0
        try:  # is there inet_diag at all?
            self._ask(_exact(TCP, _MAPPED + b"\x7f\0\0\1", 1, _MAPPED + b"\x7f\0\0\1", 1))
        except OSError:
            self._netlink.close()
            raise

    def close(self) -> None:
        self._netlink.close()

    def find(self, protocol: int, local: bytes, local_port: int, remote: bytes, remote_port: int) -> Found | None:
        """The socket with these ends (16-byte addresses, IPv4 mapped), or that listens for them; None: there is none here."""
        if protocol == TCP:
            request = _exact(TCP, local, local_port, remote, remote_port)
        elif protocol == UDP:
            request = _exact(UDP, remote, remote_port, local, local_port)
        else:
            return None
        found = self._ask(request)
        if found is None and protocol == UDP and not local.startswith(_MAPPED):
            return None
        if found is not None and found.inode == 0 and protocol == TCP and found.state != LISTEN:
            version = 4 if local.startswith(_MAPPED) else 6
            nobody = _MAPPED + bytes(4) if version == 4 else bytes(16)
            listener = self._ask(_exact(TCP, local, local_port, nobody, 0))
            return listener if listener is not None and listener.state == LISTEN else found
        return found

    def _ask(self, request: bytes) -> Found | None:
        """Raises OSError where the kernel does not know the question."""
        self._sequence = (self._sequence + 1) & 0x7FFFFFFF
        self.asked += 1
        head = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST, self._sequence, 0)
        self._netlink.sendto(head + request, (0, 0))
        while True:
            answer = self._netlink.recv(8192)
            if len(answer) < _HEADER.size + 4:
                return None
            _, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if sequence != self._sequence:
                continue  # the answer to a question that was given up
            if kind == _ERROR:
                code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
                if code in (0, errno.ENOENT):
                    return None
                raise OSError(code, "sock_diag")
            if len(answer) < _HEADER.size + 72:
                return None
            state = answer[_HEADER.size + 1]
            uid, inode = struct.unpack_from("=II", answer, _HEADER.size + 64)
            return Found(inode, uid, state)


def _parts(netlink: socket.socket, sequence: int, most: int = 4096) -> list[bytes]:
    """The bodies of a dump's messages."""
    bodies: list[bytes] = []
    while len(bodies) < most:
        answer = netlink.recv(1 << 17)
        at = 0
        while at + _HEADER.size <= len(answer):
            length, kind, _, number, _ = _HEADER.unpack_from(answer, at)
            if length < _HEADER.size or kind in (_DONE, _ERROR):
                return bodies
            if number == sequence:
                bodies.append(answer[at + _HEADER.size : at + length])
            at += (length + 3) & ~3
        if not answer:
            break
    return bodies


def _exact(protocol: int, source: bytes, sport: int, target: bytes, dport: int) -> bytes:
    """inet_diag_req_v2 for one socket."""
    if source.startswith(_MAPPED) and target.startswith(_MAPPED):
        family, source, target = socket.AF_INET, source[12:] + bytes(12), target[12:] + bytes(12)
    else:
        family = socket.AF_INET6
    return _REQUEST_FORM.pack(
        family, protocol, 0, _ALL_STATES, sport.to_bytes(2, "big"), dport.to_bytes(2, "big"), source, target, 0,
        _NO_COOKIE, _NO_COOKIE,
    )  # fmt: skip


def own_addresses() -> frozenset[bytes]:
    """Addresses of this network namespace (rtnetlink(7), RTM_GETADDR), 16 bytes each. Raises OSError."""
    found = set()
    with socket.socket(getattr(socket, "AF_NETLINK", 16), socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as netlink:
        netlink.settimeout(_ANSWER_SECONDS)
        request = struct.pack("=BBBBI", 0, 0, 0, 0, 0)
        netlink.sendto(
            _HEADER.pack(_HEADER.size + len(request), _RTM_GETADDR, _REQUEST | _DUMP, 1, 0) + request, (0, 0)
        )
        for body in _parts(netlink, 1):
            family, at = body[0], 8
            while at + 4 <= len(body):
                length, kind = struct.unpack_from("=HH", body, at)
                if length < 4:
                    break
                value = body[at + 4 : at + length]
                # IFA_LOCAL (2) is this end of a point-to-point link; IPv6 has IFA_ADDRESS (1) only
                if family == socket.AF_INET and kind == 2 and len(value) == 4:
                    found.add(_MAPPED + value)
                elif family == socket.AF_INET6 and kind in (1, 2) and len(value) == 16:
                    found.add(value)
                at += (length + 3) & ~3
    return frozenset(found)

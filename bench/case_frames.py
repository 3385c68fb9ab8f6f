"""Frames of generated cases, quickly: IPv4 and IPv6, VLAN tags, TCP connections with payload, UDP, ICMP, ARP. Checksums are left out, which no detector looks at."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

Timed = tuple[float, bytes]  # seconds, frame
Said = tuple[int, bytes]  # 0 = the client says, 1 = the server says

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
BROADCAST: Final = b"\xff" * 6
_ports = count(40_000)


def mac(address: str) -> bytes:
    """A hardware address of its own for each address of the own networks; strangers come by the router."""
    if not address.startswith(("10.", "192.168.", "172.16.", "fe80", "2001:db8:1:", "224.", "239.", "255.", "ff")):
        return b"\x02\0\0\0\0\x01"
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return b"\x02\x00" + packed[-4:]


def ethernet(body: bytes, kind: int, src: bytes, dst: bytes, vlan: int = 0) -> bytes:
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    return dst + src + tag + struct.pack("!H", kind) + body


def ip(src: str, dst: str, protocol: int, body: bytes, vlan: int = 0, ttl: int = 64, fragment: int = 0, number: int = 1) -> bytes:  # fmt: skip
    """`fragment`: the flags and offset of IPv4."""
    if ":" in src:
        ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
        head = struct.pack("!IHBB", 6 << 28, len(body), protocol, ttl) + ends
        return ethernet(head + body, 0x86DD, mac(src), mac(dst), vlan)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, fragment, ttl, protocol, 0)
    return ethernet(head + socket.inet_aton(src) + socket.inet_aton(dst) + body, 0x0800, mac(src), mac(dst), vlan)


def tcp(src: str, sport: int, dst: str, dport: int, flags: int, payload: bytes = b"", seq: int = 1000, ack: int = 0, vlan: int = 0, window: int = 64_240) -> bytes:  # fmt: skip
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, window, 0, 0)
    return ip(src, dst, 6, head + payload, vlan)


def udp(src: str, sport: int, dst: str, dport: int, payload: bytes = b"", vlan: int = 0) -> bytes:
    return ip(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, vlan)


def echo(src: str, dst: str, number: int, payload: bytes = b"", answer: bool = False) -> bytes:
    """A ping, of IPv6 where the addresses are."""
    kinds = (129, 128) if ":" in src else (0, 8)
    head = struct.pack("!BBHHH", kinds[0] if answer else kinds[1], 0, 0, 77, number & 0xFFFF)
    return ip(src, dst, 58 if ":" in src else 1, head + payload)


def unreachable(src: str, dst: str, about: bytes, code: int = 3) -> bytes:
    """ICMP's answer to a frame without VLAN tag."""
    return ip(src, dst, 1, struct.pack("!BBHI", 3, code, 0, 0) + about[14:42])


def arp(operation: int, sender_mac: bytes, sender: str, target: str, target_mac: bytes = bytes(6), to: bytes = BROADCAST) -> bytes:  # fmt: skip
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    body = head + sender_mac + socket.inet_aton(sender) + target_mac + socket.inet_aton(target)
    return ethernet(body + bytes(18), 0x0806, sender_mac, to)


def port() -> int:
    """Another port of a client."""
    return 40_000 + next(_ports) % 20_000


def tried(at: float, src: str, dst: str, dport: int, answer: str = "", flags: int = SYN, sport: int = 0, vlan: int = 0) -> Iterator[Timed]:  # fmt: skip
    """One probe; `answer`: "" nothing, R a reset, S a connection with a few bytes, H half open and reset."""
    own = sport or port()
    yield at, tcp(src, own, dst, dport, flags, vlan=vlan)
    if answer == "R":
        yield at + 0.001, tcp(dst, dport, src, own, RST | ACK, seq=0, ack=1001, vlan=vlan)
    elif answer == "S":
        yield from connection(at, src, dst, dport, [(0, b"hello there"), (1, b"hello yourself")], sport=own, begun=True)
    elif answer == "H":
        yield at + 0.001, tcp(dst, dport, src, own, SYN | ACK, seq=5000, ack=1001, vlan=vlan)
        yield at + 0.002, tcp(src, own, dst, dport, RST, seq=1001, vlan=vlan)


def connection(
    at: float,
    src: str,
    dst: str,
    dport: int,
    said: Iterable[Said],
    sport: int = 0,
    step: float = 0.002,
    begun: bool = False,
    close: bool = True,
    size: int = 1400,
    gap: float = 0.0,
) -> Iterator[Timed]:
    """A whole connection; `gap`: seconds between two things said."""
    own, numbers = sport or port(), [1000, 5000]
    ends = ((src, own), (dst, dport))

    def frame(side: int, flags: int, payload: bytes = b"") -> bytes:
        (a, a_port), (b, b_port) = ends[side], ends[1 - side]
        made = tcp(a, a_port, b, b_port, flags, payload, numbers[side], numbers[1 - side] if flags & ACK else 0)
        numbers[side] += len(payload) + bool(flags & (SYN | FIN))
        return made

    first = frame(0, SYN)
    if not begun:
        yield at, first
    for side, flags in ((1, SYN | ACK), (0, ACK)):
        at += step
        yield at, frame(side, flags)
    for side, payload in said:
        at += gap
        for start in range(0, len(payload), size):
            at += step
            yield at, frame(side, PSH | ACK, payload[start : start + size])
            if start % (4 * size) == 0:
                yield at + step / 4, frame(1 - side, ACK)
    if close:
        for side, flags in ((0, FIN | ACK), (1, FIN | ACK), (0, ACK)):
            at += step
            yield at, frame(side, flags)


def dns(number: int, name: str, kind: int = 1, answers: Iterable[tuple[int, bytes]] | None = None, rcode: int = 0) -> bytes:  # fmt: skip
    """A query; with `answers` (type, data) or an rcode the answer to it."""
    answered = answers is not None or rcode
    listed = list(answers or ())
    flags = (0x8180 | rcode) if answered else 0x0100
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".") if label) + b"\0"
    body = struct.pack("!HHHHHH", number & 0xFFFF, flags, 1, len(listed), 0, 0) + labels + struct.pack("!HH", kind, 1)
    return body + b"".join(struct.pack("!HHHIH", 0xC00C, of, 1, 300, len(data)) + data for of, data in listed)


def asked(at: float, client: str, server: str, name: str, kind: int = 1, answers: Iterable[tuple[int, bytes]] | None = (), rcode: int = 0, vlan: int = 0) -> Iterator[Timed]:  # fmt: skip
    """A DNS question and its answer (None: none comes)."""
    own, number = port(), next(_ports)
    yield at, udp(client, own, server, 53, dns(number, name, kind), vlan)
    if answers is not None:
        yield at + 0.01, udp(server, 53, client, own, dns(number, name, kind, answers, rcode), vlan)


def address(text: str) -> tuple[int, bytes]:
    """An A or AAAA answer."""
    return (28, socket.inet_pton(socket.AF_INET6, text)) if ":" in text else (1, socket.inet_aton(text))


def http(method: str, target: str, host: str | None, body: bytes = b"", agent: str | None = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", **fields: str) -> bytes:  # fmt: skip
    """A request."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"Host: {host}"] if host else []
    lines += [f"User-Agent: {agent}"] if agent else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answer(body: bytes = b"<html>ok</html>", status: int = 200, kind: str = "text/html") -> bytes:
    """A response."""
    head = f"HTTP/1.1 {status} Word\r\nServer: nginx\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def in_order(parts: Iterable[Iterable[Timed]]) -> list[Timed]:
    """All frames by time."""
    return sorted((timed for part in parts for timed in part), key=lambda timed: timed[0])

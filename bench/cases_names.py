"""Who answers names: servers that nobody announced, names that cannot exist, VPNs; and the same in order."""

from __future__ import annotations

import socket
import struct
from functools import partial
from random import Random
from typing import Final

from bench.case_frames import Timed, address, asked, in_order, ip, udp
from bench.cases import Case

CLIENT, USUAL, OTHER, FAR = "192.168.7.23", "192.168.7.1", "192.168.7.66", "9.9.9.9"
MINUTE: Final = 60.0


def lease(at: float, *servers: str) -> Timed:
    """A DHCP server's acknowledgement that names DNS servers."""
    named = b"".join(map(socket.inet_aton, servers))
    head = (
        struct.pack("!BBBBIHHIIII", 2, 1, 6, 0, 7, 0, 0, 0, 0, 0, 0)
        + bytes(208)
        + b"\x63\x82\x53\x63\x35\x01\x05\x36\x04"
    )
    body = head + socket.inet_aton(USUAL) + b"\x03\x04" + socket.inet_aton(USUAL) + bytes([6, len(named)]) + named
    return at, udp(USUAL, 67, CLIENT, 68, body + b"\xff")


def advertised(at: float, server: str) -> Timed:
    """A router's advertisement that names a DNS server (RFC 8106)."""
    option = struct.pack("!BBHI", 25, 3, 0, 1800) + socket.inet_pton(socket.AF_INET6, server)
    return at, ip("fe80::1", "ff02::1", 58, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option, ttl=255)


def questions(server: str, number: int, begin: float, step: float) -> list[Timed]:
    answers = [address("93.184.216.34")]
    return in_order(asked(begin + i * step, CLIENT, server, f"www.site{i}.com", 1, answers) for i in range(number))


def newcomer(*announced: str, server: str = OTHER) -> list[Timed]:
    """After 40 minutes another server answers."""
    first = [lease(0.0, *announced)] if announced else []
    return in_order([first, questions(USUAL, 40, 1, MINUTE), questions(server, 6, 40.5 * MINUTE, 1.0)])


def newcomer6(announced: bool) -> list[Timed]:
    first = [lease(0.0, USUAL), *([advertised(1.0, "fd00::66")] if announced else [])]
    usual = in_order(asked(2 + i * MINUTE, "fd00::23", "fd00::1", f"www.site{i}.com") for i in range(10))
    late = in_order(asked(40.5 * MINUTE + i, "fd00::23", "fd00::66", f"www.site{i}.com") for i in range(6))
    return in_order([first, usual, questions(USUAL, 40, 1, MINUTE), late])


def noise(domain: str, same: bool) -> list[Timed]:
    """Made-up names, answered with one address or each with its own."""
    random = Random(1)
    names = ("".join(random.choices("bcdfghjkqrstvwxz0123456789", k=12)) + domain for _ in range(8))
    return in_order(
        asked(i * 2.0, CLIENT, USUAL, name, 1, [address(f"203.0.113.{7 if same else 10 + i}")]) for i, name in enumerate(names)
    )  # fmt: skip


def wireguard(server: str) -> list[Timed]:
    random = Random(1)
    first = (1, 148, CLIENT, server), (2, 92, server, CLIENT)
    return [(k * 0.05, udp(src, 51_820, dst, 51_820, bytes([kind, 0, 0, 0]) + random.randbytes(size - 4))) for k, (kind, size, src, dst) in enumerate(first)]  # fmt: skip


CASES: Final = (
    Case("DNS server that DHCP does not name", ("rogue_dns",), OTHER, partial(newcomer, USUAL)),
    Case("DNS server that begins where nothing is announced", ("rogue_dns",), OTHER, newcomer),
    Case("DNS server that the router does not name", ("rogue_dns",), "fd00::66", partial(newcomer6, False)),
    Case("names that cannot exist are answered", ("dns_rewriting",), USUAL, partial(noise, "", True)),
    Case("domains that do not exist are answered", ("dns_rewriting",), USUAL, partial(noise, ".com", True)),
    Case("WireGuard to the outside", ("vpn",), FAR, partial(wireguard, FAR)),
    Case("harmless: second announced DNS server", (), None, partial(newcomer, USUAL, OTHER)),
    Case("harmless: DNS server that the router names", (), None, partial(newcomer6, True)),
    Case("harmless: public DNS server", (), None, partial(newcomer, USUAL, server="8.8.8.8")),
    Case("harmless: domains that look like noise", (), None, partial(noise, ".com", False)),
    Case("harmless: WireGuard within the house", (), None, partial(wireguard, "192.168.7.2")),
)
QUIET: Final = frozenset(("rogue_dns", "dns_rewriting", "vpn"))  # not even low of the harmless ones

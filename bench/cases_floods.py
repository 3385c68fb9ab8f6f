"""Floods and their amplification, as hping3 and its relatives make them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from bench.case_frames import (
    ACK,
    BROADCAST,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    Timed,
    dns,
    echo,
    in_order,
    ip,
    tcp,
    tried,
    udp,
    unreachable,
)
from bench.cases import Case

VICTIM, VICTIM6, FAR = "10.1.1.20", "2001:db8:1::20", "185.220.1.9"


def stranger(random: Random) -> str:
    return ".".join(str(random.randrange(11, 200)) for _ in range(4))


def segments(number: int, rate: float, flags: int = SYN, forged: bool = True, any_port: bool = False, sport: int = 0, payload: int = 0) -> list[Timed]:  # fmt: skip
    """TCP segments to one host; `forged`: each from another address."""
    random = Random(number)
    return [
        (
            i / rate,
            tcp(
                stranger(random) if forged else FAR,
                sport or random.randrange(1024, 65_536),
                VICTIM,
                random.randrange(1, 65_536) if any_port else 80,
                flags,
                bytes(payload),
            ),
        )
        for i in range(number)
    ]


def half_open(number: int, rate: float) -> list[Timed]:
    """The server answers, and nobody goes on."""
    random, made = Random(1), []
    for i in range(number):
        source = stranger(random)
        made.append((i / rate, tcp(source, 5000, VICTIM, 443, SYN)))
        made.append((i / rate + 0.001, tcp(VICTIM, 443, source, 5000, SYN | ACK, seq=7, ack=1001)))
    return made


def syns6(number: int, rate: float) -> list[Timed]:
    random = Random(1)
    return [(i / rate, tcp(f"2001:db8:9::{random.getrandbits(16):x}", 5000, VICTIM6, 443, SYN)) for i in range(number)]


def datagrams(number: int, rate: float, forged: bool = True, one_flow: bool = False) -> list[Timed]:
    random = Random(number)
    return [
        (
            i / rate,
            udp(
                stranger(random) if forged else FAR,
                5000 if one_flow else random.randrange(1024, 65_536),
                VICTIM,
                9 if one_flow or not forged else random.randrange(1, 65_536),
                bytes(200),
            ),
        )
        for i in range(number)
    ]


def amplified(port: int, number: int, reflectors: int, size: int, to: int = 0) -> list[Timed]:
    """Answers of a service that nobody asked."""
    random = Random(port)
    sources = [stranger(random) for _ in range(reflectors)]
    return [
        (
            i / 500,
            udp(sources[i % reflectors], port, VICTIM, to or random.randrange(1024, 65_536), random.randbytes(size)),
        )
        for i in range(number)
    ]


def long_answers(number: int) -> list[Timed]:
    """Of one open resolver."""
    answers = [(16, b"\xc8" + b"x" * 200)] * 5
    return [(i / 500, udp("8.8.8.8", 53, VICTIM, 1024 + i, dns(i, "x.org", 255, answers))) for i in range(number)]


def reflected(number: int, servers: int) -> list[Timed]:
    random = Random(servers)
    sources = [stranger(random) for _ in range(servers)]
    return [
        (i / 200, tcp(sources[i % servers], 80, VICTIM, random.randrange(1024, 65_000), SYN | ACK, seq=9, ack=8))
        for i in range(number)
    ]


def pings(number: int, rate: float, source: Callable[[Random], str], target: str = VICTIM) -> list[Timed]:
    random = Random(number)
    return [(i / rate, echo(source(random), target, i, bytes(56))) for i in range(number)]


def leases(number: int, rate: float) -> list[Timed]:
    """Discovers of made-up hardware addresses."""
    random, made = Random(1), []
    for i in range(number):
        hardware = b"\x02" + random.randbytes(5)
        head = struct.pack("!BBBBIHHIIII", 1, 1, 6, 0, random.getrandbits(32), 0, 0x8000, 0, 0, 0, 0)
        body = head + hardware + bytes(202) + b"\x63\x82\x53\x63\x35\x01\x01\xff"
        frame = udp("0.0.0.0", 68, "255.255.255.255", 67, body)
        made.append((i / rate, BROADCAST + hardware + frame[12:]))
    return made


def addresses(number: int) -> list[Timed]:
    """Made-up hardware addresses, to fill a switch's table."""
    random, made = Random(1), []
    for i in range(number):
        frame = tcp(stranger(random), 5, stranger(random), 5, SYN)
        made.append((i / 1000, b"\x02" + random.randbytes(5) + b"\x02" + random.randbytes(5) + frame[12:]))
    return made


def routers(number: int) -> list[Timed]:
    random, made = Random(1), []
    for i in range(number):
        head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 7200, 7200, 0)  # fmt: skip
        body = head + b"\x20\x01\x0d\xb8" + random.randbytes(4) + bytes(8)
        made.append((i / 100, ip(f"fe80::{random.getrandbits(16):x}:1", "ff02::1", 58, body, ttl=255)))
    return made


def rising(number: int, rate: float, own: int) -> list[Timed]:
    """SYNs of one source; destination ports count up, its own (0) too."""
    return [(i / rate, tcp(FAR, own or 1000 + i, VICTIM, 1 + i, SYN)) for i in range(number)]


def pieces(number: int, rate: float, protocol: int, forged: bool) -> list[Timed]:
    """Later fragments of nothing."""
    random = Random(number)
    return [
        (i / rate, ip(stranger(random) if forged else FAR, VICTIM, protocol, bytes(1400), fragment=0x2000 | random.randrange(1, 170), number=i))
        for i in range(number)
    ]  # fmt: skip


def huge_pings(number: int, rate: float, size: int) -> list[Timed]:
    """Echo requests in as many fragments as they need."""
    made = []
    for i in range(number):
        body = struct.pack("!BBHHH", 8, 0, 0, 1, i) + bytes(size)
        for at in range(0, len(body), 1480):
            more = 0x2000 if at + 1480 < len(body) else 0
            made.append((i / rate + at * 1e-8, ip(FAR, VICTIM, 1, body[at : at + 1480], fragment=more | at // 8, number=i)))  # fmt: skip
    return made


def crumbs(number: int, rate: float) -> list[Timed]:
    """Datagrams of 1,000 bytes in pieces of 16."""
    made = []
    for i in range(number):
        body = struct.pack("!HHHH", 2000 + i, 9000, 1008, 0) + bytes(1000)
        for at in range(0, len(body), 16):
            more = 0x2000 if at + 16 < len(body) else 0
            made.append((i / rate + at * 1e-6, ip(FAR, VICTIM, 17, body[at : at + 16], fragment=more | at // 8, number=i)))  # fmt: skip
    return made


def relayed(port: int, size: int) -> list[Timed]:
    """Small questions in somebody's name, large answers to him."""
    random, made, target = Random(port), [], "45.1.1.9"
    for i in range(1000):
        own = random.randrange(1024, 65_000)
        ask, reply = (dns(i, "x.org", 255), dns(i, "x.org", 255, [(16, b"\xc8" + b"x" * 200)] * 5)) if port == 53 else (random.randbytes(40), random.randbytes(size))  # fmt: skip
        made += [(i / 200, udp(target, own, VICTIM, port, ask)), (i / 200 + 0.001, udp(VICTIM, port, target, own, reply))]  # fmt: skip
    return made


def stream(number: int, rate: float, payload: Callable[[int, Random], bytes], port: int = 9, refused: bool = False) -> list[Timed]:  # fmt: skip
    """Datagrams of one flow; `refused`: once a second the target says that nobody is there."""
    random, made, asked = Random(number), [], 0.0
    for i in range(number):
        frame = udp(FAR, 5000, VICTIM, port, payload(i, random))
        made.append((i / rate, frame))
        if refused and i / rate >= asked:
            asked += 1
            made.append((i / rate + 0.0001, unreachable(VICTIM, FAR, frame)))
    return made


def within(number: int, rate: float, numbers: Callable[[int, Random], tuple[int, int]], flags: int = ACK, payload: int = 0, refused: bool = False) -> list[Timed]:  # fmt: skip
    """Segments of one flow that nobody opened."""
    random, made = Random(number), []
    for i in range(number):
        seq, ack = numbers(i, random)
        made.append((i / rate, tcp(FAR, 4444, VICTIM, 80, flags, bytes(payload), seq, ack)))
        if refused:
            made.append((i / rate + 0.0001, tcp(VICTIM, 80, FAR, 4444, RST, seq=ack)))
    return made


def counted(i: int, random: Random) -> bytes:
    """As throughput is measured: a number, a time, filling."""
    return struct.pack("!III", i, 1_700_000_000, i * 500) + bytes(1400)


def film(i: int, random: Random) -> bytes:
    return struct.pack("!BBHII", 0x80, 0x60, i & 0xFFFF, i * 90, 77) + random.randbytes(1200)


def by_chance(i: int, random: Random) -> tuple[int, int]:
    return random.getrandbits(32), random.getrandbits(32)


def one(random: Random) -> str:
    return FAR


_SYN: Final = ("syn_flood",)
_SEGMENTS: Final = ("tcp_flood", "syn_flood")
_AMPLIFIED: Final = ("udp_amplification",)
CASES: Final = (
    Case("SYN flood of one source", _SYN, VICTIM, partial(segments, 2000, 500.0, forged=False)),
    Case("SYN flood of one source, 80 a second", _SYN, VICTIM, partial(segments, 1600, 80.0, forged=False)),
    Case("SYN flood from one port", _SYN, VICTIM, partial(segments, 1500, 500.0, sport=2048)),
    Case("SYN flood, forged sources", _SYN, VICTIM, partial(segments, 1500, 300.0)),
    Case("SYN flood, forged sources, any port", _SYN, VICTIM, partial(segments, 3000, 1000.0, any_port=True)),
    Case("SYN flood with data", _SYN, VICTIM, partial(segments, 1500, 500.0, payload=120)),
    Case("SYN flood that is answered", _SYN, VICTIM, partial(half_open, 1200, 400.0)),
    Case("SYN flood, answered and reset", _SYN, VICTIM, lambda: in_order(tried(i / 400, f"60.{i % 200}.{i // 200}.9", VICTIM, 443, "H") for i in range(1200))),
    Case("SYN flood over IPv6", _SYN, VICTIM6, partial(syns6, 1500, 500.0)),
    Case("ACK flood, forged sources", ("tcp_flood", "syn_flood"), VICTIM, partial(segments, 3000, 1000.0, ACK)),
    Case("ACK flood of one source", ("tcp_flood", "syn_flood"), VICTIM, partial(segments, 3000, 1000.0, ACK, False)),
    Case("RST flood", ("tcp_flood",), VICTIM, partial(segments, 3000, 1000.0, RST)),
    Case("FIN flood", ("tcp_flood", "syn_flood"), VICTIM, partial(segments, 3000, 1000.0, FIN)),
    Case("PSH+ACK flood", ("tcp_flood",), VICTIM, partial(segments, 3000, 1000.0, PSH | ACK, payload=200)),
    Case("SYN flood of one source, all ports rising", _SYN, VICTIM, partial(rising, 6000, 2000.0, 0)),
    Case("SYN flood of one source and port, ports rising", _SYN, VICTIM, partial(rising, 20_000, 5000.0, 1000)),
    Case("ACK flood that is refused", _SEGMENTS, VICTIM, lambda: in_order(tried(i / 1000, FAR, VICTIM, 80, "R", ACK, sport=1000 + i) for i in range(3000))),
    Case("Xmas flood", _SEGMENTS, VICTIM, partial(segments, 3000, 1000.0, FIN | PSH | URG)),
    Case("NULL flood of one source", _SEGMENTS, VICTIM, partial(segments, 3000, 1000.0, 0, False)),
    Case("SYN-ACK flood of one source", ("tcp_flood", "synack_reflection"), VICTIM, partial(segments, 3000, 1000.0, SYN | ACK, False)),
    Case("RSTs within one flow", _SEGMENTS, VICTIM, lambda: [(i / 1000, tcp(FAR, 1000, VICTIM, 80, RST, seq=i)) for i in range(4000)]),
    Case("fragments of nothing, forged sources", ("fragment_flood",), VICTIM, partial(pieces, 2000, 1000.0, 17, True)),
    Case("ICMP fragments of nothing", ("fragment_flood", "icmp_flood"), VICTIM, partial(pieces, 2000, 1000.0, 1, False)),
    Case("datagrams in crumbs", ("fragment_flood",), VICTIM, partial(crumbs, 30, 20.0)),
    Case("SYN-ACK flood that is refused", ("tcp_flood", "synack_reflection"), VICTIM, lambda: in_order([(i / 1000, tcp(FAR, 1000 + i, VICTIM, 80, SYN | ACK)), (i / 1000 + 0.0001, tcp(VICTIM, 80, FAR, 1000 + i, RST))] for i in range(3000))),
    Case("UDP flood from rising ports to a higher one", ("datagram_flood", "udp_flood"), VICTIM, lambda: [(i / 2000, udp(FAR, 1500 + i, VICTIM, 9000)) for i in range(6000)]),
    Case("ping of death", ("teardrop",), VICTIM, partial(huge_pings, 3, 1.0, 65_600)),
    Case("huge pings", ("icmp_flood",), VICTIM, partial(huge_pings, 40, 20.0, 65_000)),
    Case("UDP flood, forged sources, any port", ("udp_flood",), VICTIM, partial(datagrams, 4000, 1500.0)),
    Case("UDP flood of one source to one port", ("udp_flood",), VICTIM, partial(datagrams, 4000, 1500.0, False)),
    Case("UDP flood within one flow", ("datagram_flood",), VICTIM, partial(datagrams, 24_000, 8000.0, False, True)),
    Case("UDP flood within one flow, 500 a second", ("datagram_flood",), VICTIM, partial(stream, 4000, 500.0, lambda i, random: b"X" * 120)),
    Case("UDP flood within one flow, empty, 400 a second", ("datagram_flood",), VICTIM, partial(stream, 4000, 400.0, lambda i, random: b"")),
    Case("UDP flood within one flow, by chance, 500 a second", ("datagram_flood",), VICTIM, partial(stream, 4000, 500.0, lambda i, random: random.randbytes(500))),
    Case("UDP flood within one flow that is refused, 200 a second", ("datagram_flood",), VICTIM, partial(stream, 2000, 200.0, counted, 9, True)),
    Case("ACK flood within one flow, 500 a second", ("tcp_flood",), VICTIM, partial(within, 4000, 500.0, lambda i, random: (1000, 77))),
    Case("ACK flood within one flow, numbers by chance", ("tcp_flood",), VICTIM, partial(within, 4000, 800.0, by_chance)),
    Case("ACK flood within one flow that is refused", ("tcp_flood",), VICTIM, partial(within, 4000, 500.0, by_chance, ACK, 0, True)),
    Case("PSH+ACK flood within one flow", ("tcp_flood",), VICTIM, partial(within, 4000, 500.0, lambda i, random: (1000, 77), PSH | ACK, 200)),
    Case("harmless: acknowledgements of a download, of which the other half is not seen", (), None, partial(within, 20_000, 6000.0, lambda i, random: (1000, i * 2896))),
    Case("harmless: a file that is sent up, of which the other half is not seen", (), None, partial(within, 8000, 2000.0, lambda i, random: (i * 1400, 77), ACK, 1400)),
    Case("harmless: throughput is measured by UDP", (), None, partial(stream, 16_000, 4000.0, counted)),
    Case("harmless: film that nobody sees any more", (), None, partial(stream, 8000, 1000.0, film, 5004, True)),
    Case("harmless: metrics for a collector that is down", (), None, partial(stream, 4000, 500.0, lambda i, random: b"requests:1|c", 8125, True)),
    Case("ICMP flood", ("icmp_flood",), VICTIM, partial(pings, 1500, 500.0, one)),
    Case("ICMP flood, forged sources", ("icmp_flood",), VICTIM, partial(pings, 1500, 500.0, stranger)),
    Case("ICMPv6 flood", ("icmp_flood",), VICTIM6, partial(pings, 1500, 500.0, lambda random: "2001:db8::5", VICTIM6)),
    Case("smurf", ("icmp_smurf",), "10.1.1.255", partial(pings, 200, 50.0, lambda random: VICTIM, "10.1.1.255")),
    Case("DHCP starvation", ("dhcp_flood",), None, partial(leases, 300, 50.0)),
    Case("DHCP starvation, 6 a second", ("dhcp_flood",), None, partial(leases, 200, 6.0)),
    Case("DNS amplification of 250 resolvers", _AMPLIFIED, VICTIM, partial(amplified, 53, 2000, 250, 1200)),
    Case("DNS amplification of 60 resolvers", _AMPLIFIED, VICTIM, partial(amplified, 53, 2000, 60, 1400)),
    Case("DNS amplification of one resolver", _AMPLIFIED, VICTIM, partial(long_answers, 1500)),
    Case("NTP amplification of 100 servers", _AMPLIFIED, VICTIM, partial(amplified, 123, 2000, 100, 440)),
    Case("NTP amplification of one server", _AMPLIFIED, VICTIM, partial(amplified, 123, 3000, 1, 440)),
    Case("NTP amplification to port 123", _AMPLIFIED, VICTIM, partial(amplified, 123, 2000, 20, 440, 123)),
    Case("memcached amplification of 12 servers", _AMPLIFIED, VICTIM, partial(amplified, 11_211, 3000, 12, 1400, 80)),
    Case("CLDAP amplification of 40 servers", _AMPLIFIED, VICTIM, partial(amplified, 389, 1500, 40, 1400)),
    Case("CharGEN amplification of 5 hosts", _AMPLIFIED, VICTIM, partial(amplified, 19, 1500, 5, 1000)),
    Case("SNMP amplification of 20 hosts", _AMPLIFIED, VICTIM, partial(amplified, 161, 1500, 20, 1200)),
    Case("SSDP amplification of 40 hosts", _AMPLIFIED, VICTIM, partial(amplified, 1900, 1500, 40, 300)),
    *(Case(f"an own service amplifies: port {port}", ("amplification_relay",), VICTIM, partial(relayed, port, size)) for port, size in ((53, 0), (123, 440), (389, 1400), (1900, 300), (11_211, 1400), (161, 1200), (19, 1000))),
    Case("SYN-ACKs of 200 servers", ("synack_reflection",), VICTIM, partial(reflected, 1000, 200)),
    Case("SYN-ACKs of 20 servers", ("synack_reflection",), VICTIM, partial(reflected, 1000, 20)),
    Case("MAC flood", ("mac_flood",), None, partial(addresses, 4000)),
    Case("flood of router advertisements", ("rogue_ra",), None, partial(routers, 300)),
)  # fmt: skip

"""Harmless traffic that looks like attacks: many servers, regular reports, probes of monitors, hashes in names, captures of one direction."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from bench.case_frames import (  # fmt: skip
    ACK,
    BROADCAST,
    FIN,
    PSH,
    SYN,
    Timed,
    address,
    answer,
    arp,
    asked,
    connection,
    dns,
    echo,
    http,
    in_order,
    mac,
    tcp,
    tried,
    udp,
)
from bench.cases import Case
from bench.cases_scans import SNMP

CLIENT, ROUTER, SERVER, MONITOR = "192.168.7.23", "192.168.7.1", "203.0.113.10", "10.2.9.9"
HELLO: Final = bytes.fromhex("16030100c0010000bc0303") + bytes(184)


def anywhere(i: int) -> str:
    """An address in a network of its own."""
    return f"{11 + i * 3 % 180}.{i % 250}.{i * 7 % 250}.9"


def tls(at: float, dst: str, src: str = CLIENT, size: int = 4000, port: int = 443) -> list[Timed]:
    random = Random(int(at * 1000))
    record = b"\x17\x03\x03" + struct.pack("!H", size) + random.randbytes(size)
    return list(connection(at, src, dst, port, [(0, HELLO), (1, record), (0, record[:500]), (1, record)]))


def page() -> list[Timed]:
    """One page of sixty parts of a content network, and a neighbour that does not answer for a moment."""
    parts: list[list[Timed]] = []
    for i in range(60):
        host = f"151.101.{i % 4}.{i + 1}"
        parts += [list(asked(i * 0.05, CLIENT, ROUTER, f"img{i}.cdn.example.com", 1, [address(host)])), tls(i * 0.05 + 0.02, host)]  # fmt: skip
    return in_order([*parts, *(tried(4 + i * 0.1, CLIENT, f"151.101.{i % 4}.{i + 80}", 443) for i in range(18))])


def offline() -> list[Timed]:
    """The line is down, programs go on trying."""
    return in_order(
        [*(tried(i * 0.3, CLIENT, anywhere(i), 443) for i in range(38)), *(asked(i * 0.5, CLIENT, ROUTER, f"www.site{i}.com", 1, None) for i in range(60))]
    )  # fmt: skip


def torrent() -> list[Timed]:
    """Peers everywhere, of which a third is gone."""
    random, parts = Random(1), []
    greeting = b"\x13BitTorrent protocol" + bytes(48)
    for i in range(400):
        peer, port, at = anywhere(random.randrange(10_000)), random.randrange(2000, 65_000), i * 0.15
        if i % 3 == 0:
            parts.append(
                list(connection(at, CLIENT, peer, port, [(0, greeting), (1, greeting + random.randbytes(9000))]))
            )
        elif i % 3 == 1:
            parts.append(list(tried(at, CLIENT, peer, port, "R" if i % 2 else "")))
        ping = b"d1:ad2:id20:" + random.randbytes(20) + b"e1:q4:ping1:t2:aa1:y1:qe"
        parts.append([(at, udp(CLIENT, 51_413, peer, port, ping))])
        if i % 2:
            parts.append([(at + 0.05, udp(peer, port, CLIENT, 51_413, ping))])
    return in_order(parts)


def call() -> list[Timed]:
    """A video call: media both ways, and the search for a way to five candidates from several ports."""
    random, made = Random(1), []
    for i in range(3000):
        media = struct.pack("!BBHII", 0x80, 0x60, i, i * 960, 77) + random.randbytes(900 if i % 3 else 160)
        made += [(i * 0.01, udp(CLIENT, 50_010, "52.112.4.4", 3480, media)), (i * 0.01 + 0.003, udp("52.112.4.4", 3480, CLIENT, 50_010, media))]  # fmt: skip
    for port in range(50_000, 50_008):
        stun = b"\0\1\0\0\x21\x12\xa4\x42" + random.randbytes(12)
        made += [
            (port % 10 * 0.05, udp(CLIENT, port, f"203.0.113.{k}", 40_000 + port % 10, stun)) for k in range(5, 10)
        ]
    return made


def monitor() -> list[Timed]:
    """Pings and port checks of forty hosts, three of which are down."""
    parts: list[list[Timed]] = []
    for i in range(400):
        host, at, up = f"10.2.{i % 3}.{i % 40 + 1}", i * 1.5, i % 40 > 2
        ping = [(at, echo(MONITOR, host, i, bytes(56)))]
        parts.append([*ping, (at + 0.001, echo(host, MONITOR, i, bytes(56), True))] if up else ping)
        parts += [list(tried(at + 0.1, MONITOR, host, port, "S" if up else "")) for port in (22, 80, 443)]
    return in_order(parts)


def balancer() -> list[Timed]:
    """Health checks of twelve machines, two of which are down."""
    check = [(0, http("GET", "/health", "10.3.0.10", agent="ELB-HealthChecker/2.0")), (1, answer(b"ok"))]
    parts: list[list[Timed]] = []
    for i in range(1440):
        host, at = f"10.3.0.{i % 12 + 10}", i // 12 * 2 + i % 12 * 0.01
        parts.append(list(tried(at, "10.3.0.2", host, 8080, "R") if i % 12 < 2 else connection(at, "10.3.0.2", host, 8080, check)))  # fmt: skip
        parts.append(list(tried(at + 0.005, "10.3.0.2", host, 22, "H")))
    return in_order(parts)


def polled() -> list[Timed]:
    """SNMP of thirty devices each minute."""
    parts = []
    for i in range(300):
        device, at = f"10.2.1.{i % 30 + 1}", i // 30 * 60 + i % 30 * 0.1
        parts.append([(at, udp(MONITOR, 40_000 + i, device, 161, SNMP)), (at + 0.01, udp(device, 161, MONITOR, 40_000 + i, SNMP))])  # fmt: skip
    return in_order(parts)


def resolver() -> list[Timed]:
    """Asks name servers all over the world; a tenth does not answer."""
    return in_order(
        asked(i * 0.02, "203.0.113.53", anywhere(i), f"host{i % 200}.zone{i % 97}.com", 1, [address("1.2.3.4")] if i % 10 else None)
        for i in range(800)
    )  # fmt: skip


def mail() -> list[Timed]:
    """A mail server that asks block lists about senders and contents, and sends to servers that are down."""
    parts: list[list[Timed]] = []
    for i in range(120):
        at, sender, digest = float(i), anywhere(i), hashlib.md5(bytes([i]), usedforsecurity=False).hexdigest()
        reverse = ".".join(sender.split(".")[::-1])
        for zone in ("zen.spamhaus.org", "bl.example-lists.org", "list.dnswl.org"):
            parts.append(list(asked(at, SERVER, "203.0.113.53", f"{reverse}.{zone}", 1, (), 3)))
        parts.append(list(asked(at, SERVER, "203.0.113.53", f"{digest}.hashbl.surbl.org", 1, (), 3)))
        parts.append(list(asked(at, SERVER, "203.0.113.53", f"{digest}.hashes.example-lists.net", 1, (), 3)))
        parts.append(list(tried(at + 0.6, SERVER, anywhere(i + 500), 25, "S" if i % 4 else "")))
    return in_order(parts)


def hashes() -> list[Timed]:
    """Frames of advertisement, each at a name of its own."""
    return in_order(
        asked(i * 0.1, CLIENT, ROUTER, f"{hashlib.sha256(bytes([i])).hexdigest()[:40]}.frames.example-ads.com", 28, [address("2a00::1")])
        for i in range(60)
    )  # fmt: skip


def copies() -> list[Timed]:
    """Files brought by SSH, one connection each."""
    random = Random(1)
    return in_order(
        connection(i * 4, "10.1.1.5", "10.1.1.6", 22, [(1, b"SSH-2.0-OpenSSH_8.9\r\n"), (0, b"SSH-2.0-OpenSSH_9.0\r\n"), (0, random.randbytes(30_000)), (1, random.randbytes(9000))])
        for i in range(25)
    )  # fmt: skip


def device() -> list[Timed]:
    """A thing of the house that reports to its maker at a port of its own."""
    name = list(asked(0, "192.168.7.80", ROUTER, "things.example-maker.com", 1, [address("47.88.1.2")]))
    talk = [(0, b"\x10\x30\0\4MQTT\4\2\0\x3c" + bytes(38)), (1, b"\x20\2\0\0"), (0, bytes(100)), (1, bytes(30))]
    return in_order([name, *(list(connection(1 + i * 30, "192.168.7.80", "47.88.1.2", 8886, talk)) for i in range(40))])


def kept_alive() -> list[Timed]:
    """A camera's datagrams that keep the router's mapping open."""
    return in_order(
        [(i * 20.0, udp("192.168.7.80", 32_100, "47.88.1.2", 32_100, b"\xf1\0\0\0")), (i * 20 + 0.1, udp("47.88.1.2", 32_100, "192.168.7.80", 32_100, b"\xf1\1\0\0"))]
        for i in range(60)
    )  # fmt: skip


def clock() -> list[Timed]:
    return in_order(
        [(i * 64 + s * 0.1, udp(CLIENT, 123, f"17.253.{s}.5", 123, b"\x23" + bytes(47))), (i * 64 + s * 0.1 + 0.02, udp(f"17.253.{s}.5", 123, CLIENT, 123, b"\x24" + bytes(47)))]
        for i in range(60)
        for s in range(4)
    )  # fmt: skip


def busy(clients: int, rate: float, of: Callable[[float, str], list[Timed]]) -> list[Timed]:
    return in_order(of(i / rate, anywhere(i)) for i in range(clients))


def visit(at: float, client: str) -> list[Timed]:
    said = [(0, http("GET", "/", "www.example.com")), (1, answer(b"x" * 2000))]
    return list(connection(at, client, SERVER, 80, said))


def question(at: float, client: str) -> list[Timed]:
    return list(asked(at, client, "203.0.113.53", "www.example.com", 1, [address("1.2.3.4")]))


def going_on(at: float, client: str) -> list[Timed]:
    """A connection that began before the capture."""
    first = tcp(SERVER, 443, client, 50_000, ACK, b"x" * 500, 9, 1001)
    return [(at, first), (at + 0.01, tcp(client, 50_000, SERVER, 443, ACK, b"", 1001, 509)), (at + 0.3, first)]


def one_way(at: float, client: str) -> list[Timed]:
    """Only what the client sends is captured."""
    flags = ((SYN, b""), (ACK, b""), (ACK | PSH, b"x" * 400), (FIN | ACK, b""))
    return [(at + k * 0.02, tcp(client, 50_000, SERVER, 443, *one, 1000 + k)) for k, one in enumerate(flags)]


def answers_alone() -> list[Timed]:
    """Only what servers and the resolver send is captured."""
    made = []
    for i in range(150):
        server = f"{11 + i % 20}.{i % 20}.{i % 20}.3"
        made += [(i * 0.1, tcp(server, 443, CLIENT, 50_000 + i, SYN | ACK, b"", 5, 6)), (i * 0.1 + 0.02, tcp(server, 443, CLIENT, 50_000 + i, ACK | PSH, b"x" * 1400, 6, 9))]  # fmt: skip
        made.append(
            (i * 0.1, udp(ROUTER, 53, CLIENT, 40_000 + i, dns(i, f"www.site{i % 60}.com", 1, [address("1.2.3.4")])))
        )
    return made


def switched_on() -> list[Timed]:
    """Thirty machines of an office within a quarter of a minute."""
    made = []
    for i in range(30):
        own, host, at = bytes([2, 0, 0, 0, 9, i]), f"192.168.7.{50 + i}", 1 + i * 0.4
        discover = struct.pack("!BBBBIHHIIII", 1, 1, 6, 0, i, 0, 0x8000, 0, 0, 0, 0) + own + bytes(202) + b"\x63\x82\x53\x63\x35\x01\x01\xff"  # fmt: skip
        made.append((at - 0.2, BROADCAST + own + udp("0.0.0.0", 68, "255.255.255.255", 67, discover)[12:]))
        made += [(at + k, arp(1, own, "0.0.0.0", host)) for k in range(3)]
        made += [(at + 3, arp(1, own, host, host)), (at + 3.1, arp(1, own, host, ROUTER)), (at + 3.101, arp(2, mac(ROUTER), ROUTER, host, own, own))]  # fmt: skip
    return made


def taken_over() -> list[Timed]:
    """A second router takes over the address and says so."""
    one, two = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
    said = [(60 + i * 0.5, arp(1, two, ROUTER, ROUTER)) for i in range(5)]
    return [(0.0, arp(1, one, ROUTER, ROUTER)), *said, *((70 + i * 0.5, arp(1, two, ROUTER, ROUTER)) for i in range(5))]


def pinging(number: int, step: float, size: Callable[[int], int], dst: str = "9.9.9.9") -> list[Timed]:
    made = []
    for i in range(number):
        payload = struct.pack("!Q", i) + b"abcdefgh" * size(i)
        made += [(i * step, echo(CLIENT, dst, i, payload)), (i * step + 0.005, echo(dst, CLIENT, i, payload, True))]
    return made


def log_in_first() -> list[Timed]:
    """A guest network answers the checks of systems itself."""
    names = (
        "connectivitycheck.gstatic.com",
        "captive.apple.com",
        "www.msftconnecttest.com",
        "detectportal.firefox.com",
    )
    return in_order(asked(i * 0.1, CLIENT, ROUTER, name, 1, [address(ROUTER)]) for i, name in enumerate(names))


def searches() -> list[Timed]:
    """Words of attacks in a person's questions."""
    asked_for = ("/search?q=select+a+plan+from+our+union", "/s?q=O%27Reilly+and+sons", "/find?text=drop+table+lamp", "/q?w=1%3D1+is+true", "/t?q=%3Cb%3Ebold%3C%2Fb%3E", "/login?return=%2Fhome%3Fa%3D1", "/x?file=report.pdf&page=2")  # fmt: skip
    said = [part for one in asked_for for part in ((0, http("GET", one, "www.example.com")), (1, answer(b"x" * 300)))]
    return list(connection(0, CLIENT, "203.0.113.80", 80, said))


def discovered() -> list[Timed]:
    """Devices of the house answer a search, each several times."""
    search = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nST: ssdp:all\r\n\r\n'
    made = [(i * 30.0, udp(CLIENT, 50_500 + i, "239.255.255.250", 1900, search)) for i in range(6)]
    found = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:x\r\n" + bytes(150)
    return made + [(i // 60 * 30 + 0.1 + i % 60 * 0.01, udp(f"192.168.7.{100 + i % 15}", 1900, CLIENT, 50_500 + i // 60, found)) for i in range(360)]  # fmt: skip


def one_stream(rate: float, number: int, port: int, dst: str) -> list[Timed]:
    return [(i / rate, udp("10.2.1.1", 50_000, dst, port, bytes(1300))) for i in range(number)]


def looked_after() -> list[Timed]:
    """A load balancer sees again and again whether forty programs of a host take connections; a program fetches empty files by FTP."""
    checks = (tried(k * 5 + i * 0.02, "10.3.0.2", "10.3.0.10", 9001 + i, "H") for k in range(10) for i in range(40))
    empty = (connection(i * 12, CLIENT, SERVER, 20_000 + i * 379 % 40_000, []) for i in range(70))
    listed = (
        connection(i * 3, CLIENT, "203.0.113.11", 20_000 + i * 379 % 40_000, [(1, b"x" * 150)]) for i in range(200)
    )
    return in_order([*checks, *empty, *listed])


def answers_to_services() -> list[Timed]:
    """Leases that are renewed, answers of a port mapper, and what keeps telephones reachable; the questions were not captured."""
    made = [(i * 0.5, udp(ROUTER, 67, f"192.168.7.{20 + i}", 68, bytes(300))) for i in range(60)]
    made += [(i * 1.0, udp("10.2.0.9", 111, "10.2.0.20", 650 + i, bytes(28))) for i in range(40)]
    return made + [(i * 1.0, udp(SERVER, 5060, f"192.168.7.{20 + i}", 5062 + i)) for i in range(40)]


_LOOK_ALIKES: Final[dict[str, Callable[[], list[Timed]]]] = {
    "page of a content network": page,
    "programs that are offline": offline,
    "peer-to-peer program": torrent,
    "peers of an old list": lambda: in_order(tried(i * 0.05, CLIENT, anywhere(i), 2000 + i * 37 % 60_000) for i in range(300)),
    "video call": call,
    "monitoring system": monitor,
    "load balancer": balancer,
    "poller of devices": polled,
    "resolver": resolver,
    "mail server with block lists": mail,
    "names that are hashes": hashes,
    "copies by SSH": copies,
    "device that reports": device,
    "device that keeps its mapping open": kept_alive,
    "name that is asked for again when it is no longer valid": lambda: in_order(asked(i * 301, CLIENT, ROUTER, "www.example.org", 1, [address("1.2.3.4")]) for i in range(40)),
    "clocks": clock,
    "updater": lambda: in_order(tls(i * 600, "151.101.2.132") for i in range(24)),
    "backup": lambda: list(connection(0, CLIENT, SERVER, 443, [(0, HELLO), (1, bytes(3000)), (0, Random(1).randbytes(3_000_000))], step=0.0005)),
    "clients behind one address": lambda: in_order(tls(i * 0.05, SERVER, "198.51.100.9") for i in range(400)),
    "busy web server": partial(busy, 1500, 250.0, visit),
    "busy name server": partial(busy, 3000, 1000.0, question),
    "capture that begins in the middle": partial(busy, 600, 1000.0, going_on),
    "capture of one direction": partial(busy, 600, 300.0, one_way),
    "capture of answers alone": answers_alone,
    "office in the morning": switched_on,
    "routers that take over": taken_over,
    "pings with a counter": partial(pinging, 200, 1.0, lambda i: 2),
    "pings of rising size": partial(pinging, 40, 0.5, lambda i: i + 1),
    "quick pings": partial(pinging, 500, 0.01, lambda i: 6, ROUTER),
    "network that wants a log-in": log_in_first,
    "searches with odd words": searches,
    "search for devices": discovered,
    "flow records": partial(one_stream, 1000.0, 6000, 2055, "10.2.9.9"),
    "programs of a host that are looked after": looked_after,
    "answers to ports of services": answers_to_services,
    "film to a group": partial(one_stream, 8000.0, 16_000, 5004, "239.1.1.1"),
}  # fmt: skip
CASES: Final = tuple(Case(f"harmless: {name}", (), None, frames) for name, frames in _LOOK_ALIKES.items())

"""Scans and sweeps: of ports, hosts and protocols, quick and slow, over IPv4, IPv6 and VLANs, answered and not."""

from __future__ import annotations

import struct
from functools import partial
from random import Random
from typing import Final

from bench.case_frames import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    Timed,
    arp,
    connection,
    dns,
    echo,
    in_order,
    ip,
    mac,
    tcp,
    tried,
    udp,
    unreachable,
)
from bench.cases import Case

BAD, VICTIM, FAR = "10.1.1.66", "10.1.1.20", "185.220.1.9"
BAD6, VICTIM6 = "2001:db8:1::66", "2001:db8:1::20"
PORTS: Final = (21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 993, 995, 1723, 3306, 3389, 5900, 8080, 8443, 1, 7, 9, 13, 17, 19, 26, 37, 49, 79, 81, 88, 106, 113, 119, 144, 179, 199, 389)  # fmt: skip
SNMP: Final = bytes.fromhex("302602010104067075626c6963a01902040000000102010002010030 0b300906052b060102010500")


def ports(number: int, step: float, answer: str = "R", src: str = BAD, dst: str = VICTIM, flags: int = SYN, open_ports: int = 0, sport: int = 0, vlan: int = 0) -> list[Timed]:  # fmt: skip
    """A port scan; the first `open_ports` answer."""
    listed = PORTS if number <= len(PORTS) else tuple(range(1, number + 1))
    return in_order(
        tried(i * step, src, dst, listed[i], "S" if i < open_ports else answer, flags, sport, vlan)
        for i in range(number)
    )


def greeted(number: int, step: float) -> list[Timed]:
    """A connect scan of a honeypot: each port says what a service of that number says."""
    return in_order(connection(i * step, BAD, VICTIM, i + 20, [(1, b"220 ready\r\n")]) for i in range(number))


def datagrams(number: int, step: float, refused: bool, src: str = BAD, dst: str = VICTIM, sport: int = 51_000) -> list[Timed]:  # fmt: skip
    """A UDP scan."""
    made = []
    for i in range(number):
        frame = udp(src, sport, dst, PORTS[i] if number <= len(PORTS) else i + 1)
        made.append((i * step, frame))
        if refused:
            made.append((i * step + 0.001, unreachable(dst, src, frame)))
    return made


def sweep(net: str, number: int, port: int, answer: str = "", step: float = 0.05, src: str = BAD) -> list[Timed]:
    return in_order(tried(i * step, src, net % (i + 1), port, answer) for i in range(number))


def anywhere(number: int, port: int, step: float) -> list[Timed]:
    """One port all over the Internet."""
    random = Random(number)
    return in_order(
        tried(i * step, BAD, ".".join(str(random.randrange(20, 200)) for _ in range(4)), port) for i in range(number)
    )


def pings(net: str, number: int, step: float, kind: int = 8, alive: int = 0, src: str = BAD) -> list[Timed]:
    """ICMP requests; every `alive`-th host answers."""
    made = []
    for i in range(number):
        dst = net % (i + 1)
        ask = echo(src, dst, i, b"abcdefgh") if kind == 8 else ip(src, dst, 1, struct.pack("!BBHHH", kind, 0, 0, 7, i) + bytes(12))  # fmt: skip
        made.append((i * step, ask))
        if alive and i % alive == 0:
            made.append((i * step + 0.001, echo(dst, src, i, b"abcdefgh", True)))
    return made


def neighbours(number: int, step: float, sender: str = BAD) -> list[Timed]:
    return [(i * step, arp(1, mac(BAD), sender, f"10.1.1.{i + 1}")) for i in range(number)]


def pieces(number: int) -> list[Timed]:
    """SYNs whose TCP header is cut into fragments of eight bytes."""
    made = []
    for i in range(number):
        head = struct.pack("!HHIIBBHHH", 45_000 + i, PORTS[i], 1, 0, 0x50, SYN, 1024, 0, 0)
        for at in range(0, 20, 8):
            more = 0x2000 if at < 16 else 0
            made.append(
                (i * 0.05 + at * 1e-4, ip(BAD, VICTIM, 6, head[at : at + 8], fragment=more | at // 8, number=i))
            )
    return made


def protocols(refused: bool) -> list[Timed]:
    made = []
    for i in range(40):
        frame = ip(BAD, VICTIM, 60 + i, b"")
        made.append((i * 0.2, frame))
        if refused:
            made.append((i * 0.2 + 0.001, unreachable(VICTIM, BAD, frame, 2)))
    return made


def refusals(number: int) -> list[Timed]:
    """Only the answers of a scan are captured."""
    return [(i * 0.02, tcp(VICTIM, i + 1, BAD, 45_000, 20, seq=0, ack=1)) for i in range(number)]


def answers_to_nothing(flags: int, refused: bool, sport: int = 45_000) -> list[Timed]:
    """Resets or SYN-ACKs as probes of ports."""
    made = []
    for i, port in enumerate(PORTS):
        made.append((i * 0.02, tcp(BAD, sport, VICTIM, port, flags)))
        if refused:
            made.append((i * 0.02 + 0.001, tcp(VICTIM, port, BAD, sport, RST)))
    return made


def questions(number: int, port: int, ask: bytes, answer: bytes) -> list[Timed]:
    """Datagrams to one port of many hosts, all of which answer."""
    made = []
    for i in range(number):
        host = f"10.1.2.{i + 1}"
        made += [(i * 0.05, udp(BAD, 50_000, host, port, ask)), (i * 0.05 + 0.001, udp(host, port, BAD, 50_000, answer))]  # fmt: skip
    return made


def decoys() -> list[Timed]:
    return in_order(
        tried(i * 0.05 + k * 0.001, f"{30 + k}.5.6.{k + 1}" if k else BAD, VICTIM, PORTS[i]) for i in range(30) for k in range(6)
    )  # fmt: skip


_SCAN: Final = ("port_scan",)
_SWEEP: Final = ("host_sweep",)
CASES: Final = (
    Case("SYN scan, refused", _SCAN, BAD, partial(ports, 40, 0.01)),
    Case("SYN scan, filtered", _SCAN, BAD, partial(ports, 40, 0.1, "")),
    Case("SYN scan of 1000 ports in a second from outside", _SCAN, FAR, partial(ports, 1000, 0.001, "", FAR)),
    Case("SYN scan, some ports open", _SCAN, BAD, partial(ports, 30, 0.01, open_ports=12)),
    Case("SYN scan over IPv6", _SCAN, BAD6, partial(ports, 40, 0.01, "R", BAD6, VICTIM6)),
    Case("SYN scan in a VLAN", _SCAN, BAD, partial(ports, 40, 0.01, vlan=7)),
    Case("SYN scan from one port", _SCAN, BAD, partial(ports, 40, 0.01, "", sport=61_000)),
    Case("SYN scan, a port in 15 s", _SCAN, BAD, partial(ports, 20, 15)),
    Case("SYN scan, a port in 5 minutes", _SCAN, BAD, partial(ports, 14, 300)),
    Case("ACK scan", _SCAN, BAD, partial(ports, 40, 0.01, flags=ACK)),
    Case("FIN scan", _SCAN, BAD, partial(ports, 20, 0.01, "", flags=FIN)),
    Case("Maimon scan", _SCAN, BAD, partial(ports, 30, 0.01, flags=FIN | ACK)),
    Case("NULL scan over IPv6", _SCAN, BAD6, partial(ports, 20, 0.01, "", BAD6, VICTIM6, 0)),
    Case("Xmas scan, slow", _SCAN, BAD, partial(ports, 10, 20, flags=FIN | PSH | URG)),
    Case("SYN+FIN scan", _SCAN, BAD, partial(ports, 20, 0.01, flags=SYN | FIN)),
    Case("UDP scan, refused", _SCAN, BAD, partial(datagrams, 40, 0.05, True)),
    Case("UDP scan, silent, slow", _SCAN, BAD, partial(datagrams, 20, 1.0, False)),
    Case("UDP scan from port 53, refused", _SCAN, BAD, partial(datagrams, 40, 0.05, True, sport=53)),
    Case("UDP scan from port 53, silent", _SCAN, BAD, partial(datagrams, 300, 0.02, False, sport=53)),
    Case("UDP scan of high ports from port 500", _SCAN, BAD, lambda: [(i * 0.05, udp(BAD, 500, VICTIM, 20_000 + i)) for i in range(60)]),
    Case("sweep for SNMP from port 123", _SWEEP, BAD, lambda: [(i * 0.05, udp(BAD, 123, f"10.1.2.{i + 1}", 161, SNMP)) for i in range(60)]),
    Case("SYN scan, every port answers", _SCAN, BAD, partial(ports, 40, 0.01, "H")),
    Case("SYN scan, every port answers, slow", _SCAN, BAD, partial(ports, 60, 10.0, "H")),
    Case("SYN scan, half of the ports answer", _SCAN, BAD, lambda: in_order(tried(i * 0.02, BAD, VICTIM, i + 1, "H" if i % 2 else "R") for i in range(80))),
    Case("connect scan of a honeypot", _SCAN, BAD, partial(greeted, 40, 0.05)),
    Case("UDP scan over IPv6", _SCAN, BAD6, partial(datagrams, 40, 0.05, False, BAD6, VICTIM6)),
    Case("SYN scan among decoys", _SCAN, BAD, decoys),
    Case("SYN scan in tiny fragments", ("tiny_fragments",), BAD, partial(pieces, 30)),
    Case("port scan of which the answers are seen", _SCAN, BAD, partial(refusals, 60)),
    Case("RST scan", ("port_scan_stray",), BAD, partial(answers_to_nothing, RST, False)),
    Case("RST+ACK scan", ("port_scan_stray",), BAD, partial(answers_to_nothing, RST | ACK, False)),
    Case("SYN-ACK scan, refused", ("port_scan_stray",), BAD, partial(answers_to_nothing, SYN | ACK, True)),
    Case("SYN-ACK scan, silent", ("port_scan_stray",), BAD, partial(answers_to_nothing, SYN | ACK, False)),
    Case("SCTP scan", _SCAN, BAD, lambda: [(i * 0.05, ip(BAD, VICTIM, 132, struct.pack("!HHII", 45_000, port, 0, 0) + b"\1\0\0\x14" + bytes(16))) for i, port in enumerate(PORTS)]),
    Case("sweep by resets", ("host_sweep_stray",), BAD, lambda: [(i * 0.05, tcp(BAD, 45_000, f"10.1.2.{i + 1}", 80, RST)) for i in range(60)]),
    Case("sweep by SYN-ACKs", ("host_sweep_stray",), BAD, lambda: [(i * 0.05, tcp(BAD, 45_000, f"10.1.2.{i + 1}", 80, SYN | ACK)) for i in range(60)]),
    Case("sweep by ACKs", _SWEEP, BAD, lambda: in_order(tried(i * 0.05, BAD, f"10.1.2.{i + 1}", 80, "R", ACK) for i in range(60))),
    Case("sweep for SSH that answers everywhere", _SWEEP, BAD, partial(sweep, "10.1.2.%d", 60, 22, "H")),
    Case("sweep for name servers that all answer", _SWEEP, BAD, partial(questions, 60, 53, dns(1, "version.bind", 16), dns(1, "version.bind", 16, [(16, b"\3abc")]))),
    Case("sweep for SNMP that all answer", _SWEEP, BAD, partial(questions, 60, 161, SNMP, SNMP)),
    Case("IP protocol scan, refused", ("ip_protocol_scan",), BAD, partial(protocols, True)),
    Case("IP protocol scan, silent", ("ip_protocol_scan",), BAD, partial(protocols, False)),
    Case("sweep of a network for SMB", _SWEEP, BAD, partial(sweep, "10.1.2.%d", 40, 445)),
    Case("sweep of a network for SMB, refused", _SWEEP, BAD, partial(sweep, "10.1.2.%d", 40, 445, "R")),
    Case("sweep of 30 hosts for web servers", _SWEEP, BAD, partial(sweep, "10.1.2.%d", 30, 80)),
    Case("slow sweep for SSH", _SWEEP, BAD, partial(sweep, "10.1.2.%d", 30, 22, step=10.0)),
    Case("sweep for a port that is no service's", _SWEEP, BAD, partial(sweep, "10.1.2.%d", 40, 9999)),
    Case("sweep from outside for routers", _SWEEP, FAR, partial(sweep, "203.0.113.%d", 40, 8291, src=FAR)),
    Case("sweep over IPv6", _SWEEP, BAD6, partial(sweep, "2001:db8:1::%x", 40, 22, src=BAD6)),
    Case("worm that looks for Telnet anywhere", _SWEEP, BAD, partial(anywhere, 60, 23, 0.05)),
    Case("worm that looks for web servers anywhere", _SWEEP, BAD, partial(anywhere, 300, 80, 0.01)),
    Case("sweep for SNMP", _SWEEP, BAD, lambda: [(i * 0.05, udp(BAD, 50_000, f"10.1.2.{i + 1}", 161, SNMP)) for i in range(60)]),
    Case("ping sweep", ("host_sweep_icmp",), BAD, partial(pings, "10.1.1.%d", 100, 0.01, alive=5)),
    Case("ping sweep, all answer", ("host_sweep_icmp",), BAD, partial(pings, "10.1.1.%d", 60, 0.05, alive=1)),
    Case("ping sweep, slow", ("host_sweep_icmp",), BAD, partial(pings, "10.1.1.%d", 20, 1.0)),
    Case("ping sweep over IPv6", ("host_sweep_icmp",), BAD6, partial(pings, "2001:db8:1::%x", 60, 0.05, src=BAD6)),
    Case("sweep by time stamp requests", ("host_sweep_icmp",), BAD, partial(pings, "10.1.1.%d", 60, 0.05, 13)),
    Case("ARP sweep", ("host_sweep_arp",), BAD, partial(neighbours, 200, 0.01)),
    Case("ARP sweep, one in 5 s", ("host_sweep_arp",), BAD, partial(neighbours, 100, 5.0)),
    Case("ARP sweep without an address of its own", ("host_sweep_arp",), mac(BAD).hex(":"), partial(neighbours, 200, 0.01, "0.0.0.0")),
)  # fmt: skip

"""Scans and sweeps against the harmless traffic that looks like them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from app.detect.engine import Engine
from app.sensor.pipeline import Pipeline
from tests.detect.traffic import Timed, alerts_of, loud, only, rules
from tests.frames import EPOCH, SECOND, block

CLIENT, SERVER = "192.168.1.5", "192.168.1.9"
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")  # or scapy would ask the network for the address
_ports = count(40_000)


def tcp(src: str, dst: str, sport: int, dport: int, flags: str, **more: int) -> Packet:
    return FRAME / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags, **more)


def tried(at: float, src: str, dst: str, port: int, answer: str = "", flags: str = "S") -> Iterator[Timed]:
    """One attempt; answer: "" nothing, R reset, S a connection with some data."""
    own = 40_000 + next(_ports) % 20_000
    yield at, tcp(src, dst, own, port, flags, seq=100)
    if answer == "R":
        yield at + 0.001, tcp(dst, src, port, own, "RA", ack=101)
    elif answer == "S":
        yield at + 0.001, tcp(dst, src, port, own, "SA", seq=500, ack=101)
        yield at + 0.002, tcp(src, dst, own, port, "A", seq=101, ack=501)
        yield at + 0.003, tcp(src, dst, own, port, "PA", seq=101, ack=501) / b"hello there"
        yield at + 0.004, tcp(dst, src, port, own, "PA", seq=501, ack=112) / b"hello yourself"


def all_of(*parts: Iterator[Timed]) -> list[Timed]:
    return [timed for part in parts for timed in part]


@pytest.mark.parametrize(("flags", "word"), [("S", "SYN"), ("F", "FIN"), ("", "NULL"), ("FPU", "Xmas")])
@pytest.mark.parametrize("answer", ["", "R"])
def test_port_scans_by_flags(flags: str, word: str, answer: str) -> None:
    packets = all_of(*(tried(port * 0.05, CLIENT, SERVER, 20 + port, answer, flags) for port in range(30)))
    alert = only(alerts_of(packets), "port_scan")
    assert (alert.detection.source, alert.detection.target) == (CLIENT, SERVER)
    assert word in alert.detection.title
    assert alert.detection.measured is not None
    assert abs(alert.detection.measured - 30) <= 15  # told when the limit was passed, again when it had doubled
    assert alert.flow_ids
    assert alert.evidence


def test_a_scan_that_goes_on_without_answers_is_told_while_it_does() -> None:
    packets = all_of(*(tried(port * 0.4, CLIENT, SERVER, 20 + port) for port in range(100)))
    alert = only(alerts_of(packets), "port_scan")
    assert alert.first_seen - EPOCH <= (10 * 0.4 + 5) * SECOND
    assert alert.detection.measured == alert.detection.details["packets"]  # not more ports than attempts


def test_a_slow_scan_adds_up() -> None:
    packets = all_of(*(tried(port * 200.0, CLIENT, SERVER, 20 + port) for port in range(14)))
    assert "slow" in only(alerts_of(packets), "port_scan").detection.title


def test_udp_scan_but_not_traceroute_nor_answers() -> None:
    def to(port: int, at: float, sport: int = 50_000) -> Timed:
        return at, FRAME / IP(src=CLIENT, dst=SERVER) / UDP(sport=sport, dport=port) / b"x"

    assert rules(alerts_of([to(100 + i, i * 0.1) for i in range(30)])) == {"port_scan"}
    assert alerts_of([to(33434 + i, i * 0.1) for i in range(60)]) == []
    assert alerts_of([to(40_000 + i, i * 0.1, sport=53) for i in range(60)]) == []


def test_nine_ports_in_vain_are_no_scan_and_ten_are() -> None:
    for number, expected in ((9, set()), (10, {"port_scan"})):
        packets = all_of(*(tried(i * 0.1, CLIENT, SERVER, 20 + i, "R") for i in range(number)))
        assert rules(alerts_of(packets)) == expected


def test_many_ports_that_answer_are_no_scan() -> None:
    assert loud(alerts_of(all_of(*(tried(i * 0.1, CLIENT, SERVER, 30_000 + i, "S") for i in range(60))))) == []


def test_a_browser_and_a_peer_to_peer_program_are_no_sweep() -> None:
    web = all_of(*(tried(i * 0.05, CLIENT, f"203.0.{i}.7", 443, "S") for i in range(200)))
    peers = all_of(
        *(tried(20 + i * 0.1, CLIENT, f"{20 + i}.1.{i}.7", 20_000 + i * 37, "S" if i % 3 else "") for i in range(180))
    )
    offline = all_of(*(tried(60 + i * 0.1, CLIENT, f"198.{i % 100}.{i}.7", 443) for i in range(120)))
    assert loud(alerts_of(web + peers + offline)) == []


@pytest.mark.parametrize("port", [445, 23, 3389])
def test_a_worm_is_a_sweep(port: int) -> None:
    near = alerts_of(all_of(*(tried(i * 0.05, CLIENT, f"192.168.7.{i}", port) for i in range(1, 60))))
    far = alerts_of(all_of(*(tried(i * 0.05, CLIENT, f"{20 + i}.{i}.9.{i}", port) for i in range(1, 60))))
    assert rules(near) == rules(far) == {"host_sweep"}
    assert only(near, "host_sweep").detection.severity == "high"


def test_ping_and_arp_sweeps() -> None:
    pings = [(i * 0.05, FRAME / IP(src=CLIENT, dst=f"192.168.1.{i}") / ICMP(id=i)) for i in range(1, 60)]
    assert rules(alerts_of(pings)) == {"host_sweep_icmp"}
    asked = [(i * 0.02, FRAME / ARP(op=1, psrc=CLIENT, pdst=f"192.168.1.{i}")) for i in range(10, 80)]
    assert rules(alerts_of(asked)) == {"host_sweep_arp"}
    known = [(i * 0.02 + 0.001, FRAME / ARP(op=2, psrc=f"192.168.1.{i}", pdst=CLIENT)) for i in range(10, 80)]
    assert alerts_of(asked + known) == []


def test_a_distributed_scan() -> None:
    packets = all_of(*(tried(i * 0.2, f"{30 + i % 40}.4.{i % 7}.9", "198.51.100.7", 20 + i) for i in range(120)))
    assert "port_scan_distributed" in rules(alerts_of(packets))


def test_ip_protocols_and_fingerprints() -> None:
    protocols = [(i * 0.1, FRAME / IP(src=CLIENT, dst=SERVER, proto=60 + i) / b"1234") for i in range(20)]
    assert "ip_protocol_scan" in rules(alerts_of(protocols))
    probes = [
        (0.1, tcp(CLIENT, SERVER, 50_001, 135, "")),
        (0.2, tcp(CLIENT, SERVER, 50_002, 135, "SFPU")),
        (0.3, tcp(CLIENT, SERVER, 50_003, 41_296, "FPU")),
    ]
    assert "os_fingerprint" in rules(alerts_of(probes))


def test_live_a_scan_is_told_although_no_packet_follows() -> None:
    engine = Engine()
    pipeline = Pipeline(1 << 10, detection=engine)
    packets = all_of(*(tried(i * 0.01, CLIENT, SERVER, 20 + i) for i in range(30)))
    pipeline.feed(block([bytes(p) for _, p in packets], times=[EPOCH + int(at * SECOND) for at, _ in packets]))
    for second in range(1, 4):
        pipeline.expire(EPOCH + second * SECOND)
    assert rules(engine.folding.alerts()) == {"port_scan"}

"""Floods, forged answers, forged neighbours, odd packets – and what looks like them."""

from __future__ import annotations

import random

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, IPv6, IPv6ExtHdrDestOpt, PadN
from scapy.layers.l2 import ARP, Ether

from tests.detect.test_scans import CLIENT, FRAME, SERVER, all_of, tcp, tried
from tests.detect.traffic import Timed, alerts_of, loud, only, rules

RANDOM = random.Random(7)
GATEWAY, ROUTER, ATTACKER, VICTIM = "192.168.1.1", "00:11:22:33:44:01", "00:11:22:33:44:66", "00:11:22:33:44:05"


def anybody() -> str:
    return ".".join(str(RANDOM.randrange(11, 200)) for _ in range(4))


def test_syn_floods_from_many_and_from_one() -> None:
    many = [(i / 1000, tcp(anybody(), SERVER, RANDOM.randrange(1024, 65_535), 80, "S")) for i in range(1500)]
    alert = only(alerts_of(many), "syn_flood")
    assert (alert.detection.target, alert.detection.severity) == (SERVER, "high")
    stuffed = [(at, packet / b"padding") for at, packet in many]
    assert "syn_flood" in rules(alerts_of(stuffed))
    one = [(i / 400, tcp("203.0.113.8", SERVER, 1024 + i, 80, "S")) for i in range(600)]
    assert only(alerts_of(one), "syn_flood").detection.source == "203.0.113.8"


def test_a_busy_server_is_not_flooded() -> None:
    packets = all_of(*(tried(i / 200, f"203.0.{i % 200}.{i % 250}", SERVER, 443, "S") for i in range(450)))
    assert loud(alerts_of(packets)) == []


def test_amplification_and_a_resolver_that_asks() -> None:
    answers = [
        (i / 100, FRAME / IP(src=f"203.0.{i}.9", dst=CLIENT) / UDP(sport=123, dport=80) / bytes(400))
        for i in range(100)
    ]
    assert only(alerts_of(answers), "udp_amplification").detection.target == CLIENT
    asked: list[Timed] = []
    for i in range(200):
        ends = {"src": CLIENT, "dst": f"203.0.{i}.9"}
        asked.append((i / 100, FRAME / IP(**ends) / UDP(sport=123, dport=123) / bytes(48)))
        asked.append((i / 100 + 0.02, FRAME / IP(src=ends["dst"], dst=CLIENT) / UDP(sport=123, dport=123) / bytes(48)))
    assert alerts_of(asked) == []


def test_reflection_and_backscatter_are_told_apart() -> None:
    to_one = [(i / 100, tcp(f"203.0.{i % 90}.9", CLIENT, 443, 1024 + i, "SA")) for i in range(300)]
    assert "synack_reflection" in rules(alerts_of(to_one))
    from_one = [(i / 100, tcp("203.0.113.9", f"192.168.7.{i % 60}", 80, 1024 + i, "SA")) for i in range(100)]
    found = alerts_of(from_one)
    assert rules(found) == {"backscatter"}
    assert loud(found) == []


def test_icmp_floods_and_ordinary_pings() -> None:
    flood = [(i / 500, FRAME / IP(src="203.0.113.9", dst=SERVER) / ICMP(id=1, seq=i) / bytes(32)) for i in range(1500)]
    assert only(alerts_of(flood), "icmp_flood").detection.target == SERVER
    pings: list[Timed] = []
    for i in range(100):
        pings.append((i, FRAME / IP(src=CLIENT, dst=SERVER) / ICMP(id=1, seq=i) / (bytes([i]) * 8 + bytes(range(48)))))
        pings.append(
            (
                i + 0.01,
                FRAME / IP(src=SERVER, dst=CLIENT) / ICMP(type=0, id=1, seq=i) / (bytes([i]) * 8 + bytes(range(48))),
            )
        )
    assert alerts_of(pings) == []


def test_pings_that_carry_data() -> None:
    talk: list[Timed] = []
    for i in range(40):
        talk.append((i, FRAME / IP(src=CLIENT, dst=SERVER) / ICMP(id=1, seq=i) / RANDOM.randbytes(60 + i)))
        talk.append((i + 0.01, FRAME / IP(src=SERVER, dst=CLIENT) / ICMP(type=0, id=1, seq=i) / RANDOM.randbytes(90)))
    assert loud(alerts_of(talk)) == ["icmp_tunnel"]


def test_arp_spoofing_and_a_single_change() -> None:
    def says(at: float, mac: str, address: str) -> Timed:
        return at, Ether(src=mac, dst=VICTIM) / ARP(op=2, hwsrc=mac, psrc=address, hwdst=VICTIM, pdst=CLIENT)

    fight = [says(i * 2.0, mac, GATEWAY) for i, mac in enumerate((ROUTER, ATTACKER) * 4)]
    fight.append(says(1.0, ATTACKER, "192.168.1.66"))
    assert "arp_spoof" in rules(alerts_of(fight))
    conflict = [says(i * 2.0, mac, "192.168.1.40") for i, mac in enumerate((ROUTER, ATTACKER) * 3)]
    assert rules(alerts_of(conflict)) <= {"duplicate_address", "arp_spoof"}
    assert loud(alerts_of(conflict))
    assert alerts_of([says(0, ROUTER, GATEWAY), says(50, ATTACKER, GATEWAY), says(100, ATTACKER, GATEWAY)]) == []


def test_traffic_that_follows_a_claim() -> None:
    def out(at: float, router: str) -> Timed:
        return at, Ether(src=VICTIM, dst=router) / IP(src=CLIENT, dst="203.0.113.7") / TCP(
            sport=50_000, dport=80, flags="A"
        )

    before = [out(i * 0.5, ROUTER) for i in range(20)]
    claim = [
        (11.0, Ether(src=ATTACKER, dst=VICTIM) / ARP(op=2, hwsrc=ATTACKER, psrc=GATEWAY, hwdst=VICTIM, pdst=CLIENT))
    ]
    after = [out(12 + i * 0.5, ATTACKER) for i in range(20)]
    assert only(alerts_of([*before, *claim, *after], at_once=5), "arp_spoof").detection.source == ATTACKER
    assert alerts_of(before + after) == []


def test_routers_that_are_forged() -> None:
    def advertises(at: float, lifetime: int, source: str = "fe80::1") -> Timed:
        return at, Ether(src=ROUTER) / IPv6(src=source, dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=lifetime)

    assert alerts_of([advertises(i * 10.0, 1800) for i in range(10)] + [advertises(101, 0)]) == []
    killed = [advertises(i * 10.0, 1800) for i in range(6)] + [advertises(i * 10.0 + 3, 0) for i in range(6)]
    assert rules(alerts_of(killed)) == {"rogue_ra"}
    flood = [advertises(i / 50, 1800, f"fe80::{i + 1:x}") for i in range(60)]
    assert rules(alerts_of(flood)) == {"rogue_ra"}


def test_packets_that_no_stack_sends() -> None:
    assert rules(alerts_of([(0, tcp(SERVER, SERVER, 139, 139, "S"))])) == {"land_attack"}
    whole = IP(src=CLIENT, dst=SERVER, id=7, proto=17)
    pieces = [(0.0, whole.copy(), "MF", 0, 48), (0.01, whole.copy(), 0, 3, 16)]
    overlap = []
    for at, piece, flags, offset, size in pieces:
        piece.flags, piece.frag = flags, offset
        overlap.append((at, FRAME / piece / bytes(size)))
    assert "teardrop" in rules(alerts_of(overlap))
    routed = [(0, FRAME / IP(src=CLIENT, dst=SERVER, options=b"\x83\x07\x04\x01\x02\x03\x04\x00") / UDP(dport=9))]
    assert "source_routed" in rules(alerts_of(routed))
    hidden = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"secret words")])
    assert rules(alerts_of([(i, FRAME / hidden / UDP(dport=9)) for i in range(4)])) == {"covert_channel"}
    padded = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])
    assert alerts_of([(i, FRAME / padded / UDP(dport=9)) for i in range(4)]) == []


def test_a_jittered_beacon_and_ntp() -> None:
    at, reports = 0.0, []
    for _ in range(50):
        at += RANDOM.uniform(6, 10)
        reports.append(at)
    packets = all_of(*(tried(at, CLIENT, "203.0.113.66", 8443, "S") for at in reports))
    assert "beacon" in rules(alerts_of(packets))
    clicks, at = [], 0.0
    for _ in range(60):
        at += RANDOM.expovariate(1 / 8)
        clicks.append(at)
    assert "beacon" not in rules(alerts_of(all_of(*(tried(at, CLIENT, "203.0.113.66", 8443, "S") for at in clicks))))
    time = [
        (i * 64.0, FRAME / IP(src=CLIENT, dst="203.0.113.9") / UDP(sport=123, dport=123) / bytes(48)) for i in range(60)
    ]
    assert alerts_of(time) == []


def test_the_cut_into_blocks_does_not_matter() -> None:
    packets = all_of(*(tried(i * 0.3, CLIENT, SERVER, 20 + i, "R") for i in range(40)))
    one, many = alerts_of(packets, 1000), alerts_of(packets, 3)
    assert [(a.id, a.count, a.detection.reason) for a in one] == [(a.id, a.count, a.detection.reason) for a in many]

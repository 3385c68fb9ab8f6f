"""Hardware addresses of neighbours: ARP, neighbour discovery, frames, and what a router makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from app.sensor import hardware_addresses as module
from app.sensor.pipeline import Pipeline
from app.services.fact_mirror import FactMirror
from app.services.flow_mirror import FlowMirror
from app.wire.addresses import parse_address
from tests import pace
from tests.frames import EPOCH, SECOND, block

A, B = "00:1b:21:00:00:0a", "00:1b:21:00:00:0b"


def told(*frames: bytes, pipeline: Pipeline | None = None) -> dict[str, tuple[str, str]]:
    pipeline = pipeline or Pipeline(1024)
    pipeline.feed(block([bytes(frame) for frame in frames]))
    return {address: (mac, source) for address, mac, source in pipeline.hardware.take_changed()}


def test_arp_tells_who_asks_and_who_answers() -> None:
    ask = Ether(src=A, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=A, psrc="10.0.0.1", pdst="10.0.0.2")
    answer = Ether(src=B, dst=A) / Dot1Q(vlan=7) / ARP(op=2, hwsrc=B, psrc="10.0.0.2", hwdst=A, pdst="10.0.0.1")
    probe = Ether(src=B, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=B, psrc="0.0.0.0", pdst="10.0.0.9")
    assert told(ask, answer, probe) == {"10.0.0.1": (A, "arp"), "10.0.0.2": (B, "arp")}


def test_frames_of_the_local_network_tell_and_others_do_not() -> None:
    own = Ether(src=A, dst=B) / IP(src="192.168.1.7", dst="8.8.8.8") / TCP(sport=1000, dport=443, flags="S")
    far = Ether(src=B, dst=A) / IP(src="8.8.8.8", dst="192.168.1.7") / UDP(sport=53, dport=1000)
    neighbour = (
        Ether(src=B, dst="33:33:00:00:00:01") / IPv6(src="2001:4860::7", dst="ff02::1", hlim=255) / ICMPv6ND_NA()
    )
    assert told(own, far, neighbour) == {"192.168.1.7": (A, "frame"), "2001:4860::7": (B, "ndp")}


def test_what_a_neighbour_says_goes_before_frames_and_is_told_once() -> None:
    pipeline = Pipeline(1024)
    ask = Ether(src=A, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=A, psrc="10.0.0.1", pdst="10.0.0.2")
    forwarded = Ether(src=B, dst=A) / IP(src="10.0.0.1", dst="10.0.0.3") / UDP(sport=5, dport=6)
    assert told(ask, pipeline=pipeline) == {"10.0.0.1": (A, "arp")}
    assert told(ask, forwarded, pipeline=pipeline) == {}


def test_a_router_is_nobodys_card() -> None:
    pipeline = Pipeline(1024)
    behind = [Ether(src=B, dst=A) / IP(src=f"10.9.0.{n}", dst="10.0.0.1") / UDP(sport=5, dport=6) for n in range(1, 40)]
    few = told(*behind[:3], pipeline=pipeline)
    assert set(few.values()) == {(B, "frame")}
    after = told(*behind, pipeline=pipeline)
    assert set(after.values()) == {("", "")}
    facts = FactMirror(FlowMirror())
    for rows in (few, after):
        facts.apply({"macs": [[address, *values] for address, values in rows.items()]}, EPOCH)
    assert facts.facts.macs == {}
    assert facts.malformed == 0


def test_bounds(monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_HOSTS", 5)
    monkeypatch.setattr(module, "MAX_SAID", 3)
    pipeline = Pipeline(1024)
    asking = [Ether(src=A) / ARP(op=1, hwsrc=A, psrc=f"10.0.0.{n}", pdst="10.0.0.99") for n in range(1, 9)]
    assert len(told(*asking, pipeline=pipeline)) == 3
    assert len(pipeline.hardware.take_changed()) == 2
    assert pipeline.hardware.not_kept == 3


def test_the_web_side_believes_neighbours_most_and_counts_nonsense() -> None:
    facts = FactMirror(FlowMirror())
    said = {"timestamp": "2026-01-01T00:00:00Z", "address": "10.0.0.7", "name": "printer", "source": "dhcp", "mac": B}
    facts.apply({"names": [said]}, EPOCH)
    assert facts.facts.macs[parse_address("10.0.0.7")[1:]] == (B, "dhcp")
    facts.apply({"macs": [["10.0.0.7", A, "arp"]]}, EPOCH)
    facts.apply({"names": [said], "macs": [["10.0.0.7", B, "frame"]]}, EPOCH + SECOND)
    assert facts.facts.macs[parse_address("10.0.0.7")[1:]] == (A, "arp")
    before = facts.malformed
    facts.apply({"macs": [["nobody", A, "arp"], ["10.0.0.1", "zz", "arp"], [1], 7, ["10.0.0.1", A]]}, EPOCH)
    assert facts.malformed == before + 5
    facts.apply({"macs": {"10.0.0.1": A}}, EPOCH)
    assert facts.malformed == before + 6


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=80), min_size=1, max_size=20))
def test_no_frame_stops_it(parts: list[bytes]) -> None:
    heads = (
        bytes.fromhex("ffffffffffff001b21000001") + kind
        for kind in (b"\x08\x06", b"\x86\xdd", b"\x08\x00", b"\x81\x00")
    )
    frames = [head + part for head in heads for part in parts]
    for address, mac, source in ((a, *rest) for a, rest in told(*frames).items()):
        assert parse_address(address)
        assert source in ("arp", "ndp", "frame")
        assert len(mac) == 17


@pytest.mark.slow
def test_a_batch_costs_little() -> None:
    pipeline = Pipeline(65_536)
    frames = [
        bytes(Ether(src=A) / IP(src=f"10.{n >> 8}.{n & 255}.1", dst="10.0.0.1") / UDP(sport=5, dport=6))
        for n in range(4096)
    ]
    full = block(frames)
    pipeline.feed(full)
    packets = pipeline._decoder.decode(full.data, full.frames)
    packets["kind"] |= module.KIND_FIRST_OF_FLOW
    copies = [np.array(packets) for _ in range(20)]
    assert pace.within(2 * len(copies), lambda: [pipeline.hardware.take(full.data, one) for one in copies])


def test_under_load_few_batches_are_looked_at() -> None:
    pipeline = Pipeline(1024)
    for n in range(module.BATCHES + module.SKIPPED):
        ask = Ether(src=A) / ARP(op=1, hwsrc=A, psrc=f"10.0.0.{n + 1}", pdst="10.0.0.99")
        pipeline.feed(block([bytes(ask)]))
    assert len(pipeline.hardware.take_changed()) == module.BATCHES + 1

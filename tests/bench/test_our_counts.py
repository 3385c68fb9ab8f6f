"""What our program counts in generated traffic is what the generator put there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.sensor.analyze import analyze
from bench.profiles import Profile, churn, imix, small
from bench.traffic import write


@pytest.mark.parametrize(
    "profile", [replace(imix(40_000), flows=2_000), small(20_000), churn(20_000)], ids=lambda p: p.name
)
def test_analyze_agrees_with_the_generator(profile: Profile, tmp_path: Path) -> None:
    facts = write(profile, tmp_path / "file.pcap")
    report = json.loads(analyze(str(tmp_path / "file.pcap")))
    assert report["capture"]["packets"] == facts.packets
    assert report["capture"]["bytes"] == facts.frame_bytes
    assert len(report["flows"]) == facts.flows
    later = (
        {"udp"} if facts.payload_bytes.get("FRAGMENTS") else set()
    )  # which layers a later fragment carries is a choice
    counted = {name: report["protocols"].get(name, 0) for name in facts.protocols if name not in {"qinq", *later}}
    assert counted == {name: facts.protocols[name] for name in counted}
    assert (
        sum(flow["src_packets"] + flow["dst_packets"] for flow in report["flows"])
        == facts.packets - facts.protocols["arp"]
    )
    assert sum(flow["retransmissions"] or 0 for flow in report["flows"]) == facts.retransmissions

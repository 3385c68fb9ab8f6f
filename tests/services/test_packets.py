"""Packet rows become the packets of the contract."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.model.fields import PACKETS
from app.model.layers import LAYER_BIT, REASONS
from app.services.packets import layer_names, packet_dicts
from app.wire.records import PACKET_ROW_DTYPE

KEYS = [
    "id",
    "timestamp",
    "interface",
    "protocol",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "service",
    "flags",
    "size",
    "info",
    "flow_id",
    "card_data_detected",
    "payload",
]


def row(**values: object) -> np.ndarray:
    found = np.zeros(1, PACKET_ROW_DTYPE)
    found["packet_id"], found["ts"] = 5, 1_700_000_000_000_001_000
    found["src_lo"], found["dst_lo"] = 0xFFFF_0A000001, 0xFFFF_C0000201
    found["ip_version"], found["protocol"] = 4, 6
    for name, value in values.items():
        found[name] = value
    return found


def test_keys_of_the_contract() -> None:
    packet = packet_dicts(row(), ["eth0"])[0]
    assert set(KEYS) <= set(packet)
    assert list(packet) == list(PACKETS)


def test_a_segment() -> None:
    payload = np.frombuffer(b"GET /".ljust(64, b"\xee"), "V64")
    found = packet_dicts(
        row(
            src_port=51000,
            dst_port=443,
            tcp_flags=0x18,
            wire_len=71,
            payload_len=5,
            payload_kept=5,
            payload=payload,
            seq=7,
            ack=9,
            window=100,
            layers=LAYER_BIT["eth"] | LAYER_BIT["ip"] | LAYER_BIT["tcp"],
        ),
        ["eth0"],
    )[0]
    assert found["info"] == "51000 → 443 [PSH, ACK] seq=7 ack=9 win=100 len=5"
    assert (found["src_ip"], found["src_port"], found["dst_ip"], found["dst_port"]) == (
        "10.0.0.1",
        51000,
        "192.0.2.1",
        443,
    )
    assert (found["protocol"], found["service"], found["flags"], found["payload"]) == (
        "tcp",
        "HTTPS",
        "PSH, ACK",
        "474554202f",
    )
    assert found["layers"] == ["eth", "ip", "tcp"]
    assert (found["flow_id"], found["reason"], found["card_data_detected"]) == (None, None, None)
    assert found["timestamp"] == "2023-11-14T22:13:20.000001Z"


@pytest.mark.parametrize(
    ("values", "protocol", "info"),
    [
        ({"protocol": 17, "src_port": 53, "dst_port": 4000, "payload_len": 30}, "udp", "53 → 4000 len=30"),
        ({"protocol": 1, "src_port": 8}, "icmp", "Echo request"),
        ({"protocol": 1, "src_port": 99}, "icmp", "type 99"),
        ({"protocol": 58, "src_port": 135}, "icmpv6", "Neighbour solicitation"),
        ({"protocol": 17, "kind": 3, "payload_len": 8}, "udp", "later IP fragment, 8 bytes"),
        (
            {"protocol": 255, "ip_version": 0, "layers": LAYER_BIT["eth"] | LAYER_BIT["arp"], "arp_operation": 1},
            "arp",
            "who has 192.0.2.1? tell 10.0.0.1",
        ),
        (
            {
                "protocol": 255,
                "ip_version": 0,
                "layers": LAYER_BIT["eth"] | LAYER_BIT["other"],
                "ether_type": 0x88CC,
                "wire_len": 60,
            },
            "eth",
            "EtherType 0x88cc, 60 bytes",
        ),
        ({"reason": 4}, "tcp", "not decoded: truncated ip"),
        ({"protocol": 47, "payload_len": 9}, "gre", "9 bytes of payload"),
        ({"protocol": 200, "wire_len": 60}, "ip-proto-200", "60 bytes"),
    ],
)
def test_info(values: dict[str, object], protocol: str, info: str) -> None:
    found = packet_dicts(row(**values), [])[0]
    assert (found["protocol"], found["info"]) == (protocol, info)


def test_reasons_have_their_names() -> None:
    assert [packet_dicts(row(reason=code), [])[0]["reason"] for code in range(len(REASONS))] == [None, *REASONS[1:]]


def test_any_bytes_make_packets() -> None:
    rows = np.frombuffer(np.random.default_rng(1).bytes(PACKET_ROW_DTYPE.itemsize * 2000), PACKET_ROW_DTYPE)
    json.dumps(packet_dicts(rows, ["eth0"]), allow_nan=False)


def test_layers_at_any_depth() -> None:
    assert layer_names(0) == []
    assert layer_names(0xFFFFFFFF)[-1] == "other"

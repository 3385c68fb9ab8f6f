"""Which packets inspectors get."""

from __future__ import annotations

import numpy as np
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from app.flow.table import FlowTable
from app.native.loader import kernel
from app.sensor.select_layout import CHOSEN_COLUMNS
from app.wire.decode import Decoder
from tests.frames import block

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
HIGH, LOW = "10.0.0.9", "10.0.0.1"


class Stage:
    def __init__(self) -> None:
        self.table = FlowTable(64, lambda records, rolled: None)
        self.wanted = np.zeros(64, np.uint8)
        self.skip_to = np.full((64, 2), -1, np.int64)
        self.skipped = np.zeros(1, np.int64)

    def run(self, *frames: bytes):
        one = block(frames)
        packets = Decoder().decode(one.data, one.frames)
        self.table.update(packets)
        chosen = np.zeros((len(packets), CHOSEN_COLUMNS), np.int64)
        n = kernel("select_packets")(
            packets, len(packets), self.table.rows, self.wanted, self.skip_to, chosen, self.skipped
        )
        return [(int(c[0]), int(c[1]), one.data[c[2] : c[3]].tobytes(), bool(c[4])) for c in chosen[:n]], packets


def tcp(src, dst, sport, dport, flags, payload=b""):
    return bytes(ETHER / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags) / payload)


def test_payload_and_what_moves_a_stream_is_chosen_with_its_direction():
    chosen, _ = Stage().run(
        tcp(HIGH, LOW, 5, 80, "S"),
        tcp(LOW, HIGH, 80, 5, "SA"),
        tcp(HIGH, LOW, 5, 80, "A"),
        tcp(HIGH, LOW, 5, 80, "PA", b"GET /"),
        tcp(LOW, HIGH, 80, 5, "PA", b"HTTP/1.1"),
        tcp(LOW, HIGH, 80, 5, "FA"),
    )
    assert chosen == [
        (0, 0, b"", True),
        (1, 1, b"", False),
        (3, 0, b"GET /", False),
        (4, 1, b"HTTP/1.1", False),
        (5, 1, b"", False),
    ]


def test_ethernet_padding_is_not_payload():
    frame = bytes(ETHER / IP(src=LOW, dst=HIGH) / UDP(sport=1, dport=2) / b"xy").ljust(60, b"\0")
    assert Stage().run(frame)[0] == [(0, 0, b"xy", True)]


def test_a_finished_flow_is_skipped_and_counted():
    stage = Stage()
    frame = bytes(ETHER / IP(src=LOW, dst=HIGH) / UDP(sport=1, dport=2) / b"data")
    _, packets = stage.run(frame)
    stage.wanted[packets["flow"][0]] = 0
    assert stage.run(frame)[0] == []
    assert stage.skipped[0] == 4


def test_a_flow_is_wanted_until_somebody_says_enough():
    frame = bytes(ETHER / IP(src=LOW, dst=HIGH) / UDP(sport=1, dport=2) / b"data")
    stage = Stage()
    assert len(stage.run(*[frame] * 40)[0]) == 40
    assert len(stage.run(*[frame] * 40)[0]) == 40


def test_a_slot_used_again_starts_anew():
    stage = Stage()
    _, packets = stage.run(tcp(HIGH, LOW, 5, 80, "PA", b"x"))
    stage.wanted[packets["flow"][0]] = 0
    stage.table.finish()
    chosen, _ = stage.run(tcp(LOW, HIGH, 9, 99, "PA", b"new"))
    assert chosen == [(0, 0, b"new", True)]


def test_a_stretch_that_nobody_reads_is_passed_over():
    def segment(seq: int, payload: bytes, flags: str = "A") -> bytes:
        return bytes(ETHER / IP(src=HIGH, dst=LOW) / TCP(sport=5, dport=80, seq=seq, flags=flags) / payload)

    stage = Stage()
    _, packets = stage.run(segment(0xFFFFFF00, b"head"))
    stage.skip_to[packets["flow"][0], 0] = 1000  # the sequence numbers wrap in between
    chosen, _ = stage.run(
        segment(0xFFFFFF04, b"x" * 252),
        segment(0, b"x" * 500),
        tcp(LOW, HIGH, 80, 5, "PA", b"the other way"),
        segment(500, b"x" * 500),
        segment(600, b"", "F"),
        segment(990, b"y" * 30),
        segment(1020, b"more"),
    )
    assert [payload[:5] for _, _, payload, _ in chosen] == [b"the o", b"", b"yyyyy", b"more"]
    assert stage.skipped[0] == 252 + 1000

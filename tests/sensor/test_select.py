"""Which packets inspectors get."""

from __future__ import annotations

import numpy as np
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from app.dpi import signatures
from app.dpi.signatures import begins, exactly, on_ports
from app.flow.table import FlowTable
from app.native.loader import kernel
from app.sensor import select_layout as layout
from app.wire.decode import Decoder
from tests.frames import block

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
HIGH, LOW = "10.0.0.9", "10.0.0.1"


class Stage:
    """The kernel between a flow table and nobody: two recognisers of TCP (GET, any greeting of port 25), one of UDP."""

    def __init__(self) -> None:
        self.table = FlowTable(64, lambda records, rolled: None)
        self.signatures = signatures.table([get, greeting], [data])
        self.wanted = np.zeros(64, np.uint8)
        self.skip_to = np.full((64, 2), -1, np.int64)
        self.skipped = np.zeros(1, np.int64)

    def run(self, *frames: bytes):
        one = block(frames)
        packets = Decoder().decode(one.data, one.frames)
        self.table.update(packets)
        self.slot = int(packets["flow"][0])
        self.chosen = np.zeros((len(packets), layout.CHOSEN_COLUMNS), np.int64)
        n = kernel("select_packets")(
            one.data,
            packets,
            len(packets),
            self.table.rows,
            self.signatures,
            self.wanted,
            self.skip_to,
            self.chosen,
            self.skipped,
        )
        rows = self.chosen[:n].tolist()
        return [(c[0], c[1], one.data[c[2] : c[3]].tobytes(), c[layout.FITS]) for c in rows]


@begins(exactly(signatures.TCP, b"GET /"))
def get(flow, direction, data):
    return None


@begins(on_ports(signatures.TCP, 25))
def greeting(flow, direction, data):
    return None


@begins(exactly(signatures.UDP, b"data"))
def data(flow, direction, data):
    return None


def tcp(src, dst, sport, dport, flags, payload=b"", seq=0):
    return bytes(ETHER / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags, seq=seq) / payload)


def udp(payload, sport=1, dport=2):
    return bytes(ETHER / IP(src=LOW, dst=HIGH) / UDP(sport=sport, dport=dport) / payload)


HANDSHAKE = (tcp(HIGH, LOW, 5, 80, "S"), tcp(LOW, HIGH, 80, 5, "SA", seq=100), tcp(HIGH, LOW, 5, 80, "A", seq=1))


def test_a_flow_begins_with_payload_that_fits_and_is_wanted_from_then_on():
    stage = Stage()
    chosen = stage.run(
        *HANDSHAKE,
        tcp(HIGH, LOW, 5, 80, "PA", b"GET /", seq=1),
        tcp(LOW, HIGH, 80, 5, "PA", b"HTTP/1.1", seq=101),
        tcp(LOW, HIGH, 80, 5, "FA", seq=109),
    )
    assert chosen == [(3, 0, b"GET /", 1), (4, 1, b"HTTP/1.1", 0), (5, 1, b"", 0)]
    assert stage.chosen[0, [layout.EXPECTED_A, layout.EXPECTED_B]].tolist() == [1, 101]
    assert stage.wanted[stage.slot] == layout.ALL


def test_ethernet_padding_is_not_payload():
    assert Stage().run(udp(b"data").ljust(60, b"\0")) == [(0, 0, b"data", 1)]


def test_what_fits_nothing_is_over_when_both_sides_began():
    stage = Stage()
    assert stage.run(*HANDSHAKE, tcp(HIGH, LOW, 5, 80, "PA", b"\1\2\3\4\5", seq=1)) == []
    assert stage.wanted[stage.slot] == layout.FRESH_TCP + layout.JUDGED_A
    assert stage.run(tcp(HIGH, LOW, 5, 80, "PA", b"GET /", seq=6)) == []  # too late: the direction was judged
    assert stage.run(tcp(LOW, HIGH, 80, 5, "PA", b"\1\2\3\4\5", seq=101)) == []
    assert stage.wanted[stage.slot] == layout.DONE
    assert stage.skipped[0] == 15


def test_a_short_beginning_may_become_anything_that_begins_so():
    assert Stage().run(*HANDSHAKE, tcp(HIGH, LOW, 5, 80, "PA", b"GE", seq=1)) == [(3, 0, b"GE", 1)]


def test_a_port_is_a_signature():
    assert Stage().run(tcp(LOW, HIGH, 25, 9, "PA", b"\xff\xfe", seq=7)) == [(0, 0, b"\xff\xfe", 2)]


def test_payload_behind_a_hole_may_be_anything():
    stage = Stage()
    assert stage.run(*HANDSHAKE, tcp(HIGH, LOW, 5, 80, "PA", b"later", seq=50)) == [(3, 0, b"later", layout.EVERY)]
    assert stage.chosen[0, layout.EXPECTED_A] == 1


def test_a_keep_alive_probe_is_not_judged():
    stage = Stage()
    assert stage.run(tcp(HIGH, LOW, 5, 80, "A", b"\0", seq=9)) == []
    assert stage.run(tcp(HIGH, LOW, 5, 80, "PA", b"GET /", seq=10)) == [(0, 0, b"GET /", 1)]


def test_some_datagrams_may_fit_nothing():
    stage = Stage()
    assert stage.run(*[udp(b"dust")] * (layout.DATAGRAMS - 1)) == []
    assert stage.run(udp(b"data"), udp(b"dust")) == [(0, 0, b"data", 1), (1, 0, b"dust", 0)]
    assert stage.wanted[stage.slot] == layout.ASKED + 1
    other = Stage()
    assert other.run(*[udp(b"dust")] * layout.DATAGRAMS) == []
    assert other.run(udp(b"data")) == []


def test_a_finished_flow_is_skipped_and_counted():
    stage = Stage()
    stage.run(udp(b"data"))
    stage.wanted[stage.slot] = layout.DONE
    assert stage.run(udp(b"data")) == []
    assert stage.skipped[0] == 4


def test_a_slot_used_again_starts_anew():
    stage = Stage()
    stage.run(tcp(HIGH, LOW, 5, 80, "PA", b"GET /"))
    stage.wanted[stage.slot] = layout.DONE
    stage.table.finish()
    assert stage.run(tcp(LOW, HIGH, 9, 99, "PA", b"GET /new")) == [(0, 0, b"GET /new", 1)]


def test_a_stretch_that_nobody_reads_is_passed_over():
    def segment(seq: int, payload: bytes, flags: str = "A") -> bytes:
        return bytes(ETHER / IP(src=HIGH, dst=LOW) / TCP(sport=5, dport=80, seq=seq, flags=flags) / payload)

    stage = Stage()
    stage.run(segment(0xFFFFFF00, b"GET /"))
    stage.skip_to[stage.slot, 0] = 1000  # the sequence numbers wrap in between
    chosen = stage.run(
        segment(0xFFFFFF05, b"x" * 251),
        segment(0, b"x" * 500),
        tcp(LOW, HIGH, 80, 5, "PA", b"the other way"),
        segment(500, b"x" * 500),
        segment(600, b"", "F"),
        segment(990, b"y" * 30),
        segment(1020, b"more"),
    )
    assert [payload[:5] for _, _, payload, _ in chosen] == [b"the o", b"", b"yyyyy", b"more"]
    assert stage.skipped[0] == 251 + 1000

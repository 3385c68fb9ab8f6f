"""Block in, flows and counts out: the same for any cut into blocks; the snapshot says all of it once."""

from __future__ import annotations

import numpy as np
import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from app.model.columns import RINGS
from app.sensor.packet_store import PacketStore
from app.sensor.pipeline import Pipeline
from app.sensor.snapshot import MAX_FLOWS, SnapshotMaker
from app.wire.block import Block
from app.wire.records import BUCKET_DTYPE, FLOW_DTYPE, PACKET_ROW_DTYPE
from tests.frames import EPOCH, SECOND, block

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def udp(i: int, reply: bool = False) -> bytes:
    a, b = f"10.0.{i >> 8}.{i & 255}", "192.0.2.1"
    if reply:
        return bytes(ETHER / IP(src=b, dst=a) / UDP(sport=53, dport=4000 + i % 50) / b"answer")
    return bytes(ETHER / IP(src=a, dst=b) / UDP(sport=4000 + i % 50, dport=53) / b"query")


def parts(whole: Block, size: int) -> list[Block]:
    return [Block(whole.data, whole.frames[i : i + size]) for i in range(0, len(whole.frames), size)]


class Watched:
    """A pipeline with everything a sensor has."""

    def __init__(self, max_flows: int = 4096) -> None:
        self.snapshots = SnapshotMaker()
        self.store = PacketStore(1 << 20)
        self.pipeline = Pipeline(max_flows, self.store, self.snapshots.take_ended)
        self.snapshots.watch(self.pipeline, self.store)

    def snapshot(self, live: bool = False, behind: bool = False) -> dict:
        return self.snapshots.make({"state": "running"}, {"kernel_drops": 3}, {}, live, live and not behind)


def flows(message: dict) -> np.ndarray:
    return np.frombuffer(message["flows"], FLOW_DTYPE)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_cut_into_blocks_does_not_matter(size):
    whole = block([udp(i % 40, reply=i % 3 == 0) for i in range(500)])
    one, other = Watched(), Watched()
    one.pipeline.feed(whole)
    for part in parts(whole, size):
        other.pipeline.feed(part)
    a, b = one.snapshot(), other.snapshot()
    assert a["totals"] == b["totals"]
    assert a["flows"] == b["flows"]
    for name in ("layers", "sizes", "hosts", "ports", "conversations", "series"):
        assert a[name] == b[name]


def test_a_block_larger_than_a_batch():
    watched = Watched()
    watched.pipeline.feed(block([udp(i % 100) for i in range(10_000)]))
    assert watched.snapshot()["totals"]["packets"] == 10_000


def test_roll_ups_agree_with_the_flows():
    watched = Watched(max_flows=16)  # most flows are evicted on the way
    watched.pipeline.feed(block([udp(i // 2 % 60, reply=i % 2 == 1) for i in range(600)]))
    message = watched.snapshot()
    rows = flows(message)
    assert sum(rows["src_packets"]) + sum(rows["dst_packets"]) == 600
    server = next(row for row in message["hosts"] if row[0] == "192.0.2.1")
    assert server[1] + server[2] == 600
    assert sum(row[2] for row in message["conversations"]) == 10 * len(message["conversations"])
    assert message["ports"][0][:3] == ["udp", 53, 600]
    assert message["losses"]["flows_evicted"] > 0
    assert message["losses"]["kernel_drops"] == 3


def test_each_snapshot_says_only_what_changed():
    watched = Watched()
    watched.pipeline.feed(block([udp(i) for i in range(20)]))
    first = watched.snapshot()
    assert len(flows(first)) == 20
    assert len(flows(watched.snapshot())) == 0
    watched.pipeline.feed(block([udp(5)]))
    last = watched.snapshot()
    assert [int(row["src_packets"]) for row in flows(last)] == [2]
    assert np.frombuffer(last["packets"], PACKET_ROW_DTYPE)["packet_id"].tolist() == [21]
    assert last["packets_skipped"] == 0
    assert last["rates"]["pps"] > 0


def test_many_changes_are_spread_over_snapshots():
    watched = Watched(max_flows=65_536)
    frame, frames = udp(1), []
    for i in range(MAX_FLOWS + 500):
        changed = bytearray(frame)
        changed[26:30] = (0x0A000000 + i).to_bytes(4, "big")
        frames.append(bytes(changed))
    watched.pipeline.feed(block(frames))
    first = watched.snapshot()
    assert (len(flows(first)), first["flows_deferred"]) == (MAX_FLOWS, 500)
    second = watched.snapshot()
    assert (len(flows(second)), second["flows_deferred"]) == (500, 0)
    seen = np.concatenate([flows(first), flows(second)])["flow_id"]
    assert len(np.unique(seen)) == MAX_FLOWS + 500
    assert len(flows(watched.snapshot())) == 0


def test_ended_flows_are_said_once_with_their_ending():
    watched = Watched()
    watched.pipeline.feed(block([udp(1)]))
    watched.snapshot()
    watched.pipeline.finish()
    rows = flows(watched.snapshot())
    assert (len(rows), rows["ended"].tolist()) == (1, [5])


def test_series_hold_the_packets_of_their_second():
    watched = Watched()
    whole = block([udp(1)] * 30, times=[EPOCH + i * SECOND // 10 for i in range(30)])
    watched.pipeline.feed(whole)
    message = watched.snapshot()
    buckets = np.frombuffer(message["series"]["1"], BUCKET_DTYPE)
    assert buckets["packets"].tolist() == [10, 10, 10]
    assert buckets["start"].tolist() == [EPOCH // SECOND + i for i in range(3)]
    assert set(message["series"]) == {str(step) for step, _ in RINGS}


def test_a_reset_forgets_and_numbers_flows_on():
    watched = Watched()
    watched.pipeline.feed(block([udp(1)]))
    before = flows(watched.snapshot())["flow_id"].max()
    watched.pipeline.reset()
    assert watched.snapshot()["totals"]["packets"] == 0
    watched.pipeline.feed(block([udp(1)]))
    message = watched.snapshot()
    assert flows(message)["flow_id"].min() > before
    assert message["totals"]["packets"] == 1


def test_live_time_passes_without_packets():
    watched = Watched()
    watched.pipeline.feed(block([udp(1)]))  # years ago by the wall clock
    watched.pipeline.expire(EPOCH)
    watched.snapshot(live=True, behind=True)
    assert watched.pipeline.table.active == 1, "its next packets may wait in the ring"
    watched.snapshot(live=True)
    assert watched.pipeline.table.active == 0


def test_handshakes_are_measured():
    def tcp(flags: str, **fields) -> bytes:
        return bytes(ETHER / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=5, dport=80, flags=flags, **fields))

    answer = bytes(ETHER / IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=5, flags="SA", seq=9, ack=2))
    watched = Watched()
    frames = [tcp("S", seq=1), answer, tcp("A", seq=2, ack=10)]
    watched.pipeline.feed(block(frames, times=[EPOCH, EPOCH + 7_000_000, EPOCH + 12_000_000]))
    assert watched.snapshot()["latency"] == {"rtt_ms_median": 12.0, "rtt_ms_p95": 12.0, "samples": 1}


def test_an_empty_pipeline_has_a_snapshot():
    message = Watched().snapshot()
    assert message["totals"]["first_ns"] is None
    assert message["latency"]["rtt_ms_median"] is None
    assert (message["flows"], message["packets"], message["hosts"]) == (b"", b"", [])

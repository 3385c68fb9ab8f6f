"""Histograms of flows: counted right in both directions, bounded by the slots, freed at the end, independent of how blocks are cut."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from app.flow.flow_entropy import EntropySettings, FlowEntropy
from app.flow.table import FlowTable
from app.stats import entropy_layout as at
from app.wire.decode import Decoder
from app.wire.records import FLOW_DTYPE
from tests.frames import EPOCH, SECOND, block
from tests.payload_frames import Tcp, noise, text, udp

SAMPLE = at.S_LIFE


def plain(data: bytes) -> float:
    return -sum(n / len(data) * math.log2(n / len(data)) for n in Counter(data).values())


class Bench:
    """A flow table with slots behind it."""

    def __init__(self, capacity: int = 64, **settings: object) -> None:
        self.entropy = FlowEntropy(EntropySettings(**settings), capacity)
        self.records: list[np.ndarray] = []
        self.table = FlowTable(capacity, self._ended)
        self.decoder = Decoder()

    def _ended(self, records, rolled) -> None:
        self.entropy.ended(records)
        self.records.append(records.copy())

    def feed(self, frames, times=None) -> None:
        one = block(frames, times=times)
        packets = self.decoder.decode(one.data, one.frames)
        ids, _ = self.table.update(packets)
        self.entropy.add(one.data, packets, ids, self.table)
        self.table.drain()

    def end(self):
        """(ids, values) of all last samples, by flow id."""
        self.table.finish()
        found = {}
        for part in self.entropy.take_samples():
            for ids, values in zip(part.ids.tolist(), part.values, strict=True):
                if ids[at.I_FLAGS] & at.ENDED:
                    found[ids[at.I_FLOW]] = (ids, values)
        return found


def test_life_and_window_are_those_of_the_payload_of_each_direction():
    bench = Bench(life_bytes=0, packet_bytes=0, window_packets=400)
    flow = Tcp()
    up, down = text(30_000, 1), noise(50_000, 2)
    bench.feed(flow.handshake() + flow.send(0, up) + flow.send(1, down))
    ((ids, values),) = bench.end().values()
    for direction, data in enumerate((up, down)):
        for part in (at.S_LIFE, at.S_WINDOW):
            assert values[direction, part + at.M_N] == len(data)
            assert values[direction, part + at.M_PLAIN] == pytest.approx(plain(data), abs=1e-3)
        assert ids[at.I_TOTALS + direction] == len(data)
    record = bench.records[0][0]
    assert record["src_entropy"] == pytest.approx(plain(up), abs=1e-3)
    assert record["dst_entropy"] == pytest.approx(plain(down), abs=1e-3)


def test_the_life_histogram_stops_at_its_limit_and_the_window_follows():
    bench = Bench(life_bytes=2_000, window_packets=40)
    bench.feed([udp("10.0.0.1", 1000, "10.0.0.2", 2000, text(200, i)) for i in range(60)])
    bench.feed([udp("10.0.0.1", 1000, "10.0.0.2", 2000, noise(200, i)) for i in range(45)])
    ((_, values),) = bench.end().values()
    assert values[0, at.S_LIFE + at.M_N] == 2_000
    assert values[0, at.S_LIFE + at.M_CORRECTED] < 5.5
    assert values[0, at.S_WINDOW + at.M_CORRECTED] > 7.8
    assert 30 * 200 <= values[0, at.S_WINDOW + at.M_N] <= 40 * 200


def test_long_packets_are_sampled_in_the_window_at_places_that_move():
    bench = Bench(packet_bytes=100, window_packets=100)
    payload = bytes(range(200)) * 5
    bench.feed([udp("10.0.0.1", 1000, "10.0.0.2", 2000, payload) for _ in range(90)])
    ((_, values),) = bench.end().values()
    assert values[0, at.S_WINDOW + at.M_N] == 9_000
    assert values[0, at.S_WINDOW + at.M_DISTINCT] == 200


def test_how_blocks_are_cut_changes_nothing():
    rng = random.Random(5)
    flows = [Tcp(40000 + i) for i in range(8)]
    frames = [frame for flow in flows for frame in flow.handshake()]
    for i in range(400):
        frames += rng.choice(flows).send(rng.randrange(2), rng.choice([text, noise])(rng.randrange(1, 900), i))
    times = [EPOCH + i * SECOND // 50 for i in range(len(frames))]
    results = []
    for size in (len(frames), 7, 1):
        bench = Bench()
        for start in range(0, len(frames), size):
            bench.feed(frames[start : start + size], times[start : start + size])
        results.append(bench.end())
    for other in results[1:]:
        assert results[0].keys() == other.keys()
        for flow_id, (ids, values) in results[0].items():
            assert ids[at.I_TOTALS :] == other[flow_id][0][at.I_TOTALS :]
            np.testing.assert_allclose(values[:, : at.S_LEVEL], other[flow_id][1][:, : at.S_LEVEL], equal_nan=True)


def test_slots_are_bounded_counted_and_freed():
    bench = Bench(capacity=256, slots=16)
    bench.feed([udp("10.0.0.1", 1000 + i, "10.0.0.2", 53, b"x" * 100) for i in range(50)])
    found = bench.entropy.statistics()
    assert found["used"] == 16
    assert found["flows_without"] == 34
    assert found["bytes_passed"] == 34 * 100
    assert len(bench.end()) == 16
    assert bench.entropy.statistics()["used"] == 0


def test_a_silent_flow_gives_its_slot_away():
    bench = Bench(capacity=256, slots=16)
    first = [udp("10.0.0.1", 1000 + i, "10.0.0.2", 53, b"x" * 100) for i in range(16)]
    later = [udp("10.0.0.1", 5000 + i, "10.0.0.2", 53, b"y" * 100) for i in range(4)]
    bench.feed(first)
    bench.feed(later, [EPOCH + 30 * SECOND] * 4)
    found = bench.entropy.statistics()
    assert (found["used"], found["taken_over"], found["flows_without"]) == (16, 4, 0)
    assert len(bench.end()) == 16


def test_of_a_flow_whose_slot_goes_the_last_sample_is_kept():
    bench = Bench(capacity=256, slots=1)
    bench.feed([udp("10.0.0.1", 1000, "10.0.0.2", 53, text(400))])
    bench.feed([udp("10.0.0.1", 5000, "10.0.0.2", 53, noise(400))], [EPOCH + 30 * SECOND])
    [sample] = bench.entropy.take_samples()
    assert sample.ids[:, [at.I_FLOW, at.I_TIME]].tolist() == [[1, EPOCH]]
    assert sample.values[0, 0, SAMPLE + at.M_PLAIN] == pytest.approx(plain(text(400)), abs=1e-6)
    assert list(bench.end()) == [2]


@pytest.mark.parametrize("together", [True, False])
def test_a_port_that_is_used_again_is_another_flow(together):
    """Also where the first flow ends and the next begins within one block."""
    first, second = Tcp(), Tcp()
    second.next = [77_000, 99_000]
    parts = [first.handshake() + first.send(0, text(2_000)), second.handshake() + second.send(0, noise(2_000))]
    bench = Bench()
    for part in [parts[0] + parts[1]] if together else parts:
        bench.feed(part)
    found = bench.end()
    assert sorted(found) == [1, 2]
    assert found[1][1][0, SAMPLE + at.M_PLAIN] == pytest.approx(plain(text(2_000)), abs=1e-6)
    assert found[2][1][0, SAMPLE + at.M_PLAIN] == pytest.approx(plain(noise(2_000)), abs=1e-6)
    records = np.concatenate(bench.records)
    assert not np.isnan(records["src_entropy"]).any()
    bench.entropy.free_forgotten(bench.table)
    assert bench.entropy.statistics()["used"] == 0


def test_flows_evicted_within_a_block_leave_no_slot_behind():
    bench = Bench(capacity=16, slots=64)
    bench.feed([udp("10.0.0.1", 1000 + i, "10.0.0.2", 53, noise(100, i)) for i in range(500)])
    bench.entropy.free_forgotten(bench.table)
    assert bench.entropy.statistics()["used"] <= 16
    bench.end()
    assert bench.entropy.statistics()["used"] == 0


def test_a_sample_comes_every_refresh_and_for_flows_that_fell_silent():
    bench = Bench(refresh_ns=SECOND)
    frames = [udp("10.0.0.1", 1000, "10.0.0.2", 53, noise(100, i)) for i in range(100)]
    bench.feed(frames, [EPOCH + i * SECOND // 10 for i in range(100)])
    assert sum(map(len, bench.entropy.take_samples())) == 9
    bench.entropy.settle(EPOCH + 12 * SECOND)
    assert sum(map(len, bench.entropy.take_samples())) == 1
    bench.entropy.settle(EPOCH + 20 * SECOND)
    assert not bench.entropy.take_samples()


def test_a_file_is_sampled_as_its_flows_grow_and_at_their_ends():
    """With 25 packets a quarter: after 1, 2, 4, 8, 16, 32 and then each 25 packets, though each of them is a second after the one before."""
    bench = Bench(refresh_ns=SECOND, unhurried=True)
    frames = [udp("10.0.0.1", 1000, "10.0.0.2", 53, noise(100, i)) for i in range(100)]
    bench.feed(frames, [EPOCH + i * 2 * SECOND for i in range(100)])
    times = [moment for part in bench.entropy.take_samples() for moment in part.ids[:, at.I_TIME].tolist()]
    assert [(moment - EPOCH) // (2 * SECOND) + 1 for moment in times] == [2, 4, 8, 16, 32, 57, 82]
    [(ids, values)] = bench.end().values()
    assert ids[at.I_TOTALS] == 10_000
    assert values[0, SAMPLE + at.M_N] == 10_000


def test_active_flows_show_what_was_last_measured():
    bench = Bench()
    bench.feed([udp("10.0.0.1", 1000, "10.0.0.2", 53, text(500))])
    rows = np.zeros(1, FLOW_DTYPE)
    rows["flow_id"], rows["slot"] = 1, 0
    for name in ("src_entropy", "dst_entropy"):
        rows[name] = np.nan
    bench.entropy.settle(EPOCH + 2 * SECOND)
    collected, _, _ = bench.table.collect(0, 10)
    bench.entropy.fill(collected)
    assert collected["src_entropy"][0] == pytest.approx(plain(text(500)), abs=1e-5)
    assert np.isnan(collected["dst_entropy"][0])


def test_samples_that_nobody_takes_are_counted_not_kept():
    bench = Bench(refresh_ns=1)
    for i in range(7):
        bench.feed(
            [udp("10.0.0.1", 1000, "10.0.0.2", 53, b"abc") for _ in range(4_000)],
            [EPOCH + i * 4000 + k for k in range(4_000)],
        )
    assert sum(map(len, bench.entropy.take_samples())) <= 20_000
    assert bench.entropy.samples_lost > 0

"""Counts of a block equal what a few lines of plain Python count."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.layers import LAYER_BIT
from app.stats.traffic import TrafficCounts
from app.wire.records import PACKET_DTYPE

SECOND = 1_000_000_000
T0 = 1_700_000_000

ROWS = st.lists(
    st.tuples(
        st.integers(0, 100),
        st.sampled_from([6, 17, 1, 58, 47, 255]),
        st.integers(14, 9000),
        st.integers(0, 11),
        st.integers(0, 2**32 - 1),
    ),
    max_size=200,
)


def packets_of(rows):
    packets = np.zeros(len(rows), PACKET_DTYPE)
    for p, (second, protocol, size, reason, layers) in zip(packets, rows, strict=True):
        p["ts"], p["protocol"], p["wire_len"], p["cap_len"] = (T0 + second) * SECOND, protocol, size, min(size, 96)
        p["reason"], p["layers"] = reason, layers & 0x3F
    return packets


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_counts_equal_simple_ones(rows):
    counts = TrafficCounts()
    counts.add(packets_of(rows[:70]))
    counts.add(packets_of(rows[70:]))
    assert counts.packets == len(rows)
    assert counts.bytes == sum(row[2] for row in rows)
    assert counts.captured_bytes == sum(min(row[2], 96) for row in rows)
    if rows:
        assert counts.first_ns == (T0 + min(row[0] for row in rows)) * SECOND
        assert counts.last_ns == (T0 + max(row[0] for row in rows)) * SECOND
    else:
        assert counts.first_ns is None
    expected = Counter()
    for row in rows:
        for name, bit in LAYER_BIT.items():
            if row[4] & 0x3F & bit:
                expected[name] += 1
    assert {name: n for name, n, _ in counts.layers()} == dict(expected)
    assert sum(n for _, n, _ in counts.sizes()) == len(rows)
    assert sum(counts.undecoded().values()) == sum(1 for row in rows if row[3])
    ring = counts.rings[1]
    ordered = all(a[0] // 10 <= b[0] // 10 for a, b in itertools.pairwise(rows))
    if ordered or max((row[0] for row in rows), default=0) < 100:
        by_bucket = Counter((T0 + row[0]) // 10 * 10 for row in rows)
        assert {int(b["start"]): int(b["packets"]) for b in ring if b["packets"]} == dict(by_bucket)
        for b in ring[ring["packets"] > 0]:
            assert int(b["bytes"]) == sum(int(b[k]) for k in ("tcp_bytes", "udp_bytes", "icmp_bytes", "other_bytes"))


def test_sizes_have_inclusive_upper_limits():
    counts = TrafficCounts()
    counts.add(packets_of([(0, 6, size, 0, 0) for size in (64, 65, 128, 129, 256, 512, 513, 1024, 1518, 1519)]))
    assert [n for _, n, _ in counts.sizes()] == [1, 2, 2, 1, 2, 1, 1]


def test_a_ring_keeps_the_newest():
    counts = TrafficCounts()
    counts.add(packets_of([(second, 6, 100, 0, 0) for second in range(1000)]))
    starts = counts.rings[0]["start"]
    assert (int(starts.min()), int(starts.max())) == (T0 + 400, T0 + 999)
    counts.add(packets_of([(0, 6, 100, 0, 0)]))  # far too late: it must not push out a newer bucket
    assert int(counts.rings[0]["start"].min()) == T0 + 400


def test_reset():
    counts = TrafficCounts()
    counts.add(packets_of([(0, 6, 100, 3, 1)]))
    counts.reset()
    assert (counts.packets, counts.layers(), counts.undecoded(), counts.first_ns) == (0, [], {}, None)
    assert not counts.rings[0]["packets"].any()


def test_packets_without_a_known_time_do_not_set_the_first():
    packets = packets_of([(0, 6, 100, 0, 0), (5, 6, 100, 0, 0)])
    packets["ts"][0] = 0
    counts = TrafficCounts()
    counts.add(packets)
    assert counts.first_ns == (T0 + 5) * SECOND


def test_more_sets_of_layers_than_slots_are_counted_as_lost_not_wrongly():
    packets = packets_of([(0, 6, 100, 0, 0)] * 3000)
    packets["layers"] = np.arange(3000) + 1
    counts = TrafficCounts()
    counts.add(packets)
    assert counts.packets == 3000
    assert max(n for _, n, _ in counts.layers()) <= 1024

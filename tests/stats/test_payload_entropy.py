"""Entropy per flow and direction equals that of the concatenated payload."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from app.sensor.pipeline import Pipeline
from app.stats.payload_entropy import PayloadEntropy, shannon
from tests.frames import block

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def plain(data: bytes) -> float:
    return -sum(n / len(data) * math.log2(n / len(data)) for n in Counter(data).values())


def frame(src: str, dst: str, payload: bytes) -> bytes:
    ports = (1000, 2000) if src != "10.0.0.2" else (2000, 1000)
    return bytes(ETHER / IP(src=src, dst=dst) / UDP(sport=ports[0], dport=ports[1]) / payload)


def entropies(frames, max_flows: int = 64) -> dict[int, tuple[float | None, float | None]]:
    counter = PayloadEntropy(max_flows)
    pipeline = Pipeline(max_flows, entropy=counter)
    pipeline.feed(block(frames))
    pipeline.finish()
    return counter.values


def test_both_directions_are_counted_apart():
    up = [random.Random(i).randbytes(300) for i in range(20)]
    down = [b"aaaabbbb" * 20, b"cccc"]
    frames = [frame("10.0.0.1", "10.0.0.2", part) for part in up] + [
        frame("10.0.0.2", "10.0.0.1", part) for part in down
    ]
    (low, high) = entropies(frames)[1]
    assert low == pytest.approx(plain(b"".join(up)), abs=1e-9)
    assert high == pytest.approx(plain(b"".join(down)), abs=1e-9)


def test_no_payload_is_not_an_entropy_of_zero():
    (low, high) = entropies([frame("10.0.0.1", "10.0.0.2", b"x" * 50)])[1]
    assert (low, high) == (0.0, None)


def test_rows_that_change_hands_keep_the_flows_apart():
    """More flows than rows: each is evicted for the next, and every one has its own bytes."""
    payloads = {i: bytes([i % 256, (i * 7) % 256]) * 30 + random.Random(i).randbytes(40) for i in range(200)}
    frames = [frame(f"10.0.{i >> 8}.{i & 255}", "192.0.2.1", data) for i, data in payloads.items()]
    values = entropies(frames, max_flows=16)
    assert len(values) == 200
    assert sorted(v[0] for v in values.values()) == pytest.approx(sorted(plain(p) for p in payloads.values()), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 1 << 31), min_size=256, max_size=256))
def test_shannon_is_within_its_bounds(counts):
    (value,) = shannon(np.array([counts], np.uint32)).tolist()
    assert value == -1 if not any(counts) else 0 <= value <= 8 + 1e-9

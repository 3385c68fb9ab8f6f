"""What waits for history: batches that fit into a message, bounds on what cannot be written, and a message that is packed in pieces."""

from __future__ import annotations

from pathlib import Path

import msgpack
import numpy as np
import pytest

from app.link.frames import MAX_FRAME
from app.services import history_batches
from app.services.history_batches import MOST, Collector
from app.services.mirror import Mirror
from app.store.client import StoreClient, StoreRefused, packed
from app.store.layout import FLOW_DTYPE
from tests.fakes.rows import flow


def told(mirror: Mirror, collector: Collector, first: int, count: int) -> None:
    """A snapshot in which so many flows have ended."""
    rows = np.repeat(flow(1), count)
    rows["flow_id"] = np.arange(first, first + count)
    rows["ended"] = 1
    capture = {"state": "running", "source": "live", "started_ns": 5, "interfaces": [], "file": None}
    snapshot = {"type": "snapshot", "capture": capture, "now_ns": 1, "wall_ns": 1, "flows": rows.tobytes()}
    mirror.apply(snapshot)
    collector.note(snapshot)


def written(collector: Collector) -> list[int]:
    """Numbers of the flows in all batches, in order."""
    messages = [part.message() for part in collector.take_all()]
    assert all(len(b"".join(packed(message))) < MAX_FRAME for message in messages)
    return [
        number for message in messages for number in np.frombuffer(message["flows"], FLOW_DTYPE)["flow_id"].tolist()
    ]


def test_many_flows_become_batches_that_fit_and_none_is_left_out() -> None:
    mirror = Mirror()
    collector = Collector(mirror)
    for tick in range(5):
        told(mirror, collector, 1 + tick * 15_000, 15_000)
    told(mirror, collector, 75_001, 3 * MOST + 7)  # one snapshot that tells of more than a batch holds
    assert max(part.flow_count for part in collector._parts()) <= MOST
    assert written(collector) == list(range(1, 75_001 + 3 * MOST + 7))
    assert collector.waiting == collector.lost == 0


def test_what_cannot_be_written_waits_up_to_a_bound_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_batches, "MAX_WAITING", 100)
    mirror = Mirror()
    collector = Collector(mirror)
    for tick in range(20):
        told(mirror, collector, 1 + tick * 30, 30)
        collector.give_back(collector.take_all())  # as on a full disk, which is no fault of the batch
    assert collector.waiting == 90
    assert collector.lost == 20 * 30 - 90
    assert len(collector._parts()) < 6


def test_a_message_in_pieces_is_the_message() -> None:
    message = {
        "type": "write",
        "run": {"boot": "b"},
        "texts": {"a": ["x", None], "é": []},
        "flows": b"\0" * 300,
        "n": 1,
    }
    assert b"".join(packed(message)) == msgpack.packb(message)


def test_a_message_that_is_too_long_is_refused_and_the_store_goes_on(tmp_path: Path) -> None:
    client = StoreClient(tmp_path / "h.duckdb")
    try:
        client.start()
        with pytest.raises(StoreRefused) as refused:
            client.ask("write", flows=b"\0" * MAX_FRAME)
        assert refused.value.code == "failed"
        assert client.ask("state")["counts"]["flows"] == 0
    finally:
        client.close()

"""The mirror follows one capture, keeps a bounded past, and survives parts that make no sense."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from app.services.mirror import KEPT_NOTICES, KEPT_PACKETS, SLICE, Mirror
from app.wire.records import BUCKET_DTYPE, PACKET_ROW_DTYPE
from tests.fakes.rows import flow


def snapshot(started: int = 5, **parts: Any) -> dict[str, Any]:
    capture = {
        "state": "running",
        "source": "live",
        "started_ns": started,
        "interfaces": [{"name": "eth0"}],
        "file": None,
    }
    return {"type": "snapshot", "capture": capture, "now_ns": 1, "wall_ns": 1, **parts}


def packets(first: int, count: int) -> bytes:
    rows = np.zeros(count, PACKET_ROW_DTYPE)
    rows["packet_id"] = np.arange(first, first + count)
    return rows.tobytes()


def test_a_new_capture_empties_what_the_last_one_left() -> None:
    mirror = Mirror()
    mirror.apply(snapshot(5, flows=flow(1).tobytes(), packets=packets(1, 3), totals={"packets": 3}))
    mirror.apply(snapshot(5, flows=flow(2).tobytes()))
    assert (len(mirror.flows), len(mirror.packets()), mirror.part("totals")) == (2, 3, {"packets": 3})
    mirror.apply(snapshot(6, flows=flow(1).tobytes()))
    assert (len(mirror.flows), len(mirror.packets()), mirror.part("totals")) == (1, 0, {})
    assert mirror.captures == 2


def test_stopping_keeps_what_was_seen() -> None:
    mirror = Mirror()
    mirror.apply(snapshot(5, flows=flow(1).tobytes()))
    stopped = snapshot(5)
    stopped["capture"]["state"] = "stopped"
    mirror.apply(stopped)
    assert len(mirror.flows) == 1


def test_packets_are_bounded_and_the_newest_stay() -> None:
    mirror = Mirror()
    for tick in range(40):
        mirror.apply(snapshot(packets=packets(1 + tick * 200, 200), packets_skipped=7))
    kept = mirror.packets()["packet_id"]
    assert KEPT_PACKETS <= len(kept) < KEPT_PACKETS + 200
    assert int(kept[-1]) == 8000
    assert mirror.packets_skipped == 280


def test_parts_of_a_wrong_type_are_left_out_and_counted() -> None:
    mirror = Mirror()
    mirror.apply(snapshot(flows=b"odd", packets=b"odd", series={"1": b"odd", "x": 3}, totals="no", flows_active=-4))
    assert mirror.malformed == 2
    assert mirror.part("totals") == {}
    assert mirror.flows_active == 0


def test_buckets_are_replaced_and_come_in_order() -> None:
    mirror = Mirror()
    rows = np.zeros(3, BUCKET_DTYPE)
    rows["start"], rows["packets"] = [1000, 1002, 1001], [1, 3, 2]
    mirror.apply(snapshot(series={"1": rows.tobytes()}))
    rows = np.zeros(1, BUCKET_DTYPE)
    rows["start"], rows["packets"] = 1002, 30
    mirror.apply(snapshot(series={"1": rows.tobytes()}))
    found = mirror.buckets(1, 1000, 1002)
    assert found["packets"].tolist() == [1, 2, 30]
    assert len(mirror.buckets(1, 1003, 2000)) == 0


def test_notices_are_bounded_and_counted() -> None:
    mirror = Mirror()
    for number in range(KEPT_NOTICES + 10):
        mirror.notice("info", str(number))
    count, kept = mirror.notices_since(0)
    assert (count, len(kept)) == (KEPT_NOTICES + 10, KEPT_NOTICES)
    assert [entry["text"] for entry in mirror.notices_since(count - 2)[1]] == [str(count - 2), str(count - 1)]
    assert mirror.notices_since(count) == (count, [])


def test_waiting_ends_with_the_next_change() -> None:
    mirror = Mirror()
    before = mirror.generation
    threading.Timer(0.05, lambda: mirror.apply(snapshot())).start()
    started = time.monotonic()
    assert mirror.wait(before, 5) > before
    assert time.monotonic() - started < 2
    assert mirror.wait(mirror.generation, 0.01) == mirror.generation


def test_a_large_snapshot_lets_others_read_meanwhile_and_wakes_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror, seen = Mirror(), []
    rows = np.repeat(flow(1), 3 * SLICE)
    rows["flow_id"] = np.arange(1, len(rows) + 1)
    known = [[number, *[None] * 10] for number in range(1, 1_201)]

    def read(seconds: float) -> None:
        other = threading.Thread(target=lambda: seen.append((len(mirror.flow_view().flows), mirror.generation)))
        other.start()
        other.join(30)

    monkeypatch.setattr("app.services.mirror.time.sleep", read)
    mirror.apply(snapshot(flows=rows.tobytes(), known=known, totals={"packets": 3}))
    assert [flows for flows, _ in seen][:4] == [0, SLICE, 2 * SLICE, 3 * SLICE]
    assert len(seen) > 5  # between parts of what is known, too
    assert {generation for _, generation in seen} == {0}
    assert mirror.generation == mirror.snapshots == 1

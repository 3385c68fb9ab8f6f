"""The engine: the clock, who is shown what, folding, failures, bounds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from app.detect.batch import Batch
from app.detect.context import Context
from app.detect.detector import Detector
from app.detect.engine import Engine
from app.detect.folding import APART_NS, MAX_NEW_PER_RULE, Folding
from app.detect.rule import Knob, Rule
from app.dpi.facts import Recognized
from app.model.alert import Detection
from app.stats.bounded import BoundedMap
from app.stats.distinct import DistinctCounter
from app.wire.records import PACKET_DTYPE

S = 1_000_000_000
NO_DATA = np.zeros(64, np.uint8)


def packets(times: list[float], flags: int = 2) -> np.ndarray:
    rows = np.zeros(len(times), PACKET_DTYPE)
    rows["ts"] = [int(t * S) for t in times]
    rows["protocol"], rows["ip_version"], rows["tcp_flags"] = 6, 4, flags
    return rows


class Watcher(Detector):
    name = "watcher"
    rules = (Rule("seen", "Seen", "low", "M.", "N.", "A."),)
    knobs = (Knob("limit", 3, "packets", "A test."),)
    selections = ("syn",)
    facts = (Recognized,)
    log: ClassVar[list[tuple[str, Any]]] = []

    def on_packets(self, batch: Batch) -> None:
        assert len({int(ts) // S for ts in batch.packets["ts"]}) == 1
        Watcher.log.append(("packets", [batch.packet_id(i) for i in batch.select("syn").tolist()]))

    def on_fact(self, fact: Any) -> None:
        Watcher.log.append(("fact", fact.protocol))

    def on_tick(self, now_ns: int) -> None:
        Watcher.log.append(("tick", now_ns // S))

    def on_end(self, now_ns: int) -> None:
        Watcher.log.append(("end", now_ns // S))


@pytest.fixture
def log() -> list[tuple[str, Any]]:
    Watcher.log.clear()
    return Watcher.log


def feed(engine: Engine, rows: np.ndarray, first_id: int = 1) -> None:
    engine.take(NO_DATA, rows, np.zeros(len(rows), np.uint64), first_id)


def test_seconds_are_cut_and_ticks_come_between(log: list[Any]) -> None:
    engine = Engine((Watcher,))
    feed(engine, packets([100.1, 100.9, 101.0, 105.5]))
    engine.fact(Recognized(1, 0, "ssh"))
    engine.finish()
    assert log == [
        ("packets", [1, 2]), ("tick", 101), ("packets", [3]), ("tick", 102), ("tick", 105), ("packets", [4]), ("fact", "ssh"), ("tick", 105), ("end", 105),
    ]  # fmt: skip


def test_it_does_not_matter_how_packets_are_cut_into_blocks(log: list[Any]) -> None:
    times = [100.0, 100.5, 100.4, 101.2, 101.1, 100.99, 103.0]

    def ticks(step: int) -> list[int]:
        log.clear()
        engine = Engine((Watcher,))
        for start in range(0, len(times), step):
            engine.take(
                NO_DATA,
                packets(times[start : start + step])[:],
                np.zeros(len(times[start : start + step]), np.uint64),
                1,
            )
        return [value for kind, value in log if kind == "tick"]

    class Loose(Watcher):
        def on_packets(self, batch: Batch) -> None:
            pass

    Watcher.on_packets = Loose.on_packets  # type: ignore[method-assign]
    try:
        assert ticks(1) == ticks(3) == ticks(7)
    finally:
        Watcher.on_packets = _on_packets  # type: ignore[method-assign]


_on_packets = Watcher.on_packets


def test_a_clock_that_was_far_ahead_is_set_back(log: list[Any]) -> None:
    engine = Engine((Watcher,))
    feed(engine, packets([1_000_000.0]))
    feed(engine, packets([100.0, 101.0]))
    assert [value for kind, value in log if kind == "tick"] == [1_000_001, 101]


def test_time_passes_without_packets(log: list[Any]) -> None:
    engine = Engine((Watcher,))
    engine.advance(99 * S)  # before the first packet there is no clock
    feed(engine, packets([100.0]))
    engine.advance(int(100.9 * S))
    engine.advance(int(103.5 * S))
    assert [value for kind, value in log if kind == "tick"] == [103]


def test_nobody_is_called_without_what_he_asked_for(log: list[Any]) -> None:
    engine = Engine((Watcher,))
    feed(engine, packets([100.0, 100.1], flags=16))
    assert log == []


class Broken(Detector):
    name = "broken"
    rules = (Rule("never", "Never", "low", "M.", "N.", "A."),)
    selections = ("all",)

    def on_packets(self, batch: Batch) -> None:
        raise ZeroDivisionError


def test_a_failing_detector_is_counted_and_switched_off(log: list[Any]) -> None:
    notices: list[str] = []
    engine = Engine((Broken, Watcher), notify=lambda level, text: notices.append(text))
    for second in range(10):
        feed(engine, packets([100.0 + second]))
    assert engine.failures == {"broken": 3}
    assert engine.state()["switched_off"] == ["broken"]
    assert len(notices) == 1
    assert "broken" in notices[0]
    assert sum(kind == "packets" for kind, _ in log) == 10
    engine.begin(Context())
    assert engine.state()["switched_off"] == []


def detection(ts: float = 1.0, severity: str = "low", fold: tuple[object, ...] = ("a",), **more: Any) -> Detection:
    return Detection("r", "R", severity, 0.5, "Why.", int(ts * S), "10.0.0.1", None, fold, **more)  # type: ignore[arg-type]


def test_repeats_fold_and_the_weightiest_speaks() -> None:
    folding = Folding(lambda: {"kernel_drops": 4, "undecoded": 0})
    folding.take(detection(5, flow_ids=(1, 2)))
    folding.take(detection(7, "high", flow_ids=(2, 3)))
    folding.take(detection(6, "low"))
    folding.take(detection(6, fold=("b",)))
    first, second = folding.alerts()
    assert (first.count, first.first_seen, first.last_seen, first.detection.severity) == (3, 5 * S, 7 * S, "high")
    assert first.flow_ids == [1, 2, 3]
    assert first.not_seen == {"kernel_drops": 4}
    assert second.count == 1
    assert [alert.id for alert in folding.take_changed(1)] == [first.id]
    assert [alert.id for alert in folding.take_changed(10)] == [second.id]
    assert folding.take_changed(10) == []


def test_after_long_silence_it_is_a_new_alert() -> None:
    folding = Folding(dict)
    folding.take(detection(1))
    folding.take(detection(2 + APART_NS / S))
    assert [alert.count for alert in folding.alerts()] == [1, 1]
    assert len({alert.id for alert in folding.alerts()}) == 2


def test_alerts_are_bounded_in_number_and_by_the_minute() -> None:
    folding = Folding(dict, capacity=50)
    for i in range(MAX_NEW_PER_RULE + 10):
        folding.take(detection(60, fold=(i,)))
    assert len(folding.alerts()) == 50
    assert folding.lost == MAX_NEW_PER_RULE + 10 - 50
    assert folding.waiting == 50
    folding.take(detection(120, fold=("next minute",)))
    assert folding.alerts()[-1].detection.fold == ("next minute",)


def test_a_replay_gives_the_same_ids() -> None:
    one, two = Folding(dict), Folding(dict)
    for folding in (one, two):
        folding.take(detection(3, fold=("x", 5)))
    assert one.alerts()[0].id == two.alerts()[0].id


def test_bounded_map_forgets_strangers_first() -> None:
    known: BoundedMap[int, list[int]] = BoundedMap(100, list, keep=lambda entry: len(entry) > 2)
    known[7].extend([1, 2, 3])
    for stranger in range(1000, 100_000):
        known[stranger].append(1)
        if stranger % 50 == 0:
            known[7].append(1)
    assert len(known) == 100
    assert known.lost == 99_001 - 100
    assert 7 in known


@pytest.mark.parametrize("count", [0, 1, 200, 256, 1_000, 100_000])
def test_distinct_things_are_counted(count: int) -> None:
    counter = DistinctCounter()
    for i in range(count):
        counter.add(i)
        counter.add(i)
    assert abs(len(counter) - count) <= (0 if count <= 256 else count * 0.15)
    assert counter.exact == (count <= 256)

"""Alerts about programs: from the mirror's connections through the detectors into the list that pages show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.detect.anomalies import Connection
from app.detect.connection_detector import SECOND, ConnectionDetector
from app.detect.rule import Rule
from app.services.connection_watch import ConnectionWatch
from app.services.mirror import Mirror
from tests.fakes.rows import NOON, flow, flows
from tests.services.test_programs import HERE, apply, end, mirror, owner, process  # noqa: F401


def told(mirror: Mirror) -> list[dict[str, Any]]:  # noqa: F811
    return [fact.document for fact in mirror.newest_alerts()]


def traffic(mirror: Mirror, at_s: int, started: int = 5) -> int:  # noqa: F811
    """One connection of curl and one of nobody, with packets at that time."""
    end_ns = NOON + at_s * SECOND
    rows = [flow(n, f"{HERE}:{1000 + n}", "8.8.8.8:443", end=end_ns, src_packets=9, dst_packets=9) for n in (1, 2)]
    apply(mirror, started, flows=flows(*rows).tobytes(), processes=[process(1, "curl")], owners=[owner(1, HERE, 1001, end(1), None)])  # fmt: skip
    return end_ns


def test_a_busy_program_becomes_an_alert_with_its_name(mirror: Mirror, tmp_path: Path) -> None:  # noqa: F811
    watch = ConnectionWatch(mirror, tmp_path, list)
    for at in range(0, 160, 3):
        now = traffic(mirror, at)
        mirror.facts.facts.owners.usage = {1: (99.0, 2.0)}
        assert watch.look(now) == 1
    [alert] = told(mirror)
    assert (alert["rule"], alert["app_name"], alert["pid"], alert["flow_ids"]) == ("high_cpu", "curl", 101, [1])
    assert alert["measured"] == 99.0
    assert watch.failures == {}
    now = traffic(mirror, 200, started=6)  # another capture begins at nothing
    assert told(mirror) == []
    watch.look(now)
    assert told(mirror) == []


def test_silent_connections_and_files_are_not_looked_at(mirror: Mirror, tmp_path: Path) -> None:  # noqa: F811
    watch = ConnectionWatch(mirror, tmp_path, list)
    now = traffic(mirror, 0)
    assert watch.look(now + 61 * SECOND) == 0
    assert watch.look(now + 59 * SECOND) == 1
    mirror.apply({"type": "snapshot", "capture": {"source": "file", "started_ns": 9, "file": "x"}})
    assert watch.look(now) == 0


def test_what_was_learnt_is_found_again_and_damage_is_learnt_anew(mirror: Mirror, tmp_path: Path) -> None:  # noqa: F811
    watch = ConnectionWatch(mirror, tmp_path, list)
    watch.look(traffic(mirror, 0))
    watch.save()
    file = tmp_path / "program_past.json"
    assert file.stat().st_mode & 0o777 == 0o600
    later = ConnectionWatch(mirror, tmp_path, list)
    later.load()
    apply(mirror, processes=[process(2, "late")], owners=[owner(2, HERE, 1002, end(2), None)])
    later.look(traffic(mirror, 30 * 3600))
    assert [alert["rule"] for alert in told(mirror)] == ["new_program"]
    file.write_text('{"began": [], "programs": 3}')
    ConnectionWatch(mirror, tmp_path, list).load()


class Broken(ConnectionDetector):
    name = "broken"
    rules = (Rule("broken", "Broken", "low", "A.", "B.", "C."),)
    calls = 0

    def on_connections(self, connections: Sequence[Connection], now_ns: int) -> None:
        Broken.calls += 1
        raise RuntimeError("defect")


def test_a_detector_that_fails_is_switched_off(mirror: Mirror, tmp_path: Path) -> None:  # noqa: F811
    watch = ConnectionWatch(mirror, tmp_path, list, (Broken,))
    for at in range(5):
        watch.look(traffic(mirror, at))
    assert (watch.failures, Broken.calls) == ({"broken": 3}, 3)

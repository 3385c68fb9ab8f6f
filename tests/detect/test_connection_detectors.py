"""Detectors of connections with their programs: processor and memory, what a program never did before, anonymising services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.detect.anonymous_destination import AnonymousDestination
from app.detect.connection_anomalies import ConnectionAnomalies
from app.detect.connection_detector import HOUR, KEYS, SECOND, ConnectionDetector
from app.detect.context import Context
from app.detect.program_past import ProgramPast
from app.model.alert import Detection

NOON = 1_760_000_000 * SECOND


def connection(**values: Any) -> dict[str, Any]:
    usual = {
        "flow_id": 1, "app_name": "syncd", "app_path": "/usr/bin/syncd", "pid": 70, "local_address": "192.168.1.5:50000", "remote_address": "203.0.113.7:443",
        "direction": "outbound", "country": "DE", "country_name": "Germany", "packets_sent": 10, "packets_recv": 10, "cpu_percent": 3.0, "memory_percent": 1.0,
        "protocol": "tcp",
    }  # fmt: skip
    return dict.fromkeys(KEYS) | usual | values


class Shown:
    """One detector, shown connections at times."""

    def __init__(self, detector: type[ConnectionDetector]) -> None:
        self.said: list[Detection] = []
        self.detector = detector(Context(), self.said.append)

    def show(self, at_s: float, *connections: dict[str, Any]) -> list[str]:
        """Rules of what is said now."""
        before = len(self.said)
        self.detector.on_connections(connections, NOON + int(at_s * SECOND))
        return [one.rule for one in self.said[before:]]


def test_a_processor_that_stays_busy_is_told_once_and_a_busy_moment_never() -> None:
    watch = Shown(ConnectionAnomalies)
    said = [rule for at in range(0, 600, 3) for rule in watch.show(at, connection(cpu_percent=98.0))]
    assert said == ["high_cpu"]
    one = watch.said[0]
    assert (one.source, one.target, one.measured, one.threshold, one.severity) == ("192.168.1.5", "203.0.113.7", 98.0, 80.0, "low")  # fmt: skip
    assert "syncd uses 98 % of a processor" in one.reason
    assert "for 120 s" in one.reason
    moments = Shown(ConnectionAnomalies)  # a minute of work, a pause, and again
    assert not [rule for at in range(0, 900, 3) for rule in moments.show(at, connection(cpu_percent=98.0 if at % 120 < 60 else 2.0))]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"cpu_percent": 79.9}, []),
        ({"cpu_percent": None, "memory_percent": None}, []),
        ({"cpu_percent": 300.0, "packets_sent": 0, "packets_recv": 0}, []),  # without traffic it is none of ours
        ({"memory_percent": 50.0}, ["high_memory"]),
        ({"packet_loss_percent": 12.0, "packets_sent": 100}, ["packet_anomaly"]),
        ({"packet_loss_percent": 60.0, "packets_sent": 20}, []),
        ({"duration": 1e6, "reconnect_count": 99}, []),  # told by the sensor's detectors
    ],
)
def test_what_lasts_is_told_at_its_limit(values: dict[str, Any], expected: list[str]) -> None:
    watch = Shown(ConnectionAnomalies)
    assert [rule for at in range(0, 130, 3) for rule in watch.show(at, connection(**values))] == expected


def test_nothing_is_new_while_learning() -> None:
    watch = Shown(ProgramPast)
    for hour in range(24):
        named = connection(app_name=f"program{hour}", country="DE" if hour % 2 else "FR")
        assert watch.show(hour * 3600, named, connection(country=f"C{hour % 3}")) == []
    assert watch.show(24 * 3600, connection(app_name="late")) == ["new_program"]
    assert watch.show(24 * 3600 + 3, connection(app_name="late", country="US")) == []  # its own learning has begun
    assert "late (/usr/bin/syncd)" in watch.said[0].reason


def test_a_new_country_of_a_program_that_has_few() -> None:
    watch = Shown(ProgramPast)
    assert watch.show(0, connection(), connection(country="FR")) == []
    assert watch.show(25 * 3600, connection()) == []
    new = connection(country="KP", country_name="North Korea", remote_address="198.51.100.1:443")
    assert watch.show(26 * 3600, connection(country="XX", direction="inbound")) == []  # who calls us may be anywhere
    assert watch.show(26 * 3600, connection(country=None)) == []
    assert watch.show(26 * 3600, new) == ["new_country"]
    assert watch.show(27 * 3600, new) == []
    one = watch.said[0]
    assert (one.target, one.measured, one.threshold) == ("198.51.100.1", 3, 2)
    assert "North Korea" in one.reason
    assert "DE, FR" in one.reason


def test_a_browser_goes_anywhere() -> None:
    watch = Shown(ProgramPast)
    watch.show(0, *(connection(country=f"A{i}") for i in range(7)))
    assert watch.show(30 * 3600, connection(country="KP")) == []


def test_what_was_learnt_outlives_the_process() -> None:
    first = Shown(ProgramPast)
    first.show(0, connection())
    kept = json.loads(json.dumps(first.detector.learnt()))
    assert first.detector.learnt() is None  # nothing new
    again = Shown(ProgramPast)
    again.detector.remember(kept)
    assert again.show(25 * HOUR / SECOND, connection(), connection(app_name="other")) == ["new_program"]
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        again.detector.remember({"began": "x"})


def test_anonymising_services_are_told_once_for_each_connection() -> None:
    watch = Shown(AnonymousDestination)
    assert watch.show(0, connection(is_anonymous=None), connection(is_anonymous=False)) == []
    assert watch.show(3, connection(is_anonymous=True)) == ["anonymous_destination"]
    assert watch.show(6, connection(is_anonymous=True)) == []
    inward = connection(is_anonymous=True, direction="inbound", flow_id=2)
    assert watch.show(9, inward) == ["anonymous_destination"]
    assert [(one.source, one.target) for one in watch.said] == [("192.168.1.5", "203.0.113.7"), ("203.0.113.7", "192.168.1.5")]  # fmt: skip
    assert {one.severity for one in watch.said} == {"low"}

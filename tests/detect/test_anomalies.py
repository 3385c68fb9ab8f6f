"""Anomalies of connections as documents."""

from __future__ import annotations

from typing import Any

from app.detect.anomalies import LIMITS, detect_anomalies, detect_port_scanning
from app.detect.detector import Detector
from app.detect.long_connection import LongConnection
from app.detect.port_scan import PortScan
from app.detect.reconnects import Reconnects


def connection(**values: Any) -> dict[str, Any]:
    usual = {
        "local_address": "192.168.1.5:50000", "remote_address": "203.0.113.7:443", "status": "SF", "packets_sent": 100, "packets_recv": 100,
        "bytes_sent": 10_000, "bytes_recv": 50_000, "duration": 12.0, "cpu_percent": 3.0, "memory_percent": 1.0, "reconnect_count": 0,
    }  # fmt: skip
    return {**usual, **values}


def types(*connections: dict[str, Any]) -> list[str]:
    return [anomaly["type"] for anomaly in detect_anomalies(connections)]


def test_an_ordinary_connection_is_no_anomaly() -> None:
    assert types(connection(), connection(cpu_percent=None, duration=None, reconnect_count=None)) == []
    assert detect_anomalies([{}]) == []


def test_each_kind_is_told_at_its_limit_and_not_below() -> None:
    assert types(connection(duration=LIMITS.long_s)) == ["long_connection"]
    assert types(connection(duration=LIMITS.long_s - 1)) == []
    assert types(connection(cpu_percent=LIMITS.cpu_percent)) == ["high_cpu"]
    assert types(connection(cpu_percent=LIMITS.cpu_percent, packets_sent=0, packets_recv=0)) == []
    assert types(connection(packet_loss_percent=12)) == ["packet_anomaly"]
    assert types(connection(packet_loss_percent=50, packets_sent=2, packets_recv=0)) == []
    assert types(connection(reconnect_count=30)) == ["high_reconnects"]
    assert types(connection(memory_percent=60)) == ["high_memory"]


def test_many_ports_in_vain_are_a_scan() -> None:
    tried = [
        connection(remote_address=f"203.0.113.7:{port}", status="REJ", bytes_recv=0) for port in range(LIMITS.ports)
    ]
    assert detect_port_scanning(tried[1:]) == []  # port 0 is none, and one less than the limit is left
    tried.append(connection(remote_address="203.0.113.7:99", status="S0", bytes_recv=0))
    found = detect_port_scanning(tried)
    assert [(one["source"], one["target"], one["measured"]) for one in found] == [("192.168.1.5", "203.0.113.7", 10)]
    assert "10 ports" in found[0]["reason"]
    answered = [connection(remote_address=f"203.0.113.7:{port}") for port in range(1, 60)]
    assert detect_port_scanning(answered) == []


def test_from_outside_the_ends_change_places() -> None:
    tried = [
        connection(local_address=f"192.168.1.5:{port}", remote_address="[2001:db8::1]:40000", status="REJ", bytes_recv=0, direction="inbound")
        for port in range(1, 15)
    ]  # fmt: skip
    assert [(one["source"], one["target"]) for one in detect_port_scanning(tried)] == [("2001:db8::1", "192.168.1.5")]


def test_the_limits_are_those_of_the_sensors_detectors() -> None:
    def limit(detector: type[Detector], name: str) -> float:
        return next(knob.default for knob in detector.knobs if knob.name == name)

    assert LIMITS.long_s == 3600 * limit(LongConnection, "hours")
    assert LIMITS.reconnects == limit(Reconnects, "failures")
    assert LIMITS.ports == limit(PortScan, "ports")
    assert LIMITS.failed_share == limit(PortScan, "failed_share")

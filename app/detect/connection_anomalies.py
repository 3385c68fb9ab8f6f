"""A program that keeps the processor or the memory busy while it has traffic, and connections that lose much: what `detect_anomalies` finds, for as long as it lasts.

Long connections, reconnects and port scans are anomalies too; the sensor's detectors tell those, with packets as evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.detect.anomalies import LIMITS, Anomaly, Connection, Limits, detect_anomalies, ends
from app.detect.connection_detector import SECOND, ConnectionDetector, program_of
from app.detect.rule import Knob, Rule

_GONE_NS = 30 * SECOND  # not over the limit for so long: it begins anew


@dataclass(slots=True)
class _Lasting:
    """Since when something is over its limit."""

    since: int = 0
    last: int = 0
    told: float = 0.0


class ConnectionAnomalies(ConnectionDetector):
    name = "connection_anomalies"
    rules = (
        Rule(
            "high_cpu",
            "High processor use of a program with traffic",
            "low",
            "A program keeps a processor busy for minutes and has connections meanwhile: a loop, a miner of currency, or much work.",
            "Compilers, browsers with games and films, video calls, backups that compress, virus scanners.",
            "Look at the program and whom it talks to. If it is not known what it works on, stop it.",
            "T1496",
        ),
        Rule(
            "high_memory",
            "High memory use of a program with traffic",
            "low",
            "A program holds most of the machine's memory and has connections meanwhile.",
            "Databases, virtual machines and browsers with very many pages.",
            "Look whether it grows on and on. What comes over its connections may be why.",
            "T1499",
        ),
        Rule(
            "packet_anomaly",
            "Packet anomaly: many segments are sent again",
            "low",
            "A connection loses many of its packets on the way.",
            "Weak radio, a line that is full, a host that is overloaded.",
            "Look whether other connections of the same host or network lose as many. One that alone loses may be held back on the way.",
        ),
    )
    knobs = (
        Knob("cpu_percent", LIMITS.cpu_percent, "% of one processor", "Programs that wait for the network use a few; above this one works without a pause."),
        Knob("memory_percent", LIMITS.memory_percent, "% of the memory", "More than all other programs together."),
        Knob("loss_percent", LIMITS.loss_percent, "% of the segments", "Ordinary networks stay below 2, radio below 5."),
        Knob("lasting_s", 120, "s", "Pages that are opened and packages that are unpacked take seconds."),
    )  # fmt: skip

    def begin(self) -> None:
        self._limits = Limits(
            cpu_percent=self.knob("cpu_percent"),
            memory_percent=self.knob("memory_percent"),
            loss_percent=self.knob("loss_percent"),
        )
        self._lasting = self.bounded(4096, _Lasting, lambda one: one.told > 0)

    def on_connections(self, connections: Sequence[Connection], now_ns: int) -> None:
        by_flow = {connection.get("flow_id"): connection for connection in connections}
        found: dict[Any, list[Anomaly]] = {}
        for anomaly in detect_anomalies(connections, self._limits):
            kind = anomaly["type"]
            if kind in ("high_cpu", "high_memory"):
                found.setdefault((kind, anomaly["pid"], anomaly["app_name"]), []).append(anomaly)
            elif kind == "packet_anomaly":
                found.setdefault((kind, anomaly["flow_id"]), []).append(anomaly)
        for key, anomalies in found.items():
            lasting = self._lasting[key]
            if now_ns - lasting.last > _GONE_NS:
                lasting.since, lasting.told = now_ns, 0.0
            lasting.last = now_ns
            measured = anomalies[0]["measured"]
            if now_ns - lasting.since >= self.knob("lasting_s") * SECOND and measured >= max(2 * lasting.told, 1):
                lasting.told = measured
                self._tell(key, anomalies, by_flow[anomalies[0]["flow_id"]], now_ns, lasting)

    def _tell(self, key: Any, anomalies: list[Anomaly], connection: Connection, now_ns: int, lasting: _Lasting) -> None:
        first = anomalies[0]
        local, remote = ends(connection)
        seconds = (now_ns - lasting.since) / SECOND
        reason = first["reason"].partition(";")[0]
        self.alert(
            first["type"],
            f"{reason}, for {seconds:.0f} s so far; the limit is {first['threshold']:g} % for {self.knob('lasting_s'):g} s.",
            now_ns,
            local,
            remote,
            confidence=0.9,
            fold=key,
            measured=first["measured"],
            threshold=first["threshold"],
            unit="%",
            protocol=connection.get("protocol"),
            flow_ids=[int(one["flow_id"]) for one in anomalies],
            details={"program": program_of(connection), "pid": connection.get("pid"), "connections": len(anomalies)},
        )

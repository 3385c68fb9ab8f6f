"""What a detector says, and the alert that its repeats fold into.

A `Detection` is one moment at which a detector's limit was passed. Detections of the same rule and the same fold key are one `Alert` with a count.
Times are ns of the capture's clock; addresses are text as pages show them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Severity = Literal["low", "medium", "high", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")  # in rising order
STATUSES: Final = ("new", "acknowledged", "false_positive")
MAX_FLOW_IDS: Final = 50  # kept of one alert
MAX_EVIDENCE: Final = 50
MAX_TEXT: Final = 400  # characters of a reason
SUBJECT_DIGITS: Final = 8  # of an alert's id, the first ones: the same for all alerts of one rule about one thing


@dataclass(frozen=True, slots=True)
class Evidence:
    """One packet that speaks for the alert."""

    packet_id: int  # number of the packet in this run of the sensor; in `analyze`, of the frame in the file. From 1
    ts: int


@dataclass(slots=True)
class Detection:
    """One passed limit. Only the first eight fields are needed."""

    rule: str
    title: str
    severity: Severity
    confidence: float  # 0..1: how sure it is that this is what the title says
    reason: str  # one plain sentence with the measured value and the limit
    ts: int
    source: str | None  # address of who does it, None where forged or many
    target: str | None  # address of whom it is done to; a network or name where it is no one host
    fold: tuple[object, ...] = ()  # what makes a repeat: same rule, same fold key
    measured: float | None = None
    threshold: float | None = None
    unit: str | None = None  # of both
    mitre: str | None = None  # ATT&CK technique
    protocol: str | None = None
    flow_ids: tuple[int, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)  # JSON values only


@dataclass(slots=True)
class Alert:
    """Detections of one rule about one thing."""

    id: str
    detection: Detection  # the weightiest, newest among equals
    first_seen: int
    last_seen: int
    count: int = 1
    flow_ids: list[int] = field(default_factory=list)  # the first ones, at most MAX_FLOW_IDS
    evidence: list[Evidence] = field(default_factory=list)
    filed: int | None = (
        None  # so many of the evidence are in the file of its packets; None where there is no file and none is to come
    )
    not_seen: dict[str, int] = field(default_factory=dict)  # what the conclusion could not rest on: losses by name

    def take(self, detection: Detection) -> None:
        """A repeat."""
        self.count += 1
        self.first_seen = min(self.first_seen, detection.ts)
        self.last_seen = max(self.last_seen, detection.ts)
        if weight(detection) >= weight(self.detection):
            self.detection = detection
        self._add(detection)

    def _add(self, detection: Detection) -> None:
        for flow_id in detection.flow_ids:
            if len(self.flow_ids) >= MAX_FLOW_IDS:
                break
            if flow_id not in self.flow_ids:
                self.flow_ids.append(flow_id)
        seen = {one.packet_id for one in self.evidence}
        for one in detection.evidence:
            if len(self.evidence) >= MAX_EVIDENCE:
                break
            if one.packet_id not in seen:
                self.evidence.append(one)
                seen.add(one.packet_id)

    @property
    def backed(self) -> list[Evidence]:
        """The evidence that can be shown: with a file, what is in it; the rest comes with the next file, if there is one."""
        return self.evidence[: self.filed]

    @classmethod
    def begin(cls, detection: Detection) -> Alert:
        alert = cls(alert_id(detection), detection, detection.ts, detection.ts)
        alert._add(detection)
        return alert


def weight(detection: Detection) -> tuple[int, float]:
    """Orders detections of one alert: severity, then confidence."""
    return SEVERITIES.index(detection.severity), detection.confidence


def alert_id(detection: Detection) -> str:
    """SUBJECT_DIGITS hex digits for rule and fold key, as many for the time, so that a replay gives the same."""
    subject = "\x1f".join(map(str, (detection.rule, *detection.fold)))
    return _digits(subject) + _digits(str(detection.ts))


def _digits(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=SUBJECT_DIGITS // 2).hexdigest()

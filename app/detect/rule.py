"""What is declared of a detector: its rules with their help, and its knobs."""

from __future__ import annotations

from dataclasses import dataclass

from app.model.alert import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of alert. `severity` is the usual one; a detector may say another where it can argue it."""

    name: str  # its family in words of the field: port_scan, arp_spoof …
    title: str
    severity: Severity
    means: str  # what has been seen, in a sentence or two
    normal: str  # what harmless traffic looks the same
    act: str  # what to do
    mitre: str | None = None  # ATT&CK technique, e.g. T1046


@dataclass(frozen=True, slots=True)
class Knob:
    """A limit that can be turned. `reason` says where the default comes from."""

    name: str
    default: float
    unit: str
    reason: str

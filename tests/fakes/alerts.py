"""Alerts as a sensor would send them: several rules and severities, repeats that grow, and text that must stay text."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.detect.alert_documents import alert_document
from app.model.alert import Alert, Detection, Evidence
from app.wire.pcap_write import pcapng_header

KINDS = (
    ("port_scan", "Port scan", "high", 0.95, "T1046"),
    ("host_sweep_arp", "ARP sweep: a host looks for neighbours", "medium", 0.9, "T1018"),
    ("cleartext_credentials", "Login in clear text", "low", 0.99, "T1040"),
    ("beacon", "Regular contact <img src=x onerror=alert(1)>", "critical", 0.6, "T1071"),
)


class FakeAlerts:
    """A new alert every fifth tick, in turn; the newest grows with every tick."""

    def __init__(self) -> None:
        self.tick = 0
        self.alerts: list[Alert] = []

    def about(self, flows: np.ndarray, now: int) -> dict[str, Any]:
        """Parts of a snapshot."""
        evidence = []
        if self.tick % 5 == 0 and len(self.alerts) < 200:
            number = len(self.alerts)
            rule, title, severity, confidence, mitre = KINDS[number % len(KINDS)]
            detection = Detection(
                rule,
                title,
                severity,  # type: ignore[arg-type]
                confidence,
                f"10.0.0.{number + 1} did it {number + 30} times within 60 s; the limit is 25.",
                now,
                f"10.0.0.{number + 1}",
                "192.0.2.7" if number % 2 else "<script>alert(1)</script>.example",
                (number,),
                measured=number + 30,
                threshold=25,
                unit="ports",
                mitre=mitre,
                protocol="tcp",
                flow_ids=tuple(flows["flow_id"][:3].tolist()),
                evidence=(Evidence(number + 1, now),),
                details={"example": "\u202eevil"},
            )
            self.alerts.append(Alert.begin(detection))
            evidence = [{"id": self.alerts[-1].id, "packets": 1, "complete": True, "file": pcapng_header("{}")}]
        elif self.alerts:
            self.alerts[-1].count += 1
            self.alerts[-1].last_seen = now
        self.tick += 1
        return {
            "alerts": [alert_document(alert) for alert in self.alerts[-1:]],
            "evidence": evidence,
            "detection": {
                "detectors": 30,
                "switched_off": [],
                "failures": {},
                "alerts": len(self.alerts),
                "alerts_lost": 0,
                "alerts_waiting": 0,
                "flows_not_shown": 0,
                "state_lost": 0,
            },
        }

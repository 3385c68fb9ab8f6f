"""What the rules of all detectors mean, for people. Detectors are loaded when somebody first asks: the web process runs none of them."""

from __future__ import annotations

from typing import Any


def rule_help() -> dict[str, dict[str, Any]]:
    """Rule → `{title, severity, means, normal, advice, mitre, detector}`."""
    from app.detect.connection_registry import CONNECTION_DETECTORS
    from app.detect.registry import DETECTORS

    return {
        rule.name: {
            "title": rule.title,
            "severity": rule.severity,
            "means": rule.means,
            "normal": rule.normal,
            "advice": rule.act,
            "mitre": rule.mitre,
            "detector": detector.name,
        }
        for detector in (*DETECTORS, *CONNECTION_DETECTORS)
        for rule in detector.rules
    }

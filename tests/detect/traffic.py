"""Frames of scapy through the pipeline with all detectors, and the alerts that come of them."""

from __future__ import annotations

from collections.abc import Iterable

from app.detect.engine import Engine
from app.model.alert import Alert
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline
from tests.frames import EPOCH, SECOND, block

Timed = tuple[float, object]  # seconds, scapy packet


def alerts_of(packets: Iterable[Timed], at_once: int = 1000) -> list[Alert]:
    """What the detectors say of packets at these times."""
    timed = sorted(packets, key=lambda pair: pair[0])
    engine = Engine()
    pipeline = Pipeline(1 << 14, insight=Insight(patient=True), detection=engine)
    for start in range(0, len(timed), at_once):
        part = timed[start : start + at_once]
        pipeline.feed(block([bytes(p) for _, p in part], times=[EPOCH + int(t * SECOND) for t, _ in part]))  # type: ignore[call-overload]
    pipeline.close_tick()
    pipeline.finish()
    assert engine.failures == {}
    return engine.folding.alerts()


def loud(alerts: Iterable[Alert]) -> list[str]:
    """Rules of medium severity and above."""
    return sorted({alert.detection.rule for alert in alerts if alert.detection.severity != "low"})


def rules(alerts: Iterable[Alert]) -> set[str]:
    return {alert.detection.rule for alert in alerts}


def only(alerts: Iterable[Alert], rule: str) -> Alert:
    chosen = [alert for alert in alerts if alert.detection.rule == rule]
    assert len(chosen) == 1, [alert.detection.rule for alert in chosen] or f"no {rule}"
    return chosen[0]

"""What `/metrics` tells: each measure once, with its kind and meaning. What is not known is left out, never 0."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from app.services.fact_documents import Fact
from app.services.house import House


class Measure(NamedTuple):
    """`samples`: (labels, value)."""

    name: str
    kind: str  # counter, gauge
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


def measures(house: House, alerts: Iterable[Fact]) -> list[Measure]:
    """Read on the hub: the mirror's parts, and the newest words on each alert."""
    mirror, history = house.mirror, house.history
    totals, losses, health = mirror.part("totals"), mirror.part("losses"), mirror.part("health")
    capture, insight = mirror.part("capture"), mirror.part("insight")
    rules = Counter((str(one.document["rule"]), str(one.document["severity"])) for one in alerts)
    undecoded = losses.get("undecoded") or {}
    live = house.live_load()
    found = [
        _one("up", "gauge", "1 while the sensor is connected and speaks.", float(mirror.sensor.state == "connected")),
        _one("capture_running", "gauge", "1 while packets are captured or replayed.", float(capture.get("state") in ("running", "replaying"))),
        _one("sensor_restarts_total", "counter", "How often the sensor was started again.", mirror.sensor.restarts),
        _one("packets_total", "counter", "Frames seen since the capture started.", totals.get("packets")),
        _one("bytes_total", "counter", "Bytes of those frames on the wire.", totals.get("bytes")),
        _one("flows_total", "counter", "Flows since the capture started.", totals.get("flows")),
        _one("flows_active", "gauge", "Flows that have not ended.", mirror.flows_active),
        _one("flows_evicted_total", "counter", "Flows ended early because the table was full.", losses.get("flows_evicted")),
        _one("kernel_drops_total", "counter", "Packets that the kernel could not hand over.", losses.get("kernel_drops")),
        Measure(
            "undecoded_total", "counter", "Frames that could not be decoded, by reason.",
            tuple(({"reason": str(reason)}, float(count)) for reason, count in sorted(undecoded.items())),
        ),
        _one("payload_bytes_skipped_total", "counter", "Payload that inspection left out.", insight.get("bytes_skipped")),
        _one("snapshots_replaced_total", "counter", "Updates that the web side was too slow to take.", losses.get("snapshots_replaced")),
        _one("queue_flows", "gauge", "Changed flows that wait for the next update.", mirror.flows_deferred),
        _one("live_clients", "gauge", "Clients connected to the live stream.", live.clients),
        _one("live_queue_messages", "gauge", "Messages that wait for clients of the live stream; a client that does not read has a few, never more.", live.waiting),
        _one("live_frames_total", "counter", "Frames made for clients of the live stream.", live.frames),
        _one("tick_milliseconds", "gauge", "How long the sensor took for its last tick.", health.get("tick_ms")),
        _one("lag_milliseconds", "gauge", "How far the sensor's tick was behind its time.", health.get("lag_ms")),
        _one("sensor_memory_bytes", "gauge", "Memory that the sensor holds.", health.get("rss_bytes")),
        _one("history_rows_total", "counter", "Rows written to the history by this run.", history.state.rows_written if history.enabled else None),
        _one("history_queue_rows", "gauge", "Flows that wait to be written.", history.collector.waiting if history.enabled else None),
        _one("history_lost_total", "counter", "Flows and findings that could not be kept.", history.collector.lost if history.enabled else None),
        _one("store_errors_total", "counter", "Failures to write or tidy the history.", history.state.errors if history.enabled else None),
        _one("history_bytes", "gauge", "Bytes that the history takes.", history.state.used_bytes),
        _one("free_disk_bytes", "gauge", "Bytes that are free on the disk of DATA_DIR.", _free(house.settings.data_dir)),
        Measure(
            "alerts", "gauge", "Alerts held, by rule and severity.",
            tuple(({"rule": rule, "severity": severity}, float(count)) for (rule, severity), count in sorted(rules.items())),
        ),
    ]  # fmt: skip
    return [measure for measure in found if measure.samples]


def exposition(found: Iterable[Measure]) -> str:
    """The text format: HELP, TYPE, samples."""
    lines = []
    for measure in found:
        name = f"netglass_{measure.name}"
        lines += [f"# HELP {name} {measure.help}", f"# TYPE {name} {measure.kind}"]
        for labels, value in measure.samples:
            inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{inner}}} {value:.17g}" if inner else f"{name} {value:.17g}")
    return "\n".join(lines) + "\n"


def _one(name: str, kind: str, help: str, value: Any) -> Measure:
    known = isinstance(value, (int, float)) and value == value
    return Measure(name, kind, help, (({}, float(value)),) if known else ())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _free(directory: Path) -> int | None:
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None

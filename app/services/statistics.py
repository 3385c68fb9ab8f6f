"""The statistics document: one shape for `GET /api/stats` and the `stats` event, from the mirror's last snapshot."""

from __future__ import annotations

import time
from typing import Any

from app.enrich.services import service_name
from app.model.layers import protocol_name
from app.model.timestamps import rfc3339
from app.services.applications import top_applications
from app.services.mirror import Mirror

SHOWN = 50


def stats(mirror: Mirror) -> dict[str, Any]:
    """Totals, rates, protocols, top lists, losses, and how capture and sensor are."""
    totals = mirror.part("totals")
    rates = mirror.part("rates")
    return {
        "time": rfc3339(mirror.now_ns),
        "totals": _with_times(totals),
        "rates": rates,
        "runtime_s": _runtime(mirror, totals),
        "protocols": protocols(mirror),
        "top_ips": _rows(mirror, "hosts", ("ip", "packets_sent", "packets_recv", "bytes_sent", "bytes_recv")),
        "top_ports": [_port(row) for row in mirror.part("ports")[:SHOWN]],
        "top_conversations": _rows(mirror, "conversations", ("a", "b", "packets", "bytes")),
        "sizes": _rows(mirror, "sizes", ("label", "packets", "bytes")),
        "flows": {
            "active": mirror.flows_active,
            "total": _int(totals, "flows"),
            "evicted": _int(mirror.part("losses"), "flows_evicted"),
            "held": len(mirror.flows),
            "not_held": mirror.flows.evicted,
        },
        "applications": top_applications(mirror.flow_view()),
        "insight": mirror.part("insight"),
        "detection": mirror.part("detection"),
        "losses": _losses(mirror),
        "latency": mirror.part("latency") or {"rtt_ms_median": None, "rtt_ms_p95": None, "samples": 0},
        "packet_loss_percent": _loss(totals),
        "throughput_bps": rates.get("bps"),
        "capture": capture_state(mirror),
        "sensor": sensor_state(mirror),
        "store": _with_times(mirror.part("store")),
        "health": mirror.part("health"),
    }


def _losses(mirror: Mirror) -> dict[str, Any]:
    """Everything that was seen and is in no other number, or was left out of the inspection."""
    insight = mirror.part("insight")
    return {
        **mirror.part("losses"),
        "flows_deferred": mirror.flows_deferred,
        "snapshots_malformed": mirror.malformed,
        "facts_malformed": mirror.facts.malformed,
        "alerts_malformed": mirror.alerts.malformed,
        "alerts_lost": _int(mirror.part("detection"), "alerts_lost") + mirror.alerts.lost,
        "facts_forgotten": _int(insight, "facts_forgotten"),
        "payload_bytes_skipped": _int(insight, "bytes_skipped"),
        "flows_passed_over": _int(insight, "flows_passed_over"),
        "inspection_failures": _int(insight, "failures"),
        "engine_restarts": _int(insight, "engine_restarts"),
        "engine_packets_skipped": _int(insight, "engine_packets_skipped"),
    }


def protocols(mirror: Mirror) -> list[dict[str, Any]]:
    """Frames and bytes that carry each layer, most bytes first."""
    rows = _rows(mirror, "layers", ("name", "packets", "bytes"), limit=None)
    return sorted((row for row in rows if row["packets"]), key=lambda row: (-row["bytes"], row["name"]))


def capture_state(mirror: Mirror) -> dict[str, Any]:
    """The capture as the sensor tells it, with times as text; without a sensor, why there is none."""
    capture = mirror.part("capture")
    sensor = mirror.sensor
    if not capture:
        waiting: dict[str, Any] = {"state": "starting", "source": None, "interfaces": [], "can_capture": None}
        return {**waiting, "message": sensor.message or "The sensor is starting.", "progress": _progress(mirror)}
    state = _with_times(capture)
    if sensor.state in ("restarting", "gone") or mirror.snapshot_boot != sensor.boot:
        state["state"] = "failed" if sensor.state == "gone" else "starting"
        state["message"] = sensor.message or "The sensor is starting."
    return state


def sensor_state(mirror: Mirror) -> dict[str, Any]:
    """How the sensor is: starting, connected, silent, restarting or gone, and why."""
    sensor = mirror.sensor
    age = time.monotonic() - mirror.snapshot_time if mirror.snapshots else None
    return {
        "state": sensor.state,
        "pid": sensor.pid,
        "boot": sensor.boot,
        "since": rfc3339(int(sensor.since * 1e9)),
        "restarts": sensor.restarts,
        "message": sensor.message,
        "snapshot_age_s": round(age, 3) if age is not None else None,
        "progress": _progress(mirror),
    }


def _with_times(part: dict[str, Any]) -> dict[str, Any]:
    """Nanoseconds under `…_ns` become RFC 3339 under the name without it; browsers cannot count that far."""
    return {
        (key[:-3] if key.endswith("_ns") else key): (rfc3339(_int(part, key)) if key.endswith("_ns") else value)
        for key, value in part.items()
    }


def _progress(mirror: Mirror) -> dict[str, Any] | None:
    progress = mirror.progress
    if progress is None:
        return None
    return {key: progress.get(key) for key in ("task", "done", "total", "text")}


def _rows(mirror: Mirror, name: str, keys: tuple[str, ...], limit: int | None = SHOWN) -> list[dict[str, Any]]:
    return [dict(zip(keys, row, strict=False)) for row in mirror.part(name)[:limit] if len(row) >= len(keys)]


def _port(row: list[Any]) -> dict[str, Any]:
    protocol, port, packets, size = row[:4]
    name = protocol if isinstance(protocol, str) else protocol_name(int(protocol))
    return {"port": port, "protocol": name, "service": service_name(name, port), "packets": packets, "bytes": size}


def _int(part: dict[str, Any], key: str) -> int:
    value = part.get(key)
    return value if isinstance(value, int) else 0


def _loss(totals: dict[str, Any]) -> float | None:
    segments = _int(totals, "tcp_packets")
    return round(100 * _int(totals, "tcp_retransmissions") / segments, 3) if segments else None


def _runtime(mirror: Mirror, totals: dict[str, Any]) -> float:
    """Seconds of capture: by the clock while live, by packet times for a file."""
    capture = mirror.part("capture")
    if capture.get("source") == "live" and _int(capture, "started_ns"):
        end = mirror.wall_ns if capture.get("state") == "running" else _int(totals, "last_ns")
        return round(max(end - _int(capture, "started_ns"), 0) / 1e9, 3)
    return round(max(_int(totals, "last_ns") - _int(totals, "first_ns"), 0) / 1e9, 3)

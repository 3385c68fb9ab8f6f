"""Alerts as they leave the process that raised them: the keys of `app.model.alert_fields`, JSON values, card numbers masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.dpi.cards.hiding import masked_text
from app.model.alert import Alert
from app.model.timestamps import rfc3339

MAX_DETAIL: Final = 500  # characters of a text in `details`
MAX_LISTED: Final = 50  # entries of a list in `details`
MAX_NESTED: Final = 3

FlowSums = Mapping[str, Any]  # bytes_sent, bytes_recv, duration, protocol, ends: of the flows of an alert


def alert_document(alert: Alert, sums: Callable[[list[int]], FlowSums] | None = None) -> dict[str, Any]:
    """One alert. `sums`: what is known of its flows where all of them are at hand (a file that was read); the web process knows them live."""
    one = alert.detection
    flows = sums(alert.flow_ids) if sums is not None and alert.flow_ids else {}
    return {
        "id": alert.id,
        "time_of_detection": rfc3339(alert.first_seen),
        "rule": one.rule,
        "title": one.title,
        "severity": one.severity,
        "confidence": round(one.confidence, 3),
        "reason": masked_text(one.reason),
        "measured": one.measured,
        "threshold": one.threshold,
        "unit": one.unit,
        "source": _masked(one.source),
        "target": _masked(one.target),
        "app_name": None,
        "pid": None,
        "flow_ids": [str(flow_id) for flow_id in alert.flow_ids],
        "count": alert.count,
        "first_seen": rfc3339(alert.first_seen),
        "last_seen": rfc3339(alert.last_seen),
        "mitre": one.mitre,
        "status": "new",
        "evidence_packets": [
            {"packet": evidence.packet_id, "timestamp": rfc3339(evidence.ts)} for evidence in alert.backed
        ],
        "details": plain(one.details),
        "not_seen": dict(alert.not_seen),
        "remote_address": one.source,
        "bytes_sent": flows.get("bytes_sent"),
        "bytes_recv": flows.get("bytes_recv"),
        "city": None,
        "country": None,
        "protocol": one.protocol or flows.get("protocol"),
        "duration": max((alert.last_seen - alert.first_seen) / 1e9, 0.0),
        "reconnect_count": None,
    }


def _masked(text: str | None) -> str | None:
    return None if text is None else masked_text(text)


def plain(value: Any, depth: int = 0) -> Any:
    """`details` as bounded JSON values; captured text in it is masked."""
    if isinstance(value, str):
        return masked_text(value[:MAX_DETAIL])
    if value is None or isinstance(value, (bool, int, float)):
        return value if not isinstance(value, float) or value - value == 0 else None
    if depth >= MAX_NESTED:
        return masked_text(str(value)[:MAX_DETAIL])
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MAX_LISTED]
        return {str(key)[:MAX_DETAIL]: plain(inner, depth + 1) for key, inner in pairs}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner, depth + 1) for inner in list(value)[:MAX_LISTED]]
    return masked_text(str(value)[:MAX_DETAIL])

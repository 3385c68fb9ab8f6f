"""The alerts of one capture as the web process keeps them: the sensor's newest word on each, newest first.

What the sensor sends is believed no further than its types. Bounded; what falls off is counted. Not locked: `Mirror` owns the lock.
"""

from __future__ import annotations

import math
from typing import Any, Final

from app.model.alert import SEVERITIES
from app.model.timestamps import parse_time
from app.services.fact_documents import Fact, flow_number

KEPT: Final = 10_000
_TEXTS: Final = ("rule", "title", "reason", "source", "target", "unit", "mitre", "protocol", "remote_address")
_NUMBERS: Final = ("measured", "threshold", "confidence", "duration", "bytes_sent", "bytes_recv")
_LISTS: Final = ("flow_ids", "evidence_packets")
_MAPS: Final = ("details", "not_seen")


def alert_entry(number: int, said: Any) -> Fact:
    """One of the sensor's maps. `ValueError` where it is none or a value has a wrong type."""
    if not isinstance(said, dict) or not isinstance(said.get("id"), str) or said.get("severity") not in SEVERITIES:
        raise ValueError("an alert without id or severity")
    for key in _TEXTS:
        if not (said.get(key) is None or isinstance(said[key], str)):
            raise ValueError(f"{key} of an alert is no text")
    for key in _NUMBERS:
        value = said.get(key)
        if not (value is None or (isinstance(value, (int, float)) and math.isfinite(value))):
            raise ValueError(f"{key} of an alert is no number")
    for keys, kind in ((_LISTS, (list, tuple)), (_MAPS, dict)):
        if not all(isinstance(said.get(key), kind) for key in keys):
            raise ValueError("an alert with a part of a wrong type")
    if not isinstance(said.get("count"), int):
        raise ValueError("an alert without a count")
    times = [parse_time(str(said.get(key))) for key in ("time_of_detection", "first_seen", "last_seen")]
    found = dict(said)
    found["flow_ids"] = [flow_id for flow_id in map(flow_number, said["flow_ids"]) if flow_id is not None]
    return Fact(number, times[2], found)


class AlertMirror:
    """One writer. Readers copy a list with `newest_first`."""

    def __init__(self) -> None:
        self.malformed = 0
        self.version = 0  # grows whenever something was said
        self.clear()

    def clear(self) -> None:
        """A new capture."""
        self._alerts: dict[str, Fact] = {}  # by id, the one that changed last at the end
        self.count = 0  # of all words so far
        self.lost = 0
        self.version += 1

    def __len__(self) -> int:
        return len(self._alerts)

    def get(self, alert_id: str) -> dict[str, Any] | None:
        fact = self._alerts.get(alert_id)
        return fact.document if fact is not None else None

    def newest_first(self) -> list[Fact]:
        """By the last time that each was seen."""
        return sorted(self._alerts.values(), key=lambda fact: (fact.ns, fact.number), reverse=True)

    def apply(self, part: Any) -> list[dict[str, Any]]:
        """Takes over the `alerts` of a snapshot; those that are new."""
        if not isinstance(part, list):
            self.malformed += part is not None
            return []
        fresh = []
        for said in part:
            try:
                entry = alert_entry(self.count + 1, said)
            except ValueError:
                self.malformed += 1
                continue
            self.count += 1
            known = self._alerts.pop(entry.document["id"], None)
            if known is None:
                fresh.append(entry.document)
            self._alerts[entry.document["id"]] = entry
            if len(self._alerts) > KEPT:
                self._alerts.pop(next(iter(self._alerts)))
                self.lost += 1
        self.version += bool(part)
        return fresh

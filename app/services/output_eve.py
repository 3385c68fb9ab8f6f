"""Alerts as lines of an EVE file, with the names Suricata documents, for programs that read those."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

_SEVERITIES: Final = {"critical": 1, "high": 1, "medium": 2, "low": 3}
MAX_BYTES: Final = 64 << 20  # then it becomes .1, and the .1 before it goes


class EveFile:
    """Appends; readable for its user only."""

    name = "eve"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    def send(self, document: dict[str, Any]) -> None:
        """See `Output.send`."""
        line = json.dumps(eve(document), ensure_ascii=False, separators=(",", ":")) + "\n"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size > MAX_BYTES:
            self._path.replace(self._path.with_suffix(self._path.suffix + ".1"))


def eve(document: dict[str, Any]) -> dict[str, Any]:
    """`event_type: alert`; ours are below `netglass`."""
    return {
        "timestamp": str(document["last_seen"]).replace("Z", "+0000"),
        "event_type": "alert",
        "src_ip": document["source"],
        "dest_ip": document["target"],
        "proto": (document.get("protocol") or "").upper() or None,
        "alert": {
            "action": "allowed",
            "signature": document["title"],
            "category": document["rule"],
            "severity": _SEVERITIES[document["severity"]],
            "metadata": {"mitre_technique_id": [document["mitre"]]} if document.get("mitre") else {},
        },
        "netglass": {
            key: document.get(key)
            for key in (
                "id",
                "rule",
                "severity",
                "confidence",
                "reason",
                "measured",
                "threshold",
                "count",
                "app_name",
                "pid",
                "flow_ids",
            )
        },
    }

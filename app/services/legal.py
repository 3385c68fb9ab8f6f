"""The legal notice, and who has accepted it when: kept on the server, a small JSON file only its user can read."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from app.model.timestamps import rfc3339

VERSION: Final = 1
TEXT: Final = (
    "Netglass shows network traffic, including traffic of other people who use this network. Capture only on networks and machines "
    "that you own or are allowed to monitor, and treat what you see as private: in many countries anything else is an offence. "
    "What is captured stays on this machine."
)
MAX_USERS: Final = 1_000


class LegalNotice:
    """Thread-safe. A file that cannot be read counts as "nobody has accepted"; one that cannot be written raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "legal.json"
        self._lock = threading.Lock()

    def state(self, user: str) -> dict[str, Any]:
        """`{accepted, accepted_at, version, text}` for one user."""
        entry = self._read().get(user)
        accepted = isinstance(entry, dict) and entry.get("version") == VERSION
        return {
            "accepted": accepted,
            "accepted_at": entry.get("time") if accepted and isinstance(entry, dict) else None,
            "version": VERSION,
            "text": TEXT,
        }

    def accept(self, user: str) -> dict[str, Any]:
        with self._lock:
            entries = self._read()
            if user not in entries and len(entries) >= MAX_USERS:
                entries.pop(next(iter(entries)))
            entries[user] = {"version": VERSION, "time": rfc3339(time.time_ns())}
            self._write(entries)
        return self.state(user)

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: dict[str, Any]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(entries, file, indent=1)
        temporary.replace(self._path)

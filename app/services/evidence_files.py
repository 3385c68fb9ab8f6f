"""The packets behind alerts, as files in the data directory: bounded in number and size, the oldest go first."""

from __future__ import annotations

import logging
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.services.query_errors import NotThere

MAX_FILE_BYTES: Final = 4 << 20
MAX_FILES: Final = 5_000
_ID: Final = re.compile(r"[0-9a-f]{16}\Z")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file. complete: all packets that the detector named are in it; None where that is not known (kept from an earlier run)."""

    path: Path
    packets: int | None
    complete: bool | None


class EvidenceFiles:
    """Thread-safe. `limit_bytes`: of all files together; 0 keeps none."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._directory = directory
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._sizes: dict[str, int] | None = None  # alert → bytes, oldest first
        self._known: dict[str, tuple[int, bool]] = {}  # alert → packets, complete
        self.removed = 0  # files that made room
        self.failed: str | None = None  # why the last one could not be written

    def take(self, part: Any) -> None:
        """The `evidence` of a snapshot; what is malformed is left out."""
        for entry in part if isinstance(part, list) else ():
            if not isinstance(entry, dict):
                continue
            alert_id, file, packets = entry.get("id"), entry.get("file"), entry.get("packets")
            if (
                isinstance(alert_id, str)
                and _ID.match(alert_id)
                and isinstance(file, bytes)
                and len(file) <= MAX_FILE_BYTES
                and isinstance(packets, int)
            ):
                self._save(alert_id, file, packets, entry.get("complete") is True)

    def find(self, alert_id: str) -> EvidenceFile | None:
        """The file of an alert."""
        if not _ID.match(alert_id):
            return None
        with self._lock:
            if alert_id not in self._listed():
                return None
            packets, complete = self._known.get(alert_id, (None, None))
        return EvidenceFile(self._directory / f"{alert_id}.pcapng", packets, complete)

    def get(self, alert_id: str) -> EvidenceFile:
        """`NotThere` says why there is none."""
        found = self.find(alert_id)
        if found is None:
            why = self.failed or (
                "evidence is switched off (EVIDENCE_MB=0)"
                if self._limit == 0
                else "they were no longer held when the alert was raised, or the file has made room for newer ones (EVIDENCE_MB)"
            )
            raise NotThere(f"There are no packets kept for this alert: {why}.")
        return found

    def state(self) -> dict[str, Any]:
        with self._lock:
            sizes = self._listed()
            return {
                "files": len(sizes),
                "bytes": sum(sizes.values()),
                "limit_bytes": self._limit,
                "removed": self.removed,
                "error": self.failed,
            }

    def _save(self, alert_id: str, file: bytes, packets: int, complete: bool) -> None:
        if len(file) > self._limit:
            return
        path = self._directory / f"{alert_id}.pcapng"
        with self._lock:
            sizes = self._listed()
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                temporary = path.with_suffix(".new")
                temporary.unlink(missing_ok=True)
                with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                    out.write(file)
                temporary.replace(path)
            except OSError as error:
                if self.failed is None:
                    _log.warning("packets of alerts cannot be kept: %s", error)
                self.failed = f"writing them failed: {error.strerror}"
                return
            self.failed = None
            sizes.pop(alert_id, None)
            sizes[alert_id] = len(file)
            self._known[alert_id] = packets, complete
            while sum(sizes.values()) > self._limit or len(sizes) > MAX_FILES:
                self._remove(next(iter(sizes)))

    def _remove(self, alert_id: str) -> None:
        (self._directory / f"{alert_id}.pcapng").unlink(missing_ok=True)
        self._listed().pop(alert_id, None)
        self._known.pop(alert_id, None)
        self.removed += 1

    def _listed(self) -> dict[str, int]:
        if self._sizes is None:
            self._sizes = {}
            try:
                entries = [(entry.stat().st_mtime, entry) for entry in self._directory.glob("*.pcapng")]
            except OSError:
                entries = []  # not there yet
            for _, entry in sorted(entries):
                if _ID.match(entry.stem):
                    self._sizes[entry.stem] = entry.stat().st_size
        return self._sizes

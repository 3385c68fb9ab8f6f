"""What people said of alerts: status and note, kept on disk, by the alert's id (a replay of the same packets has the same ids)."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.model.alert import STATUSES
from app.model.timestamps import rfc3339
from app.services.kept_file import KeptFile
from app.services.query_errors import BadRequest, Unavailable

MAX_ENTRIES: Final = 20_000
MAX_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One person's word on one alert."""

    status: str = "new"
    note: str = ""
    changed_at: str | None = None
    changed_by: str | None = None


UNSEEN: Final = Verdict()


class Triage:
    """Thread-safe. The oldest words are forgotten beyond `MAX_ENTRIES`."""

    def __init__(self, directory: Path) -> None:
        self._file = KeptFile(directory / "triage.json")
        self._lock = threading.Lock()
        self._verdicts: dict[str, Verdict] | None = None
        self.version = 0

    def of(self, alert_id: str) -> Verdict:
        with self._lock:
            return self._known().get(alert_id, UNSEEN)

    def all(self) -> dict[str, Verdict]:
        """A copy."""
        with self._lock:
            return dict(self._known())

    def change(self, alert_ids: list[str], change: dict[str, Any], user: str) -> list[Verdict]:
        """`change`: status, note or both, for one alert or several. `BadRequest` names what is wrong; `Unavailable` where it cannot be kept."""
        status, note = _checked(change)
        with self._lock:
            known = dict(self._known())
            made = []
            for alert_id in alert_ids:
                before = known.pop(alert_id, UNSEEN)
                verdict = Verdict(
                    before.status if status is None else status,
                    before.note if note is None else note,
                    rfc3339(time.time_ns()),
                    user,
                )
                known[alert_id] = verdict
                made.append(verdict)
            while len(known) > MAX_ENTRIES:
                known.pop(next(iter(known)))
            try:
                self._file.write({"alerts": {alert_id: asdict(verdict) for alert_id, verdict in known.items()}})
            except OSError as error:
                raise Unavailable(f"The alert's status could not be kept: {error.strerror}.", "not_kept") from None
            self._verdicts = known
            self.version += 1
        return made

    def _known(self) -> dict[str, Verdict]:
        if self._verdicts is None:
            self._verdicts = _read(self._file.read())
        return self._verdicts


def _checked(change: dict[str, Any]) -> tuple[str | None, str | None]:
    for name in change:
        if name not in ("status", "note"):
            raise BadRequest(f"an alert has no {name[:60]!r} that can be set", name[:60], ["status", "note"])
    status, note = change.get("status"), change.get("note")
    if status is None and note is None:
        raise BadRequest("neither status nor note is given", "status", STATUSES)
    if status is not None and status not in STATUSES:
        raise BadRequest(f"status {str(status)[:40]!r} is not allowed", "status", STATUSES)
    if note is not None and (not isinstance(note, str) or len(note) > MAX_NOTE):
        raise BadRequest("the note is not allowed", "note", [f"text of at most {MAX_NOTE} characters"])
    return status, note


def _read(document: Any) -> dict[str, Verdict]:
    entries = document.get("alerts") if isinstance(document, dict) else None
    found = {}
    for alert_id, entry in entries.items() if isinstance(entries, dict) else ():
        if isinstance(entry, dict) and entry.get("status") in STATUSES and isinstance(entry.get("note"), str):
            changed = entry.get("changed_at"), entry.get("changed_by")
            found[str(alert_id)] = Verdict(entry["status"], entry["note"], *(str(c) if c else None for c in changed))
    return found

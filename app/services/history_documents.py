"""What history keeps whole beside flows and facts: alerts with what people said of them, mute rules, and starts of programs.

Each is told again when it changed; the store keeps the newest version of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from app.model.timestamps import parse_time, rfc3339
from app.services.fact_documents import Fact
from app.services.mirror import Mirror
from app.services.mutes import Mute
from app.services.owner_book import Process

SAID: Final = ("status", "note", "status_changed_at", "status_changed_by", "muted_by")
Row = list[Any]  # id, ns, JSON


class Judgement:
    """What the alert book knows beside the sensor's word. `version` changes with each word of a person."""

    def __init__(
        self, judge: Callable[[], list[Fact]], mutes: Callable[[], list[Mute]], version: Callable[[], Any]
    ) -> None:
        self.judge = judge
        self.mutes = mutes
        self.version = version


class Documents:
    """One capture's. `take` gives what is new or changed since the last call."""

    def __init__(self, mirror: Mirror, judgement: Judgement | None) -> None:
        self._mirror = mirror
        self._judgement = judgement
        self._alerts_told = 0
        self._judged: Any = None  # version of the judgement that was told
        self._said: dict[str, tuple[Any, ...]] = {}  # alert → what was said of it when it was told
        self._mutes: dict[str, Mute] = {}
        self._process = 0  # number of the last one told
        self._boot: str | None = None

    def take(self, started_ns: int) -> dict[str, list[Row]]:
        """`{table: rows}`; tables without a row are left out."""
        found = {"alerts": self._alerts(started_ns), "mutes": self._mute_rules(), "processes": self._starts()}
        return {table: rows for table, rows in found.items() if rows}

    def _alerts(self, started_ns: int) -> list[Row]:
        """Ids of alerts hold within one capture."""
        fresh = {fact.document["id"] for fact in self._mirror.alerts_after(self._alerts_told)}
        version = self._judgement.version() if self._judgement is not None else None
        if not fresh and version == self._judged:
            return []
        self._judged = version
        facts = self._judgement.judge() if self._judgement is not None else self._mirror.newest_alerts()
        self._alerts_told = max((fact.number for fact in facts), default=self._alerts_told)
        rows = []
        for fact in facts:
            said = tuple(fact.document.get(key) for key in SAID)
            name = fact.document["id"]
            if name in fresh or self._said.get(name) != said:
                self._said[name] = said
                rows.append([f"{started_ns}-{name}", fact.ns, json.dumps(fact.document)])
        return rows

    def _mute_rules(self) -> list[Row]:
        """Also those that were taken back since: `removed` says so."""
        if self._judgement is None:
            return []
        now = {mute.id: mute for mute in self._judgement.mutes()}
        changed = [(mute, False) for name, mute in now.items() if self._mutes.get(name) != mute]
        changed += [(mute, True) for name, mute in self._mutes.items() if name not in now]
        self._mutes = now
        return [
            [mute.id, parse_time(mute.created_at), json.dumps({**_mute(mute), "removed": removed})]
            for mute, removed in changed
        ]

    def _starts(self) -> list[Row]:
        """Programs that had a connection, by the time they were started; numbers hold within one run of the sensor."""
        if self._mirror.sensor.boot != self._boot:
            self._boot, self._process = self._mirror.sensor.boot, 0
        fresh = self._mirror.processes_after(self._process)
        if fresh:
            self._process = fresh[-1].number
        return [
            [f"{one.start_ns}-{one.pid}", one.start_ns, json.dumps(_process(one))] for one in fresh if one.start_ns > 0
        ]


def _mute(mute: Mute) -> dict[str, Any]:
    return {
        "id": mute.id,
        "q": mute.q,
        "reason": mute.reason,
        "created_at": mute.created_at,
        "created_by": mute.created_by,
        "expires_at": mute.expires_at,
    }


def _process(one: Process) -> dict[str, Any]:
    return {
        "id": f"{one.start_ns}-{one.pid}",
        "started": rfc3339(one.start_ns),
        "pid": one.pid,
        "app_name": one.name,
        "app_path": one.path,
        "command_line": one.command_line,
        "user": one.user,
        "parents": [{"pid": pid, "name": name} for pid, name in one.parents],
        "container": one.container,
        "unit": one.unit,
    }

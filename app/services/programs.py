"""Programs that have connections: totals, processes, remotes, CPU and memory; which of them are new on this machine."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from app.concurrency import run_blocking
from app.model.attribution import METHODS, REASONS
from app.model.timestamps import rfc3339
from app.services.connection_rows import Rows
from app.services.flow_mirror import FlowView
from app.services.mirror import Mirror
from app.services.owner_book import OwnerBook, Process
from app.services.process_keys import parents_text
from app.services.program_totals import ProgramKey, ProgramTotals, Totals
from app.wire.addresses import format_address

USAGE_SECONDS: Final = 3.0
MAX_MEASURED: Final = 200  # processes whose use is read
MAX_KNOWN: Final = 5_000  # programs that are remembered as not new
SAVE_SECONDS: Final = 30.0
KEPT_EVENTS: Final = 100
TOP_REMOTES: Final = 10
SORTS: Final = ("bytes", "bytes_sent", "bytes_recv", "flows", "active", "last_seen", "first_seen", "app_name", "cpu_percent", "memory_percent")  # fmt: skip

ReadUsage = Callable[[Iterable[tuple[int, int]]], dict[tuple[int, int], tuple[float | None, float | None]]]
_log = logging.getLogger(__name__)


def program_id(key: ProgramKey) -> str:
    """The same text for the same program, in every run."""
    return hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Programs:
    """`read_usage` may block and is called off the hub. `path`: where the programs that were ever seen are kept."""

    def __init__(self, mirror: Mirror, path: Path, read_usage: ReadUsage | None) -> None:
        self._mirror = mirror
        self._path = path
        self._read_usage = read_usage
        self._known: dict[str, int] = {}  # program → first seen, ns
        self._dirty = False
        self._saved_at = 0.0
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self.event_count = 0
        self._remembered: tuple[tuple[Any, ...], ProgramTotals] | None = None

    # -- in the background ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """For the life of the mirror."""
        self._load()
        while not self._mirror.ended:
            time.sleep(USAGE_SECONDS)
            try:
                self.refresh()
            except (OSError, RuntimeError) as error:  # a file that cannot be written, a /proc entry that went away
                _log.warning("programs: %s", error)

    def refresh(self) -> None:
        """Notices new programs, reads CPU and memory of those with active connections."""
        book, records = self._mirror.facts.facts.owners, dict(self._mirror.processes.records)
        self._notice_new(records.values())
        if self._read_usage is not None and book.flows:
            wanted = {(one.pid, one.start_ns): one.number for one in _active(self._mirror.flow_view(), MAX_MEASURED)}
            usage = run_blocking(self._read_usage, wanted)
            book.usage = {wanted[key]: pair for key, pair in usage.items()}
        if self._dirty and time.monotonic() - self._saved_at > SAVE_SECONDS:
            self._save()

    def _notice_new(self, processes: Iterable[Process]) -> None:
        fresh = []
        for process in processes:
            name = program_id(process.program)
            if name not in self._known:
                if len(self._known) >= MAX_KNOWN:
                    self._known.pop(next(iter(self._known)))
                self._known[name] = time.time_ns()
                self._dirty = True
                fresh.append(process)
        for process in fresh:
            self.event_count += 1
            self._events.append(
                {
                    "number": self.event_count,
                    "time": rfc3339(time.time_ns()),
                    "program": program_id(process.program),
                    **_named(process),
                    "text": f"{process.name} has a connection for the first time"
                    + (f" ({process.path})" if process.path else ""),
                }
            )
        if fresh:
            self._mirror.nudge()

    def events_since(self, number: int) -> tuple[int, list[dict[str, Any]]]:
        """How many new programs there were in all, and those after the first `number` that are still kept, oldest first."""
        return self.event_count, [event for event in self._events if event["number"] > number]

    def _load(self) -> None:
        try:
            known = json.loads(self._path.read_text("utf-8"))
            self._known.update({str(name): int(ns) for name, ns in known.items()})
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError, TypeError) as error:
            _log.warning("%s is not read: %s", self._path, error)

    def _save(self) -> None:
        self._saved_at, self._dirty = time.monotonic(), False
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(self._known), "utf-8")
        os.replace(temporary, self._path)

    # -- reading -------------------------------------------------------------------------------------------------------

    def totals(self) -> ProgramTotals:
        """Of the capture so far. Tens of milliseconds with many flows: off the hub."""
        view = self._mirror.flow_view()
        key = (view.version, view.facts.owners.version, id(view.facts))
        if self._remembered is None or self._remembered[0] != key:
            rows = Rows.all(view)
            sums = self._mirror.processes.totals.with_flows(rows.flows, rows.owners, rows.local_is_src)
            self._remembered = key, sums
        return self._remembered[1]

    def documents(self) -> list[dict[str, Any]]:
        """Every program with its totals, most bytes first."""
        sums = self.totals()
        records = dict(self._mirror.processes.records)
        book = self._mirror.facts.facts.owners
        found = [self._document(key, totals, records, book) for key, totals in sums.programs.items()]
        return sorted(found, key=lambda one: (-one["bytes"], one["app_name"], one["id"]))

    def _document(
        self, key: ProgramKey, totals: Totals, records: dict[int, Process], book: OwnerBook
    ) -> dict[str, Any]:
        processes = [records[number] for number in sorted(totals.processes) if number in records]
        uses = [book.usage[one.number] for one in processes if one.number in book.usage]
        name = program_id(key)
        known_ns = self._known.get(name, 0)
        return {
            "id": name,
            "app_name": key[0],
            "app_path": key[1] or None,
            "container": key[2] or None,
            "users": sorted({one.user for one in processes if one.user}),
            "units": sorted({one.unit for one in processes if one.unit}),
            "pids": [one.pid for one in processes[-20:]],
            "processes": len(totals.processes),
            "bytes": totals.bytes_sent + totals.bytes_recv,
            "bytes_sent": totals.bytes_sent,
            "bytes_recv": totals.bytes_recv,
            "packets_sent": totals.packets_sent,
            "packets_recv": totals.packets_recv,
            "flows": totals.flows,
            "active": totals.active,
            "first_seen": rfc3339(totals.first_ns),
            "last_seen": rfc3339(totals.last_ns),
            "first_ever": rfc3339(known_ns) if known_ns else None,
            "remotes": [
                {"address": format_address(high, low, version), "bytes": count}
                for (version, high, low), count in totals.remotes.most_common(TOP_REMOTES)
            ],
            "remote_count": len(totals.remotes),
            "cpu_percent": _sum(cpu for cpu, _ in uses),
            "memory_percent": _sum(memory for _, memory in uses),
        }

    def detail(self, name: str) -> dict[str, Any] | None:
        """One program with its processes; None: no such program has connections."""
        for one in self.documents():
            if one["id"] == name:
                records = dict(self._mirror.processes.records)
                key = (one["app_name"], one["app_path"] or "", one["container"] or "")
                own = [record for record in records.values() if record.program == key]
                usage = self._mirror.facts.facts.owners.usage
                return {**one, "process_list": [_process(record, usage) for record in own[-200:]]}
        return None

    def state(self) -> dict[str, Any]:
        """Which methods are at hand, why others are not, and how much is not attributed."""
        state = self._mirror.processes.state
        methods = [str(name) for name in state.get("methods") or ()]
        unknown = self.totals().unknown
        return {
            "methods": [{"name": name, "meaning": METHODS.get(name, name)} for name in methods],
            "why_not": state.get("why_not") or ({} if state else {"all": _no_state(self._mirror)}),
            "live": bool(state.get("live")),
            **{
                name: state.get(name, 0)
                for name in ("asked", "turned_away", "waiting", "lost", "events", "event_pages_lost")
            },
            "unknown": [
                {"reason": reason, "text": REASONS.get(reason, _PENDING), "flows": pair[0], "bytes": pair[1]}
                for reason, pair in sorted(unknown.items(), key=lambda item: -item[1][1])
            ],
        }

    def top(self, count: int) -> list[dict[str, Any]]:
        """`[{"app_name", "traffic"}]`, most bytes first."""
        sums: dict[str, int] = {}
        for key, totals in self.totals().programs.items():
            sums[key[0]] = sums.get(key[0], 0) + totals.bytes_sent + totals.bytes_recv
        ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:count]
        return [{"app_name": name, "traffic": traffic} for name, traffic in ordered]


_PENDING: Final = "Not looked up: the capture is a file, or the answer is not there yet."


def _no_state(mirror: Mirror) -> str:
    return mirror.sensor.message or "The sensor has not said anything yet."


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 2) if known else None


def _named(process: Process) -> dict[str, Any]:
    return {
        "app_name": process.name,
        "app_path": process.path,
        "pid": process.pid,
        "user": process.user,
        "command_line": process.command_line,
        "parents": parents_text(process),
        "container": process.container,
    }


def _process(process: Process, usage: dict[int, tuple[float | None, float | None]]) -> dict[str, Any]:
    cpu, memory = usage.get(process.number, (None, None))
    return {
        **_named(process),
        "unit": process.unit,
        "process_start": rfc3339(process.start_ns) if process.start_ns else None,
        "cpu_percent": cpu,
        "memory_percent": memory,
    }


def _active(view: FlowView, most: int) -> list[Process]:
    """Processes with active connections, those of the newest packets first."""
    flows = view.flows
    order = (-flows["end"]).argsort(kind="stable")
    found: dict[int, Process] = {}
    get = view.facts.owners.flows.get
    for flow_id in flows["flow_id"][order][flows["ended"][order] == 0].tolist():
        owner = get(flow_id)
        if owner is None:
            continue
        for end in (owner.first, owner.second):
            if end is not None and end.process is not None:
                found[end.process.number] = end.process
        if len(found) >= most:
            break
    return list(found.values())[:most]

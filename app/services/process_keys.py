"""The keys of a connection that tell whose it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.attribution import REASONS
from app.model.timestamps import rfc3339
from app.services.connection_rows import Producer, Rows
from app.services.connection_theme import QueryField, Theme
from app.services.owner_book import EndOwner, Process


def _of_process(take: Callable[[Process], Any], side: int = 0) -> Producer:
    def values(rows: Rows) -> list[Any]:
        if not rows.facts.owners.flows:
            return [None] * len(rows)
        ends = (pair[side] for pair in rows.owners)
        return [take(end.process) if end is not None and end.process is not None else None for end in ends]

    return values


def parents_text(process: Process) -> str | None:
    """`bash (812) ← sshd (700)`."""
    return " ← ".join(f"{name} ({pid})" for pid, name in process.parents) or None


def attribution(end: EndOwner | None) -> dict[str, Any] | None:
    """How it is known, or why not, for people."""
    if end is None:
        return None
    return {
        "method": end.method,
        "confidence": end.confidence if end.process is not None else None,
        "seen_after_ms": end.seen_after_ms if end.process is not None else None,
        "reason": REASONS.get(end.reason, end.reason) if end.reason else None,
    }


def _attributions(rows: Rows) -> list[dict[str, Any] | None]:
    """Of the local end; of the other one where only that is on this machine."""
    return [attribution(own if own is not None else other) for own, other in rows.owners]


def _usage(place: int) -> Producer:
    def values(rows: Rows) -> list[float | None]:
        usage = rows.facts.owners.usage
        if not usage:
            return [None] * len(rows)
        found = []
        for own, _ in rows.owners:
            pair = usage.get(own.process.number) if own is not None and own.process is not None else None
            found.append(pair[place] if pair is not None else None)
        return found

    return values


def _numbers(make: Producer) -> Callable[[Rows], NDArray[Any]]:
    return lambda rows: np.array([np.nan if value is None else value for value in make(rows)], np.float64)


_PIDS: Final = _of_process(lambda process: process.pid)
_PEER_PIDS: Final = _of_process(lambda process: process.pid, 1)
_STARTS: Final = _of_process(lambda process: process.start_ns or None)

THEME: Final = Theme(
    producers={
        "app_name": _of_process(lambda process: process.name),
        "app_path": _of_process(lambda process: process.path),
        "pid": _PIDS,
        "command_line": _of_process(lambda process: process.command_line),
        "user": _of_process(lambda process: process.user),
        "parents": _of_process(parents_text),
        "process_start": lambda rows: [rfc3339(ns) if ns else None for ns in _STARTS(rows)],
        "container": _of_process(lambda process: process.container),
        "unit": _of_process(lambda process: process.unit),
        "peer_app_name": _of_process(lambda process: process.name, 1),
        "peer_pid": _PEER_PIDS,
        "attribution": _attributions,
        "cpu_percent": _usage(0),
        "memory_percent": _usage(1),
    },
    numbers={
        "pid": _numbers(_PIDS),
        "peer_pid": _numbers(_PEER_PIDS),
        "cpu_percent": _numbers(_usage(0)),
        "memory_percent": _numbers(_usage(1)),
    },
    times={"process_start": lambda rows: np.array([ns or 0 for ns in _STARTS(rows)], np.int64)},
    texts=("app_name", "app_path", "command_line", "user", "parents", "container", "unit", "peer_app_name"),
    query_texts=(
        QueryField("app", "app_name", "program or application", other_keys=("peer_app_name", "application")),
        QueryField(
            "app_name",
            "app_name",
            "program on this machine",
            ("program", "process"),
            free=True,
            other_keys=("peer_app_name",),
        ),
        QueryField("app_path", "app_path", "path of the program", ("path", "executable")),
        QueryField("command_line", "command_line", "how the program was started", ("command", "cmdline")),
        QueryField("user", "user", "user that the program runs as"),
        QueryField("parents", "parents", "programs that started it", ("parent",)),
        QueryField("container", "container", "container or network namespace"),
        QueryField("unit", "unit", "systemd unit"),
    ),
    query_numbers=(
        QueryField("pid", "pid", "number of the process"),
        QueryField("peer_pid", "peer_pid", "number of the process at the other end"),
        QueryField("cpu", "cpu_percent", "processor use of the process, percent", ("cpu_percent",)),
        QueryField("memory", "memory_percent", "memory of the process, percent", ("memory_percent",)),
    ),
)

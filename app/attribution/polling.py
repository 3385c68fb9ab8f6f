"""The portable way: the system's list of connections (psutil), every two seconds while somebody asks. Sees what lives long enough, and is cheap to say so."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any, Final

from app.attribution.process_records import MAX_COMMAND, MAX_PARENTS, MAX_PATH, hide_secrets, printable
from app.attribution.questions import Question
from app.model.attribution import POLLING

POLL_SECONDS: Final = 2.0
SLOW_SECONDS: Final = 0.1  # a list that takes longer is asked for less often
PATIENCE: Final = 3  # polls before a flow is given up
_MAPPED: Final = bytes(10) + b"\xff\xff"

NUMBERS_FROM: Final = 1 << 40  # of processes, so that they are never another method's

Answer = tuple[int, list[Any], list[dict[str, Any]]]


class ConnectionList:
    """Asks psutil. `why_not`: what it said when it refused."""

    def __init__(self) -> None:
        self.why_not: str | None = None
        self._known: dict[tuple[int, bytes, int, bytes, int], int] = {}
        self._bound: dict[tuple[int, int], set[int]] = {}  # (protocol, local port) → processes
        self._next = 0.0
        self._waiting: dict[int, tuple[Question, int]] = {}
        self._numbers: dict[tuple[int, float], int] = {}

    def answer(self, questions: list[Question]) -> Iterator[Answer]:
        """(flow, ends, new processes) of what is found now; the others wait for the next list, a few times."""
        for question in questions[: 4096 - len(self._waiting)]:
            self._waiting[question.flow_id] = (question, 0)
        now = time.monotonic()
        if now < self._next or not self._waiting:
            return
        self._read()
        spent = time.monotonic() - now
        self._next = now + (POLL_SECONDS if spent < SLOW_SECONDS else spent * 100)
        for flow_id, (question, asked) in list(self._waiting.items()):
            processes: list[dict[str, Any]] = []
            q = question
            ends = [
                self._end(q, (q.protocol, q.source, q.sport, q.target, q.dport), processes),
                self._end(q, (q.protocol, q.target, q.dport, q.source, q.sport), processes),
            ]
            if any(ends) or asked >= PATIENCE:
                del self._waiting[flow_id]
                yield flow_id, ends if any(ends) else [[None, None, 0.0, None, "not_seen"], None], processes
            else:
                self._waiting[flow_id] = (question, asked + 1)

    def _end(
        self, q: Question, ends: tuple[int, bytes, int, bytes, int], processes: list[dict[str, Any]]
    ) -> list[Any] | None:
        pid = self._known.get(ends)
        if pid is None and q.protocol == 17:
            bound = self._bound.get((17, ends[2]), set())
            pid = next(iter(bound)) if len(bound) == 1 else None
        if pid is None:
            return None
        number = self._process(pid, processes)
        after = max(time.time_ns() - q.first_ns, 0) / 1e6
        return [number, POLLING, 0.9, round(after, 1), None] if number is not None else None

    def _read(self) -> None:
        import psutil  # only where nothing better is at hand

        self._known, self._bound = {}, {}
        try:
            listed = psutil.net_connections(kind="inet")
        except (psutil.Error, OSError) as error:
            self.why_not = f"the list of connections may not be read: {error}"
            return
        self.why_not = None
        for one in listed:
            if one.pid is None or not one.laddr:
                continue
            protocol = 6 if one.type == socket.SOCK_STREAM else 17
            if one.raddr:
                key = (protocol, _packed(one.laddr[0]), one.laddr[1], _packed(one.raddr[0]), one.raddr[1])
                self._known[key] = one.pid
            elif protocol == 17:
                self._bound.setdefault((17, one.laddr[1]), set()).add(one.pid)

    def _process(self, pid: int, processes: list[dict[str, Any]]) -> int | None:
        import psutil

        try:
            process = psutil.Process(pid)
            key = (pid, process.create_time())
            if key in self._numbers:
                return self._numbers[key]
            with process.oneshot():
                name = printable(process.name())
                path = command = user = None
                try:
                    path, user = process.exe() or None, process.username()
                    command = hide_secrets(printable(" ".join(process.cmdline())))[:MAX_COMMAND] or None
                except psutil.AccessDenied:
                    pass
                parents = [[parent.pid, printable(parent.name())] for parent in process.parents()[:MAX_PARENTS]]
        except (psutil.Error, OSError):
            return None
        number = self._numbers[key] = NUMBERS_FROM + len(self._numbers)
        processes.append(
            {
                "process": number,
                "pid": pid,
                "name": name,
                "path": printable(path)[:MAX_PATH] if path else None,
                "command_line": command,
                "user": user,
                "start_ns": int(key[1] * 1e9),
                "parents": parents,
                "container": None,
                "unit": None,
                "complete": True,
            }
        )
        return number


def _packed(address: str) -> bytes:
    """16 bytes, IPv4 mapped."""
    address = address.partition("%")[0]
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address)
    return _MAPPED + socket.inet_aton(address)

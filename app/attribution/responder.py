"""The broker's queue of questions: answers at once what can be answered, asks itself again what may become better, bounded in number and time."""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from typing import Any, Final

from app.attribution.process_records import ProcessReader, ProcessRecord
from app.attribution.questions import MAX_FLOWS_WAITING, End, Question, parse_question, process_row
from app.attribution.resolver import Resolver
from app.attribution.sock_diag import SocketTable
from app.attribution.trace_book import TraceBook
from app.attribution.tracefs import Instance, TraceUnavailable
from app.model.attribution import SOCK_DIAG, TRACE

LATER: Final = (0.03, 0.12, 0.5, 2.0, 10.0)  # s after the question, when an unsettled end is looked at again
MAX_BATCH: Final = 200
WORK_SECONDS: Final = 0.02  # at one go; the broker has other work
READ_SECONDS: Final = 0.025  # between two readings of the kernel's events
MAX_PROCESSES_SAID: Final = 100  # in one message
MAX_PROCESSES: Final = 16_384


class Waiting:
    """A question with what was said of it so far."""

    __slots__ = ("attempt", "ends", "question", "since")

    def __init__(self, question: Question, now: float) -> None:
        self.question = question
        self.since = now
        self.attempt = 0
        self.ends: list[End | None] = [None, None]

    def open_ends(self) -> list[bool]:
        """The sender's end (True) and the other one, as far as something better may come."""
        return [sender for end, sender in zip(self.ends, (True, False), strict=True) if end is None or not end.settled]


class Responder:
    """For one sensor at a time; `restart` when another comes. Times are monotonic seconds."""

    def __init__(self, instance: Instance | None, trace_why_not: str | None) -> None:
        reader = ProcessReader()
        self._trace_why_not = trace_why_not
        self._book: TraceBook | None = None
        if instance is not None:
            try:
                self._book = TraceBook(instance, reader)
            except TraceUnavailable as error:
                self._trace_why_not = str(error)
                instance.close()
        self._diag_why_not: str | None = None
        self._sockets: SocketTable | None = None
        try:
            self._sockets = SocketTable()
        except OSError as error:
            self._diag_why_not = f"this kernel does not answer questions about sockets ({error.strerror or error})"
        self._resolver = Resolver(reader, self._book, self._sockets)
        self._read_at = 0.0
        self.restart()

    def restart(self) -> None:
        """A sensor that knows nothing yet."""
        self._new: list[Waiting] = []
        self._later: list[tuple[float, int, Waiting]] = []
        self._order = 0
        self._rows: list[list[Any]] = []
        self._numbers: OrderedDict[tuple[object, ...], int] = OrderedDict()
        self._processes: list[dict[str, Any]] = []
        self._count = 0
        self.asked = self.turned_away = 0
        self._state_due = True

    def close(self) -> None:
        if self._sockets is not None:
            self._sockets.close()
        if self._book is not None:
            self._book.close()

    # -- waiting -------------------------------------------------------------------------------------------------------

    def filenos(self, now: float) -> tuple[int, ...]:
        """The kernel's pipes, while they are due."""
        return self._book.filenos() if self._book is not None and now - self._read_at >= READ_SECONDS else ()

    def wait_seconds(self, now: float) -> float | None:
        """Until there is work; None: only when somebody asks."""
        if self._new or self._rows or self._state_due:
            return 0.0
        due = [self._later[0][0] - now] if self._later else []
        if self._book is not None and now - self._read_at < READ_SECONDS:
            due.append(READ_SECONDS - (now - self._read_at))
        return max(min(due), 0.0) if due else None

    # -- work ----------------------------------------------------------------------------------------------------------

    def take(self, rows: Any, now: float) -> None:
        """Questions. Raises ValueError, TypeError where they make no sense."""
        for row in rows:
            question = parse_question(row)
            self.asked += 1
            if len(self._new) + len(self._later) >= MAX_FLOWS_WAITING:
                self.turned_away += 1
                self._rows.append([question.flow_id, _busy(), None])
            else:
                self._new.append(Waiting(question, now))

    def work(self, now: float) -> None:
        """Read the kernel's events and go through what is due."""
        if self._book is not None and (now - self._read_at >= READ_SECONDS or self._new):
            self._book.read()
            self._read_at = now
        due: list[Waiting] = []
        while self._later and self._later[0][0] <= now and len(due) < MAX_BATCH:
            due.append(heapq.heappop(self._later)[2])
        fresh = self._new[: MAX_BATCH - len(due)]
        del self._new[: len(fresh)]
        batch = due + fresh
        if not batch:
            return
        self._resolver.begin([(one.question, sender) for one in batch for sender in one.open_ends()])
        deadline = time.monotonic() + WORK_SECONDS
        for place, waiting in enumerate(batch):
            if time.monotonic() > deadline:
                self._new[:0] = batch[place:]
                break
            self._answer(waiting)

    def _answer(self, waiting: Waiting) -> None:
        question = waiting.question
        changed = False
        for sender in waiting.open_ends():
            place = 0 if sender else 1
            before = waiting.ends[place]
            found = self._resolver.end(question, sender)
            if found is not None and (before is None or _better(found, before)):
                changed |= found.record is not None or found.settled
                waiting.ends[place] = found
        ends = [end for end in waiting.ends if end is not None]
        last = waiting.attempt >= len(LATER) or all(end.settled for end in ends)
        if not ends:
            waiting.ends[0] = End(None, None, 0.0, "forwarded", True)
        if changed or last:
            self._say(waiting)
        if not last:
            due = waiting.since + LATER[waiting.attempt]
            waiting.attempt += 1
            self._order += 1
            heapq.heappush(self._later, (due, self._order, waiting))

    def _say(self, waiting: Waiting) -> None:
        after = max(time.time_ns() - waiting.question.first_ns, 0) / 1e6
        row: list[Any] = [waiting.question.flow_id]
        for end in waiting.ends:
            if end is None:
                row.append(None)
                continue
            number = self._number(end.record) if end.record is not None else None
            row.append([number, end.method, end.confidence, round(after, 1), end.reason])
        self._rows.append(row)

    def _number(self, record: ProcessRecord) -> int:
        number = self._numbers.get(record.key)
        if number is None:
            self._count += 1
            number = self._numbers[record.key] = self._count
            self._processes.append(process_row(number, record))
            if len(self._numbers) > MAX_PROCESSES:
                self._numbers.popitem(last=False)
        return number

    def message(self) -> dict[str, Any] | None:
        """What is to be said now, at most once; None: nothing."""
        if not self._rows and not self._state_due:
            return None
        processes, self._processes = self._processes[:MAX_PROCESSES_SAID], self._processes[MAX_PROCESSES_SAID:]
        rows: list[list[Any]] = []
        if not self._processes:  # a row comes after the processes that it names
            rows, self._rows = self._rows[:MAX_BATCH], self._rows[MAX_BATCH:]
        self._state_due = False
        return {"type": "owners", "rows": rows, "processes": processes, "state": self.state()}

    def state(self) -> dict[str, Any]:
        """Methods that are at hand, and why the others are not."""
        methods = []
        if self._book is not None:
            methods.append(TRACE)
        if self._diag_why_not is None:
            methods.append(SOCK_DIAG)
        why_not: dict[str, str] = {}
        if self._trace_why_not:
            why_not[TRACE] = self._trace_why_not
        if self._diag_why_not:
            why_not[SOCK_DIAG] = self._diag_why_not
        return {
            "methods": methods,
            "why_not": why_not,
            "asked": self.asked,
            "turned_away": self.turned_away,
            "waiting": len(self._new) + len(self._later),
            "events": self._book.events if self._book is not None else 0,
            "event_pages_lost": self._book.lost if self._book is not None else 0,
        }


def _busy() -> list[Any]:
    return [None, None, 0.0, None, "busy"]


def _better(found: End, before: End) -> bool:
    """More certain; or as certain and another reason or program."""
    differs = found.record is not before.record or found.reason != before.reason
    return found.rank > before.rank or (found.rank == before.rank and differs)

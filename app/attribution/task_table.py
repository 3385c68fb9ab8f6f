"""Processes as the kernel's events tell of them: which process a thread belongs to, who began whom, which program each became.

Without it a program that lives for a millisecond would have a number and no name. Numbers are used again: a new task of the same number replaces the
old one, and every event is taken in the order of time.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from app.attribution.process_records import (
    ProcessReader,
    ProcessRecord,
    read_status,
    same_process,
    thread_group,
    without_proc,
)

CLONE_THREAD: Final = 0x10000
CLONE_NEWNET: Final = 0x40000000
CHECKED_SECONDS: Final = 0.2
MAX_TASKS: Final = 16_384
MAX_THREADS: Final = 65_536


@dataclass(slots=True)
class Task:
    """A process that was begun or became another program while we watched, or that owned a socket."""

    pid: int
    parent: int = 0  # process number, 0 where it was there before
    name: str = ""
    path: str | None = None
    start_ns: int = 0
    record: ProcessRecord | None = None
    inherited: ProcessRecord | None = None  # of its parent


class TaskTable:
    """Bounded: what was not needed for longest goes."""

    def __init__(self, reader: ProcessReader, followed: bool = False) -> None:
        """`followed`: every new process is told of, so a number that changes hands is noticed."""
        self._reader = reader
        self._followed = followed
        self._checked: dict[int, float] = {}  # process → when it was last seen to be the same
        self._tasks: OrderedDict[int, Task] = OrderedDict()
        self._threads: OrderedDict[int, int] = OrderedDict()  # thread → process

    def forget(self) -> None:
        """Events were lost: what is remembered may be of other processes."""
        self._tasks.clear()
        self._threads.clear()

    def process_of(self, tid: int) -> int:
        """The process of a thread; the thread itself where it is gone and was never told of."""
        if tid in self._tasks:
            return tid
        known = self._threads.get(tid)
        if known is None:
            known = thread_group(tid) or tid
            if known != tid:
                self._keep_thread(tid, known)
        return known

    def _keep_thread(self, tid: int, pid: int) -> None:
        self._threads[tid] = pid
        if len(self._threads) > MAX_THREADS:
            self._threads.popitem(last=False)

    def begun(self, creator: int, tid: int, name: str, flags: int, now_ns: int) -> None:
        """A new task."""
        parent = self.process_of(creator)
        if flags & CLONE_THREAD:
            self._tasks.pop(tid, None)
            self._keep_thread(tid, parent)
            return
        self._threads.pop(tid, None)
        known = self._tasks.get(parent)
        inherited = (known.record or known.inherited) if known is not None else None
        path = known.path if known is not None and known.path else inherited.path if inherited else None
        if flags & CLONE_NEWNET:
            inherited = None
        self._keep(Task(tid, parent, name, path, now_ns, inherited=inherited))

    def became(self, tid: int, path: str, now_ns: int) -> None:
        """exec: the process is another program from now on."""
        task = self._tasks.get(tid)
        if task is None:
            self._threads.pop(tid, None)
            status = read_status(tid)
            task = Task(tid, status.parent if status else 0)
        real = os.path.realpath(path) if path.startswith("/") else None  # as /proc would say it
        task.path, task.name, task.record = real or path, path.rpartition("/")[2][:15], None
        self._keep(task)

    def _still(self, record: ProcessRecord) -> bool:
        """Whether the number is still that process's; looked at again after a moment only, for numbers are not used again that soon."""
        now = time.monotonic()
        if now - self._checked.get(record.pid, -1e9) < CHECKED_SECONDS:
            return True
        if not same_process(record, read_status(record.pid)):
            return False
        if len(self._checked) > MAX_TASKS:
            self._checked.clear()
        self._checked[record.pid] = now
        return True

    def _of_parent(self, task: Task) -> ProcessRecord | None:
        """What a process that is gone had from its parent. Its network namespace only where the parent still says it: it may have changed since."""
        parent = self._tasks.get(task.parent)
        if parent is not None and parent.record is not None:
            return parent.record
        found = self._reader.read(task.parent) if task.parent else None
        if found is not None:
            if parent is not None:
                parent.record = found
            return found
        return replace(task.inherited, namespace=0) if task.inherited is not None else None

    def _keep(self, task: Task) -> None:
        self._tasks[task.pid] = task
        self._tasks.move_to_end(task.pid)
        if len(self._tasks) > MAX_TASKS:
            self._tasks.popitem(last=False)

    def record(self, pid: int) -> ProcessRecord | None:
        """What is known of a process: read from /proc once, else what events said of it. None: nothing at all."""
        task = self._tasks.get(pid)
        if task is not None and task.record is not None:
            if self._followed or task.start_ns or self._still(task.record):
                return task.record
            task = None  # the number belongs to another process, whose beginning was not told
        found = self._reader.read(pid)
        if task is None:
            if found is None:
                return None
            task = Task(pid, found.parents[0].pid if found.parents else 0, found.name, found.path)
        elif found is None:
            inherited = self._of_parent(task)
            if not task.name:
                return None
            found = without_proc(pid, task.name, task.path, inherited, task.start_ns)
        elif found.path is None and task.path:
            found = replace(found, path=task.path)  # it is ending: its number is left, its executable is not
        task.record = found
        self._keep(task)
        return found

"""The kernel's socket events → who opened which connection.

TCP: a socket that enters SYN_SENT has no source port yet, so its address in the kernel is kept with the process, and the port comes with the next
transition. Where the route look-up before the SYN tells the port (IPv4), it is known before the packet leaves. An accepted socket first changes its state
by its process when it is closed or shut down. UDP, ICMP, raw: the route look-up of a send or connect, which the kernel makes for the process.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import os
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Final

from app.attribution.process_records import ProcessReader, ProcessRecord
from app.attribution.task_table import TaskTable
from app.attribution.trace_pages import Event, EventReader, PageReader, missed, varying_text
from app.attribution.tracefs import EVENTS, Instance, TraceUnavailable

TCP: Final = 6
RAW: Final = 255
SYN_SENT, LISTEN, CLOSE = 2, 10, 7
PAGE_BYTES: Final = 65_536  # more than a page of any machine
MAX_PAGES: Final = 400  # in one reading
MAX_HELD: Final = 10_000  # events that wait for the next reading
MAX_OPENED: Final = 32_768
MAX_SOCKETS: Final = 16_384
SAME: Final = 4  # last owners of one tuple that are remembered
BUSY: Final = 2_000  # events of one UDP socket in BUSY_SECONDS after which it is left out in the kernel
BUSY_SECONDS: Final = 1.0
MAX_QUIET: Final = 32
_MAPPED: Final = bytes(10) + b"\xff\xff"
_ZERO: Final = bytes(16)
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "sock/inet_sock_set_state": (
        "common_pid",
        "skaddr",
        "oldstate",
        "newstate",
        "sport",
        "dport",
        "protocol",
        "common_flags",
        "saddr_v6",
        "daddr_v6",
    ),
    "fib/fib_table_lookup": ("common_pid", "proto", "src", "dst", "sport", "dport"),
    "fib6/fib6_table_lookup": ("common_pid", "proto", "src", "dst", "sport", "dport"),
    "task/task_newtask": ("common_pid", "pid", "comm", "clone_flags"),
    "sched/sched_process_exec": ("pid", "filename"),
}

# (protocol, local port, remote address, remote port); the local address may be open yet and stands in the entry
Key = tuple[int, int, bytes, int]


@dataclass(slots=True)
class Opened:
    """A process did something with a connection. `source`: its local address, zeros where it was open. `first`: it began it."""

    at_ns: int  # wall clock
    source: bytes
    record: ProcessRecord
    first: bool
    last_ns: int = 0  # when it did so last


class TraceBook:
    """Reads the instance's pipes when asked to. Bounded in every direction."""

    def __init__(self, instance: Instance, reader: ProcessReader) -> None:
        """Raises TraceUnavailable where the kernel's events lack a field."""
        try:
            readers = {name: EventReader(text, _FIELDS[name]) for name, text in instance.formats.items()}
        except ValueError as error:
            raise TraceUnavailable(f"the kernel's socket events are of another form than known: {error}") from None
        self._instance = instance
        self._pages = PageReader(readers)
        self.tasks = TaskTable(reader, followed="task/task_newtask" in readers)
        self._opened: OrderedDict[Key, deque[Opened]] = OrderedDict()
        self._sockets: OrderedDict[int, tuple[ProcessRecord, int]] = OrderedDict()
        self._busy: dict[int, int] = {}
        self._busy_since = time.monotonic()
        self._quiet: list[int] = []  # source ports left out in the kernel
        self._held: list[Event] = []
        self.events = 0
        self.lost = 0  # pages before which events were lost

    @property
    def covers_datagrams(self) -> bool:
        return "fib/fib_table_lookup" in self._instance.formats

    def filenos(self) -> tuple[int, ...]:
        return self._instance.pipes

    def close(self) -> None:
        self._instance.close()

    def read(self) -> int:
        """Take what the kernel has written since; returns how many events. Bounded by MAX_PAGES."""
        pages: list[bytes] = []
        begun = time.monotonic_ns()
        for pipe in self._instance.pipes:
            while len(pages) < MAX_PAGES:
                try:
                    page = os.read(pipe, PAGE_BYTES)
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno == errno.EINTR:
                        continue
                    break
                if not page:
                    break
                pages.append(page)
        if not pages and not self._held:
            return 0
        if any(missed(page) for page in pages):
            self.lost += 1
            self.tasks.forget()
            self._sockets.clear()
        offset = time.time_ns() - time.monotonic_ns()
        found = sorted([*self._held, *self._pages.events(pages)], key=lambda event: event[0])
        # One processor is read after the other: what was written meanwhile waits, so that nothing is taken before its cause.
        ready = bisect.bisect_right(found, begun, key=lambda event: event[0])
        found, self._held = found[:ready], found[ready:][:MAX_HELD]
        for stamp, name, values, page, place in found:
            self._take(stamp + offset, name, values, page, place)
        self.events += len(found)
        self._leave_out_busy()
        return len(found)

    def _take(self, now_ns: int, name: str, values: tuple[Any, ...], page: bytes, place: int) -> None:
        if name == "sock/inet_sock_set_state":
            self._state_changed(now_ns, *values)
        elif name == "fib/fib_table_lookup":
            tid, protocol, source, target, sport, dport = values
            self._looked_up(now_ns, tid, protocol, _MAPPED + source, _MAPPED + target, sport, dport)
        elif name == "fib6/fib6_table_lookup":
            self._looked_up(now_ns, *values)
        elif name == "task/task_newtask":
            creator, tid, text, flags = values
            self.tasks.begun(creator, tid, text.split(b"\0", 1)[0].decode("utf-8", "replace"), flags, now_ns)
        else:
            self.tasks.became(values[0], varying_text(page, place, values[1]), now_ns)

    def _state_changed(
        self, now_ns: int, tid: int, socket: int, old: int, new: int, sport: int, dport: int, protocol: int, flags: int,
        source: bytes, target: bytes,
    ) -> None:  # fmt: skip
        if new == SYN_SENT:
            record = self._owner(tid)
            if record is not None:
                self._sockets[socket] = (record, now_ns)
                if len(self._sockets) > MAX_SOCKETS:
                    self._sockets.popitem(last=False)
                if sport:
                    self._keep((protocol, sport, target, dport), Opened(now_ns, source, record, True))
            return
        if old == SYN_SENT:
            known = self._sockets.get(socket)
            if known is not None:
                self._keep((protocol, sport, target, dport), Opened(known[1], source, known[0], True))
        elif dport and not flags & 24 and socket not in self._sockets:
            record = self._owner(tid)
            if record is not None:
                self._keep((protocol, sport, target, dport), Opened(now_ns, source, record, False))
        if new == CLOSE:
            self._sockets.pop(socket, None)

    def _looked_up(
        self, now_ns: int, tid: int, protocol: int, source: bytes, target: bytes, sport: int, dport: int
    ) -> None:
        if protocol == TCP and not sport:
            return  # connect() before it has a port: the next look-up or transition tells it
        record = self._owner(tid)
        if record is None:
            return
        if protocol == 17 and sport:
            self._busy[sport] = self._busy.get(sport, 0) + 1
        if source == _MAPPED + bytes(4):
            source = _ZERO
        self._keep((protocol, sport, target, dport), Opened(now_ns, source, record, True))

    def _owner(self, tid: int) -> ProcessRecord | None:
        return self.tasks.record(self.tasks.process_of(tid))

    def _keep(self, key: Key, opened: Opened) -> None:
        kept = self._opened.get(key)
        if kept is None:
            kept = self._opened[key] = deque(maxlen=SAME)
            if len(self._opened) > MAX_OPENED:
                self._opened.popitem(last=False)
        if kept and kept[-1].record is opened.record and kept[-1].source == opened.source:
            kept[-1].last_ns = opened.at_ns
            return  # the same again: the first time is what packets are held against
        if not opened.first and any(one.first and one.source == opened.source for one in kept):
            return  # this end began the connection: closing it tells nothing new
        opened.last_ns = opened.at_ns
        kept.append(opened)

    def find(self, key: Key) -> tuple[Opened, ...]:
        """Who opened connections of these ends, oldest first."""
        return tuple(self._opened.get(key, ()))

    def _leave_out_busy(self) -> None:
        """A socket that sends without end fills the buffer with itself, and lives long enough to be asked for: its port goes into the filter."""
        now = time.monotonic()
        if now - self._busy_since < BUSY_SECONDS:
            return
        counts, self._busy, self._busy_since = self._busy, {}, now
        loud = [port for port, count in counts.items() if count > BUSY and port not in self._quiet]
        if not loud:
            return
        self._quiet = (self._quiet + loud)[-MAX_QUIET:]
        words = "".join(f" && sport != {port}" for port in self._quiet)
        for event, text, _ in EVENTS:
            descriptor = self._instance.fib_filters.get(event)
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.write(descriptor, (text + words).encode())

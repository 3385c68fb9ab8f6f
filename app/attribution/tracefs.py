"""A tracing instance of our own: found or mounted, set up as root, used with open descriptors afterwards, removed at the end whatever happens.

The instance is set up before rights are given up; descriptors stay readable. A child that holds no capability, reads nothing and is told nothing waits
for the end of this process and removes the instance, so that not even SIGKILL leaves tracing switched on. Kernel side: Documentation/trace/ftrace.rst
("Instances"), events.rst ("Event filtering").
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from app import privileges
from app.model.errors import PrivilegeError

PREFIX: Final = "netglass-"
PLACES: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
# The kernel leaves out what other work interrupted: `common_flags` 8 and 16 say hard and soft interrupt, where the current process is not the cause.
# From SYN_SENT (2) on, the interrupt's event is wanted too: it is the first that has the source port.
EVENTS: Final[tuple[tuple[str, str, bool], ...]] = (
    (
        "sock/inet_sock_set_state",
        "(family == 2 || family == 10) && (!(common_flags & 24) || oldstate == 2)",
        True,
    ),
    ("fib/fib_table_lookup", "proto != 0 && !(common_flags & 24)", False),
    ("fib6/fib6_table_lookup", "proto != 0 && !(common_flags & 24)", False),
    ("task/task_newtask", "", False),
    ("sched/sched_process_exec", "", False),
)
TOTAL_BUFFER_KB: Final = 4_096
_INITIAL_PID_NAMESPACE: Final = 0xEFFFFFFC  # PROC_PID_INIT_INO, <linux/proc_ns.h>
# Numbers of new system calls are the same on every architecture but alpha.
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC, _FSCONFIG_CMD_CREATE = 1, 6
_REMOVE_SECONDS: Final = 5.0


class TraceUnavailable(Exception):
    """Why the kernel's events cannot be had: one sentence."""


@dataclass(slots=True)
class Instance:
    """Open descriptors of a running instance. `formats`: event name → text of its format file."""

    name: str
    formats: dict[str, str]
    page_header: str
    pipes: tuple[int, ...]  # trace_pipe_raw of each processor, non-blocking
    fib_filters: dict[str, int]  # event → its filter file, to leave out sockets that send without end
    janitor: int  # process that removes the instance
    end: int  # our end of its pipe

    def close(self) -> None:
        """Let the janitor remove the instance, and wait for it (it takes some milliseconds)."""
        for descriptor in (*self.pipes, *self.fib_filters.values(), self.end):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        deadline = time.monotonic() + 1.0
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self.janitor, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                time.sleep(0.01)


def open_instance() -> Instance:
    """Set up events and filters. The caller is root and has one thread. Raises TraceUnavailable."""
    if not sys.platform.startswith("linux") or sys.byteorder != "little":
        raise TraceUnavailable("the kernel's socket events are read on Linux, on little-endian machines")
    if os.geteuid() != 0:
        raise TraceUnavailable("the kernel's socket events need root at the start")
    if os.stat("/proc/self/ns/pid").st_ino != _INITIAL_PID_NAMESPACE:
        raise TraceUnavailable("inside a container the kernel's events carry other process numbers than ours")
    root = _tracefs()
    try:
        return _make(root)
    except OSError as error:
        raise TraceUnavailable(f"the kernel's socket events cannot be switched on: {error.strerror or error}") from None
    finally:
        os.close(root)


def _tracefs() -> int:
    """Descriptor of a tracefs: where it is mounted, else one of our own that nobody else sees."""
    for place in PLACES:
        if os.path.isdir(f"{place}/instances"):
            return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        result = int(libc.syscall(ctypes.c_long(number), *arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise TraceUnavailable(f"the kernel's socket events are out of reach: no tracefs ({os.strerror(code)})")
        return result

    context = call(_FSOPEN, ctypes.c_char_p(b"tracefs"), ctypes.c_uint(_CLOEXEC))
    try:
        call(_FSCONFIG, ctypes.c_int(context), ctypes.c_uint(_FSCONFIG_CMD_CREATE), None, None, ctypes.c_int(0))
        return call(_FSMOUNT, ctypes.c_int(context), ctypes.c_uint(_CLOEXEC), ctypes.c_uint(0))
    finally:
        os.close(context)


def _write(directory: int, path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _read(directory: int, path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(descriptor, 65536).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _make(root: int) -> Instance:
    instances = os.open("instances", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    name = f"{PREFIX}{os.getpid()}"
    try:
        _remove_stale(instances)
        os.mkdir(name, 0o700, dir_fd=instances)
        janitor, end = _janitor(instances, name)
        try:
            instance = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=instances)
            try:
                return _fill(root, instance, name, janitor, end)
            finally:
                os.close(instance)
        except OSError:
            os.close(end)
            raise
    finally:
        os.close(instances)


def _fill(root: int, instance: int, name: str, janitor: int, end: int) -> Instance:
    processors = sorted(entry for entry in _listed(instance, "per_cpu") if entry.startswith("cpu"))
    _write(instance, "trace_clock", "mono")
    _write(instance, "buffer_size_kb", str(max(64, min(1_024, TOTAL_BUFFER_KB // len(processors)))))
    with contextlib.suppress(OSError):
        _write(instance, "buffer_percent", "0")
    formats, filters = {}, {}
    for event, words, needed in EVENTS:
        try:
            formats[event] = _read(root, f"events/{event}/format")
            if words:
                _write(instance, f"events/{event}/filter", words)
                filters[event] = os.open(f"events/{event}/filter", os.O_WRONLY | os.O_CLOEXEC, dir_fd=instance)
            _write(instance, f"events/{event}/enable", "1")
        except OSError:
            if needed:
                raise
            formats.pop(event, None)
    pipes = tuple(
        os.open(f"per_cpu/{cpu}/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=instance)
        for cpu in processors
    )
    fib = {event: descriptor for event, descriptor in filters.items() if event.startswith("fib")}
    for event in filters.keys() - fib.keys():
        os.close(filters[event])
    return Instance(name, formats, _read(root, "events/header_page"), pipes, fib, janitor, end)


def _listed(directory: int, path: str) -> list[str]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def _remove_stale(instances: int) -> None:
    """Instances of processes that are gone: their janitor was killed as well."""
    for name in os.listdir(instances):
        number = name.removeprefix(PREFIX)
        if name != number and number.isdigit() and not os.path.exists(f"/proc/{number}"):
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=instances)


def _janitor(instances: int, name: str) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _wait_and_remove(reader, instances, name)
    os.close(reader)
    return child, writer


def _wait_and_remove(reader: int, instances: int, name: str) -> NoReturn:
    """The janitor's whole life."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        directory = os.dup2(instances, 3) if instances != 3 else instances
        pipe = os.dup2(reader, 4) if reader != 4 else reader
        _close_from(5)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        privileges.drop_to(0, 0)  # the files belong to root: the name is enough
        while os.read(pipe, 1):
            pass
        for _ in _until(_REMOVE_SECONDS):
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=directory)
                break
            if not os.access(name, os.F_OK, dir_fd=directory):
                break
    except (OSError, PrivilegeError):
        os._exit(1)
    finally:
        os._exit(0)


def _close_from(lowest: int) -> None:
    for number in [int(text) for text in os.listdir("/proc/self/fd")]:
        if number >= lowest:
            with contextlib.suppress(OSError):
                os.close(number)


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)

"""What is known of a process, from /proc: read once, when one of its sockets is first asked for. Standard library only; everything bounded.

A process number is used again, so a process is (number, start time). Programs can replace themselves (exec): then the path differs too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

MAX_COMMAND: Final = 400  # characters of a command line that are kept
MAX_PATH: Final = 300
MAX_PARENTS: Final = 8
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Secrets that programs are given on the command line: the value is hidden, the name stays.
_SECRET: Final = re.compile(
    r"(?i)((?:^|[\s\-_/&?;])(?:[\w\-]*(?:passw(?:or)?d|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|auth)))([=:]\s*|\s+)(\S+)"
)
_URL_LOGIN: Final = re.compile(r"(\w+://[^\s/:@]*):[^\s/@]+@")
_CONTAINERS: Final = (
    (re.compile(r"(?:docker[-/])([0-9a-f]{64})"), "docker"),
    (re.compile(r"(?:libpod-(?:conmon-)?)([0-9a-f]{64})"), "podman"),
    (re.compile(r"(?:crio-)([0-9a-f]{64})"), "cri-o"),
    (re.compile(r"(?:cri-containerd-|containerd[-/])([0-9a-f]{64})"), "containerd"),
    (re.compile(r"kubepods[^\n]*?/([0-9a-f]{64})"), "kubernetes"),
    (re.compile(r"/lxc(?:\.payload)?[./]([\w.\-]+)"), "lxc"),
    (re.compile(r"/machine\.slice/(?:systemd-nspawn@|machine-)([^/]+?)\.(?:service|scope)"), "machine"),
)
_UNIT: Final = re.compile(r"([^/\n]+\.(?:service|scope))(?=/|\n|$)")


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One process in the chain of parents."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A program at work. `start_ns`: wall clock, 0 where not known. `complete`: read from /proc while it lived."""

    pid: int
    name: str
    path: str | None = None
    command_line: str | None = None
    uid: int | None = None
    user: str | None = None
    start_ns: int = 0
    parents: tuple[Ancestor, ...] = ()
    container: str | None = None  # `docker 0123456789ab`, or `netns blue`
    unit: str | None = None  # systemd's
    namespace: int = 0  # inode of its network namespace, 0 where not known
    complete: bool = False
    start_ticks: int = field(default=0, compare=False)  # since boot, as /proc says it

    @property
    def key(self) -> tuple[int, int, int, str | None, str]:
        """What makes it this program of this process, quickly compared."""
        return self.pid, self.start_ticks, self.start_ns, self.path, self.name


@dataclass(frozen=True, slots=True)
class Status:
    """The lines of /proc/<pid>/stat that are read most."""

    name: str
    parent: int
    start_ticks: int


def printable(text: str) -> str:
    """Process names and arguments are chosen by whoever starts them: control characters become question marks."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def hide_secrets(command: str) -> str:
    """`--password=x` → `--password=…`, `https://me:x@host` → `https://me:…@host`."""
    return _URL_LOGIN.sub(r"\1:…@", _SECRET.sub(r"\1\2…", command))


def read_text(path: str, most: int = 8192) -> str:
    """The beginning of a file of /proc. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, most).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def read_status(pid: int) -> Status | None:
    """None: there is no such process."""
    try:
        text = read_text(f"/proc/{pid}/stat", 1024)
    except OSError:
        return None
    opening, closing = text.find("("), text.rfind(")")
    rest = text[closing + 2 :].split()
    if opening < 0 or len(rest) < 20:
        return None
    return Status(printable(text[opening + 1 : closing]), int(rest[1]), int(rest[19]))


def thread_group(tid: int) -> int | None:
    """The process that a thread belongs to."""
    try:
        text = read_text(f"/proc/{tid}/status", 2048)
    except OSError:
        return None
    found = re.search(r"^Tgid:\s*(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


@lru_cache(maxsize=1)
def boot_ns() -> int:
    """Wall-clock time of the boot, to the second."""
    try:
        found = re.search(r"^btime (\d+)", read_text("/proc/stat", 1 << 20), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1_000_000_000 if found else 0


class Users:
    """Names of users from /etc/passwd alone: asking the system's name services could wait for a network."""

    def __init__(self, path: str = "/etc/passwd") -> None:
        self._path = path
        self._stamp = -1.0
        self._names: dict[int, str] = {}

    def name(self, uid: int) -> str:
        try:
            stamp = os.stat(self._path).st_mtime
            if stamp != self._stamp:
                self._names = dict(_passwd(read_text(self._path, 1 << 20).splitlines()))
                self._stamp = stamp
        except OSError:
            pass
        return self._names.get(uid, str(uid))


def _passwd(lines: Iterable[str]) -> Iterable[tuple[int, str]]:
    for line in lines:
        parts = line.split(":")
        if len(parts) > 2 and parts[2].isdigit():
            yield int(parts[2]), printable(parts[0])


def container_of(cgroup: str) -> tuple[str | None, str | None]:
    """(container, systemd unit) that a /proc/<pid>/cgroup names."""
    for pattern, runtime in _CONTAINERS:
        found = pattern.search(cgroup)
        if found:
            return f"{runtime} {found[1][:12] if len(found[1]) == 64 else printable(found[1])[:60]}", None
    units = _UNIT.findall(cgroup)
    return None, printable(units[-1])[:120] if units else None


class ProcessReader:
    """Reads processes. `own_namespace`: inode of the network namespace that packets are captured in."""

    def __init__(self) -> None:
        self.users = Users()
        self.own_namespace = network_namespace("self")
        self._names: dict[int, str] = {}  # inode of a namespace that has a name → the name
        self._named_at = -1.0

    def read(self, pid: int) -> ProcessRecord | None:
        """None: it is gone. What may not be read is None in the record."""
        status = read_status(pid)
        if status is None:
            return None
        path = command = None
        try:
            path = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        except OSError:
            pass
        try:
            raw = read_text(f"/proc/{pid}/cmdline", 4096)
            command = hide_secrets(printable(raw.rstrip("\0").replace("\0", " ")))[:MAX_COMMAND] or None
        except OSError:
            pass
        uid = None
        try:
            uid = os.stat(f"/proc/{pid}").st_uid
            found = re.search(r"^Uid:\s*\d+\s+(\d+)", read_text(f"/proc/{pid}/status", 2048), re.MULTILINE)
            uid = int(found[1]) if found else uid
        except OSError:
            return None
        try:
            container, unit = container_of(read_text(f"/proc/{pid}/cgroup", 4096))
        except OSError:
            container = unit = None
        namespace = network_namespace(str(pid))
        if container is None and namespace and namespace != self.own_namespace:
            name = self._namespace_name(namespace)
            container = f"netns {name}" if name else f"netns {namespace}"
        return ProcessRecord(
            pid=pid,
            name=status.name,
            path=printable(path)[:MAX_PATH] if path else None,
            command_line=command,
            uid=uid,
            user=self.users.name(uid),
            start_ns=boot_ns() + status.start_ticks * 1_000_000_000 // _TICKS,
            parents=self.parents(status.parent),
            container=container,
            unit=unit,
            namespace=namespace,
            complete=True,
            start_ticks=status.start_ticks,
        )

    def parents(self, pid: int) -> tuple[Ancestor, ...]:
        """The chain from a parent up, at most MAX_PARENTS."""
        chain: list[Ancestor] = []
        while pid > 0 and len(chain) < MAX_PARENTS:
            status = read_status(pid)
            if status is None:
                break
            chain.append(Ancestor(pid, status.name))
            pid = status.parent
        return tuple(chain)

    def _namespace_name(self, inode: int) -> str | None:
        """What `ip netns` calls it."""
        if inode not in self._names:
            self._names = {}
            for directory in ("/run/netns", "/run/docker/netns"):
                try:
                    for name in os.listdir(directory)[:1000]:
                        self._names[os.stat(f"{directory}/{name}").st_ino] = printable(name)[:60]
                except OSError:
                    continue
            self._names.setdefault(inode, "")
        return self._names[inode] or None


def network_namespace(pid: str) -> int:
    """Inode of a process's network namespace; 0 where it may not be known."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return 0


def same_process(record: ProcessRecord, status: Status | None) -> bool:
    """Whether the process that has the number now is the one of the record."""
    return status is not None and status.start_ticks == record.start_ticks


def without_proc(pid: int, name: str, path: str | None, parent: ProcessRecord | None, start_ns: int) -> ProcessRecord:
    """A process that ended before it could be read: what the kernel's events said of it, and what it had from its parent."""
    base = ProcessRecord(
        pid=pid, name=printable(name), path=printable(path)[:MAX_PATH] if path else None, start_ns=start_ns
    )
    if parent is None:
        return base
    ancestors = (Ancestor(parent.pid, parent.name), *parent.parents)[:MAX_PARENTS]
    return replace(
        base,
        uid=parent.uid,
        user=parent.user,
        parents=ancestors,
        container=parent.container,
        unit=parent.unit,
        namespace=parent.namespace,
    )

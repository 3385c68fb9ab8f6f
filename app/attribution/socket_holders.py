"""Inode of a socket → the processes that hold it, from /proc/<pid>/fd. Standard library only.

Looking through every descriptor of every process costs too much for each connection: who held the last ones is looked at first, then the same
user's processes, the newest first, within a budget of time; an inode that nobody held in a whole round is not looked for again soon.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from app import privileges

MAX_KNOWN: Final = 32_768  # inodes
MAX_HINTS: Final = 32  # processes that are looked at first
FAMILY_SECONDS: Final = 0.1
AGAIN_SECONDS: Final = 1.0
ABSENT_SECONDS: Final = 0.4
_SOCKET: Final = "socket:["


class SocketHolders:
    """Answers are checked when given: the descriptor must still be that socket."""

    def __init__(self) -> None:
        self._places: OrderedDict[int, tuple[int, int]] = OrderedDict()  # inode → (process, descriptor)
        self._hints: OrderedDict[int, None] = OrderedDict()
        self._absent: dict[int, float] = {}
        self._scanned: dict[int, float] = {}
        self._unfinished = False
        self._families: dict[int, tuple[float, list[int]]] = {}
        self.scans = 0

    def find(self, inodes: Iterable[int], uids: dict[int, int], seconds: float) -> dict[int, list[int]]:
        """Inode → process numbers that hold it (more than one where it was inherited). Those not found within `seconds` are missing.
        `uids`: inode → user, a hint."""
        now = time.monotonic()
        deadline = now + seconds
        wanted = set()
        found: dict[int, list[int]] = {}
        for inode in inodes:
            holders = self._checked(inode)
            if holders:
                found[inode] = holders
            elif self._absent.get(inode, 0.0) <= now:
                wanted.add(inode)
        if not wanted:
            return found
        if len(self._absent) > 4096:
            self._absent.clear()
        complete = True
        for pid in self._order({uids[inode] for inode in wanted if inode in uids}):
            hit = self._scan(pid) & wanted
            for inode in hit:
                found[inode] = self._checked(inode)
            if hit:
                self._hints[pid] = None
                self._hints.move_to_end(pid)
                if len(self._hints) > MAX_HINTS:
                    self._hints.popitem(last=False)
            wanted -= hit
            if not wanted:
                break
            if time.monotonic() > deadline:
                complete = False
                break
        self._unfinished = not complete
        if complete:
            for inode in wanted:
                self._absent[inode] = now + ABSENT_SECONDS
        return found

    def _order(self, uids: set[int]) -> Iterator[int]:
        """Processes, the likely ones first."""
        now = time.monotonic()
        hints = [*reversed(self._hints)]
        yield from hints
        try:
            others = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        except OSError:
            return
        rest: list[int] = []
        skipped = set(hints)
        for pid in sorted(others, reverse=True):
            if pid in skipped or self._is_fresh(pid, now):
                continue
            try:
                same = os.stat(f"/proc/{pid}").st_uid in uids
            except OSError:
                continue
            if same:
                yield pid
            else:
                rest.append(pid)
        yield from rest

    def _is_fresh(self, pid: int, now: float) -> bool:
        """Looked through a moment ago, in a round that ran out of time: others first."""
        return self._unfinished and now - self._scanned.get(pid, -1e9) < AGAIN_SECONDS

    def _scan(self, pid: int) -> set[int]:
        """Inodes of all sockets of a process."""
        self.scans += 1
        if len(self._scanned) > MAX_KNOWN:
            self._scanned.clear()
        self._scanned[pid] = time.monotonic()
        found: set[int] = set()
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            self._hints.pop(pid, None)
            return found
        for name in names:
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except PermissionError:
                return found
            except OSError:
                continue
            if target.startswith(_SOCKET):
                inode = int(target[8:-1])
                found.add(inode)
                self._places[inode] = (pid, int(name))
        while len(self._places) > MAX_KNOWN:
            self._places.popitem(last=False)
        return found

    def _checked(self, inode: int) -> list[int]:
        """The process at the remembered place, with parent and children that hold it at the same descriptor."""
        place = self._places.get(inode)
        if place is None:
            return []
        pid, descriptor = place
        if not self._holds(pid, descriptor, inode):
            del self._places[inode]
            return []
        holders = [pid]
        queue = [pid]
        while queue and len(holders) < 64:
            for relative in self._relatives(queue.pop()):
                if relative not in holders and self._holds(relative, descriptor, inode):
                    holders.append(relative)
                    queue.append(relative)
        return holders

    def _relatives(self, pid: int) -> list[int]:
        """Parent and children, read again after a moment: the kernel walks a list for it."""
        now = time.monotonic()
        known = self._families.get(pid)
        if known is not None and now - known[0] < FAMILY_SECONDS:
            return known[1]
        if len(self._families) > MAX_KNOWN:
            self._families.clear()
        found = _relatives(pid)
        self._families[pid] = (now, found)
        return found

    @staticmethod
    def _holds(pid: int, descriptor: int, inode: int) -> bool:
        try:
            return os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"{_SOCKET}{inode}]"
        except OSError:
            return False


def _relatives(pid: int) -> list[int]:
    """Parent and children (the latter where the kernel lists them)."""
    found = []
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            parent = int(file.read(1024).rpartition(b")")[2].split()[1])
        if parent > 1:
            found.append(parent)
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            found += [int(text) for text in file.read(4096).split()[:64]]
    except (OSError, ValueError, IndexError):
        pass
    return found


def sees_all_processes() -> bool:
    """Whether other users' processes may be looked into."""
    return privileges.holds(privileges.CAP_SYS_PTRACE)

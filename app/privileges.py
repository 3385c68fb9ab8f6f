"""Giving up rights and proving it: users, Linux capabilities, no_new_privs. Standard library only (ctypes on prctl and capset).

One idea: every step is done by one call, and then `/proc/self/status` of every thread is read; a process that still has what it must not
have raises PrivilegeError instead of going on. capabilities(7) describes the sets, securebits and their order.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.model.errors import PrivilegeError

LINUX: Final = sys.platform.startswith("linux")

CAP_DAC_READ_SEARCH: Final = 2
CAP_SETGID: Final = 6
CAP_SETPCAP: Final = 8
CAP_NET_RAW: Final = 13
CAP_SYS_PTRACE: Final = 19

# <linux/prctl.h>
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_SECUREBITS: Final = 28
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
# <linux/securebits.h>: NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each with its lock, and the lock of KEEP_CAPS. Uid 0 then means nothing
# to the capability rules, neither at exec nor at setuid.
_SECUREBITS: Final = 0b1 | 0b10 | 0b100 | 0b1000 | 0b100000 | 0b1000000 | 0b10000000
_CAPABILITY_VERSION_3: Final = 0x20080522
_HIGHEST_CAPABILITY: Final = 63


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@dataclass(frozen=True, slots=True)
class Report:
    """What the kernel says about one task. Sets are bit masks; None where the kernel does not say."""

    uids: tuple[int, ...]  # real, effective, saved, file system
    gids: tuple[int, ...]
    groups: tuple[int, ...]
    inheritable: int
    permitted: int
    effective: int
    bounding: int
    ambient: int
    no_new_privs: bool


def mask(capabilities: Collection[int]) -> int:
    """Capability numbers as the bit mask the kernel shows."""
    return sum(1 << number for number in set(capabilities))


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, *arguments: int) -> None:
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if _libc().prctl(ctypes.c_int(option), *values) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _capset(permitted: int) -> None:
    data = (_Data * 2)()
    for half in range(2):
        data[half].permitted = data[half].effective = (permitted >> (32 * half)) & 0xFFFFFFFF
    header = _Header(_CAPABILITY_VERSION_3, 0)
    if _libc().capset(ctypes.byref(header), data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _empty_bounding_set() -> None:
    for capability in range(_HIGHEST_CAPABILITY + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            return  # EINVAL: beyond the kernel's last one


def report(task: str = "self") -> Report:
    """Read `/proc/<task>/status`. Raises OSError."""
    rows: dict[str, str] = {}
    for line in Path(f"/proc/{task}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        rows[name] = value.strip()

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(int(part) for part in rows.get(name, "").split())

    def bits(name: str) -> int:
        return int(rows.get(name, "0"), 16)

    return Report(
        uids=numbers("Uid"),
        gids=numbers("Gid"),
        groups=numbers("Groups"),
        inheritable=bits("CapInh"),
        permitted=bits("CapPrm"),
        effective=bits("CapEff"),
        bounding=bits("CapBnd"),
        ambient=bits("CapAmb"),
        no_new_privs=rows.get("NoNewPrivs") == "1",
    )


def holds(capability: int) -> bool:
    """Whether this process may use a capability now."""
    if not LINUX:
        return os.geteuid() == 0
    return bool(report().effective >> capability & 1)


def drop_to(uid: int, gid: int, keep: Collection[int] = ()) -> None:
    """Become `uid`:`gid` with no capability but `keep`, for good, and prove it. The caller has one thread and is root, or already that user.

    Works for uid 0 as well: the name stays, the power goes. Raises PrivilegeError.
    """
    try:
        if LINUX:
            _drop_linux(uid, gid, keep)
        elif os.geteuid() == 0 and uid != 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    except OSError as error:
        raise PrivilegeError(f"rights could not be given up: {error}") from error
    verify(uid, keep)


def _drop_linux(uid: int, gid: int, keep: Collection[int]) -> None:
    before = report()
    kept = mask(keep) & before.permitted
    if before.effective >> CAP_SETPCAP & 1:
        # Both need CAP_SETPCAP, so they come first. With NO_SETUID_FIXUP the change of user leaves the capabilities alone until capset says so.
        _empty_bounding_set()
        _prctl(_PR_SET_SECUREBITS, _SECUREBITS)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _clear_ambient()
    if before.effective >> CAP_SETGID & 1:
        os.setgroups([])  # while still allowed; then the group, then the user
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _capset(kept)
    _prctl(_PR_SET_DUMPABLE, 0)  # a process of the same user must not read this one's memory


def _clear_ambient() -> None:
    try:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError:
        pass  # kernels before 4.3 have no ambient set


def seal() -> None:
    """Give up every capability there is, as the user this process already has, and prove it. Raises PrivilegeError."""
    if not LINUX:
        return
    drop_to(os.geteuid(), os.getegid())


def verify(uid: int, keep: Collection[int] = ()) -> None:
    """Compare what the kernel says of every thread with what is allowed. Raises PrivilegeError naming the first difference."""
    if not LINUX:
        if os.getuid() != uid or os.geteuid() != uid:
            raise PrivilegeError(f"the process runs as user {os.geteuid()}, not {uid}")
        return
    allowed = mask(keep)
    for task in os.listdir("/proc/self/task"):
        found = report(f"self/task/{task}")
        if set(found.uids) != {uid}:
            raise PrivilegeError(f"thread {task} has the users {found.uids}, not {uid}")
        if (found.permitted | found.effective | found.inheritable | found.ambient) & ~allowed:
            raise PrivilegeError(f"thread {task} still has capabilities {found.permitted:#x}, allowed are {allowed:#x}")
        if not found.no_new_privs:
            raise PrivilegeError(f"thread {task} could gain rights (no_new_privs is not set)")


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Get `number` when the parent process ends. Call it after every change of user, which clears it. Raises PrivilegeError where the parent
    is gone already.
    """
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        raise PrivilegeError("the process that started this one has ended")

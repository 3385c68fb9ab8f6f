"""Which user the sensor and the web process run as, and the directories that must be theirs."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.model.errors import PrivilegeError


@dataclass(frozen=True, slots=True)
class TargetUser:
    """Who to become, and why it is this one."""

    uid: int
    gid: int
    name: str
    reason: str
    warning: str | None = None


def choose_user(env: Mapping[str, str], run_as: str | None, project: Path) -> TargetUser:
    """The user to drop to: who is running already (not root), the one who called sudo, RUN_AS, the owner of the project directory, else uid 0
    without any capability. Raises PrivilegeError where the choice cannot be used.
    """
    if os.geteuid() != 0:
        return TargetUser(os.geteuid(), os.getegid(), _name(os.geteuid()), "started by this user")
    if env.get("SUDO_UID", "").isdigit() and int(env["SUDO_UID"]) != 0:
        uid = int(env["SUDO_UID"])
        gid = int(env["SUDO_GID"]) if env.get("SUDO_GID", "").isdigit() else _group(uid, uid)
        return _usable(TargetUser(uid, gid, _name(uid), "started through sudo by this user"), project)
    if run_as is not None:
        return _usable(_named(run_as), project)
    status = project.stat()
    if status.st_uid != 0:
        uid = status.st_uid
        owner = TargetUser(uid, _group(uid, status.st_gid), _name(uid), "owner of the project directory")
        if unreadable(owner, project) is None:
            return owner
    return TargetUser(
        0,
        0,
        "root",
        "started by root itself",
        "Started by root itself: there is no other user to become, so the sensor and the web process keep the name root but lose every "
        "capability. Start it with sudo from an ordinary account, or name a user with RUN_AS.",
    )


def _named(run_as: str) -> TargetUser:
    try:
        entry = pwd.getpwuid(int(run_as)) if run_as.isdigit() else pwd.getpwnam(run_as)
    except KeyError:
        if not run_as.isdigit():
            raise PrivilegeError(f"RUN_AS={run_as!r}: there is no such user") from None
        return TargetUser(int(run_as), int(run_as), run_as, "named by RUN_AS")
    return TargetUser(entry.pw_uid, entry.pw_gid, entry.pw_name, "named by RUN_AS")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(uid: int, otherwise: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return otherwise


def _usable(user: TargetUser, project: Path) -> TargetUser:
    problem = unreadable(user, project)
    if problem is not None:
        raise PrivilegeError(
            f"user {user.name} ({user.reason}) cannot read {problem}: Netglass would fail after giving up root. Use a directory and a Python "
            "that this user can read (make clean; make run builds a new environment), or name another user with RUN_AS"
        )
    return user


def unreadable(user: TargetUser, project: Path) -> str | None:
    """The first thing the program needs that the user may not read, looked at by a child that is that user; None: all can be read."""
    places = [project / "config.py", Path(sys.executable), Path(os.__file__), Path(sys.prefix) / "pyvenv.cfg"]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing may escape from here into the parent's code.
        try:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            missing = [str(place) for place in places if not _can_read(place)]
            os.write(writer, (missing[0] if missing else "").encode()[:4000])
        except BaseException as error:  # whatever it is, it is reported by the pipe and ends here
            os.write(writer, f"anything ({error})".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        found = pipe.read().decode(errors="replace")
    os.waitpid(child, 0)
    return found or None


def _can_read(place: Path) -> bool:
    try:
        place.stat()
    except FileNotFoundError:
        return True  # no pyvenv.cfg: not an environment, and nothing to read
    except PermissionError:
        return False
    return os.access(place, os.R_OK)


def own_directory(path: Path, user: TargetUser, mode: int = 0o755) -> None:
    """Make a directory where it is missing and give it to the user; as root, also one that root made earlier. Never through a symbolic link.

    Raises PrivilegeError.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        if os.geteuid() != 0 or user.uid == 0:
            return
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(handle).st_uid == 0:
                os.fchown(handle, user.uid, user.gid)
        finally:
            os.close(handle)
    except OSError as error:
        raise PrivilegeError(f"{path} cannot be made a directory of user {user.name}: {error.strerror}") from error

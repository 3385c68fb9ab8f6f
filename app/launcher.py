"""What happens before anything else: start the broker, give up every right, prove it. Standard library only, before any monkey-patching.

Afterwards this process serves HTTP and can open no packet socket; the broker can, and tells it of every sensor it starts over one socket. `python -m
app.launcher warm` makes the directories and compiles the sensor's kernels as the user the sensor will be.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

# The functions themselves: after monkey-patching the names in the module are others, and at the end there is no hub to wait in.
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from app import kernel_cache, privileges
from app.broker.isolated import PROJECT, command, environment
from app.broker.user import TargetUser, choose_user, own_directory
from app.link.handover import Receiver
from app.model.errors import PrivilegeError, ProtocolError

if TYPE_CHECKING:
    from config import Settings

_READY_SECONDS: Final = 10.0
_END_SECONDS: Final = 5.0  # for the broker, which gives its sensor one, to end; usual is a tenth
_PASSWORD_SECONDS: Final = 120.0  # for somebody to type a password at sudo's prompt


@dataclass(frozen=True, slots=True)
class Launched:
    """What the web process needs to know of its broker."""

    receiver: Receiver  # of the broker's messages; give it to app.link.broker_links.BrokerLinks
    process: subprocess.Popen[bytes]  # the broker, or the sudo in front of it
    broker_pid: int
    uid: int  # of this process and the sensor, now
    user: str
    capabilities: str  # the broker's effective set, hexadecimal
    can_capture: bool
    why_not: str | None  # one sentence where can_capture is false
    warning: str | None  # something about the rights that the user should read
    started_by: int  # uid of the person who started it: sudo's caller, or this user

    def end(self) -> bool:
        """Let broker and sensor end and wait for them; False where they took too long. Blocks for real, with no hub."""
        with contextlib.suppress(OSError):
            self.receiver.socket.shutdown(socket.SHUT_RDWR)
        deadline = monotonic() + _END_SECONDS
        while monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self.process.pid, os.WNOHANG) == (0, 0):
                    sleep(0.01)
                    continue
            return True
        return False


def launch(settings: Settings) -> Launched:
    """Start the broker, drop this process's rights. Raises PrivilegeError where that fails; then nothing may be served.

    Must run before any thread is started: capabilities are a thread's.
    """
    user = choose_user(os.environ, settings.run_as, PROJECT)
    caller = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    started_by = int(caller) if caller.isdigit() else os.getuid()
    sensor_environment = prepare(settings, user)
    broker, process = _start_broker(settings, user, sensor_environment)
    receiver = Receiver(broker)
    ready = _ready(receiver, process)
    drop(user)
    return Launched(
        receiver=receiver,
        process=process,
        broker_pid=int(ready["pid"]),
        uid=user.uid,
        user=user.name,
        capabilities=str(ready["capabilities"]),
        can_capture=bool(ready["can_capture"]),
        why_not=ready["why_not"],
        warning=user.warning,
        started_by=started_by,
    )


def drop(user: TargetUser) -> None:
    """Become the user, without capabilities, and make the process's surroundings theirs."""
    privileges.drop_to(user.uid, user.gid)
    os.umask(0o077)


def prepare(settings: Settings, user: TargetUser) -> dict[str, str]:
    """Make the directories as the target user's; return the sensor's environment. Raises PrivilegeError.

    The kernel cache holds machine code that the sensor runs, so it is one per user, and theirs alone.
    """
    kernels = kernel_cache.directory_of(settings.data_dir, user.uid)
    for directory in (settings.data_dir, settings.export_dir, kernels.parent):
        own_directory(directory, user)
    own_directory(kernels, user, 0o700)
    status = kernels.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user.uid:
        raise PrivilegeError(f"{kernels} must be a directory of user {user.name}: remove it and start again")
    return {**settings.environment(), "NUMBA_CACHE_DIR": str(kernels)}


def _broker_arguments(user: TargetUser, sensor_environment: dict[str, str]) -> list[str]:
    return [
        "--uid", str(user.uid),
        "--gid", str(user.gid),
        "--parent", str(os.getpid()),
        "--environment", json.dumps(sensor_environment),
    ]  # fmt: skip


def _start_broker(
    settings: Settings, user: TargetUser, sensor_environment: dict[str, str]
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    arguments = _broker_arguments(user, sensor_environment)
    wanted = settings.elevate and settings.pcap is None and privileges.LINUX
    if wanted and os.geteuid() != 0 and not privileges.holds(privileges.CAP_NET_RAW):
        elevated = _start_through_sudo(arguments)
        if elevated is not None:
            return elevated
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(
            command("app.broker", "--socket", str(there.fileno()), *arguments, packages=False),
            pass_fds=(there.fileno(),),
            env=environment({}),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
        )
    return here, process


def _start_through_sudo(arguments: list[str]) -> tuple[socket.socket, subprocess.Popen[bytes]] | None:
    """Ask sudo for a broker with rights; None where it refuses. sudo closes inherited descriptors, so the broker connects to a socket in a
    directory only this user (and root) can enter, and must be root to be believed.
    """
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if terminal:
        print("Capturing needs root: sudo may ask for your password (Ctrl+C: go on without capturing).", flush=True)
    with _listener() as (path, listener):
        process = subprocess.Popen(
            [
                sudo,
                *([] if terminal else ["-n"]),
                "--",
                *command("app.broker", "--connect", path, *arguments, packages=False),
            ],
            env={**os.environ},
            stdin=None if terminal else subprocess.DEVNULL,
            stderr=None if terminal else subprocess.DEVNULL,
        )
        accepted = _accept(listener, process, _PASSWORD_SECONDS if terminal else _READY_SECONDS)
        if accepted is None:
            _end(process)
            return None
        return accepted, process


@contextlib.contextmanager
def _listener() -> Iterator[tuple[str, socket.socket]]:
    directory = tempfile.mkdtemp(prefix="netglass-")
    path = os.path.join(directory, "broker")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.2)
            yield path, listener
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.rmdir(directory)


def _accept(listener: socket.socket, process: subprocess.Popen[bytes], seconds: float) -> socket.socket | None:
    """The connection of a process that root started, within `seconds`; None where sudo ended first or Ctrl+C was typed."""
    deadline = monotonic() + seconds
    try:
        while monotonic() < deadline and process.poll() is None:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(None)
            if privileges.LINUX:
                packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                if struct.unpack("3i", packed)[1] != 0:
                    connection.close()
                    continue
            return connection
    except KeyboardInterrupt:
        print()
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a sudo that did not come to an end by itself; it may belong to root by now, then its broker ends with our socket."""
    with contextlib.suppress(PermissionError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)


def _ready(receiver: Receiver, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The broker's first message. Raises PrivilegeError where it does not come."""
    try:
        found = receiver.receive(_READY_SECONDS)
    except ProtocolError as error:
        raise PrivilegeError(f"the broker did not start: {error}") from error
    if found is None or found[0]["type"] != "ready":
        status = process.poll()
        raise PrivilegeError("the broker did not start" + (f" (exit status {status})" if status is not None else ""))
    return found[0]


def warm(settings: Settings) -> int:
    """Compile the sensor's kernels as the user the sensor will be; the exit status."""
    user = choose_user(os.environ, settings.run_as, PROJECT)
    sensor_environment = prepare(settings, user)
    drop(user)
    done = subprocess.run(
        command("app.sensor", "--warm"), env=environment(sensor_environment), cwd=PROJECT, check=False
    )
    return done.returncode


def main(arguments: list[str]) -> int:
    """`python -m app.launcher warm`."""
    # Here and not above: launch() gets its settings from wsgi.py, and this module imports nothing beside the standard library and app.
    from config import Settings, SettingsError

    if arguments != ["warm"]:
        print("usage: python -m app.launcher warm", file=sys.stderr)
        return 2
    try:
        return warm(Settings.from_environment(os.environ))
    except (SettingsError, PrivilegeError) as error:
        print(f"netglass: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

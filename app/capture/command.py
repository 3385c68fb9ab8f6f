"""`python -m app capture`: frames from interfaces into a file, undecoded.

Opens what needs rights, gives the rights up, and only then loads what reads frames: NumPy starts threads as soon as it is imported, and a
thread keeps the rights it was started with.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from app.model.errors import CaptureError, PrivilegeError

_ANY: Final = "any"
_CAP_DAC_OVERRIDE: Final = 1
_PROJECT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    interfaces: tuple[str, ...]
    output: str
    bpf_filter: str
    count: int | None
    seconds: float | None
    snaplen: int


Opened = tuple[str, socket.socket, Any]  # interface, socket, program


class Stop:
    """Set by Ctrl+C and SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def run(args: argparse.Namespace) -> int:
    """The command; `args`: interface, write, filter, count, duration, snaplen. 0: done, also by Ctrl+C; 1: failed, with one line on
    stderr; 2: wrong usage.
    """
    names = tuple(dict.fromkeys(name.strip() for name in args.interface.split(",") if name.strip()))
    if not names or (_ANY in names and len(names) > 1):
        print(f"netglass: -i {args.interface}: name interfaces, separated by commas, or {_ANY} alone", file=sys.stderr)
        return 2
    request = Request(names, args.write, args.filter, args.count, args.duration, args.snaplen)
    try:
        return _capture(request)
    except (CaptureError, PrivilegeError) as error:
        print(f"netglass: {error}{_remedy(error)}", file=sys.stderr)
    except OSError as error:
        print(f"netglass: writing {request.output} failed: {error.strerror or error}", file=sys.stderr)
    return 1


def _remedy(error: Exception) -> str:
    """What the user can do about it."""
    code = getattr(error, "code", "")
    if code == "not_permitted":
        return "; run it with sudo"
    if code == "no_such_interface":
        return f"; there are {', '.join(name for _, name in socket.if_nameindex())} and any"
    return ""


def _capture(request: Request) -> int:
    with Stop() as stop:
        opened = _open(request) if sys.platform == "linux" else []
        from app.capture.recording import record  # not before the rights are gone

        record(request, opened, stop)
    return 0


def _open(request: Request) -> list[Opened]:
    """The packet sockets, opened with the rights this process has; it is without them afterwards."""
    from app.broker.packet_socket import find_interface

    opened: list[Opened] = []
    try:
        for name in request.interfaces:
            if name != _ANY and not find_interface(name).up:
                raise CaptureError("interface_down", f"{name} is down")
            opened.append((name, *_open_socket(name, request)))
        _drop_rights()
    except BaseException:  # raised again: nothing may stay open
        for _, sock, _ in opened:
            sock.close()
        raise
    return opened


def _open_socket(name: str, request: Request) -> tuple[socket.socket, Any]:
    """A packet socket and the program for it, compiled as the broker does for the sensor."""
    from app.broker.filter_program import compile_program
    from app.broker.packet_socket import find_interface, interfaces, open_socket

    sock = open_socket()
    try:
        if not request.bpf_filter:
            return sock, None
        return sock, compile_program(find_interface(name), interfaces(), request.bpf_filter, request.snaplen, True)
    except CaptureError:
        sock.close()
        raise


def _drop_rights() -> None:
    """Become the user who called sudo; root itself stays root without capabilities, but the one to write files of others."""
    from app import privileges

    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "0") != "0":
        from app.broker.user import choose_user

        user = choose_user(os.environ, None, _PROJECT)
        privileges.drop_to(user.uid, user.gid)
        os.environ["HOME"] = os.path.expanduser(f"~{user.name}")  # where compiled kernels may be kept
    else:
        privileges.drop_to(os.geteuid(), os.getegid(), keep=(_CAP_DAC_OVERRIDE,) if os.geteuid() == 0 else ())

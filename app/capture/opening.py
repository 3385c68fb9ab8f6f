"""Packet sockets for a command that reads frames itself: opened with the rights the process has, which it gives up before a frame is read.

Standard library only, because what is imported before the rights are gone may start threads that keep them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

from app.model.errors import CaptureError

ANY: Final = "any"
_CAP_DAC_OVERRIDE: Final = 1
_PROJECT: Final = Path(__file__).resolve().parents[2]

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


def interface_names(text: str) -> tuple[str, ...] | None:
    """Names separated by commas, or `any` alone; None where that is not what the text says."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    return None if not names or (ANY in names and len(names) > 1) else names


def remedy(error: Exception) -> str:
    """What the user can do about it, to be put behind the error's words."""
    code = getattr(error, "code", "")
    if code == "not_permitted":
        program = os.path.realpath(sys.executable)
        return f"; run it with sudo, or once: sudo setcap cap_net_raw+ep {program} (then everybody may capture who may run that program)"
    if code == "no_such_interface":
        return f"; there are {', '.join(name for _, name in socket.if_nameindex())} and {ANY}"
    return ""


def open_sockets(names: Sequence[str], bpf_filter: str, snaplen: int) -> list[Opened]:
    """The packet sockets, opened with the rights this process has; it is without them afterwards. Raises CaptureError, PrivilegeError."""
    from app.broker.packet_socket import find_interface

    opened: list[Opened] = []
    try:
        for name in names:
            if name != ANY and not find_interface(name).up:
                raise CaptureError("interface_down", f"{name} is down")
            opened.append((name, *_open_socket(name, bpf_filter, snaplen)))
        drop_rights()
    except BaseException:  # raised again: nothing may stay open
        for _, sock, _ in opened:
            sock.close()
        raise
    return opened


def check_filter(names: Sequence[str], bpf_filter: str) -> str | None:
    """libpcap's words on a filter that does not compile for these interfaces, and where; None: it compiles, or that cannot be known without
    rights."""
    problem = _refusal(names, bpf_filter)
    if problem is None:
        return None
    words = list(re.finditer(r"\S+", bpf_filter))
    # libpcap gives no position: everything before the last beginning that compiles is not it.
    good = max((i for i in range(1, len(words)) if _refusal(names, bpf_filter[: words[i].start()]) is None), default=0)
    return f"{problem} (at column {words[good].start() + 1}: {bpf_filter[words[good].start() :]})" if words else problem


def _refusal(names: Sequence[str], bpf_filter: str) -> str | None:
    from app.broker.filter_program import compile_program
    from app.broker.packet_socket import find_interface, interfaces

    try:
        for name in names:
            compile_program(find_interface(name), interfaces(), bpf_filter, 0, False)
    except CaptureError as error:
        return error.message if error.code == "bad_filter" else None
    except OSError:
        return None
    return None


def _open_socket(name: str, bpf_filter: str, snaplen: int) -> tuple[socket.socket, Any]:
    """A packet socket and the program for it, compiled as the broker does for the sensor."""
    from app.broker.filter_program import compile_program
    from app.broker.packet_socket import find_interface, interfaces, open_socket

    sock = open_socket()
    try:
        if not bpf_filter:
            return sock, None
        return sock, compile_program(find_interface(name), interfaces(), bpf_filter, snaplen, True)
    except CaptureError:
        sock.close()
        raise


def drop_rights() -> None:
    """Become the user who called sudo; root itself stays root without capabilities, but the one to write files of others."""
    from app import privileges

    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "0") != "0":
        from app.broker.user import choose_user

        user = choose_user(os.environ, None, _PROJECT)
        privileges.drop_to(user.uid, user.gid)
        os.environ["HOME"] = os.path.expanduser(f"~{user.name}")  # where compiled kernels may be kept
    else:
        privileges.drop_to(os.geteuid(), os.getegid(), keep=(_CAP_DAC_OVERRIDE,) if os.geteuid() == 0 else ())

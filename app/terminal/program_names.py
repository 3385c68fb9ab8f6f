"""Who names programs for the full screen: a process of its own that keeps the rights for it, made before this one gives its rights up.

It answers questions about sockets (app/attribution) and nothing else, never reads a frame, and ends when its socket does. Standard library only.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from typing import Final

from app import privileges
from app.attribution.tracefs import TraceUnavailable, open_instance
from app.broker.owners import Owners
from app.link.handover import Receiver

_CAP_DAC_READ_SEARCH: Final = 2
_CAP_SYS_PTRACE: Final = 19


def answerer() -> socket.socket | None:
    """The socket to ask; None where nobody can be asked on this system. The caller has one thread."""
    if not sys.platform.startswith("linux"):
        return None
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        return ours
    ours.close()
    status = 1
    try:
        _answer(theirs)
        status = 0
    finally:
        os._exit(status)  # nothing of the parent's: no handlers, no buffers written twice


def _answer(sock: socket.socket) -> None:
    instance, why_not = None, None
    try:
        instance = open_instance()
    except TraceUnavailable as error:
        why_not = str(error)
    if os.geteuid() == 0:
        privileges.drop_to(os.geteuid(), os.getegid(), keep=(_CAP_DAC_READ_SEARCH, _CAP_SYS_PTRACE))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl+C is the monitor's; this process ends with the socket
        signal.signal(number, signal.SIG_IGN)
    owners = Owners(True, instance, why_not)
    owners.serve(Receiver(sock))
    try:
        while True:
            with selectors.DefaultSelector() as selector:
                owners.register(selector)
                if not selector.get_map():
                    return
                for key, _ in selector.select(owners.wait_seconds()):
                    key.data()
            owners.work()
    finally:
        owners.close()

"""Running the web process: background work, the listening socket, what is printed, and the end."""

from __future__ import annotations

import errno
import gc
import logging
import socket
import time
from typing import TYPE_CHECKING, Final

from app.allocation import GIVE_BACK_SECONDS, give_back
from app.api.context import EXTENSION
from app.concurrency import serve_wsgi, spawn
from app.live.wiring import EMITTER

if TYPE_CHECKING:
    from flask import Flask

    from app.services.house import House

PORTS_TRIED: Final = 10
BACKLOG: Final = 128
# Python's own look through everything that lives takes a quarter of a second where much is held, every few seconds while much comes, and lets nobody run meanwhile.
YOUNG: Final = (
    5_000  # objects more than before: the youngest are looked through; ten times as many: those that survived it
)
NEVER: Final = 1 << 30
WHOLE_SECONDS: Final = 600.0  # between two looks through everything, for what refers to itself and was not found young

_log = logging.getLogger(__name__)


def start_background(app: Flask) -> None:
    """The link reader, interface statistics and the emitter."""
    house: House = app.extensions[EXTENSION]
    house.start()
    spawn(app.extensions[EMITTER].run, name="emitter")
    spawn(_give_back_memory, house, name="memory")


def _give_back_memory(house: House) -> None:
    """Every GIVE_BACK_SECONDS; what a closed session leaves is looked for a round later, when its background work has ended."""
    looked, closed, before = time.monotonic(), 0, 0
    while not house.mirror.ended:
        time.sleep(GIVE_BACK_SECONDS)
        if closed > before or time.monotonic() - looked > WHOLE_SECONDS:
            gc.collect()
            looked = time.monotonic()
        before, closed = closed, house.sessions.closed if house.sessions is not None else 0
        give_back()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on `port`, or the next free one of PORTS_TRIED; `OSError` says what failed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = port if port == 0 else min(port + PORTS_TRIED - 1, 65535)
    for number in range(port, last + 1):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, number))
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE or number == last:
                raise
            _log.info("port %d is in use", number)
            continue
        return sock
    raise OSError(errno.EADDRINUSE, f"no free port from {port} to {last}")


def serve(app: Flask, listener: socket.socket) -> None:
    """Serves until the process ends."""
    gc.freeze()  # modules stay
    gc.set_threshold(YOUNG, 10, NEVER)
    start_background(app)
    serve_wsgi(app, listener)

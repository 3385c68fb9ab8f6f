"""The server: `python wsgi.py`. Settings, broker and rights first; monkey-patching and everything else after that.

Exit status: 0 a regular end (SIGINT, SIGTERM, Quit), 1 it could not start, 2 a setting is not allowed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from app import allocation, launcher
from app.model.errors import PrivilegeError
from config import Settings, SettingsError

if TYPE_CHECKING:
    from flask import Flask

_last_words: list[Callable[[], None]] = []  # what the web process has to do before it ends
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_log = logging.getLogger("netglass")


def _end_on_signals(launched: launcher.Launched) -> None:
    """A signal ends the whole tree from within its handler. It cannot raise instead: under eventlet it runs in whatever green thread happens to
    be running, and a thread's bottom swallows SystemExit.
    """

    def end(number: int, frame: object) -> NoReturn:
        _finish(launched, 0)

    for number in _ENDING:
        signal.signal(number, end)


def _finish(launched: launcher.Launched, status: int) -> NoReturn:
    """End broker and sensor, then this process: background threads, green or real, have nothing left to do and would be waited for."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    for say in _last_words:
        try:
            say()
        except Exception:  # the end comes whatever happens
            _log.exception("something was left undone at the end")
    launched.end()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(RuntimeError, OSError):  # the signal came in the middle of a write, or nobody reads
            stream.flush()
    os._exit(status)


def _serve(settings: Settings, launched: launcher.Launched) -> None:
    """Patch, then import the rest, then serve until a signal comes. Raises OSError where no port can be listened on."""
    from app import concurrency

    concurrency.patch(settings.async_mode)

    from app import create_app
    from app.api.context import EXTENSION
    from app.link.broker_links import BrokerLinks
    from app.server import listen, serve

    listener = listen(settings.host, settings.port)
    app = create_app(
        settings, BrokerLinks(launched.receiver), uids=[launched.started_by], port=listener.getsockname()[1]
    )
    app.extensions[EXTENSION].shut_down = lambda: os.kill(os.getpid(), signal.SIGTERM)
    _last_words.append(app.extensions[EXTENSION].history.last_words)
    _announce(settings, app, listener)
    serve(app, listener)


def _announce(settings: Settings, app: Flask, listener: socket.socket) -> None:
    """Where to look, and the token for those who need one."""
    address, port = listener.getsockname()[:2]
    if settings.port not in (0, port):
        _log.warning("port %d is busy; the dashboard is on port %d", settings.port, port)
    unspecified = ipaddress.ip_address(address).is_unspecified
    host = "127.0.0.1" if unspecified else f"[{address}]" if ":" in address else address
    url = f"http://{host}:{port}/"
    print(f"Netglass is at {url.rstrip('/')}", flush=True)
    if settings.auth_token is None:
        token = app.extensions["netglass.identity"].token
        print(f"From another account or machine: {url}?token={token}", flush=True)


def _launch(settings: Settings) -> launcher.Launched:
    launched = launcher.launch(settings)
    for line in (launched.warning, None if launched.can_capture else launched.why_not):
        if line:
            _log.warning("%s", line)
    return launched


def main() -> int:
    """The exit status, where it does not get as far as serving."""
    allocation.be_frugal(os.environ)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(f"netglass: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        launched = _launch(settings)
    except PrivilegeError as error:
        print(f"netglass: {error}", file=sys.stderr)
        return 1
    _end_on_signals(launched)
    try:
        _serve(settings, launched)
    except OSError as error:
        print(f"netglass: cannot listen on {settings.host} port {settings.port}: {error.strerror}", file=sys.stderr)
        _finish(launched, 1)
    except BaseException:
        # Told where it belongs, but the others end with us.
        traceback.print_exc()
        _finish(launched, 1)
    _finish(launched, 0)


if __name__ == "__main__":
    sys.exit(main())

"""The server: `python wsgi.py`. Settings, broker and rights first; monkey-patching and everything else after that.

Exit status: 0 a regular end (SIGINT, SIGTERM, Quit), 1 it could not start, 2 a setting is not allowed.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from app import launcher
from app.model.errors import PrivilegeError
from config import Settings, SettingsError

if TYPE_CHECKING:
    from flask import Flask

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_log = logging.getLogger("netglass")


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


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
    """The exit status."""
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
    status = 0
    for number in _ENDING:
        signal.signal(number, _end)
    try:
        _serve(settings, launched)
    except SystemExit:
        pass  # a signal: the regular end
    except OSError as error:
        print(f"netglass: cannot listen on {settings.host} port {settings.port}: {error.strerror}", file=sys.stderr)
        status = 1
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        launched.end()
    return status


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # background threads, green or real, have nothing left to do and would be waited for

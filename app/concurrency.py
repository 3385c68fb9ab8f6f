"""The one module that knows eventlet: patching, leaving the hub, background work, serving.

Everything else uses plain `threading`, `queue`, `socket` and `time`; they are green after `patch("eventlet")` and real
threads otherwise. Two rules follow for callers: work that blocks without yielding (disk, psutil, long NumPy) goes through
`run_blocking`, and nothing inside `run_blocking` may touch a queue, lock or socket that green code waits on, because a
real thread cannot wake a green one.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

MODES: Final = ("eventlet", "threading")
# How long who serves waits for a thread that sums or packs, at each call of the system: Python's own 5 ms add up to 20 for one request.
SWITCH_SECONDS: Final = 0.001
MAX_CONNECTIONS: Final = 512  # served at once; more wait in the kernel's backlog
IDLE_SECONDS: Final = 120  # a keep-alive connection without a request is closed; also ends half-sent requests

_RESOLVING: Final = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")
# Imported where they are installed, by eventlet and by Socket.IO's client, and used by nothing here: 10 MB.
_UNUSED: Final = ("OpenSSL", "requests")

_log = logging.getLogger(__name__)
_mode: str = "threading"


def patch(mode: str = "eventlet") -> None:
    """Chooses the mode of this process; for eventlet replaces the blocking parts of the standard library.

    Must run before anything but the standard library is imported. `ValueError` for an unknown mode.
    """
    global _mode
    if mode not in MODES:
        raise ValueError(f"unknown concurrency mode {mode!r}: one of {', '.join(MODES)}")
    if mode == "eventlet":
        with warnings.catch_warnings():
            # eventlet warns on every import that it is in maintenance mode; known, and the threading mode is the way out
            warnings.simplefilter("ignore")
            # eventlet's own resolver costs 20 MB and knows less than the system's (nsswitch, mDNS); names are asked for in threads instead.
            os.environ["EVENTLET_NO_GREENDNS"] = "yes"
            for name in _UNUSED:
                sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # says: there is none
            import eventlet

            eventlet.monkey_patch()
            _resolve_in_threads()
    sys.setswitchinterval(SWITCH_SECONDS)
    _mode = mode


def _resolve_in_threads() -> None:
    """The system's resolver, which blocks, in real threads: the hub goes on meanwhile."""
    from eventlet import tpool
    from eventlet.green import socket as green

    def in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def asked(*args: Any, **kwargs: Any) -> Any:
            return tpool.execute(function, *args, **kwargs)

        return asked

    for name in _RESOLVING:
        function = in_thread(getattr(socket, name))
        setattr(socket, name, function)
        setattr(green, name, function)  # what its create_connection uses


def async_mode() -> str:
    """What to hand to Socket.IO as `async_mode`; never left to its guess, which takes eventlet when it is installed."""
    return _mode


def run_blocking(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs `function` where it may block: a real thread under eventlet, right here in threading mode."""
    if _mode != "eventlet":
        return function(*args, **kwargs)
    from eventlet import tpool

    result: R = tpool.execute(function, *args, **kwargs)
    return result


def shared_lock() -> threading.RLock:
    """A lock that green code and functions inside `run_blocking` may both take.

    It is the system's own under eventlet as well: a green one hangs the program as soon as a real thread has to wait for it. Hold it for moments, and
    never across anything that yields.
    """
    if _mode != "eventlet":
        return threading.RLock()
    from eventlet import patcher

    lock: threading.RLock = patcher.original("threading").RLock()
    return lock


def spawn(function: Callable[..., None], *args: Any, name: str) -> threading.Thread:
    """Starts `function` in the background for the life of the process; what it raises is logged, never lost."""

    def guarded() -> None:
        try:
            function(*args)
        except Exception:  # the top of a background thread: nobody above could report it
            _log.exception("background task %s ended", name)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread


def serve_wsgi(application: Callable[..., Any], listener: socket.socket) -> None:
    """Serves `application` on a bound, listening socket until the process ends or the socket is closed."""
    if _mode == "eventlet":
        _serve_eventlet(application, listener)
    else:
        _serve_threading(application, listener)


def _serve_eventlet(application: Callable[..., Any], listener: socket.socket) -> None:
    from eventlet import wsgi

    wsgi.server(
        listener,
        application,
        max_size=MAX_CONNECTIONS,
        log_output=False,
        debug=False,  # no traceback in a response
        socket_timeout=IDLE_SECONDS,
        capitalize_response_headers=True,
    )


def _serve_threading(application: Callable[..., Any], listener: socket.socket) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class QuietHandler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_SECONDS

        def log(self, type: str, message: str, *args: Any) -> None:  # werkzeug's name
            if type == "error":
                _log.debug(message, *args)

    host, port = listener.getsockname()[:2]
    server = make_server(host, port, application, threaded=True, request_handler=QuietHandler, fd=listener.fileno())
    try:
        server.serve_forever()
    finally:
        server.server_close()


def is_patched() -> bool:
    """Whether eventlet is loaded and has replaced `socket`; for tests and the start-up log."""
    return _mode == "eventlet" and "eventlet" in sys.modules

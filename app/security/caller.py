"""Who is calling: a process of the right user on this machine, or somebody who has the token.

Loopback alone proves nothing – every user of the machine, and every proxy on it, comes from there. The kernel's socket table tells
the uid at the other end; the server's own user, the user who started it and root (who could read this process's memory anyway) need no
token. Everybody else needs `AUTH_TOKEN` or the token printed at start, as a bearer token or once in the address, where it is
exchanged for a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

from flask import request

from app.concurrency import run_blocking
from app.security.peer import peer_uid
from app.security.refusal import refuse
from app.security.throttle import Throttle

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT: Final = 0
ENVIRON_KEY: Final = "netglass.caller"
OPEN_PATHS: Final = frozenset({"/healthz"})
SOCKET_PATH: Final = "/socket.io/"  # admitted here, refused in `connect`, where the browser is told why
PROXY_HEADERS: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_VIA")
REFUSAL: Final = "A token is needed: open the address printed at start, or send it as “Authorization: Bearer …”."


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is "uid:1000" or "token". `may_enter` False: neither the right user nor the right token."""

    name: str
    may_enter: bool


class CallerIdentity:
    """Decides who a request comes from. `token` None: a random one is made; `uids` are those that need none."""

    def __init__(self, token: str | None, uids: Iterable[int], port: int) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self.uids = frozenset({*uids, ROOT, os.geteuid()} if hasattr(os, "geteuid") else uids)
        self.port = port
        self.cookie_name = f"netglass_{port}"
        self._cookie = hmac.new(self.token.encode(), b"cookie", hashlib.sha256).hexdigest()
        self._failures = Throttle(burst=10, per_second=0.2)
        self._uids_told: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # by connection, for as long as it lives

    def identify(self, environ: WSGIEnvironment) -> Caller:
        """The caller of a request. Wrong tokens cost: after ten, even the right one waits."""
        given = self._given(environ)
        address = str(environ.get("REMOTE_ADDR", ""))
        if given is not None and not self._failures.empty(address):
            if hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
                return Caller("token", True)
            self._failures.take(address)
        if self.has_cookie(environ):
            return Caller("token", True)
        uid = self._peer(environ)
        return Caller(f"uid:{uid}" if uid is not None else "unknown", uid in self.uids)

    def throttled(self, environ: WSGIEnvironment) -> int | None:
        """Seconds to wait where too many wrong tokens came from the caller's address."""
        address = str(environ.get("REMOTE_ADDR", ""))
        return self._failures.wait_seconds(address) if self._failures.empty(address) else None

    def has_cookie(self, environ: WSGIEnvironment) -> bool:
        try:
            cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        except CookieError:
            return False
        morsel = cookies.get(self.cookie_name)
        return morsel is not None and hmac.compare_digest(
            morsel.value.encode("utf-8", "replace"), self._cookie.encode()
        )

    def cookie_header(self) -> str:
        return f"{self.cookie_name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"

    def admits(self, token: object, environ: WSGIEnvironment) -> bool:
        """Whether a token sent by other means (Socket.IO's `auth`) is the right one; wrong ones cost as well."""
        address = str(environ.get("REMOTE_ADDR", ""))
        if not isinstance(token, str) or self._failures.empty(address):
            return False
        right = hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        if not right:
            self._failures.take(address)
        return right

    def _given(self, environ: WSGIEnvironment) -> str | None:
        scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer":
            return str(value.strip())
        return dict(_arguments(environ)).get("token")

    def _peer(self, environ: WSGIEnvironment) -> int | None:
        """The uid behind a loopback connection; None for others, for proxied requests and where the kernel does not tell."""
        if any(header in environ for header in PROXY_HEADERS):
            return None
        try:
            peer = (str(environ.get("REMOTE_ADDR", "")).partition("%")[0], int(environ.get("REMOTE_PORT", 0)))
            if not ip_address(peer[0]).is_loopback and not _mapped_loopback(peer[0]):
                return None
        except ValueError:
            return None
        connection = _connection(environ)
        uid = None if connection is None else self._uids_told.get(connection)
        if uid is not None:
            return uid  # a socket's owner never changes, and the kernel's table takes 3 ms to read
        # A loopback connection has the same address on both ends unless it was made between two of 127.0.0.0/8.
        uid = run_blocking(peer_uid, peer, _server_end(connection) or (peer[0], self.port))
        if uid is not None and connection is not None:
            self._uids_told[connection] = uid
        return uid


def _arguments(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """The query string; nothing where it has more parts than any of our addresses."""
    try:
        return parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return []


def _mapped_loopback(text: str) -> bool:
    mapped = getattr(ip_address(text), "ipv4_mapped", None)
    return mapped is not None and bool(mapped.is_loopback)


def _connection(environ: WSGIEnvironment) -> Any:
    """The socket of a request, as the server hands it down: the same one for all requests of a connection. None where there is none."""
    sock = environ.get("werkzeug.socket")
    if sock is None and (stream := environ.get("eventlet.input")) is not None:
        sock = stream.get_socket()
    return sock


def _server_end(connection: Any) -> tuple[str, int] | None:
    """Our end of a connection."""
    if connection is None:
        return None
    try:
        name = connection.getsockname()
    except OSError:
        return None
    return (str(name[0]).partition("%")[0], int(name[1])) if isinstance(name, tuple) else None


class CallerGuard:
    """A WSGI layer: nobody without right or token gets further, except to liveness and to Socket.IO's own check."""

    def __init__(self, application: WSGIApplication, identity: CallerIdentity) -> None:
        self._application = application
        self._identity = identity

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        caller = self._identity.identify(environ)
        environ[ENVIRON_KEY] = caller
        path = environ.get("PATH_INFO", "")
        if path in OPEN_PATHS or path.startswith(SOCKET_PATH):
            return self._application(environ, start_response)
        if not caller.may_enter:
            wait = self._identity.throttled(environ)
            if wait is not None:
                return refuse(start_response, 429, "Too many wrong tokens.", [("Retry-After", str(wait))])
            return refuse(start_response, 401, REFUSAL, [("WWW-Authenticate", 'Bearer realm="netglass"')])
        arguments = _arguments(environ)
        if environ.get("REQUEST_METHOD") == "GET" and any(name == "token" for name, _ in arguments):
            return self._exchange(path, arguments, caller, start_response)
        return self._application(environ, start_response)

    def _exchange(
        self, path: str, arguments: list[tuple[str, str]], caller: Caller, start_response: StartResponse
    ) -> list[bytes]:
        """Takes the token out of the address bar and history, and leaves a cookie in its place."""
        rest = urlencode([(name, value) for name, value in arguments if name != "token"])
        target = "/" + path.encode("latin-1", "replace").decode("utf-8", "replace").lstrip("/\\")
        location = urlencode({"": target})[1:].replace("%2F", "/") + (f"?{rest}" if rest else "")
        headers = [("Location", location), ("Content-Length", "0"), ("Cache-Control", "no-store")]
        if caller.name == "token":
            headers.append(("Set-Cookie", self._identity.cookie_header()))
        start_response("303 See Other", headers)
        return []


def caller_name() -> str:
    """The caller of the current request, as the services know users."""
    caller = request.environ.get(ENVIRON_KEY)
    return caller.name if isinstance(caller, Caller) else "unknown"

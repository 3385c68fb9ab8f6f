"""Refuses requests that were sent to another name than ours: the remedy against DNS rebinding.

A WSGI layer around everything, because Socket.IO answers before Flask is asked. Names must be configured; addresses must be loopback or
the machine's own, and those only where the server listens on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from app.security.refusal import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class HostGuard:
    """`own_addresses` gives the machine's addresses; asked only where the server listens beyond loopback."""

    def __init__(
        self,
        application: WSGIApplication,
        bind_host: str,
        allowed_hosts: Iterable[str] = (),
        own_addresses: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._application = application
        self._allowed = LOOPBACK_NAMES | {name.strip("[]").lower() for name in allowed_hosts}
        self._wildcard = bind_host in ("0.0.0.0", "::", "")
        if not self._wildcard:
            self._allowed |= {bind_host.strip("[]").lower()}
        self._own_addresses = own_addresses

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = host_name(environ.get("HTTP_HOST", ""))
        if name is None or not self._is_ours(name):
            return refuse(start_response, 421, "This server does not answer to that host name; see ALLOWED_HOSTS.")
        return self._application(environ, start_response)

    def _is_ours(self, name: str) -> bool:
        if name in self._allowed:
            return True
        try:
            address = str(ip_address(name))
        except ValueError:
            return False
        return address in self._allowed or (self._wildcard and address in self._own_addresses())


def host_name(header: str) -> str | None:
    """The name in a Host header without its port, lower case, an IPv6 address without brackets; None if malformed."""
    host = header.strip().lower()
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        if not bracket:
            return None
    else:
        name, colon, digits = host.partition(":")
        rest = colon + digits
    if rest and not (rest.startswith(":") and rest[1:].isascii() and rest[1:].isdigit()):
        return None
    return name.removesuffix(".") or None

"""Refuses what another web site made the browser send: by Origin on every route, by fetch metadata where something is changed.

Forwarded headers are never believed: anybody can write them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from app.security.refusal import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITE: Final = frozenset({"same-origin", "none"})  # none: the user typed the address or used a bookmark


class SameOrigin:
    """A WSGI layer inside the host guard, which has checked the Host that origins are compared with."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if foreign_origin(environ) or foreign_fetch(environ):
            return refuse(start_response, 403, "This request comes from another site.")
        return self._application(environ, start_response)


def foreign_origin(environ: WSGIEnvironment) -> bool:
    """Whether the request has an Origin that is not this server as the browser calls it. `null` is foreign."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return False
    scheme, _, authority = origin.lower().partition("://")
    default_port = {"http": ":80", "https": ":443"}.get(scheme)
    if default_port is None:
        return True
    host = environ.get("HTTP_HOST", "").strip().lower()
    return bool(authority.removesuffix(default_port) != host.removesuffix(default_port))


def foreign_fetch(environ: WSGIEnvironment) -> bool:
    """Whether fetch metadata says that another site began the request. Browsers always send it; scripts do not, and need not.

    Another site may send the user here by a link, which is a GET of a page; nothing else.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is None or site in OWN_SITE:
        return False
    if environ.get("REQUEST_METHOD") not in SAFE_METHODS:
        return True
    a_link = environ.get("HTTP_SEC_FETCH_MODE") == "navigate" and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    return not (a_link and environ.get("PATH_INFO") == "/")

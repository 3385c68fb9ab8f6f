"""The order of the layers around the application, outermost first: headers, host, origin, caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.security.caller import CallerGuard, CallerIdentity
from app.security.headers import SecurityHeaders
from app.security.host_guard import HostGuard
from app.security.same_origin import SameOrigin

if TYPE_CHECKING:
    from flask import Flask

    from app.services.house import House
    from config import Settings


def guard(app: Flask, settings: Settings, house: House, identity: CallerIdentity) -> None:
    """Puts the layers around everything, Socket.IO included: must come after it was added."""
    inner = SameOrigin(CallerGuard(app.wsgi_app, identity))
    host = HostGuard(inner, settings.host, settings.allowed_hosts, house.interfaces.addresses)
    app.wsgi_app = SecurityHeaders(host)  # type: ignore[method-assign]

"""Socket.IO put around the Flask application."""

from __future__ import annotations

from flask import Flask
from flask_socketio import SocketIO

from app.concurrency import async_mode
from app.live.emitter import Emitter
from app.live.encoding import LiveJson
from app.live.namespace import Live
from app.security.caller import CallerIdentity
from app.services.house import House
from app.services.subscriptions import Subscriptions

EMITTER = "netglass.emitter"


def add_live(app: Flask, house: House, identity: CallerIdentity) -> SocketIO:
    """Registers the namespace; the emitter waits in `app.extensions` until the background work is started.

    Origins: the same-origin layer has refused every foreign one before Socket.IO sees the request, by the Host that the host guard
    admitted. Socket.IO's own check would believe forwarded headers, so it is told not to look.
    """
    socketio = SocketIO(
        app,
        async_mode=async_mode(),
        cors_allowed_origins=_own_origin,
        cors_credentials=False,
        ping_interval=10,
        ping_timeout=10,
        max_http_buffer_size=65_536,
        manage_session=False,
        logger=False,
        engineio_logger=False,
        always_connect=False,
        serializer="default",
        json=LiveJson,
    )
    subscriptions = Subscriptions()
    if house.sessions is not None:
        house.sessions.on_end = subscriptions.end_session
    socketio.on_namespace(Live(house, identity, subscriptions))
    emitter = Emitter(socketio.server, house.mirror, subscriptions)
    house.live_load = emitter.load
    app.extensions[EMITTER] = emitter
    return socketio


def _own_origin(origin: str | None, environ: dict[str, str]) -> bool:
    """Whether an Origin is the server as the request calls it; forwarded headers are not looked at. Scripts send none."""
    if origin is None:
        return True
    host = environ.get("HTTP_HOST", "").lower()
    return origin.lower() in (f"http://{host}", f"https://{host}")

"""Netglass, a network monitor for the browser. `create_app` wires the web process together and does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from app.services.sensor_link import LinkSource
    from app.services.sessions import NewSensor
    from config import Settings


def create_app(
    settings: Settings,
    source: LinkSource,
    *,
    uids: Iterable[int] = (),
    port: int | None = None,
    read_interfaces: Callable[[], list[dict[str, Any]]] | None = None,
    new_sensor: NewSensor | None = None,
) -> Flask:
    """The WSGI application with REST and Socket.IO; nothing runs until `app.server.start_background`.

    `source` gives links to sensors, `uids` are users of this machine that need no token beside the server's own, `port` the one that
    is listened on (cookies are named with it), `new_sensor` makes the sensor of a session beside the live capture. After `concurrency.patch`, because the imports below must see a patched library.
    """
    from flask import Flask

    from app.api import errors, etags, limits, static_files, upload
    from app.api.context import EXTENSION
    from app.api.registry import BLUEPRINTS
    from app.host.processes import UsageMeter
    from app.live.wiring import add_live
    from app.security.caller import CallerIdentity
    from app.security.layers import guard
    from app.services.file_sensor import FileSensor
    from app.services.house import House
    from app.services.sessions import Sessions

    reader = read_interfaces or _interface_reader()

    app = Flask(__name__, static_folder=None)
    app.request_class = upload.UploadRequest
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.config["MAX_FORM_PARTS"] = 16
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    house = House.build(settings, source, reader, UsageMeter().read)
    house.sessions = Sessions(house, new_sensor or FileSensor)
    identity = CallerIdentity(settings.auth_token, uids, port if port is not None else settings.port)
    app.extensions[EXTENSION] = house
    app.extensions["netglass.identity"] = identity
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    errors.install(app)
    limits.install(app)
    etags.install(app)
    static_files.install(app)
    add_live(app, house, identity)
    guard(app, settings, house, identity)
    return app


def _interface_reader() -> Callable[[], list[dict[str, Any]]]:
    from app.host.interfaces import interface_statistics

    return interface_statistics

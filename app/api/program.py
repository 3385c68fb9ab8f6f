"""The program itself: is it alive, its settings, its help, the legal notice, and its end."""

from __future__ import annotations

import os
import threading
from typing import Any

from flask import Blueprint, Response, jsonify

from app.api.context import json_object, live_house, only_arguments
from app.concurrency import run_blocking
from app.host.own_processes import own_processes
from app.security.caller import caller_name
from app.services.about import about
from app.services.help_texts import help_texts
from app.services.query_errors import BadRequest
from app.services.settings_view import settings_view

blueprint = Blueprint("program", __name__)

LAST_WORDS_SECONDS = 0.3  # so that the answer leaves before the server does


@blueprint.get("/healthz")
def alive() -> Response:
    """Liveness: answers as long as the web process does. Needs no token and tells nothing else but the sensor's state."""
    return jsonify({"status": "ok", "sensor": live_house().mirror.sensor.state})


@blueprint.get("/api/help")
def explanations() -> Response:
    """An explanation of every metric shown anywhere; `table.name` too where two tables use a name for different things."""
    only_arguments()
    return jsonify(help_texts())


@blueprint.get("/api/interfaces")
def interfaces() -> Response:
    """The machine's interfaces, physical ones first, with their rates."""
    only_arguments()
    return jsonify(live_house().interfaces.document())


@blueprint.get("/api/settings")
def settings() -> Response:
    """The settings in force; secrets are masked. Read only: they come from the environment."""
    only_arguments()
    services = live_house()
    probes = services.probes.document()
    statuses = {
        "GEOIP_DB": services.places.document(),
        "IPINFO_TOKEN": probes["ipinfo"],
        "RESOLVE_HOSTNAMES": probes["names"],
        "MEASURE_LATENCY": probes["latency"],
    }
    return jsonify(settings_view(services.settings, statuses))


@blueprint.get("/api/about")
def made_of() -> Response:
    """Packages and files of others with versions and licences, and what each process of this program takes."""
    only_arguments()
    found = run_blocking(own_processes, os.getpid(), live_house().mirror.sensor.pid)
    return jsonify({**run_blocking(about), "processes": found})


@blueprint.get("/api/legal")
def legal() -> Response:
    """The legal notice and whether this user has accepted it."""
    only_arguments()
    return jsonify(live_house().legal.state(caller_name()))


@blueprint.post("/api/legal")
def accept() -> Response:
    """Accepts the legal notice: `{"accepted": true}`."""
    only_arguments()
    body: dict[str, Any] = json_object()
    if body.get("accepted") is not True:
        raise BadRequest("accepted is not true", "accepted", ["true"])
    return jsonify(live_house().legal.accept(caller_name()))


@blueprint.post("/api/shutdown")
def shutdown() -> Response:
    """Ends Netglass: capture, sensor and server."""
    only_arguments()
    timer = threading.Timer(LAST_WORDS_SECONDS, live_house().shut_down)
    timer.daemon = True
    timer.start()
    return jsonify({"status": "shutting down"})

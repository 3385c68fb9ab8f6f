"""Entropy of flows, and its logs."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, request, send_file

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.services.entropy_view import DEFAULT_TOP, MAX_TOP, EntropyRequest, entropy_document

blueprint = Blueprint("entropy", __name__)


@blueprint.get("/api/entropy")
def entropy() -> Response:
    """Current entropy of flows in both directions with interval, verdict, alert state and samples: `top`, `protocol`, `ip`."""
    only_arguments("top", "protocol", "ip")
    top = whole_number("top", DEFAULT_TOP, 1, MAX_TOP)
    wanted = EntropyRequest.parse(top, request.args.get("protocol"), request.args.get("ip"))
    return jsonify(run_blocking(entropy_document, house().mirror, wanted))


@blueprint.get("/api/logs")
def logs() -> Response:
    """The entropy logs, newest first, and how writing goes."""
    only_arguments()
    recorder = house().entropy_recorder
    state = {**recorder.log.state(), "enabled": recorder.enabled, "waiting_lost": house().mirror.entropy.unlogged_lost}
    return jsonify({"logs": run_blocking(recorder.log.listing), "state": state})


@blueprint.get("/api/logs/<name>")
def log(name: str) -> Response:
    """One log as CSV."""
    only_arguments()
    path = house().entropy_recorder.log.path_of(name)
    if path is None:
        abort(404, "There is no log of that name; /api/logs lists them.")
    return send_file(path, mimetype="text/csv", as_attachment=True, download_name=path.name, etag=False, max_age=0)

"""Views that the calling user keeps."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.api.context import house, json_object, only_arguments
from app.security.caller import caller_name

blueprint = Blueprint("saved_views", __name__)


@blueprint.get("/api/saved_views")
def listed() -> Response:
    """The views that the calling user keeps: `[{id, name, page, parameters}]`, the newest last."""
    only_arguments()
    return jsonify(house().saved_views.listed(caller_name()))


@blueprint.post("/api/saved_views")
def add() -> tuple[Response, int]:
    """Keeps a view: `{name, page, parameters}`; one of the same name is replaced."""
    only_arguments()
    return jsonify(house().saved_views.add(caller_name(), json_object())), 201


@blueprint.post("/api/saved_views/<view_id>")
def rename(view_id: str) -> Response:
    """Gives a view another name: `{name}`."""
    only_arguments()
    return jsonify(house().saved_views.rename(caller_name(), view_id, json_object()))


@blueprint.delete("/api/saved_views/<view_id>")
def remove(view_id: str) -> Response:
    """Forgets a view."""
    only_arguments()
    house().saved_views.remove(caller_name(), view_id)
    return jsonify({"status": "removed"})

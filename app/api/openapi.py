"""The interface described by itself: OpenAPI 3.1 out of the routes and the table of fields, and a page of it to read."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template

from app.api.api_document import api_document
from app.api.context import only_arguments

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
def document() -> Response:
    """This description."""
    only_arguments()
    return jsonify(_document())


@blueprint.get("/api/reference")
def reference() -> str:
    """The same as a page."""
    only_arguments()
    return render_template("reference.html", document=_document())


def _document() -> dict[str, Any]:
    return api_document(
        current_app.url_map, {name: view.__doc__ or "" for name, view in current_app.view_functions.items()}
    )

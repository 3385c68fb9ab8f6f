"""What can be written in a search box."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments
from app.services.query_words import query_words

blueprint = Blueprint("query_words", __name__)


@blueprint.get("/api/query_fields")
def fields() -> Response:
    """The fields of the query language over a `list` (connections, packets, hosts, history, dns, tls, http, logins, alerts, cards), with their values."""
    only_arguments("list")
    return jsonify(query_words(request.args.get("list", "connections"), house().interface_names()))

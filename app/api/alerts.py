"""Alerts: what the detectors said, newest first."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query, parse_fact_sort

blueprint = Blueprint("alerts", __name__)

MAX_LIMIT = 5_000
MAX_OFFSET = 20_000


@blueprint.get("/api/alerts")
@blueprint.get("/api/anomalies")
def alerts() -> Response:
    """Alerts, newest first: `limit`, `offset`, `sort`, `q`."""
    only_arguments("limit", "offset", "sort", "q")
    wanted = FactRequest(
        "alerts",
        whole_number("limit", 200, 1, MAX_LIMIT),
        whole_number("offset", 0, 0, MAX_OFFSET),
        0,
        parse_fact_sort("alerts", request.args.get("sort", "")),
        request.args.get("q", ""),
    )
    parse_fact_query("alerts", wanted.q)
    mirror = house().mirror
    page = run_blocking(fact_page, mirror.newest_alerts(), wanted, mirror.now_ns)
    response = jsonify(page.documents)
    response.headers["X-Total-Count"] = str(page.total)
    end = wanted.offset + wanted.limit
    if end < page.total and end <= MAX_OFFSET:
        kept = {key: value for key, value in request.args.items() if key != "offset"}
        response.headers["Link"] = f'<{request.path}?{urlencode({**kept, "offset": str(end)})}>; rel="next"'
    return response

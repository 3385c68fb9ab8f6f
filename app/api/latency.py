"""Latency and loss by remote host, network and interface over REST."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.services.latency import GROUPINGS, LatencyRequest, latency_page, parse_latency_query, parse_latency_sort
from app.services.query_errors import BadRequest

blueprint = Blueprint("latency", __name__)

MAX_LIMIT = 2_000
MAX_OFFSET = 1_000_000


@blueprint.get("/api/latency")
def listing() -> Response:
    """Round trips, retransmissions and DNS answers `by` host, network or interface, most connections first: `limit`, `offset`, `sort`, `q`."""
    only_arguments("by", "limit", "offset", "sort", "q")
    by = request.args.get("by") or "host"
    if by not in GROUPINGS:
        raise BadRequest(f"by={by[:40]!r} is not allowed", "by", list(GROUPINGS))
    wanted = LatencyRequest(
        by,
        whole_number("limit", 200, 1, MAX_LIMIT),
        whole_number("offset", 0, 0, MAX_OFFSET),
        parse_latency_sort(request.args.get("sort", "")),
        request.args.get("q", ""),
    )
    parse_latency_query(wanted.q)
    services = house()
    mirror = services.mirror
    dns = mirror.newest_facts("dns")
    found, total = run_blocking(
        latency_page, mirror.flow_view(), dns, services.interface_names(), wanted, mirror.now_ns
    )
    response = jsonify(found)
    response.headers["X-Total-Count"] = str(total)
    if wanted.offset + len(found) < total and found:
        kept = {**request.args.to_dict(), "offset": str(wanted.offset + len(found))}
        response.headers["Link"] = f'<{request.path}?{urlencode(kept)}>; rel="next"'
    return response

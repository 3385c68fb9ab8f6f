"""Packets: the newest ones, and one taken apart."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments, whole_number
from app.services.packet_list import MAX_OFFSET, packet_detail, packet_page
from app.services.query_errors import NotThere

blueprint = Blueprint("packets", __name__)

MAX_LIMIT = 1_000
LAST_ID = (1 << 63) - 1


@blueprint.get("/api/packets")
def listing() -> Response:
    """Packets, newest first: `limit`, `offset` or `cursor` (only packets before this number), `sort` by id, `q`."""
    only_arguments("limit", "offset", "cursor", "sort", "q")
    page = packet_page(
        house(),
        whole_number("limit", 100, 1, MAX_LIMIT),
        whole_number("offset", 0, 0, MAX_OFFSET),
        whole_number("cursor", 0, 0, LAST_ID),
        request.args.get("q", ""),
        request.args.get("sort", ""),
    )
    response = jsonify(page.packets)
    response.headers["X-Packets-Source"] = page.source
    if page.next_before:
        kept = {key: value for key, value in request.args.items() if key not in ("cursor", "offset")}
        response.headers["Link"] = f'<{request.path}?{urlencode({**kept, "cursor": page.next_before})}>; rel="next"'
    return response


@blueprint.get("/api/packets/<int:packet_id>")
def dissection(packet_id: int) -> Response:
    """One packet: its row, the dissection tree and the hex dump. 404 once it has left the ring of kept packets."""
    only_arguments()
    if not 0 < packet_id <= LAST_ID:
        raise NotThere(f"There is no packet {packet_id}; numbers begin at 1.")
    return jsonify(packet_detail(house(), packet_id))

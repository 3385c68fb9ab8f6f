"""Connections: the flow table as a list."""

from __future__ import annotations

import json

from flask import Blueprint, Response, jsonify, request

from app.api import history
from app.api.context import house, json_object, linked, moment, only_arguments, switch, whole_number
from app.concurrency import run_blocking
from app.services.connection_detail import connection_detail
from app.services.connections import Rows, connections
from app.services.flow_mirror import FlowView
from app.services.history_pages import connection_page
from app.services.queries import MAX_LIMIT, MAX_OFFSET, Page, PageRequest, parse_query, parse_sort, select
from app.services.query_times import timed

blueprint = Blueprint("connections", __name__)

LIST_ARGUMENTS = ("limit", "offset", "cursor", "sort", "q")
TIME_ARGUMENTS = ("from", "to", "history")


@blueprint.get("/api/connections")
def listing() -> Response:
    """All connections, newest first: `limit`, `offset` or `cursor`, `sort`, `q`, `from`, `to`; with `history=1` those that were kept."""
    only_arguments(*LIST_ARGUMENTS, *TIME_ARGUMENTS)
    wanted = _request({})
    if switch("history"):
        asked = history.sorted_span("flows", request.args.get("sort", ""))
        return history.page(connection_page(house().history, asked, wanted.limit, wanted.cursor, wanted.offset))
    return _page(wanted)


@blueprint.post("/api/connections/filter")
def filtered() -> Response:
    """Connections that meet every condition of the body."""
    only_arguments(*LIST_ARGUMENTS)
    return _page(_request(json_object()))


@blueprint.get("/api/connections/<int:flow_id>")
def detail(flow_id: int) -> Response:
    """One connection, and what was read in it: DNS, TLS, HTTP, logins. 404 once it is no longer held."""
    only_arguments()
    services = house()
    return jsonify(connection_detail(services.mirror, flow_id, services.interface_names()))


def _request(conditions: dict[str, object]) -> PageRequest:
    text = request.args.get("q", "")
    first, last = moment("from"), moment("to")
    if (first or last) and not switch("history"):
        text = timed(parse_query(text, house().interface_names()), "start", "end", first, last)
    return PageRequest(
        limit=whole_number("limit", 1_000, 1, MAX_LIMIT),
        offset=whole_number("offset", 0, 0, MAX_OFFSET),
        cursor=request.args.get("cursor") or None,
        sort=() if switch("history") else parse_sort(request.args.get("sort", "")),
        q=text,
        conditions=conditions,
    )


def _page(wanted: PageRequest) -> Response:
    services = house()
    view = services.mirror.flow_view()
    body, page = run_blocking(_document, view, wanted, services.interface_names(), services.mirror.now_ns)
    response = Response(body, content_type="application/json")
    response.headers["X-Total-Count"] = str(page.total)
    return linked(response, {"cursor": page.next_cursor} if page.next_cursor is not None else None)


def _document(view: FlowView, wanted: PageRequest, names: list[str], now_ns: int) -> tuple[bytes, Page]:
    """One page as JSON. Pure work in a real thread: 10,000 connections take half a second to write."""
    page = select(view, wanted, names, now_ns)
    rows = connections(Rows.of(view, page.indices, names))
    return json.dumps(rows, separators=(",", ":"), allow_nan=False).encode(), page

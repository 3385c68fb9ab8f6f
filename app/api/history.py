"""History: what was seen in a time in the past, beside the time before it."""

from __future__ import annotations

import time
from dataclasses import replace

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, linked, moment, only_arguments, switch, whole_number
from app.model.timestamps import rfc3339
from app.services.history_pages import LAST_NS, HistoryPage, Span, checked, document_page
from app.services.history_summary import summary, top
from app.services.query_errors import BadRequest
from app.store.fields import FIELDS

blueprint = Blueprint("history", __name__)

MAX_TOP = 1_000
MAX_DOCUMENTS = 5_000
MAX_OFFSET = 1_000_000


@blueprint.get("/api/history")
def state() -> Response:
    """How the writing of history goes, what it takes and how far it reaches back."""
    only_arguments()
    services = house()
    history = services.history
    if history.enabled and history.pid is not None:
        history.refresh()
    found = history.state
    return jsonify(
        {
            "enabled": history.enabled,
            "oldest": rfc3339(found.oldest_ns or 0),
            "rows_written": found.rows_written,
            "rows_waiting": history.collector.waiting,
            "rows_lost": history.collector.lost,
            "errors": found.errors,
            "problem": found.problem,
            "used_bytes": found.used_bytes,
            "max_bytes": services.settings.history_max_mb * 1024 * 1024,
            "free_disk_bytes": found.free_disk_bytes,
            "days": services.settings.history_days,
            "counts": found.counts,
        }
    )


@blueprint.get("/api/history/summary")
def summed() -> Response:
    """Totals, top lists and a curve of `from` to `to`; with `compare=1` beside those of the time before; `q` as for connections."""
    only_arguments("from", "to", "q", "compare")
    return jsonify(summary(house().history, span(), switch("compare")))


@blueprint.get("/api/history/top")
def listed() -> Response:
    """Most bytes `by` app, process, protocol, country, host, local, name, port or category, in `from` to `to`."""
    only_arguments("by", "from", "to", "q", "limit")
    wanted = span()
    checked("flows", wanted.q)
    limit = whole_number("limit", 20, 1, MAX_TOP)
    return jsonify(top(house().history, request.args.get("by", "app"), wanted, limit))


@blueprint.get("/api/history/processes")
def started() -> Response:
    """Programs with connections that were started in `from` to `to`, newest first: `limit`, `offset`."""
    return _documents("processes")


@blueprint.get("/api/history/mutes")
def muted() -> Response:
    """Mute rules that were made in `from` to `to`, also those that were taken back (`removed`), newest first: `limit`, `offset`."""
    return _documents("mutes")


def _documents(table: str) -> Response:
    only_arguments("from", "to", "limit", "offset")
    limit, offset = whole_number("limit", 200, 1, MAX_DOCUMENTS), whole_number("offset", 0, 0, MAX_OFFSET)
    return page(document_page(house().history, table, span(), limit, offset))


def span() -> Span:
    """The time of a request. `BadRequest` where it ends before it begins."""
    first, last = moment("from"), moment("to")
    if first is not None and last is not None and last < first:
        raise BadRequest("to is before from", "to", ["a time after from"])
    return Span(first or 0, LAST_NS if last is None else last, request.args.get("q", ""), time.time_ns())


def sorted_span(kind: str, sort: str) -> Span:
    """The time of a request with its `sort` as a part of the query. `BadRequest` names what cannot be sorted by."""
    wanted = span()
    for key in filter(None, (part.strip() for part in sort.split(","))):
        if FIELDS[kind].get(key.lstrip("+-")) is None:
            raise BadRequest(f"cannot sort by {key.lstrip('+-')[:60]!r} in history", "sort", FIELDS[kind].names)
        wanted = replace(wanted, q=f"{wanted.q} sort:{key.lstrip('+')}".strip())
    return wanted


def page(found: HistoryPage) -> Response:
    """A page of history as a list answers it."""
    response = jsonify(found.documents)
    response.headers["X-Total-Count"] = str(found.total)
    if found.next_cursor is not None:
        return linked(response, {"cursor": found.next_cursor})
    return linked(response, {"offset": str(found.next_offset)} if found.next_offset else None)

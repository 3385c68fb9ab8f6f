"""What was read in the traffic: DNS, TLS, HTTP, logins. One list each, all with the same parameters."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.api import history
from app.api.context import house, linked, moment, only_arguments, switch, whole_number
from app.concurrency import run_blocking
from app.services import history_pages
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query, parse_fact_sort
from app.services.query_times import timed
from app.services.rare_names import rare_names

blueprint = Blueprint("facts", __name__)

MAX_LIMIT = 5_000
MAX_OFFSET = 20_000
MAX_RARE = 1_000
LAST_NUMBER = (1 << 63) - 1


@blueprint.get("/api/dns_queries")
def dns_queries() -> Response:
    """DNS queries with their answers, newest first: `limit`, `offset` or `cursor`, `sort`, `q`."""
    return _listing("dns")


@blueprint.get("/api/tls")
def tls() -> Response:
    """Client hellos of TLS, DTLS and QUIC, with what the server answered."""
    return _listing("tls")


@blueprint.get("/api/http")
def http() -> Response:
    """HTTP requests with their responses."""
    return _listing("http")


@blueprint.get("/api/logins")
def logins() -> Response:
    """Logins that went over the wire unencrypted; never the password."""
    return _listing("logins")


@blueprint.get("/api/rare_names")
def rarest() -> Response:
    """Names asked for least often, in DNS queries and client hellos together: `limit`."""
    only_arguments("limit")
    limit = whole_number("limit", 20, 1, MAX_RARE)
    mirror = house().mirror
    return jsonify(run_blocking(rare_names, {kind: mirror.newest_facts(kind) for kind in ("dns", "tls")}, limit))


def _listing(kind: str) -> Response:
    only_arguments("limit", "offset", "cursor", "sort", "q", "from", "to", "history")
    limit, offset = whole_number("limit", 200, 1, MAX_LIMIT), whole_number("offset", 0, 0, MAX_OFFSET)
    sort = request.args.get("sort", "")
    if switch("history"):
        wanted = history.sorted_span(kind, sort)
        return history.page(
            history_pages.fact_page(house().history, kind, wanted, limit, request.args.get("cursor"), offset)
        )
    query = parse_fact_query(kind, request.args.get("q", ""))
    asked = FactRequest(
        kind,
        limit,
        offset,
        whole_number("cursor", 0, 1, LAST_NUMBER),
        parse_fact_sort(kind, sort),
        timed(query, "time", "time", moment("from"), moment("to")),
    )
    mirror = house().mirror
    page = run_blocking(fact_page, mirror.newest_facts(kind), asked, mirror.now_ns)
    response = jsonify(page.documents)
    response.headers["X-Total-Count"] = str(page.total)
    if page.next_before:  # by number in the usual order, by place in any other
        return linked(response, {"cursor": str(page.next_before)})
    return linked(response, {"offset": str(page.next_offset)} if page.next_offset else None)

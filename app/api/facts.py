"""What was read in the traffic: DNS, TLS, HTTP, logins. One list each, all with the same parameters."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.services.fact_lists import FactPage, FactRequest, fact_page, parse_fact_query, parse_fact_sort

blueprint = Blueprint("facts", __name__)

MAX_LIMIT = 5_000
MAX_OFFSET = 20_000
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


def _listing(kind: str) -> Response:
    only_arguments("limit", "offset", "cursor", "sort", "q")
    wanted = FactRequest(
        kind,
        whole_number("limit", 200, 1, MAX_LIMIT),
        whole_number("offset", 0, 0, MAX_OFFSET),
        whole_number("cursor", 0, 1, LAST_NUMBER),
        parse_fact_sort(kind, request.args.get("sort", "")),
        request.args.get("q", ""),
    )
    parse_fact_query(kind, wanted.q)
    mirror = house().mirror
    page = run_blocking(fact_page, mirror.newest_facts(kind), wanted, mirror.now_ns)
    response = jsonify(page.documents)
    response.headers["X-Total-Count"] = str(page.total)
    if page.next_before or page.next_offset:
        response.headers["Link"] = f'<{request.path}?{urlencode(_next(page))}>; rel="next"'
    return response


def _next(page: FactPage) -> dict[str, str]:
    """Parameters of the next page: by number in the usual order, by place in any other."""
    kept = {key: value for key, value in request.args.items() if key not in ("cursor", "offset")}
    if page.next_before:
        return {**kept, "cursor": str(page.next_before)}
    return {**kept, "offset": str(page.next_offset)}

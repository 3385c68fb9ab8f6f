"""Payment card numbers that were seen in the clear: the list, and a report to print."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, render_template, request

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.services.card_report import card_report
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query, parse_fact_sort

blueprint = Blueprint("cards", __name__)

MAX_LIMIT = 5_000
MAX_OFFSET = 20_000


@blueprint.get("/api/cards")
def cards() -> Response:
    """Findings, newest first: `limit`, `offset` or `cursor`, `sort`, `q`. Numbers are masked."""
    only_arguments("limit", "offset", "cursor", "sort", "q")
    wanted = FactRequest(
        "cards",
        whole_number("limit", 200, 1, MAX_LIMIT),
        whole_number("offset", 0, 0, MAX_OFFSET),
        whole_number("cursor", 0, 1, (1 << 63) - 1),
        parse_fact_sort("cards", request.args.get("sort", "")),
        request.args.get("q", ""),
    )
    parse_fact_query("cards", wanted.q)
    mirror = house().mirror
    page = run_blocking(fact_page, mirror.newest_cards(), wanted, mirror.now_ns)
    response = jsonify(page.documents)
    response.headers["X-Total-Count"] = str(page.total)
    if page.next_before or page.next_offset:
        kept = {key: value for key, value in request.args.items() if key not in ("cursor", "offset")}
        following = {"cursor": page.next_before} if page.next_before else {"offset": page.next_offset}
        response.headers["Link"] = f'<{request.path}?{urlencode({**kept, **following})}>; rel="next"'
    return response


@blueprint.get("/api/cards/report")
def report() -> str:
    """What was watched, when, how much of it, and what was found: a page of HTML to print, for an assessor."""
    only_arguments()
    return render_template("card_report.html", report=run_blocking(card_report, house().mirror))

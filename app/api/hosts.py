"""Hosts: who takes part in the flows that are held, where they are, and traffic by country."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.services.hosts import HostRequest, host_detail, host_page, parse_host_query, parse_host_sort
from app.services.world import world

blueprint = Blueprint("hosts", __name__)

MAX_LIMIT = 2_000
MAX_OFFSET = 1_000_000


@blueprint.get("/api/hosts")
def listing() -> Response:
    """Local and remote hosts, most traffic first: `limit`, `offset`, `sort`, `q`."""
    only_arguments("limit", "offset", "sort", "q")
    wanted = HostRequest(
        whole_number("limit", 200, 1, MAX_LIMIT),
        whole_number("offset", 0, 0, MAX_OFFSET),
        parse_host_sort(request.args.get("sort", "")),
        request.args.get("q", ""),
    )
    parse_host_query(wanted.q)
    mirror = house().mirror
    found, total = run_blocking(host_page, mirror.flow_view(), wanted, mirror.own_keys(), mirror.now_ns)
    response = jsonify(found)
    response.headers["X-Total-Count"] = str(total)
    if wanted.offset + len(found) < total and found:
        kept = {**request.args.to_dict(), "offset": str(wanted.offset + len(found))}
        response.headers["Link"] = f'<{request.path}?{urlencode(kept)}>; rel="next"'
    return response


@blueprint.get("/api/hosts/<address>")
def detail(address: str) -> Response:
    """One host: its names, applications, programs, ports and peers. 404 where no flow that is held has it."""
    only_arguments()
    mirror = house().mirror
    return jsonify(run_blocking(host_detail, mirror.flow_view(), address, mirror.own_keys(), mirror.now_ns))


@blueprint.get("/api/world")
def by_country() -> Response:
    """Traffic by country of the remote end, most first; what is in no country by scope; which database says so; and the probes."""
    only_arguments()
    services = house()
    found = run_blocking(world, services.mirror.flow_view())
    return jsonify({**found, "database": services.places.document(), "probes": services.probes.document()})

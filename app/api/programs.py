"""Programs of this machine and their traffic."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, only_arguments, whole_number
from app.concurrency import run_blocking
from app.host.processes import get_app_info
from app.services.programs import SORTS
from app.services.query_errors import BadRequest, NotThere

blueprint = Blueprint("programs", __name__)

LAST_PID = (1 << 22) - 1


@blueprint.get("/api/programs")
def programs() -> Response:
    """`{programs, total, attribution}`: programs with connections, most bytes first. `q`: part of a name, path, user, container."""
    only_arguments("limit", "offset", "sort", "q")
    limit, offset = whole_number("limit", 200, 1, 5_000), whole_number("offset", 0, 0, 5_000)
    services = house().programs
    found = run_blocking(services.documents)
    needle = request.args.get("q", "").casefold()
    if needle:
        found = [one for one in found if needle in _text(one)]
    found = _sorted(found, request.args.get("sort", ""))
    state = run_blocking(services.state)
    response = jsonify({"programs": found[offset : offset + limit], "total": len(found), "attribution": state})
    response.headers["X-Total-Count"] = str(len(found))
    return response


@blueprint.get("/api/programs/<name>")
def program(name: str) -> Response:
    """One program with its processes."""
    only_arguments()
    found = run_blocking(house().programs.detail, name)
    if found is None:
        raise NotThere(f"There is no program {name[:20]!r} with connections in this capture.")
    return jsonify(found)


@blueprint.get("/api/programs/pid/<int:pid>")
def app_info(pid: int) -> Response:
    """Name, path, user, CPU and memory of a process as it is now."""
    only_arguments()
    found = run_blocking(get_app_info, pid) if pid <= LAST_PID else None
    if found is None:
        raise NotThere(f"There is no process {pid}.")
    return jsonify(found)


def _text(one: dict[str, Any]) -> str:
    parts = (one["app_name"], one["app_path"], one["container"], *one["users"], *one["units"])
    return "\n".join(part for part in parts if part).casefold()


def _sorted(found: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """`sort=-cpu_percent,app_name`; what is not known comes last."""
    for part in reversed([piece.strip() for piece in text.split(",") if piece.strip()]):
        name = part.lstrip("+-")
        if name not in SORTS:
            raise BadRequest(f"cannot sort by {name[:60]!r}", "sort", SORTS)
        known = [one for one in found if one[name] is not None]
        known.sort(key=lambda one: one[name], reverse=part.startswith("-"))
        found = known + [one for one in found if one[name] is None]
    return found

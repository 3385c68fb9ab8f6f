"""The way from a request to the services."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from flask import Response, current_app, request

from app.model.timestamps import parse_time
from app.services.house import House
from app.services.query_errors import BadRequest
from app.services.sessions import LIVE

EXTENSION = "netglass"
SESSION = "session"  # a parameter of every endpoint; what belongs to the machine is the same in each


def live_house() -> House:
    """The services of the live capture and of the machine."""
    return cast(House, current_app.extensions[EXTENSION])


def house() -> House:
    """The services of the session that the request names with `session`; without one, of the live capture. `NotThere`."""
    live, wanted = live_house(), request.args.get(SESSION, "")
    return live.sessions.house(wanted) if live.sessions is not None else live


def refuse_session(why: str) -> None:
    """`BadRequest` where the request names another session than the live one."""
    if request.args.get(SESSION, "") not in ("", LIVE):
        raise BadRequest(why, SESSION, [LIVE])


def whole_number(name: str, default: int, low: int, high: int) -> int:
    """A whole number from the query string. `BadRequest` names it and its bounds."""
    text = request.args.get(name)
    if text is None or text == "":
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20) or not low <= int(text) <= high:
        raise BadRequest(f"{name}={text[:40]!r} is not allowed", name, [f"a whole number {low}..{high}"])
    return int(text)


def moment(name: str) -> int | None:
    """A time from the query string, in ns. `BadRequest` names it."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise BadRequest(str(error), name, ["RFC 3339, such as 2026-01-31T12:00:00Z", "seconds since 1970"]) from None


def switch(name: str, default: bool = False) -> bool:
    """`0` or `1` from the query string. `BadRequest` names it."""
    text = request.args.get(name)
    if not text:
        return default
    if text not in ("0", "1"):
        raise BadRequest(f"{name}={text[:40]!r} is not allowed", name, ["0", "1"])
    return text == "1"


def only_arguments(*known: str) -> None:
    """`BadRequest` for a parameter that the endpoint does not have: a typing error must not silently widen a query. `session` every one has."""
    for name in request.args:
        if name not in known and name != SESSION:
            raise BadRequest(f"there is no parameter {name[:60]!r}", name[:60], (*known, SESSION))
    house()


def json_object() -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty one."""
    if not request.get_data(cache=True):
        return {}
    body = request.get_json(force=True)
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object", "body", ["a JSON object"])
    return body


def linked(response: Response, next_page: dict[str, str] | None) -> Response:
    """The response with the way to the next page; `next_page`: parameters in place of `cursor` and `offset`, None at the end."""
    if next_page is not None:
        kept = {key: value for key, value in request.args.items() if key not in ("cursor", "offset")}
        response.headers["Link"] = f'<{request.path}?{urlencode({**kept, **next_page})}>; rel="next"'
    return response

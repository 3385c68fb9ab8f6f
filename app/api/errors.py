"""The one shape of an error: `application/problem+json` (RFC 9457), for everything that can go wrong in a request."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app.model.errors import CommandError
from app.services.query_errors import BadRequest, NotThere, TooMany, Unavailable

_log = logging.getLogger(__name__)

# What the sensor answers → HTTP; a code that is not listed is the caller's mistake.
STATUS_OF_CODE = {
    "not_held": 404,
    "not_permitted": 403,
    "failed": 502,
    "busy": 503,
    "not_supported": 501,
    "too_many_sessions": 409,
}

WORDS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The request is larger than is allowed.",
    415: "The body has a type this address does not take.",
}


def problem(status: int, detail: str, **members: Any) -> Response:
    """`{type, title, status, detail, …}`; members that are None are left out."""
    title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    document.update({key: value for key, value in members.items() if value is not None})
    return Response(json.dumps(document), status, content_type="application/problem+json")


def install(app: Flask) -> None:
    """Registers the handlers."""
    app.register_error_handler(BadRequest, _bad_request)
    app.register_error_handler(NotThere, lambda error: problem(404, str(error)))
    app.register_error_handler(Unavailable, lambda error: problem(503, error.message, code=error.code))
    app.register_error_handler(TooMany, _too_many)
    app.register_error_handler(CommandError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _bad_request(error: BadRequest) -> Response:
    allowed = list(error.allowed) or None
    return problem(400, error.message, parameter=error.parameter, allowed=allowed, position=error.position)


def _too_many(error: TooMany) -> Response:
    response = problem(429, error.message)
    response.headers["Retry-After"] = str(error.wait_seconds)
    return response


def _refused(error: CommandError) -> Response:
    return problem(STATUS_OF_CODE.get(error.code, 400), error.message, code=error.code)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    response = problem(status, WORDS.get(status, error.description or "The request could not be answered."))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "location"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    # The last door: whatever was not foreseen is logged with its traceback, and the caller learns only that it happened.
    _log.error("%s %s failed", request.method, request.path, exc_info=error)
    return problem(500, "Something went wrong inside Netglass; its log says what.")

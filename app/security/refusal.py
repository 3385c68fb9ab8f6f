"""A refusal before Flask is reached: the same problem+json that the REST side speaks, as a bare WSGI answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


def refuse(
    start_response: StartResponse, status: int, detail: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Sends the refusal; both servers take care of a body that was not read."""
    phrase = HTTPStatus(status).phrase
    document: dict[str, Any] = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
    body = json.dumps(document).encode()
    start_response(
        f"{status} {phrase}",
        [
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *headers,
        ],
    )
    return [body]

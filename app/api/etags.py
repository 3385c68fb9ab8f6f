"""ETags: a script that asks again with `If-None-Match` gets 304 instead of the same document."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

LARGEST: Final = 8 << 20  # bytes of a document that is worth the hash


def install(app: Flask) -> None:
    """For every JSON document that a GET answers with 200 and that is not streamed."""
    app.after_request(_tagged)


def _tagged(response: Response) -> Response:
    if request.method != "GET" or response.status_code != 200 or response.is_streamed or response.direct_passthrough:
        return response
    if response.mimetype != "application/json" or not request.path.startswith(("/api/", "/openapi")):
        return response
    if len(response.get_data()) <= LARGEST:
        response.add_etag()
        response.make_conditional(request)
    return response

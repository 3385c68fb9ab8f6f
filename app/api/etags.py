"""ETags: a script that asks again with `If-None-Match` gets 304 instead of the same document. Documents of some length go compressed."""

from __future__ import annotations

import gzip
from typing import Final

from flask import Flask, Response, request

LARGEST: Final = 8 << 20  # bytes of a document that is worth the hash
PACKED: Final = range(2_048, 512 << 10)  # bytes of a document that is compressed: 4 ms for the largest


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
        _pack(response)
    return response


def _pack(response: Response) -> None:
    if response.status_code != 200 or request.accept_encodings.quality("gzip") <= 0:
        return
    response.headers.add("Vary", "Accept-Encoding")
    if len(response.get_data()) in PACKED:
        response.set_data(gzip.compress(response.get_data(), 1, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.set_etag(response.get_etag()[0] or "", weak=True)

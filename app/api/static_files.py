"""The page's own files: compressed where the browser takes it, kept for ever under an address that names their version."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Flask, Response, request

from app.api.errors import WORDS, problem
from app.concurrency import run_blocking
from app.services.static_files import VERSION, StaticFiles

FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"


def install(app: Flask) -> None:
    """Serves `/static/…` in place of Flask's own; pages write `/static/{{ version() }}/…`."""
    files = StaticFiles(Path(app.root_path) / "static")

    def static(filename: str) -> Response:
        first, _, rest = filename.partition("/")
        versioned = bool(VERSION.fullmatch(first))
        packs = request.accept_encodings.quality("gzip") > 0
        file = run_blocking(files.read, rest if versioned else filename, packs)
        if file is None:
            return problem(404, WORDS[404])
        response = Response(file.body, content_type=file.kind)
        response.set_etag(file.etag)
        response.headers["Cache-Control"] = FOR_EVER if versioned else ASK_AGAIN
        response.headers["Vary"] = "Accept-Encoding"
        if file.packed:
            response.headers["Content-Encoding"] = "gzip"
        response.make_conditional(request)
        return response

    app.add_url_rule("/static/<path:filename>", endpoint="static", view_func=static)
    app.jinja_env.globals["version"] = lambda: run_blocking(files.version)
    app.jinja_env.globals["modules"] = lambda version, *entries: run_blocking(files.modules, version, *entries)

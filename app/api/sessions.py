"""Sessions: capture files that are looked at beside the live capture, each with all pages and exports (`session=<id>`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.api.context import json_object, live_house, only_arguments
from app.api.limits import limit
from app.api.upload import received_file
from app.services.captures import checked_filter
from app.services.query_errors import BadRequest, NotThere
from app.services.sessions import LIVE, Session, Sessions, checked_name

blueprint = Blueprint("sessions", __name__)


def _sessions() -> Sessions:
    found = live_house().sessions
    assert found is not None
    return found


@blueprint.get("/api/sessions")
def listing() -> Response:
    """`{sessions, most}`: the live capture, then the capture files that were opened beside it."""
    only_arguments()
    sessions = _sessions()
    return jsonify({"sessions": sessions.documents(), "most": sessions.most})


@blueprint.post("/api/sessions")
def opening() -> Response:
    """Opens a capture file beside the live capture: a form with `file`, or `{"file": name}` of a capture in EXPORT_DIR; `name`, `bpf_filter`."""
    only_arguments()
    limit("upload")
    sessions = _sessions()
    sessions.check_room()
    if request.mimetype == "multipart/form-data":
        with received_file(live_house()) as upload:
            if upload.size == 0:
                raise BadRequest(f"{upload.name} is empty: a capture file has at least a header of 24 bytes", "file")
            name = checked_name(request.form.get("name"), upload.name)
            bpf_filter = checked_filter(request.form.get("bpf_filter"))
            upload.kept = True  # from here on it is deleted by whoever reads it
            opened = sessions.open(upload.path, name, upload.name, upload.size, bpf_filter, uploaded=True)
    else:
        opened = _open_export(sessions, json_object())
    response = jsonify(opened.document())
    response.status_code = 201
    response.headers["Location"] = f"/api/sessions/{opened.id}"
    return response


def _open_export(sessions: Sessions, body: dict[str, Any]) -> Session:
    known = ("file", "name", "bpf_filter")
    for key in body:
        if key not in known:
            raise BadRequest(f"there is no key {key[:60]!r}", key[:60], known)
    directory = live_house().settings.export_dir
    path = _export(directory, body.get("file"))
    name = checked_name(body.get("name"), path.name)
    return sessions.open(path, name, path.name, path.stat().st_size, checked_filter(body.get("bpf_filter")))


def _export(directory: Path, file: Any) -> Path:
    """A regular file that lies directly in EXPORT_DIR."""
    if not isinstance(file, str) or not file or len(file) > 255 or Path(file).name != file or "\0" in file:
        raise BadRequest("file is not the name of a file in EXPORT_DIR", "file", ["a name without directories"])
    path = directory / file
    if path.is_symlink() or not path.is_file():
        raise NotThere(f"There is no file {file[:60]!r} in EXPORT_DIR.")
    return path


@blueprint.get("/api/sessions/<session_id>")
def one(session_id: str) -> Response:
    """One session: its state, how much of the file is read, what it holds."""
    only_arguments()
    if session_id == LIVE:
        return jsonify(_sessions().documents()[0])
    return jsonify(_sessions().get(session_id).document())


@blueprint.post("/api/sessions/<session_id>")
def renaming(session_id: str) -> Response:
    """Gives a session another name: `{"name": text}`. The live capture has no name of its own."""
    only_arguments()
    body = json_object()
    for key in body:
        if key != "name":
            raise BadRequest(f"there is no key {key[:60]!r}", key[:60], ("name",))
    if session_id == LIVE:
        raise BadRequest("the live capture has no name of its own", "session_id", ["the id of a session"])
    name = checked_name(body.get("name"), "")
    if not str(body.get("name") or "").strip():
        raise BadRequest("name is empty", "name", ["one line of at most 80 characters"])
    return jsonify(_sessions().rename(session_id, name).document())


@blueprint.delete("/api/sessions/<session_id>")
def closing(session_id: str) -> Response:
    """Ends a session, also one whose file is still read, and forgets everything of it. The live capture cannot be ended here."""
    only_arguments()
    if session_id == LIVE:
        raise BadRequest("the live capture is no session that could be closed", "session_id", ["the id of a session"])
    _sessions().close(session_id)
    return Response(status=204)

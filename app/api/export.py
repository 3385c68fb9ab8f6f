"""Exports: connections, flows, DNS, TLS, HTTP, logins and alerts as files of rows; the packets still held as a capture file."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps as json_text
from typing import IO, Any

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, moment, only_arguments, switch, whole_number
from app.api.limits import limit
from app.concurrency import run_blocking
from app.export.archive import zipped
from app.services.export_sources import ExportRequest
from app.services.exports import export, saved
from app.services.packet_export import pcap_export
from app.services.query_errors import BadRequest

blueprint = Blueprint("export", __name__)

PIECE = 256 * 1024
TYPES = {"pcap": "application/vnd.tcpdump.pcap", "pcapng": "application/x-pcapng"}
ROW_ARGUMENTS = ("what", "schema", "q", "flow", "alert", "from", "to", "sort", "save", "history", "shareable")
PACKET_ARGUMENTS = ("q", "flow", "alert", "from", "to", "save", "shareable")
LAST_FLOW = (1 << 63) - 1


@blueprint.get("/api/export")
@blueprint.get("/api/export/csv")
def csv() -> Response:
    """Rows as CSV (a Zeek log with `schema=zeek`): `what` (connections), `q`, `flow`, `from`, `to`, `sort`, `schema`, `save`, `history`; `shareable=1`: with
    pseudonyms, in an archive with a manifest."""
    return _rows("csv")


@blueprint.get("/api/export_anomalies")
def anomalies() -> Response:
    """Alerts as CSV: `q`, `alert`, `from`, `to`, `sort`, `save`."""
    only_arguments("q", "alert", "from", "to", "sort", "save")
    return _file("alerts", "csv", "native")


@blueprint.get("/api/export/json")
def json() -> Response:
    """The same as one JSON list."""
    return _rows("json")


@blueprint.get("/api/export/ndjson")
def ndjson() -> Response:
    """The same as JSON lines."""
    return _rows("ndjson")


@blueprint.get("/api/export/pcap")
def pcap() -> Response:
    """Packets as pcap (or `format=pcapng`): `q`, `flow`, `alert`, `from`, `to`, `save`; `shareable=1`: with pseudonyms and without payload, in an archive with
    a manifest. 404 with the reason where there are none."""
    only_arguments("format", *PACKET_ARGUMENTS)
    return _packets(request.args.get("format", "pcap"))


@blueprint.get("/api/export/pcapng")
def pcapng() -> Response:
    """Packets as pcapng, with interface names."""
    only_arguments(*PACKET_ARGUMENTS)
    return _packets("pcapng")


def _rows(form: str) -> Response:
    only_arguments(*ROW_ARGUMENTS)
    return _file(request.args.get("what", "connections"), form, request.args.get("schema", "native"))


def _file(what: str, form: str, schema: str) -> Response:
    save, past = switch("save"), switch("history")
    wanted = ExportRequest(
        request.args.get("q", ""), _flow(), _alert(past), moment("from"), moment("to"), request.args.get("sort", "")
    )
    limit("export")
    made = export(house(), what, form, schema, wanted, past, switch("shareable"))
    if save:
        return _saved(made.file_name, made.pieces)
    response = Response(made.pieces, content_type=made.content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{made.file_name}"'
    return response


def _packets(kind: str) -> Response:
    if kind not in TYPES:
        raise BadRequest(f"{kind[:40]!r} is no format", "format", list(TYPES))
    flow, first, last, save = _flow(), moment("from"), moment("to"), switch("save")
    alert, shareable = _alert(past=False), switch("shareable")
    limit("export")
    file, size, manifest = pcap_export(house(), kind, request.args.get("q", ""), flow, first, last, alert, shareable)
    name = f"netglass-packets.{kind}"
    if shareable:
        return _archive(name, file, manifest, save)
    if save:
        return _saved(name, _pieces(file))
    response = Response(_pieces(file), content_type=TYPES[kind])
    response.headers["Content-Length"] = str(size)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.call_on_close(file.close)  # where the client left before the first piece
    return response


def _archive(name: str, file: IO[bytes], manifest: dict[str, Any], save: bool) -> Response:
    """The file and what was changed in it."""
    said = json_text({"file": name, **manifest}, indent=2).encode()
    pieces = zipped(name, _pieces(file), "manifest.json", lambda: said)
    archive = f"{name.replace('.', '-')}-shareable.zip"
    if save:
        return _saved(archive, pieces)
    response = Response(pieces, content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{archive}"'
    response.call_on_close(file.close)
    return response


def _saved(name: str, pieces: Iterator[bytes]) -> Response:
    response = jsonify(saved(house().settings.export_dir, name, pieces))
    response.status_code = 201
    return response


def _flow() -> int | None:
    return whole_number("flow", 0, 1, LAST_FLOW) or None


def _alert(past: bool) -> dict[str, Any] | None:
    """The alert that is asked for. `NotThere` where there is none of that id."""
    wanted = request.args.get("alert")
    if not wanted:
        return None
    if past:
        raise BadRequest(
            "alerts of the history have no flows that could be chosen by them", "alert", ["without history=1"]
        )
    return house().alerts.book.get(wanted)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := run_blocking(file.read, PIECE):
            yield piece

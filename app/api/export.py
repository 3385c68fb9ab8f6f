"""Exports: the packets still held, as a capture file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from flask import Blueprint, Response, request

from app.api.context import house, only_arguments, whole_number
from app.api.limits import limit
from app.concurrency import run_blocking
from app.services.packet_export import pcap_export
from app.services.query_errors import BadRequest

blueprint = Blueprint("export", __name__)

PIECE = 256 * 1024
TYPES = {"pcap": "application/vnd.tcpdump.pcap", "pcapng": "application/x-pcapng"}


@blueprint.get("/api/export/pcap")
def pcap() -> Response:
    """Packets as pcap (or `format=pcapng`): `q`, `flow`. 404 with the reason where there are none."""
    only_arguments("q", "flow", "format")
    kind = request.args.get("format", "pcap")
    if kind not in TYPES:
        raise BadRequest(f"{kind[:40]!r} is no format", "format", list(TYPES))
    flow = whole_number("flow", 0, 1, (1 << 63) - 1) or None
    limit("export")
    file, size = pcap_export(house(), kind, request.args.get("q", ""), flow)
    response = Response(_pieces(file), content_type=TYPES[kind])
    response.headers["Content-Length"] = str(size)
    response.headers["Content-Disposition"] = f'attachment; filename="netglass-packets.{kind}"'
    response.call_on_close(file.close)  # where the client left before the first piece
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := run_blocking(file.read, PIECE):
            yield piece

"""The capture: its state, start, stop, and replay of an uploaded file."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.api.context import house, json_object, only_arguments, refuse_session
from app.api.limits import limit
from app.api.upload import received_file
from app.services.captures import capture_request, checked_filter
from app.services.query_errors import BadRequest
from app.services.statistics import capture_state

blueprint = Blueprint("capture", __name__)


@blueprint.get("/api/capture")
def state() -> Response:
    """The state of the capture, as the sensor last told it."""
    only_arguments()
    return jsonify(capture_state(house().mirror))


@blueprint.post("/api/capture/start")
def start() -> Response:
    """Starts live capture: `interface` or `interfaces`, `bpf_filter`, `snaplen`."""
    only_arguments()
    refuse_session("a session reads one file and captures nothing")
    house().captures.start(capture_request(json_object()))
    return jsonify({"status": "started"})


@blueprint.post("/api/capture/stop")
def stop() -> Response:
    """Stops capturing or replaying; what was seen stays. With `session`, the reading of its file."""
    only_arguments()
    house().captures.stop()
    return jsonify({"status": "stopped"})


@blueprint.post("/api/capture/replay")
def replay() -> Response:
    """Analyses an uploaded pcap or pcapng (field `file`, may be gzipped); `bpf_filter` beside it is optional."""
    only_arguments()
    refuse_session("a session reads the one file it was opened with")
    limit("upload")
    services = house()
    with received_file(services) as upload:
        if upload.size == 0:
            raise BadRequest(f"{upload.name} is empty: a capture file has at least a header of 24 bytes", "file")
        bpf_filter = checked_filter(request.form.get("bpf_filter"))
        upload.kept = True  # from here on it is deleted by whoever replays it
        services.captures.replay(upload.path, upload.name, bpf_filter, uploaded=True)
    response = jsonify({"status": "replaying", "file": upload.name, "size": upload.size})
    response.status_code = 202
    return response

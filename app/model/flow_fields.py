"""The keys of a flow by originator and responder, beside those of a connection; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

FLOW_FIELDS: Final[tuple[Field, ...]] = (
    _f("src_ip", "text", "Originator", "Address that began the flow.", ecs="source.ip", eve="src_ip", zeek="id.orig_h"),
    _f("src_port", "integer", "Originator's port", "Port of the end that began the flow; null without ports.", zeek="id.orig_p"),
    _f("dst_ip", "text", "Responder", "Address that was called.", ecs="destination.ip", eve="dest_ip", zeek="id.resp_h"),
    _f("dst_port", "integer", "Responder's port", "Port that was called; null without ports.", zeek="id.resp_p"),
    _f("ip_version", "integer", "IP version", "4 or 6."),
    _f("src_packets", "integer", "Packets of the originator", "Frames from the originator.", unit="packets", zeek="orig_pkts"),
    _f("dst_packets", "integer", "Packets of the responder", "Frames from the responder.", unit="packets", zeek="resp_pkts"),
    _f("src_bytes", "integer", "Bytes of the originator", "Frame bytes on the wire from the originator.", unit="bytes"),
    _f("dst_bytes", "integer", "Bytes of the responder", "Frame bytes on the wire from the responder.", unit="bytes"),
    _f("src_payload_bytes", "integer", "Payload of the originator", "Layer-4 payload from the originator.", unit="bytes", zeek="orig_bytes"),
    _f("dst_payload_bytes", "integer", "Payload of the responder", "Layer-4 payload from the responder.", unit="bytes", zeek="resp_bytes"),
    _f("src_flags", "integer", "Flags of the originator", "All TCP flags seen from the originator, as bits; null for other protocols."),
    _f("dst_flags", "integer", "Flags of the responder", "All TCP flags seen from the responder, as bits; null for other protocols."),
)  # fmt: skip

"""The keys of a packet; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

PACKET_FIELDS: Final[tuple[Field, ...]] = (
    _f("id", "integer", "No.", "Number of the packet in this run, from 1.", ecs="event.sequence"),
    _f("timestamp", "time", "Time", "When the packet was captured.", ecs="@timestamp", eve="timestamp", zeek="ts"),
    _f(
        "interface",
        "text",
        "Interface",
        "Interface the packet was seen on.",
        ecs="observer.ingress.interface.name",
        eve="in_iface",
    ),
    _f(
        "protocol",
        "text",
        "Protocol",
        "Innermost protocol that was decoded.",
        ecs="network.transport",
        eve="proto",
        zeek="proto",
    ),
    _f(
        "src_ip",
        "text",
        "Source",
        "Sender's address in the innermost header; null where there is no IP.",
        ecs="source.ip",
        eve="src_ip",
    ),
    _f("src_port", "integer", "Source port", "Sender's port.", ecs="source.port", eve="src_port"),
    _f(
        "dst_ip",
        "text",
        "Destination",
        "Receiver's address in the innermost header.",
        ecs="destination.ip",
        eve="dest_ip",
    ),
    _f("dst_port", "integer", "Destination port", "Receiver's port.", ecs="destination.port", eve="dest_port"),
    _f("service", "text", "Service", "Name of the lower of both ports that has one in the IANA registry."),
    _f("flags", "text", "Flags", "TCP flags of the segment.", zeek="history"),
    _f("size", "integer", "Size", "Bytes of the frame on the wire.", unit="bytes", ecs="network.bytes"),
    _f("info", "text", "Info", "What the packet is, in one line."),
    _f("flow_id", "integer", "Flow", "Flow the packet belongs to; null for none.", eve="flow_id", zeek="uid"),
    _f("layers", "list", "Layers", "What the frame carries, at any depth."),
    _f("reason", "text", "Not decoded", "Why the frame could not be decoded to the end; null where it could."),
    _f(
        "card_data_detected",
        "boolean",
        "Card number",
        "The payload holds a payment card number; null where it was not looked at.",
    ),
    _f("payload", "text", "Payload", "First 64 bytes of the payload, hexadecimal."),
)

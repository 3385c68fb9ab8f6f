"""The Zeek view: documents under the names and types of Zeek's logs (conn.log, dns.log, ssl.log, http.log, notice.log).

`orig_bytes` is payload, as in Zeek. `orig_ip_bytes` stays unset: we count frames, not IP packets; frames are in `orig_frame_bytes`, our own column.
"""

from __future__ import annotations

from typing import Any, Final

from app.export.view import Document, Getter, View, address, constant, of_flow, port, view
from app.model.timestamps import parse_time

Rows = list[tuple[str, str, str | Getter]]

_SERVICES: Final = {"tls": "ssl", "quic": "quic,ssl"}


def _seconds(name: str) -> Getter:
    return lambda document: parse_time(document[name]) / 1e9 if document.get(name) else None


def _uid(document: Document) -> str | None:
    number = document.get("flow_id")
    return None if number is None else f"C{number}"


def _milliseconds(name: str) -> Getter:
    return lambda document: None if document.get(name) is None else document[name] / 1e3


def _service(document: Document) -> str | None:
    if document.get("application_source") not in ("ndpi", "content"):
        return None  # Zeek does not guess from the port
    name = (document.get("detailed_protocol") or "").partition(".")[0].lower()
    return _SERVICES.get(name, name) or None


def _state(document: Document) -> str | None:
    if document.get("conn_state"):
        return str(document["conn_state"])
    return "SF" if document.get("dst_packets") else "S0"  # as Zeek does for protocols without a state


def _head(time: str = "timestamp") -> Rows:
    return [
        ("ts", "time", _seconds(time)),
        ("uid", "string", _uid),
        ("id.orig_h", "addr", of_flow("src_ip")),
        ("id.orig_p", "port", _port("src_port")),
        ("id.resp_h", "addr", of_flow("dst_ip")),
        ("id.resp_p", "port", _port("dst_port")),
    ]


def _port(name: str) -> Getter:
    """Zeek writes type and code of ICMP there; a missing port is 0."""
    return lambda document: (document.get("flow") or document).get(name, 0) or 0


def _proto(document: Document) -> Any:
    name = of_flow("protocol")(document)
    return "icmp" if name == "icmpv6" else name if name in ("tcp", "udp", "icmp") else "unknown_transport"


_CONN: Final[Rows] = [
    *_head("time_of_detection"),
    ("proto", "enum", _proto),
    ("service", "string", _service),
    ("duration", "interval", "duration"),
    ("orig_bytes", "count", "src_payload_bytes"),
    ("resp_bytes", "count", "dst_payload_bytes"),
    ("conn_state", "string", _state),
    ("missed_bytes", "count", constant(None)),
    ("history", "string", "history"),
    ("orig_pkts", "count", "src_packets"),
    ("orig_ip_bytes", "count", constant(None)),
    ("resp_pkts", "count", "dst_packets"),
    ("resp_ip_bytes", "count", constant(None)),
    ("vlan", "int", "vlan"),
    ("community_id", "string", "community_id"),
    ("orig_frame_bytes", "count", "src_bytes"),
    ("resp_frame_bytes", "count", "dst_bytes"),
]


def _answers(document: Document) -> list[str] | None:
    return [text.partition(" ")[2] for text in document.get("answers") or ()] or None


_DNS: Final[Rows] = [
    *_head(),
    ("proto", "enum", lambda document: document.get("transport") or "udp"),
    ("rtt", "interval", _milliseconds("latency_ms")),
    ("query", "string", "query"),
    ("qtype_name", "string", "type"),
    ("rcode_name", "string", "rcode"),
    ("answers", "vector[string]", _answers),
]
_SSL: Final[Rows] = [
    *_head(),
    ("version", "string", lambda document: (document.get("version") or "").replace("TLS 1.", "TLSv1").replace(" ", "") or None),
    ("cipher", "string", "cipher"),
    ("server_name", "string", "server_name"),
    ("next_protocol", "string", lambda document: None),
    ("subject", "string", "subject"),
    ("issuer", "string", "issuer"),
    ("ja3", "string", "ja3"),
    ("ja4", "string", "ja4"),
]  # fmt: skip
_HTTP: Final[Rows] = [
    *_head(),
    ("method", "string", "method"),
    ("host", "string", "host"),
    ("uri", "string", "uri"),
    ("version", "string", "version"),
    ("user_agent", "string", "user_agent"),
    ("response_body_len", "count", "response_length"),
    ("status_code", "count", "status"),
    ("username", "string", "username"),
    ("resp_mime_types", "vector[string]", lambda document: [document["content_type"]] if document.get("content_type") else None),
]  # fmt: skip
_NOTICE: Final[Rows] = [
    ("ts", "time", _seconds("time_of_detection")),
    ("note", "enum", lambda document: f"Netglass::{document.get('rule')}"),
    ("msg", "string", "title"),
    ("sub", "string", "reason"),
    ("src", "addr", address("source")),
    ("dst", "addr", address("target")),
    ("p", "port", port("target")),
    ("n", "count", "count"),
    ("severity", "string", "severity"),
    ("source", "string", "source"),
    ("target", "string", "target"),
]

ZEEK: Final[dict[str, View]] = {
    "flows": view(_CONN, "conn"),
    "dns": view(_DNS, "dns"),
    "tls": view(_SSL, "ssl"),
    "http": view(_HTTP, "http"),
    "alerts": view(_NOTICE, "notice"),
}

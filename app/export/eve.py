"""The EVE view: documents under the names of Suricata's `eve.json` (Suricata user guide, "Eve JSON Format"; `etc/schema.json`).

Only names that Suricata documents; what is not known is left out, as it does. Bytes are frame bytes, as there.
"""

from __future__ import annotations

from typing import Any, Final

from app.export.view import Document, Getter, View, address, constant, of_flow, port, view

Rows = list[tuple[str, str, str | Getter]]

_PROTOCOLS: Final = {"icmpv6": "IPv6-ICMP"}  # as in /etc/protocols, else upper case
_STATES: Final = {"S0": "syn_sent", "S1": "established", "SF": "closed", "REJ": "closed", "S2": "fin_wait1", "S3": "fin_wait1",
                  "RSTO": "closed", "RSTR": "closed", "RSTOS0": "closed", "RSTRH": "closed", "SH": "fin_wait1", "SHR": "fin_wait1"}  # fmt: skip
_REASONS: Final = {
    "idle": "timeout",
    "closed": "timeout",
    "end_of_capture": "shutdown",
    "evicted": "forced",
    "port_reused": "forced",
}
_SEVERITY: Final = {"critical": 1, "high": 1, "medium": 2, "low": 3}
_FLAGS: Final = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}


def eve_time(text: str | None) -> str | None:
    """`2026-11-20T15:04:05.000123+0000`."""
    return None if text is None else text.replace("Z", "+0000")


def _time(name: str) -> Getter:
    return lambda document: eve_time(document.get(name))


def _protocol(document: Document) -> str | None:
    name = of_flow("protocol")(document)
    return None if name is None else _PROTOCOLS.get(name, str(name).upper())


def _vlan(document: Document) -> list[int] | None:
    tag = of_flow("vlan")(document)
    return None if tag is None else [tag]


def spoken(document: Document) -> str | None:
    """Suricata's `app_proto`: lower case, without whose it is."""
    name = (document.get("flow") or document).get("detailed_protocol")
    return None if not name else str(name).partition(".")[0].lower()


def _age(document: Document) -> int | None:
    duration = document.get("duration")
    return None if duration is None else int(duration)


def _state(document: Document) -> str | None:
    if document.get("session_status") == "Closed":
        return "closed"
    return "established" if document.get("dst_packets") else "new"


def _flags(*keys: str) -> Getter:
    def get(document: Document) -> str | None:
        values = [document.get(name) for name in keys]
        return None if None in values else f"{_either(values):02x}"

    return get


def _either(values: list[Any]) -> int:
    found = 0
    for value in values:
        found |= value
    return found


def _flag(bit: int) -> Getter:
    def get(document: Document) -> bool | None:
        seen = (document.get("src_flags") or 0) | (document.get("dst_flags") or 0)
        return True if seen & bit else None

    return get


def _tcp_state(document: Document) -> str | None:
    return _STATES.get(document.get("conn_state") or "")


def _known_list(name: str) -> Getter:
    return lambda document: document.get(name) or None


def _head(kind: str) -> Rows:
    return [
        ("timestamp", "text", _time("timestamp")),
        ("flow_id", "integer", "flow_id"),
        ("in_iface", "text", of_flow("interface")),
        ("event_type", "text", constant(kind)),
        ("vlan", "list", _vlan),
        ("src_ip", "text", of_flow("src_ip")),
        ("src_port", "integer", of_flow("src_port")),
        ("dest_ip", "text", of_flow("dst_ip")),
        ("dest_port", "integer", of_flow("dst_port")),
        ("proto", "text", _protocol),
        ("ip_v", "integer", of_flow("ip_version")),
        ("community_id", "text", of_flow("community_id")),
    ]


_FLOW: Final[Rows] = [
    ("timestamp", "text", _time("last_seen")),
    *_head("flow")[1:],
    ("app_proto", "text", spoken),
    ("flow.pkts_toserver", "integer", "src_packets"),
    ("flow.pkts_toclient", "integer", "dst_packets"),
    ("flow.bytes_toserver", "integer", "src_bytes"),
    ("flow.bytes_toclient", "integer", "dst_bytes"),
    ("flow.start", "text", _time("time_of_detection")),
    ("flow.end", "text", _time("last_seen")),
    ("flow.age", "integer", _age),
    ("flow.state", "text", _state),
    ("flow.reason", "text", lambda document: _REASONS.get(document.get("end_reason") or "")),
    ("tcp.tcp_flags", "text", _flags("src_flags", "dst_flags")),
    ("tcp.tcp_flags_ts", "text", _flags("src_flags")),
    ("tcp.tcp_flags_tc", "text", _flags("dst_flags")),
    *((f"tcp.{name}", "boolean", _flag(bit)) for name, bit in _FLAGS.items()),
    ("tcp.state", "text", _tcp_state),
]


def _dns_answers(document: Document) -> list[dict[str, str]] | None:
    pairs = (text.partition(" ") for text in document.get("answers") or ())
    return [{"rrname": document["query"], "rrtype": kind, "rdata": value} for kind, _, value in pairs] or None


_DNS: Final[Rows] = [
    *_head("dns"),
    ("dns.version", "integer", constant(3)),
    ("dns.type", "text", lambda document: "request" if document.get("rcode") is None else "response"),
    ("dns.rcode", "text", "rcode"),
    ("dns.queries", "list", lambda document: [{"rrname": document["query"], "rrtype": document["type"]}]),
    ("dns.answers", "list", _dns_answers),
]


def _certificate_time(name: str) -> Getter:
    return lambda document: document[name][:19] if document.get(name) else None


_TLS: Final[Rows] = [
    *_head("tls"),
    ("tls.sni", "text", "server_name"),
    ("tls.version", "text", "version"),
    ("tls.subject", "text", "subject"),
    ("tls.issuerdn", "text", "issuer"),
    ("tls.notbefore", "text", _certificate_time("not_before")),
    ("tls.notafter", "text", _certificate_time("not_after")),
    ("tls.subjectaltname", "list", _known_list("names")),
    ("tls.ja3.hash", "text", "ja3"),
    ("tls.ja4", "text", "ja4"),
    ("tls.client_alpns", "list", _known_list("alpn")),
]
_HTTP: Final[Rows] = [
    *_head("http"),
    ("http.hostname", "text", "host"),
    ("http.url", "text", "uri"),
    ("http.http_user_agent", "text", "user_agent"),
    ("http.http_content_type", "text", "content_type"),
    ("http.http_method", "text", "method"),
    ("http.protocol", "text", lambda document: f"HTTP/{document['version']}" if document.get("version") else None),
    ("http.status", "integer", "status"),
    ("http.length", "integer", "response_length"),
]


def _alert_metadata(document: Document) -> dict[str, list[str]]:
    """Suricata keeps what rules say of themselves here, as lists of text."""
    said = {name: document.get(name) for name in ("rule", "reason", "source", "target", "app_name", "mitre", "status")}
    return {name: [str(value)] for name, value in said.items() if value}


_ALERT: Final[Rows] = [
    ("timestamp", "text", _time("time_of_detection")),
    ("event_type", "text", constant("alert")),
    ("src_ip", "text", address("source")),
    ("src_port", "integer", port("source")),
    ("dest_ip", "text", address("target")),
    ("dest_port", "integer", port("target")),
    ("alert.action", "text", constant("allowed")),
    ("alert.signature", "text", "title"),
    ("alert.category", "text", "rule"),
    ("alert.severity", "integer", lambda document: _SEVERITY.get(document.get("severity") or "")),
    ("alert.metadata", "object", _alert_metadata),
]

EVE: Final[dict[str, View]] = {
    "flows": view(_FLOW, "flow", only_known=True),
    "dns": view(_DNS, "dns", only_known=True),
    "tls": view(_TLS, "tls", only_known=True),
    "http": view(_HTTP, "http", only_known=True),
    "alerts": view(_ALERT, "alert", only_known=True),
}

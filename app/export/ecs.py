"""The ECS view: documents under the names of the Elastic Common Schema 8 (source is the originator, durations are nanoseconds).

Names without a place in ECS are under `netglass`, as the schema asks of custom fields.
"""

from __future__ import annotations

from typing import Any, Final

from app.export.view import Document, Getter, View, address, constant, of_flow, port, view

Rows = list[tuple[str, str, str | Getter]]


def _list(value: Any) -> Getter:
    return constant([value])


def _sum(*keys: str) -> Getter:
    def get(document: Document) -> int | None:
        values = [document.get(name) for name in keys]
        return None if None in values else sum(value for value in values if value is not None)

    return get


def _nanoseconds(name: str, factor: float) -> Getter:
    return lambda document: None if document.get(name) is None else round(document[name] * factor)


def _family(document: Document) -> str | None:
    version = of_flow("ip_version")(document)
    return None if not version else f"ipv{version}"


def _ends(first: str = "source", second: str = "destination") -> Rows:
    return [
        (f"{first}.ip", "text", of_flow("src_ip")),
        (f"{first}.port", "integer", of_flow("src_port")),
        (f"{second}.ip", "text", of_flow("dst_ip")),
        (f"{second}.port", "integer", of_flow("dst_port")),
        ("network.transport", "text", of_flow("protocol")),
        ("network.type", "text", _family),
        ("network.community_id", "text", of_flow("community_id")),
        ("network.vlan.id", "integer", of_flow("vlan")),
        ("observer.ingress.interface.name", "text", of_flow("interface")),
        ("netglass.flow_id", "integer", "flow_id"),
    ]


def _head(action: str, time: str = "timestamp", kind: str = "event", category: str = "network") -> Rows:
    return [
        ("@timestamp", "time", time),
        ("ecs.version", "text", constant("8.11.0")),
        ("event.kind", "text", constant(kind)),
        ("event.category", "list", _list(category)),
        ("event.action", "text", constant(action)),
        ("event.module", "text", constant("netglass")),
    ]


_FLOW: Final[Rows] = [
    *_head("network_flow", "last_seen"),
    ("event.start", "time", "time_of_detection"),
    ("event.end", "time", "end_time"),
    ("event.duration", "integer", _nanoseconds("duration", 1e9)),
    ("event.type", "list", lambda document: ["end" if document.get("session_status") == "Closed" else "connection"]),
    *_ends(),
    ("source.bytes", "integer", "src_bytes"),
    ("source.packets", "integer", "src_packets"),
    ("destination.bytes", "integer", "dst_bytes"),
    ("destination.packets", "integer", "dst_packets"),
    ("destination.domain", "text", "server_name"),
    ("network.bytes", "integer", _sum("src_bytes", "dst_bytes")),
    ("network.packets", "integer", _sum("src_packets", "dst_packets")),
    ("network.direction", "text", "direction"),
    ("network.application", "text", "application"),
    (
        "network.protocol",
        "text",
        lambda document: (document.get("detailed_protocol") or "").partition(".")[0].lower() or None,
    ),
    ("process.name", "text", "app_name"),
    ("process.executable", "text", "app_path"),
    ("process.pid", "integer", "pid"),
    (
        "tls.client.server_name",
        "text",
        lambda document: document.get("server_name") if document.get("tls_version") else None,
    ),
    ("tls.version", "text", "tls_version"),
    ("tls.client.ja3", "text", "ja3"),
    ("netglass.remote.country", "text", "country"),
    ("netglass.remote.city", "text", "city"),
    ("netglass.remote.as.number", "integer", "asn"),
    ("netglass.remote.as.organization", "text", "organization"),
    ("netglass.ja4", "text", "ja4"),
    ("netglass.connection.state", "text", "conn_state"),
    ("netglass.connection.history", "text", "history"),
    ("netglass.latency_ms", "number", "latency_ms"),
]
_DNS: Final[Rows] = [
    *_head("dns_query"),
    *_ends(),
    ("network.protocol", "text", constant("dns")),
    ("client.address", "text", "client"),
    ("server.address", "text", "server"),
    ("dns.type", "text", lambda document: "query" if document.get("rcode") is None else "answer"),
    ("dns.question.name", "text", "query"),
    ("dns.question.type", "text", "type"),
    ("dns.response_code", "text", "rcode"),
    ("dns.answers", "list", lambda document: _answers(document)),
    ("dns.resolved_ip", "list", "resolved_ips"),
    ("event.duration", "integer", _nanoseconds("latency_ms", 1e6)),
]
_TLS: Final[Rows] = [
    *_head("tls_hello"),
    *_ends(),
    ("network.protocol", "text", "transport"),
    ("tls.client.server_name", "text", "server_name"),
    ("tls.version", "text", "version"),
    ("tls.cipher", "text", "cipher"),
    ("tls.client.ja3", "text", "ja3"),
    ("tls.server.subject", "text", "subject"),
    ("tls.server.issuer", "text", "issuer"),
    ("tls.server.not_before", "time", "not_before"),
    ("tls.server.not_after", "time", "not_after"),
    ("netglass.alpn", "list", "alpn"),
    ("netglass.ja4", "text", "ja4"),
]
_HTTP: Final[Rows] = [
    *_head("http_request", category="web"),
    *_ends(),
    ("network.protocol", "text", constant("http")),
    ("url.domain", "text", "host"),
    ("url.original", "text", "uri"),
    ("http.request.method", "text", "method"),
    ("http.version", "text", "version"),
    ("http.response.status_code", "integer", "status"),
    ("http.response.body.bytes", "integer", "response_length"),
    ("http.response.mime_type", "text", "content_type"),
    ("user_agent.original", "text", "user_agent"),
    ("user.name", "text", "username"),
]
_ALERT: Final[Rows] = [
    *_head("alert", "time_of_detection", "alert", "intrusion_detection"),
    ("event.severity", "integer", lambda document: {"low": 21, "medium": 47, "high": 73, "critical": 99}.get(document.get("severity") or "")),
    ("event.reason", "text", "reason"),
    ("rule.name", "text", "rule"),
    ("rule.description", "text", "title"),
    ("source.ip", "text", address("source")),
    ("source.port", "integer", port("source")),
    ("source.address", "text", "source"),
    ("destination.ip", "text", address("target")),
    ("destination.port", "integer", port("target")),
    ("destination.address", "text", "target"),
    ("process.name", "text", "app_name"),
    ("process.pid", "integer", "pid"),
    ("threat.technique.id", "list", lambda document: [document["mitre"]] if isinstance(document.get("mitre"), str) else document.get("mitre")),
]  # fmt: skip


def _answers(document: Document) -> list[dict[str, str]]:
    pairs = (text.partition(" ") for text in document.get("answers") or ())
    return [{"name": document["query"], "type": kind, "data": value} for kind, _, value in pairs]


ECS: Final[dict[str, View]] = {
    name: view(rows, name, only_known=True)
    for name, rows in (("flows", _FLOW), ("dns", _DNS), ("tls", _TLS), ("http", _HTTP), ("alerts", _ALERT))
}

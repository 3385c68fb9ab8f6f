"""Parameters and shapes of the interface's operations, made from the table of fields where one tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.export.schemas import SCHEMA_NAMES
from app.model.alert_fields import ALERT_FIELDS
from app.model.field import Field
from app.model.fields import CONNECTION_FIELDS, LATENCY_FIELDS, PACKET_FIELDS
from app.services.export_sources import DATASETS, fact_fields
from app.services.history_summary import STEPS
from app.services.query_words import LISTS
from app.services.timeseries import METRIC_NAMES
from app.store.reading_groups import GROUP_NAMES

Schema = dict[str, Any]
JSON: Final = ("application/json",)

_TYPES: Final[dict[str, list[str]]] = {
    "text": ["string", "null"],
    "number": ["number", "null"],
    "integer": ["integer", "null"],
    "boolean": ["boolean", "null"],
    "time": ["string", "null"],
    "object": ["object", "null"],
    "list": ["array", "null"],
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What Flask does not tell of a route. `narrowed`: bounds of a parameter that hold here."""

    parameters: tuple[str, ...] = ()
    response: Schema = field(default_factory=dict)
    content: tuple[str, ...] = JSON
    statuses: tuple[int, ...] = (200,)
    narrowed: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    body_required: bool = True
    body_type: str = "application/json"


_TIME: Final = {"type": "string"}
PARAMETERS: Final[dict[str, tuple[Schema, str]]] = {
    "limit": ({"type": "integer", "minimum": 1}, "How many at most."),
    "offset": ({"type": "integer", "minimum": 0}, "How many to leave out."),
    "cursor": ({"type": "string"}, "Where the page before ended: from its Link header."),
    "sort": ({"type": "string"}, "Keys separated by commas, - before one for descending."),
    "q": ({"type": "string", "maxLength": 2000}, "The query language (docs/query-language.md)."),
    "from": (_TIME, "Begin of the time: RFC 3339, or seconds since 1970."),
    "to": (_TIME, "End of the time."),
    "history": ({"type": "string", "enum": ["0", "1"]}, "1: from what was kept on disk."),
    "muted": ({"type": "string", "enum": ["0", "1"]}, "1: with those that a mute rule hides."),
    "save": ({"type": "string", "enum": ["0", "1"]}, "1: into EXPORT_DIR instead of the answer."),
    "compare": ({"type": "string", "enum": ["0", "1"]}, "1: beside the time of the same length before."),
    "shareable": ({"type": "string", "enum": ["0", "1"]}, "1: with pseudonyms, in an archive with a manifest."),
    "what": ({"type": "string", "enum": list(DATASETS)}, "What to export."),
    "schema": ({"type": "string", "enum": list(SCHEMA_NAMES)}, "Whose names to use."),
    "flow": ({"type": "integer", "minimum": 1}, "Number of a flow."),
    "alert": ({"type": "string"}, "Id of an alert: what belongs to it."),
    "format": ({"type": "string", "enum": ["pcap", "pcapng"]}, "Format of the capture file."),
    "metric": ({"type": "string"}, f"Metrics separated by commas: {', '.join(METRIC_NAMES)}."),
    "step": ({"type": "integer", "enum": sorted({0, 1, 10, *STEPS})}, "Seconds of one point; 0 or none: what fits."),
    "by": ({"type": "string"}, "What to list by."),
    "top": ({"type": "integer", "minimum": 1}, "How many at most."),
    "protocol": ({"type": "string"}, "Part of the transport or application protocol."),
    "ip": ({"type": "string"}, "An address, its beginning, or a network."),
    "list": ({"type": "string", "enum": list(LISTS)}, "Which list."),
    "session": ({"type": "string"}, "Id of a session (GET /api/sessions); without it the live capture."),
}


def of_fields(fields: Iterable[Field], title: str) -> Schema:
    """An object with every key of a table of fields."""
    fields = tuple(fields)
    properties = {one.name: {"type": _TYPES[one.kind], "description": one.help} for one in fields}
    return {"type": "object", "title": title, "properties": properties, "required": list(properties)}


def listed(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def holding(*keys: str) -> Schema:
    """An object with at least these keys."""
    return {"type": "object", "required": list(keys)}


SCHEMAS: Final[dict[str, Schema]] = {
    "Connection": of_fields(CONNECTION_FIELDS, "A connection"),
    "Packet": of_fields(PACKET_FIELDS, "A packet"),
    "Alert": of_fields(ALERT_FIELDS, "An alert"),
    "Latency": of_fields(LATENCY_FIELDS, "Latency and loss of a host, network or interface"),
    **{
        title: of_fields(fact_fields(kind), title)
        for kind, title in (("dns", "DnsQuery"), ("tls", "TlsHello"), ("http", "HttpRequest"), ("logins", "Login"))
    },
    "Share": {
        "type": "object",
        "properties": {"app_name": {"type": ["string", "null"]}, "traffic": {"type": "integer"}},
        "required": ["app_name", "traffic"],
    },
    "Session": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "file": {"type": ["string", "null"]},
            "size": {"type": ["integer", "null"]},
            "created": {"type": "string"},
            "state": {"enum": ["starting", "running", "replaying", "finished", "stopped", "failed"]},
            "progress": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "message": {"type": ["string", "null"]},
            "packets": {"type": "integer", "minimum": 0},
            "bytes": {"type": "integer", "minimum": 0},
            "first": {"type": ["string", "null"]},
            "last": {"type": ["string", "null"]},
        },
        "required": [
            "id",
            "name",
            "file",
            "size",
            "created",
            "state",
            "progress",
            "message",
            "packets",
            "bytes",
            "first",
            "last",
        ],
    },
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "parameter": {"type": "string"},
            "allowed": {"type": "array", "items": {"type": "string"}},
            "position": {"type": "integer"},
            "code": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail"],
    },
}
PROBLEM: Final[Schema] = {
    "description": "Why not, in one sentence (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_PAGE: Final = ("limit", "offset", "cursor", "sort", "q")
_TIMED: Final = ("from", "to", "history")
_FACTS: Final = {"limit": {"maximum": 5_000}, "offset": {"maximum": 20_000}}
_ROWS: Final = ("what", "q", "flow", "alert", "from", "to", "sort", "schema", "save", "history", "shareable")
_FILE: Final = (200, 201)
_PACKETS: Final = ("q", "flow", "alert", "from", "to", "save", "shareable")


def _list(name: str, **more: Any) -> Operation:
    return Operation((*_PAGE, *_TIMED), listed(name), narrowed=_FACTS, **more)


OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("GET", "/"): Operation(content=("text/html",)),
    ("GET", "/api/reference"): Operation(content=("text/html",)),
    ("GET", "/openapi.json"): Operation(response=holding("openapi", "info", "paths", "components")),
    ("GET", "/metrics"): Operation(content=("text/plain",)),
    ("GET", "/healthz"): Operation(response=holding("status", "sensor")),
    ("GET", "/api/connections"): Operation(
        (*_PAGE, *_TIMED), listed("Connection"), narrowed={"limit": {"maximum": 10_000}, "offset": {"maximum": 1_000_000}}
    ),
    ("POST", "/api/connections/filter"): Operation(
        _PAGE, listed("Connection"), narrowed={"limit": {"maximum": 10_000}, "offset": {"maximum": 1_000_000}}, body={"type": "object"}
    ),
    ("GET", "/api/connections/{flow_id}"): Operation(response=holding("connection", "dns", "tls", "http", "logins", "more")),
    ("GET", "/api/dns_queries"): _list("DnsQuery"),
    ("GET", "/api/tls"): _list("TlsHello"),
    ("GET", "/api/http"): _list("HttpRequest"),
    ("GET", "/api/logins"): _list("Login"),
    **{
        ("GET", path): Operation(("limit", "offset", "sort", "q", "muted", *_TIMED), listed("Alert"), narrowed=_FACTS)
        for path in ("/api/alerts", "/api/anomalies")
    },
    ("GET", "/api/security/report"): Operation(("q", "muted"), content=("text/html",)),
    ("GET", "/api/security"): Operation(
        response=holding("total_packets", "suspicious_count", "recent_threats", "packet_history", "security_score", "threat_distribution")
    ),
    ("GET", "/api/packets"): Operation(
        _PAGE, listed("Packet"), narrowed={"limit": {"maximum": 1_000}, "offset": {"maximum": 100_000}, "cursor": {"type": "integer", "minimum": 0}}
    ),
    ("GET", "/api/packets/{packet_id}"): Operation(response=holding("id", "packet", "tree", "hex")),
    ("GET", "/api/stats"): Operation(
        response=holding("time", "totals", "rates", "runtime_s", "protocols", "top_ips", "top_ports", "top_conversations", "flows", "losses", "capture", "sensor")
    ),
    ("GET", "/api/timeseries"): Operation(
        ("metric", "step", "from", "to", "history"), holding("metrics", "unit", "step", "from", "to", "times", "series")
    ),
    ("GET", "/api/pie_data"): Operation(
        ("by",), listed("Share"), narrowed={"by": {"enum": ["app", "process", "protocol", "country", "host", "port"]}}
    ),
    ("GET", "/api/latency"): Operation(
        ("by", "limit", "offset", "sort", "q"),
        listed("Latency"),
        narrowed={"by": {"enum": ["host", "network", "interface"]}, "limit": {"maximum": 2_000}, "offset": {"maximum": 1_000_000}},
    ),
    ("GET", "/api/interfaces"): Operation(response=holding("interfaces", "total_data_usage_gb")),
    ("GET", "/api/capture"): Operation(response=holding("state", "source", "interfaces")),
    ("POST", "/api/capture/start"): Operation(
        response=holding("status"),
        body_required=False,
        body={
            "type": "object",
            "properties": {
                "interface": {"type": "string"},
                "interfaces": {"type": "array", "items": {"type": "string"}},
                "bpf_filter": {"type": "string"},
                "snaplen": {"type": "integer", "minimum": 0, "maximum": 262_144},
            },
            "additionalProperties": False,
        },
    ),
    ("POST", "/api/capture/stop"): Operation(response=holding("status")),
    ("POST", "/api/capture/replay"): Operation(
        response=holding("status", "file", "size"),
        statuses=(202,),
        body={"type": "object", "properties": {"file": {"type": "string", "format": "binary"}, "bpf_filter": {"type": "string"}}, "required": ["file"]},
        body_type="multipart/form-data",
    ),
    ("GET", "/api/sessions"): Operation(
        response={**holding("sessions", "most"), "properties": {"sessions": listed("Session"), "most": {"type": "integer"}}}
    ),
    ("POST", "/api/sessions"): Operation(
        response={"$ref": "#/components/schemas/Session"},
        statuses=(201,),
        body={
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}, "name": {"type": "string", "maxLength": 80}, "bpf_filter": {"type": "string"}},
            "required": ["file"],
        },
        body_type="multipart/form-data",
    ),
    ("GET", "/api/sessions/{session_id}"): Operation(response={"$ref": "#/components/schemas/Session"}),
    ("POST", "/api/sessions/{session_id}"): Operation(
        response={"$ref": "#/components/schemas/Session"},
        body={"type": "object", "properties": {"name": {"type": "string", "maxLength": 80}}, "required": ["name"]},
    ),
    ("DELETE", "/api/sessions/{session_id}"): Operation(content=(), statuses=(204,)),
    ("GET", "/api/help"): Operation(response={"type": "object", "additionalProperties": {"type": "string"}}),
    ("GET", "/api/query_fields"): Operation(("list",), {"type": "array", "items": holding("name", "aliases", "help", "kind", "values")}),
    ("GET", "/api/saved_views"): Operation(response={"type": "array", "items": holding("id", "name", "page", "parameters")}),
    ("POST", "/api/saved_views"): Operation(
        response=holding("id", "name", "page", "parameters"),
        statuses=(201,),
        body={
            "type": "object",
            "properties": {"name": {"type": "string"}, "page": {"type": "string"}, "parameters": {"type": "object"}},
            "required": ["name", "page"],
        },
    ),
    ("POST", "/api/saved_views/{view_id}"): Operation(
        response=holding("id", "name", "page", "parameters"), body={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    ),
    ("DELETE", "/api/saved_views/{view_id}"): Operation(response=holding("status")),
    ("GET", "/api/settings"): Operation(response={"type": "array", "items": holding("name", "value", "default", "allowed", "help", "secret")}),
    ("GET", "/api/legal"): Operation(response=holding("accepted", "accepted_at", "version", "text")),
    ("POST", "/api/legal"): Operation(
        response=holding("accepted", "accepted_at", "version", "text"),
        body={"type": "object", "properties": {"accepted": {"const": True}}, "required": ["accepted"]},
    ),
    ("POST", "/api/shutdown"): Operation(response=holding("status")),
    ("GET", "/api/history"): Operation(response=holding("enabled", "oldest", "rows_written", "problem", "used_bytes", "counts")),
    ("GET", "/api/history/summary"): Operation(("from", "to", "q", "compare"), holding("from", "to", "totals", "series", "top")),
    ("GET", "/api/history/top"): Operation(
        ("by", "from", "to", "q", "limit"),
        {"type": "array", "items": holding("name", "traffic", "packets", "flows")},
        narrowed={"limit": {"maximum": 1_000}, "by": {"enum": list(GROUP_NAMES)}},
    ),
    ("GET", "/api/history/processes"): Operation(
        ("limit", "offset", "from", "to"),
        {"type": "array", "items": holding("id", "started", "pid", "app_name", "app_path", "command_line", "user", "parents", "container", "unit")},
        narrowed={"limit": {"maximum": 5_000}, "offset": {"maximum": 1_000_000}},
    ),
    ("GET", "/api/history/mutes"): Operation(
        ("limit", "offset", "from", "to"),
        {"type": "array", "items": holding("id", "q", "reason", "created_at", "created_by", "expires_at", "removed")},
        narrowed={"limit": {"maximum": 5_000}, "offset": {"maximum": 1_000_000}},
    ),
    ("GET", "/api/export"): Operation(_ROWS, content=("text/csv", "text/tab-separated-values", "application/json", "application/zip"), statuses=_FILE),
    ("GET", "/api/export/csv"): Operation(_ROWS, content=("text/csv", "text/tab-separated-values", "application/json", "application/zip"), statuses=_FILE),
    ("GET", "/api/export/json"): Operation(_ROWS, content=(*JSON, "application/zip"), statuses=_FILE),
    ("GET", "/api/export/ndjson"): Operation(_ROWS, content=("application/x-ndjson", "application/json", "application/zip"), statuses=_FILE),
    ("GET", "/api/export_anomalies"): Operation(
        ("q", "alert", "from", "to", "sort", "save"), content=("text/csv", "application/json"), statuses=_FILE
    ),
    ("GET", "/api/export/pcap"): Operation(
        (*_PACKETS, "format"),
        content=("application/vnd.tcpdump.pcap", "application/x-pcapng", "application/json", "application/zip"),
        statuses=_FILE,
    ),
    ("GET", "/api/export/pcapng"): Operation(
        _PACKETS, content=("application/x-pcapng", "application/json", "application/zip"), statuses=_FILE
    ),
}  # fmt: skip

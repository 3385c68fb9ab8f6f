"""Parameters and shapes of what was found out: alerts and what people say of them, cards, entropy, hosts, programs, logs."""

from __future__ import annotations

from typing import Final

from app.api.api_shapes import Operation, Schema, holding, listed, of_fields
from app.model.card_fields import CARD_FIELDS
from app.model.host_fields import HOST_FIELDS

_STATUS: Final[Schema] = {"type": "string", "enum": ["new", "acknowledged", "false_positive"]}
_JUDGED: Final[Schema] = {
    "type": "object",
    "properties": {"status": _STATUS, "note": {"type": "string", "maxLength": 2_000}},
    "minProperties": 1,
}
_MUTE: Final[Schema] = holding("id", "q", "reason", "created_at", "created_by", "expires_at")
_PAGE: Final = ("limit", "offset", "sort", "q")
_COUNTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}

SCHEMAS: Final[dict[str, Schema]] = {
    "Card": of_fields(CARD_FIELDS, "A card number that was seen"),
    "Host": of_fields((one for one in HOST_FIELDS if one.name != "hosts"), "A host"),
    "AlertSummary": {
        "type": "object",
        "properties": {
            "total": {"type": "integer"},
            "new": {"type": "integer"},
            "by_severity": _COUNTS,
            "by_rule": _COUNTS,
        },
        "required": ["total", "new", "by_severity", "by_rule", "detection", "evidence", "outputs"],
    },
}

OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("GET", "/api/alert_summary"): Operation(response={"$ref": "#/components/schemas/AlertSummary"}),
    ("GET", "/api/alerts/{alert_id}"): Operation(response={"$ref": "#/components/schemas/Alert"}),
    ("POST", "/api/alerts/{alert_id}"): Operation(response={"$ref": "#/components/schemas/Alert"}, body=_JUDGED),
    ("POST", "/api/alert_triage"): Operation(
        response=holding("changed", "unknown"),
        body={
            "type": "object",
            "properties": {"ids": {"type": "array", "items": {"type": "string"}, "minItems": 1}, "status": _STATUS, "note": {"type": "string"}},
            "required": ["ids"],
        },
    ),
    ("GET", "/api/alerts/{alert_id}/pcap"): Operation(content=("application/x-pcapng",)),
    ("POST", "/api/alerts/{alert_id}/reproduce"): Operation(response={"type": "object"}, body_required=False),
    ("GET", "/api/mutes"): Operation(response={"type": "array", "items": holding(*_MUTE["required"], "expired", "hides")}),
    ("POST", "/api/mutes"): Operation(
        response=_MUTE,
        statuses=(201,),
        body={
            "type": "object",
            "properties": {
                "q": {"type": "string", "minLength": 1, "maxLength": 2_000},
                "reason": {"type": "string"},
                "expires_at": {"type": ["string", "null"]},
            },
            "required": ["q"],
        },
    ),
    ("DELETE", "/api/mutes/{mute_id}"): Operation(content=(), statuses=(204,)),
    ("POST", "/api/mute_test"): Operation(
        response=holding("hidden", "of", "by_severity", "from", "to", "sentence", "examples"),
        body={"type": "object", "properties": {"q": {"type": "string", "minLength": 1, "maxLength": 2_000}}, "required": ["q"]},
    ),
    ("GET", "/api/rules"): Operation(response={"type": "object", "additionalProperties": {"type": "object"}}),
    ("GET", "/api/cards"): Operation((*_PAGE, "cursor"), listed("Card"), narrowed={"limit": {"maximum": 5_000}, "offset": {"maximum": 20_000}}),
    ("GET", "/api/cards/report"): Operation(content=("text/html",)),
    ("GET", "/api/entropy"): Operation(
        ("top", "protocol", "ip"), holding("time", "flows", "total", "alerts", "slots", "settings"), narrowed={"top": {"maximum": 200}}
    ),
    ("GET", "/api/logs"): Operation(response=holding("logs", "state")),
    ("GET", "/api/logs/{name}"): Operation(content=("text/csv",)),
    ("GET", "/api/hosts"): Operation(_PAGE, listed("Host"), narrowed={"limit": {"maximum": 2_000}, "offset": {"maximum": 1_000_000}}),
    ("GET", "/api/hosts/{address}"): Operation(response=holding("host", "names", "applications", "programs", "ports", "peers", "countries")),
    ("GET", "/api/world"): Operation(response=holding("countries", "elsewhere", "database", "probes")),
    ("GET", "/api/programs"): Operation(
        _PAGE, holding("programs", "total", "attribution"), narrowed={"limit": {"maximum": 5_000}, "offset": {"maximum": 5_000}}
    ),
    ("GET", "/api/programs/{name}"): Operation(response=holding("id", "app_name", "process_list")),
    ("GET", "/api/programs/pid/{pid}"): Operation(
        response=holding("pid", "app_name", "app_path", "user", "cpu_percent", "memory_percent", "threads")
    ),
    ("GET", "/api/rare_names"): Operation(("limit",), holding("names", "total"), narrowed={"limit": {"maximum": 1_000}}),
    ("GET", "/api/about"): Operation(response=holding("python", "platform", "packages", "files", "processes")),
}  # fmt: skip

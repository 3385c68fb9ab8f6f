"""What every metric means, by name; where tables use one name for different things, by table too."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.fields import (
    ALERT_FIELDS,
    CARD_FIELDS,
    CONNECTION_FIELDS,
    ENTROPY_FIELDS,
    FACT_FIELDS,
    FLOW_FIELDS,
    HOST_FIELDS,
    LATENCY_FIELDS,
    METRIC_FIELDS,
    PACKET_FIELDS,
    explanation,
)

# The last table that knows a name says what it means where nobody tells which table is meant.
TABLES: Final[dict[str, tuple[Field, ...]]] = {
    "latency": LATENCY_FIELDS,
    "cards": CARD_FIELDS,
    "hosts": HOST_FIELDS,
    "alerts": ALERT_FIELDS,
    "facts": FACT_FIELDS,
    "packets": PACKET_FIELDS,
    "flows": FLOW_FIELDS,
    "metrics": METRIC_FIELDS,
    "entropy": ENTROPY_FIELDS,
    "connections": CONNECTION_FIELDS,
}


def help_texts() -> dict[str, str]:
    """`{name: text}`, and `{"table.name": text}` beside it where tables mean different things by a name."""
    by_name: dict[str, dict[str, str]] = {}
    for table, fields in TABLES.items():
        for field in fields:
            by_name.setdefault(field.name, {})[table] = explanation(field)
    texts: dict[str, str] = {}
    for name, meanings in by_name.items():
        texts[name] = list(meanings.values())[-1]
        if len(set(meanings.values())) > 1:
            texts.update({f"{table}.{name}": text for table, text in meanings.items()})
    return texts

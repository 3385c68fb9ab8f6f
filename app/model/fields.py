"""The one table of what is shown: every key of a connection and a packet, every metric of the statistics.

REST, the live table, `/api/help`, tooltips and exports read names, types, units and explanations here, so that none of
them can disagree. ECS, EVE and Zeek names are those of the same idea elsewhere, None where there is none.
"""

from __future__ import annotations

from typing import Final

from app.model.alert_fields import ALERT_FIELDS
from app.model.card_fields import CARD_FIELDS
from app.model.connection_fields import CONNECTION_FIELDS
from app.model.entropy_fields import ENTROPY_FIELDS
from app.model.fact_fields import FACT_FIELDS
from app.model.field import Field
from app.model.flow_fields import FLOW_FIELDS
from app.model.host_fields import HOST_FIELDS
from app.model.latency_fields import LATENCY_FIELDS
from app.model.metric_fields import METRIC_FIELDS
from app.model.packet_fields import PACKET_FIELDS

__all__ = [
    "ALERT_FIELDS",
    "CARD_FIELDS",
    "CONNECTIONS",
    "CONNECTION_FIELDS",
    "ENTROPY_FIELDS",
    "FACT_FIELDS",
    "FLOW_FIELDS",
    "HOST_FIELDS",
    "LATENCY_FIELDS",
    "LIVE_COLUMNS",
    "METRICS",
    "METRIC_FIELDS",
    "PACKETS",
    "PACKET_FIELDS",
    "Field",
    "explanation",
]

CONNECTIONS: Final[dict[str, Field]] = {field.name: field for field in CONNECTION_FIELDS}
PACKETS: Final[dict[str, Field]] = {field.name: field for field in PACKET_FIELDS}
METRICS: Final[dict[str, Field]] = {field.name: field for field in METRIC_FIELDS}
LIVE_COLUMNS: Final[tuple[str, ...]] = tuple(field.name for field in CONNECTION_FIELDS if field.live)


def explanation(field: Field) -> str:
    """The help text with its unit, as `/api/help` gives it."""
    return f"{field.help} Unit: {field.unit}." if field.unit else field.help

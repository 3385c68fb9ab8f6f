"""Flow rows → documents by originator and responder, for exports whose schemas think that way (EVE, ECS, Zeek)."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray

from app.services.connection_rows import PORT_PROTOCOLS, TCP, Rows
from app.services.connections import connections
from app.wire.addresses import format_address

_COUNTERS: Final = ("packets", "bytes")


def flow_documents(rows: Rows) -> list[dict[str, Any]]:
    """The keys of a connection, and those of `app.model.flow_fields` beside them."""
    flows = rows.flows
    version = flows["ip_version"].tolist()
    added: dict[str, list[Any]] = {"ip_version": [number or None for number in version]}
    ported = [protocol in PORT_PROTOCOLS for protocol in rows.protocols]
    tcp = [protocol == TCP for protocol in rows.protocols]
    for end in ("src", "dst"):
        halves = zip(flows[f"{end}_hi"].tolist(), flows[f"{end}_lo"].tolist(), version, strict=True)
        added[f"{end}_ip"] = [format_address(high, low, kind) for high, low, kind in halves]
        added[f"{end}_port"] = _where(ported, flows[f"{end}_port"])
        added[f"{end}_flags"] = _where(tcp, flows[f"{end}_flags"])
        added[f"{end}_payload_bytes"] = flows[f"{end}_payload"].tolist()
        added.update((f"{end}_{name}", flows[f"{end}_{name}"].tolist()) for name in _COUNTERS)
    places = range(len(rows))
    own = connections(rows)
    return [{**own[i], **{name: values[i] for name, values in added.items()}} for i in places]


def _where(known: list[bool], column: NDArray[Any]) -> list[Any]:
    return [value if there else None for there, value in zip(known, column.tolist(), strict=True)]

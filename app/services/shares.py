"""Shares of the traffic for pie charts: `[{"app_name", "traffic"}]`, traffic in bytes, most first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from app.model.layers import protocol_name
from app.services.applications import application_labels
from app.services.connection_rows import Rows
from app.services.connections import columns
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest

# Why there is nothing to divide by: told beside an empty list.
NOT_KNOWN: Final = {"process": "Programs are not attributed to connections."}
SLICES: Final = 20


def shares(mirror: Mirror, by: str) -> list[dict[str, Any]]:
    """One entry for each slice, the rest as `other`; flows of which it is not known are `unknown`. Empty where NOT_KNOWN says why."""
    if by not in KINDS:
        raise BadRequest(f"traffic is not divided by {by[:60]!r}", "by", KINDS)
    if by in NOT_KNOWN:
        return []
    rows = Rows.all(mirror.flow_view())
    return _summed(LABELS[by](rows), rows.flows["src_bytes"] + rows.flows["dst_bytes"])


def _protocols(rows: Rows) -> list[str]:
    return [protocol_name(number) for number in rows.protocols]


def _ports(rows: Rows) -> list[str]:
    names, numbers = columns(rows, ["service"])[0], rows.flows["dst_port"].tolist()
    return [
        name or (f"{protocol_name(protocol)}/{port}" if protocol in (6, 17, 132) else protocol_name(protocol))
        for name, port, protocol in zip(names, numbers, rows.protocols, strict=True)
    ]


def _hosts(rows: Rows) -> list[str]:
    return [_host(text) for text in columns(rows, ["remote_address"])[0]]


def _countries(rows: Rows) -> list[str]:
    """The country's code; the scope of addresses that are in no country: private, multicast …"""
    codes, scopes = columns(rows, ["country", "scope"])
    return [
        code or (scope if scope != "global" else None) or "unknown" for code, scope in zip(codes, scopes, strict=True)
    ]


# What traffic is divided by: a label for each row.
LABELS: Final[dict[str, Callable[[Rows], list[str]]]] = {
    "app": application_labels,
    "protocol": _protocols,
    "country": _countries,
    "host": _hosts,
    "port": _ports,
}
KINDS: Final = (*LABELS, *NOT_KNOWN)


def _host(endpoint: str | None) -> str:
    """The address of `1.2.3.4:5` or `[2001:db8::1]:5`."""
    if endpoint is None:
        return "unknown"
    if endpoint.startswith("["):
        return endpoint[1:].partition("]")[0]
    return endpoint.partition(":")[0] if endpoint.count(":") == 1 else endpoint


def _summed(labels: list[str], size: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    total: dict[str, int] = {}
    for label, count in zip(labels, size.tolist(), strict=True):
        total[label] = total.get(label, 0) + count
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    found = [{"app_name": label, "traffic": traffic} for label, traffic in ordered[:SLICES]]
    rest = sum(traffic for _, traffic in ordered[SLICES:])
    return [*found, {"app_name": "other", "traffic": rest}] if rest else found

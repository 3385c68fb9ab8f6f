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

SLICES: Final = 20


def shares(mirror: Mirror, by: str) -> list[dict[str, Any]]:
    """One entry for each slice, the rest as `other`; flows of which it is not known are `unknown`. Empty where `why_empty` says why."""
    if by not in KINDS:
        raise BadRequest(f"traffic is not divided by {by[:60]!r}", "by", KINDS)
    if why_empty(mirror, by):
        return []
    rows = Rows.all(mirror.flow_view())
    return _summed(LABELS[by](rows), rows.flows["src_bytes"] + rows.flows["dst_bytes"])


def why_empty(mirror: Mirror, by: str) -> str | None:
    """Why there is nothing to divide by; None where there is."""
    if by == "process" and not mirror.facts.facts.owners.flows:
        return "No connection has a known program: programs are looked up in live capture on this machine only."
    return None


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


def _programs(rows: Rows) -> list[str]:
    """The local end's program; `unknown` where it is not known, `elsewhere` where neither end is this machine."""
    return [
        own.process.name
        if own is not None and own.process is not None
        else "elsewhere"
        if own is not None and own.reason == "forwarded"
        else "unknown"
        for own, _ in rows.owners
    ]


# What traffic is divided by: a label for each row.
LABELS: Final[dict[str, Callable[[Rows], list[str]]]] = {
    "app": application_labels,
    "process": _programs,
    "protocol": _protocols,
    "country": _countries,
    "host": _hosts,
    "port": _ports,
}
KINDS: Final = tuple(LABELS)


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

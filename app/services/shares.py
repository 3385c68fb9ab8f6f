"""Shares of the traffic for pie charts: `[{"app_name", "traffic"}]`, traffic in bytes, most first."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from app.model.layers import protocol_name
from app.services.applications import application_labels
from app.services.connections import Rows, columns
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest

KINDS: Final = ("app", "process", "protocol", "country", "host", "port")
# Why there is nothing to divide by: told beside an empty list.
NOT_KNOWN: Final = {
    "process": "Programs are not attributed to connections.",
    "country": "Places of addresses are not looked up.",
}
SLICES: Final = 20


def shares(mirror: Mirror, by: str) -> list[dict[str, Any]]:
    """One entry for each slice, the rest as `other`; flows of which it is not known are `unknown`. Empty where NOT_KNOWN says why."""
    if by not in KINDS:
        raise BadRequest(f"traffic is not divided by {by[:60]!r}", "by", KINDS)
    if by in NOT_KNOWN:
        return []
    view = mirror.flow_view()
    rows = Rows.all(view)
    size = view.flows["src_bytes"] + view.flows["dst_bytes"]
    labels: list[str]
    if by == "app":
        labels = application_labels(rows)
    elif by == "protocol":
        return _summed([protocol_name(number) for number in rows.protocols], size)
    elif by == "port":
        names, ports = columns(rows, ["service"])[0], view.flows["dst_port"].tolist()
        protocols = rows.protocols
        labels = [
            name or (f"{protocol_name(protocol)}/{port}" if protocol in (6, 17, 132) else protocol_name(protocol))
            for name, port, protocol in zip(names, ports, protocols, strict=True)
        ]
    else:
        labels = [_host(text) for text in columns(rows, ["remote_address"])[0]]
    return _summed(labels, size)


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

"""Latency and loss, rolled up by remote host, network or interface, from the columns of the flows that are held. Nothing is sent for it.

The network of a host is its /24 (IPv4) or /48 (IPv6), in which routes usually differ little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from app.services.connection_rows import TCP, Rows
from app.services.fact_documents import Fact
from app.services.flow_mirror import FlowView
from app.services.query_errors import BadRequest
from app.services.round_trips import round_trips
from app.stats.grouped import grouped_quantiles
from app.wire.addresses import format_addresses, parse_address
from app.wire.filter import Field, FieldSet, Query, QueryError, parse
from app.wire.filter_columns import columns
from app.wire.filter_facets import NumberFacet, TextFacet
from app.wire.filter_values import COUNT, PLAIN

Array = NDArray[Any]
_LOW_BITS: Final = np.uint64(0xFFFFFFFF_FFFFFF00)  # of the low half of an IPv4 address: its /24
_HIGH_BITS: Final = np.uint64(0xFFFFFFFF_FFFF0000)  # of the high half of an IPv6 address: its /48
NUMBERS: Final = {
    "flows": "connections",
    "measured": "connections with an ongoing round trip",
    "rtt_median_ms": "median of the ongoing round trips",
    "rtt_p95_ms": "95 of 100 are below",
    "rtt_least_ms": "the smallest",
    "handshake_median_ms": "median of the handshakes",
    "retransmission_percent": "TCP segments sent again",
    "out_of_order_percent": "TCP segments out of order",
    "dns_median_ms": "median from DNS query to answer",
    "dns_answers": "DNS answers that were timed",
}
COUNTS: Final = frozenset({"flows", "measured", "dns_answers"})
DEFAULT_SORT: Final = (("flows", True),)


@dataclass(frozen=True, slots=True)
class LatencyRequest:
    by: str
    limit: int = 200
    offset: int = 0
    sort: tuple[tuple[str, bool], ...] = DEFAULT_SORT
    q: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """Which group each flow belongs to (-1: none), the groups' keys and names, and the group of a fact about a flow or a server."""

    of_flow: NDArray[np.intp]
    keys: list[str]
    names: list[str | None]


class _Table:
    """The groups as columns: `text.key`, `text.name`, `number.…`."""

    def __init__(self, texts: dict[str, Array], numbers: dict[str, Array]) -> None:
        self._columns = {f"text.{name}": column for name, column in texts.items()}
        self._columns |= {f"number.{name}": column for name, column in numbers.items()}
        self.dtype = np.dtype([])

    def __len__(self) -> int:
        return len(self._columns["text.key"])

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]


FIELDS: Final = FieldSet(
    [
        Field(
            "key", (TextFacet(columns("text.key")),), "address, network or interface", ("host", "network", "interface")
        ),
        Field("name", (TextFacet(columns("text.name")),), "what it is called, or who runs it", ("organization",)),
        *(
            Field(name, (NumberFacet(columns(f"number.{name}"), COUNT if name in COUNTS else PLAIN),), meaning)
            for name, meaning in NUMBERS.items()
        ),
    ],
    free=("key", "name"),
)


def parse_latency_query(text: str) -> Query:
    """`BadRequest` carries the column of the mistake."""
    try:
        return parse(text, FIELDS)
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None


def parse_latency_sort(text: str) -> tuple[tuple[str, bool], ...]:
    """`-rtt_median_ms,key`; most connections first where nothing is said. `BadRequest` names an unknown key."""
    keys = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        field = FIELDS.get(part.lstrip("+-"))
        if field is None:
            raise BadRequest(f"cannot sort by {part.lstrip('+-')[:60]!r}", "sort", FIELDS.names)
        keys.append((field.name, part.startswith("-")))
    return tuple(keys[:4]) or DEFAULT_SORT


def latency_page(
    view: FlowView, dns: Sequence[Fact], interfaces: Sequence[str], request: LatencyRequest, now_ns: int
) -> tuple[list[dict[str, Any]], int]:
    """(documents, how many match). Runs in any thread, without a lock."""
    rows = Rows.all(view, interfaces)
    groups = GROUPINGS[request.by](rows)
    numbers = _numbers(rows, groups, dns, request.by)
    texts = {"key": _texts(groups.keys), "name": _texts(groups.names)}
    table = cast("NDArray[np.void]", _Table(texts, numbers))
    query = parse_latency_query(request.q)
    places = np.arange(len(groups.keys))
    if query.condition is not None:
        places = np.flatnonzero(query.mask(table, now_ns))
    sort = tuple((key.name, key.descending) for key in query.sort_keys) or request.sort
    order: list[Array] = [texts["key"][places].astype(str)]
    for name, descending in reversed(sort):
        column = (texts[name] if name in texts else numbers[name])[places]
        if name in texts:
            column = np.unique([text or "\uffff" for text in column], return_inverse=True)[1].astype(np.float64)
        order.append(-column if descending else column)
    chosen = places[np.lexsort(order)][request.offset : request.offset + request.limit]
    made = {name: _shown(numbers[name][chosen], name) for name in NUMBERS}
    found = [
        {"key": groups.keys[place], "name": groups.names[place], **{name: made[name][index] for name in NUMBERS}}
        for index, place in enumerate(chosen.tolist())
    ]
    return found, len(places)


def _texts(values: Sequence[str | None]) -> Array:
    column = np.empty(len(values), np.object_)
    column[:] = values
    return column


def _shown(column: Array, name: str) -> list[Any]:
    if name in COUNTS:
        return [int(value) for value in column.tolist()]
    return [round(value, 3) if np.isfinite(value) else None for value in column.tolist()]


def _numbers(rows: Rows, groups: Groups, dns: Sequence[Fact], by: str) -> dict[str, Array]:
    size, flows = len(groups.keys), rows.flows
    inside = groups.of_flow >= 0
    group = groups.of_flow[inside]
    tcp = (flows["protocol"] == TCP)[inside]

    def quantiles(column: Array, *shares: float) -> tuple[list[Array], Array]:
        return grouped_quantiles(group, column[inside], size, shares)

    def total(name: str) -> Array:
        both = flows[f"src_{name}"].astype(np.float64) + flows[f"dst_{name}"]
        return np.bincount(group, np.where(tcp, both[inside], 0.0), size)

    (median, high), measured = quantiles(round_trips(rows), 0.5, 0.95)
    (least,), _ = quantiles(round_trips(rows, "rtt_min_ms"), 0.0)
    (handshake,), _ = quantiles(np.where(flows["rtt_ns"] >= 0, flows["rtt_ns"] / 1e6, np.nan), 0.5)
    segments = total("packets")
    parts = np.where(segments > 0, 100.0 / np.maximum(segments, 1.0), np.nan)
    (dns_median,), answers = _dns(rows, groups, dns, by)
    return {
        "flows": np.bincount(group, minlength=size),
        "measured": measured,
        "rtt_median_ms": median,
        "rtt_p95_ms": high,
        "rtt_least_ms": least,
        "handshake_median_ms": handshake,
        "retransmission_percent": parts * total("retransmissions"),
        "out_of_order_percent": parts * total("out_of_order"),
        "dns_median_ms": dns_median,
        "dns_answers": answers,
    }


def _dns(rows: Rows, groups: Groups, dns: Sequence[Fact], by: str) -> tuple[list[Array], Array]:
    """Times from query to answer by the group of their server; on interfaces by that of their flow."""
    timed = [(fact, latency) for fact in dns if (latency := fact.get("latency_ms")) is not None]
    if by == "interface":
        group_of = dict(zip(rows.flows["flow_id"].tolist(), groups.of_flow.tolist(), strict=True))
        found = [group_of.get(fact.get("flow_id"), -1) for fact, _ in timed]
    else:
        place = {key: number for number, key in enumerate(groups.keys)}
        found = [place.get(_server_key(fact.get("server"), by), -1) for fact, _ in timed]
    group = np.array(found, np.intp)
    values = np.array([latency for _, latency in timed], np.float64)
    inside = group >= 0
    return grouped_quantiles(group[inside], values[inside], len(groups.keys), (0.5,))


def _server_key(server: Any, by: str) -> str:
    if not isinstance(server, str) or by == "host":
        return server or ""
    try:
        version, high, low = parse_address(server)
    except ValueError:
        return ""
    halves = np.array([high], np.uint64), np.array([low], np.uint64)
    return _network_texts(*halves, np.array([version], np.uint8))[0]


def _networks(high: Array, low: Array, version: Array) -> tuple[Array, Array]:
    four = version == 4
    return np.where(four, high, high & _HIGH_BITS), np.where(four, low & _LOW_BITS, np.uint64(0))


def _network_texts(high: Array, low: Array, version: Array) -> list[str]:
    texts = format_addresses(*_networks(high, low, version), version)
    return [f"{text}/{24 if four else 48}" for text, four in zip(texts, (version == 4).tolist(), strict=True)]


def _by_host(rows: Rows) -> Groups:
    numbers, inverse = np.unique(rows.remote_hosts, return_inverse=True)
    known = [rows.hosts.known(numbers, column) for column in ("hi", "lo", "version")]
    names: list[str | None] = [None] * len(numbers)
    for group, (name, _) in zip(inverse.tolist(), rows.hostnames, strict=True):
        names[group] = names[group] or name
    of_flow = np.where(numbers[inverse] != 0, inverse, -1) if len(numbers) else inverse
    return _without_nobody(Groups(of_flow, [text or "" for text in format_addresses(*known)], names))


def _without_nobody(groups: Groups) -> Groups:
    """Flows without IP have no remote host: their group is taken out."""
    kept = np.array([key != "" for key in groups.keys], np.bool_)
    if kept.all():
        return groups
    moved = np.where(kept, np.cumsum(kept) - 1, -1)
    of_flow = np.where(groups.of_flow >= 0, moved[groups.of_flow], -1)
    chosen = np.flatnonzero(kept).tolist()
    return Groups(of_flow, [groups.keys[i] for i in chosen], [groups.names[i] for i in chosen])


def _by_network(rows: Rows) -> Groups:
    numbers, inverse = np.unique(rows.remote_hosts, return_inverse=True)
    high, low, version = (rows.hosts.known(numbers, column) for column in ("hi", "lo", "version"))
    texts = [
        text if nobody else ""
        for text, nobody in zip(_network_texts(high, low, version), (numbers != 0).tolist(), strict=True)
    ]
    keys, host_group = np.unique(np.array(texts, np.str_), return_inverse=True)
    organizations = rows.hosts.texts(numbers, "system", [name for _, name in rows.hosts.words.systems])
    names: list[str | None] = [None] * len(keys)
    for group, organization in zip(host_group.tolist(), organizations, strict=True):
        names[group] = names[group] or organization
    return _without_nobody(Groups(host_group[inverse], [str(key) for key in keys], names))


def _by_interface(rows: Rows) -> Groups:
    codes, inverse = np.unique(rows.flows["interface"], return_inverse=True)
    names = rows.interfaces
    keys = [names[code] if code < len(names) else f"#{code}" for code in codes.tolist()]
    return Groups(inverse.astype(np.intp), keys, [None] * len(keys))


GROUPINGS: Final[dict[str, Callable[[Rows], Groups]]] = {
    "host": _by_host,
    "network": _by_network,
    "interface": _by_interface,
}

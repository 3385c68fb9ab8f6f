"""Hosts as they are shown: one line for each address of the flows, and one host with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.oui import is_made_up
from app.enrich.services import service_name
from app.model.layers import protocol_name
from app.model.timestamps import rfc3339
from app.services.connection_rows import PORT_PROTOCOLS, TCP, Rows
from app.services.connections import columns
from app.services.flow_mirror import FlowView
from app.services.host_fields import FIELDS, KINDS, HostColumns, Key, host_rows
from app.services.host_sums import HostSums, host_sums
from app.services.query_errors import BadRequest, NotThere
from app.wire.addresses import format_addresses, parse_address
from app.wire.filter import Query, QueryError, parse

LOOKED_AT: Final = (
    48  # flows of each listed host whose programs, applications and ports are named: those with the most bytes
)
NAMED: Final = 5  # of each, in a list
PEERS: Final = 50
MAX_PORTS: Final = 200
_SYN: Final = 2
SORTABLE: Final = FIELDS.names


@dataclass(frozen=True, slots=True)
class HostRequest:
    limit: int = 200
    offset: int = 0
    sort: tuple[tuple[str, bool], ...] = (("bytes", True),)
    q: str = ""


def parse_host_query(text: str) -> Query:
    """`BadRequest` carries the column of the mistake."""
    try:
        return parse(text, FIELDS)
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None


def parse_host_sort(text: str) -> tuple[tuple[str, bool], ...]:
    """`-bytes,name`; most bytes first where nothing is said. `BadRequest` names an unknown key."""
    keys = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        field = FIELDS.get(part.lstrip("+-"))
        if field is None:
            raise BadRequest(f"cannot sort by {part.lstrip('+-')[:60]!r}", "sort", SORTABLE)
        keys.append((field.name, part.startswith("-")))
    return tuple(keys[:4]) or (("bytes", True),)


def host_page(
    view: FlowView, request: HostRequest, own: frozenset[Key], now_ns: int
) -> tuple[list[dict[str, Any]], int]:
    """(documents, how many match). Runs in any thread, without a lock."""
    sums = host_sums(view)
    hosts = HostColumns(sums, own)
    query = parse_host_query(request.q)
    if query.condition is not None:
        hosts = HostColumns(sums, own, np.flatnonzero(query.mask(host_rows(hosts), now_ns)))
    sort = tuple((key.name, key.descending) for key in query.sort_keys) or request.sort
    order = _order(hosts, sort)[request.offset : request.offset + request.limit]
    shown = HostColumns(sums, own, hosts.places[order])
    return host_documents(shown), len(hosts)


def _order(hosts: HostColumns, sort: Sequence[tuple[str, bool]]) -> NDArray[np.intp]:
    keys: list[Any] = []
    for name, descending in sort:
        for column in FIELDS.fields[name].facets[0].sort_columns(host_rows(hosts)):
            if column.dtype.kind in "US":
                ranks = np.unique(column, return_inverse=True)[1].astype(np.float64)
                column = np.where(column == "", np.nan, ranks)
            keys.append((-column if column.dtype.kind == "f" else ~column) if descending else column)
    keys += [hosts.host("hi"), hosts.host("lo")]
    return np.lexsort(keys[::-1])


def host_documents(hosts: HostColumns) -> list[dict[str, Any]]:
    """The hosts as they leave the program."""
    sums, places = hosts.sums, hosts.places
    addresses = format_addresses(hosts.host("hi"), hosts.host("lo"), hosts.host("version"))
    names = (
        "name",
        "name_source",
        "scope",
        "country",
        "country_name",
        "city",
        "asn",
        "organization",
        "mac",
        "mac_source",
        "vendor",
    )
    texts = zip(*(hosts.texts(name) for name in names), strict=True)
    anonymous, pings, kinds = (
        column.tolist() for column in (hosts.host("anonymous"), hosts.host("ping_ms"), hosts.kinds())
    )
    named = _named(sums, places)
    found = []
    for index, (place, address, values) in enumerate(zip(places.tolist(), addresses, texts, strict=True)):
        said = dict(zip(names, values, strict=True))
        found.append(
            {
                "address": address,
                **said,
                "kind": KINDS[kinds[index]],
                "mac_is_made_up": is_made_up(said["mac"]) if said["mac"] else None,
                "is_anonymous": None if anonymous[index] < 0 else bool(anonymous[index]),
                "ping_ms": None if np.isnan(pings[index]) else round(pings[index], 3),
                "bytes_sent": int(sums.bytes_sent[place]),
                "bytes_recv": int(sums.bytes_recv[place]),
                "packets_sent": int(sums.packets_sent[place]),
                "packets_recv": int(sums.packets_recv[place]),
                "flows": int(sums.flows[place]),
                "active_flows": int(sums.active[place]),
                "first_seen": rfc3339(int(sums.first_ns[place])),
                "last_seen": rfc3339(int(sums.last_ns[place])),
                **named[index],
            }
        )
    return found


def _named(sums: HostSums, places: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Programs, applications and open ports of the heaviest flows of each host."""
    groups = [sums.rows_of(int(place), LOOKED_AT) for place in places]
    if not groups:
        return []
    together = np.concatenate(groups)
    rows = Rows.of(sums.view, together)
    programs, applications = columns(rows, ["app_name", "application"])
    opened = _opened(rows)
    ports = list(zip(rows.protocols, rows.flows["dst_port"].tolist(), strict=True))
    target = rows.derived["dst_host"].tolist()
    found, at = [], 0
    for place, group in zip(places.tolist(), groups, strict=True):
        part = slice(at, at + len(group))
        at += len(group)
        number = int(sums.numbers[place])
        own = {ports[i] for i in range(part.start, part.stop) if opened[i] and target[i] == number}
        found.append(
            {
                "applications": _distinct(applications[part]),
                "programs": _distinct(programs[part]),
                "open_ports": [_port(*port) for port in sorted(own, key=lambda port: (port[1], port[0]))[: 4 * NAMED]],
            }
        )
    return found


def _opened(rows: Rows) -> list[bool]:
    """Whether the responder showed that somebody listens: a SYN of its own (TCP), an answer (others with ports)."""
    flows = rows.flows
    tcp = flows["protocol"] == TCP
    ports = np.isin(flows["protocol"], sorted(PORT_PROTOCOLS))
    answered = np.where(tcp, flows["dst_flags"] & _SYN != 0, flows["dst_packets"] > 0)
    return list((ports & answered).tolist())


def _port(protocol: int, port: int) -> dict[str, Any]:
    name = protocol_name(protocol)
    return {"protocol": name, "port": port, "service": service_name(name, port)}


def _distinct(values: list[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value is not None))[:NAMED]


def host_detail(view: FlowView, address: str, own: frozenset[Key], now_ns: int) -> dict[str, Any]:
    """`{host, names, applications, programs, ports, peers, countries}`. `BadRequest` for what is no address, `NotThere` for one that is not seen."""
    try:
        version, high, low = parse_address(address)
    except ValueError:
        raise BadRequest(f"{address[:60]!r} is no address", "address", ["an IPv4 or IPv6 address"]) from None
    sums = host_sums(view)
    number = view.hosts.number(high, low)
    place = int(np.searchsorted(sums.numbers, number))
    if number == 0 or place >= len(sums) or sums.numbers[place] != number:
        raise NotThere(f"No connection that is held has the address {address}.")
    chosen = HostColumns(sums, own, np.array([place]))
    rows = Rows.of(view, sums.rows_of(place))
    programs, applications = columns(rows, ["app_name", "application"])
    size = (rows.flows["src_bytes"] + rows.flows["dst_bytes"]).tolist()
    is_source = rows.derived["src_host"] == number
    peers = np.where(is_source, rows.derived["dst_host"], rows.derived["src_host"])
    return {
        "host": host_documents(chosen)[0],
        "names": [
            {"name": said.name, "source": said.source, "age_s": round(said.age_s, 1), "expired": said.expired}
            for said in view.facts.names.all_names((high, low), version, now_ns)
        ],
        "applications": _summed(applications, size),
        "programs": _summed(programs, size),
        "ports": _ports(rows, ~is_source, size),
        "peers": _peers(view, own, peers, rows),
        "countries": _summed(view.hosts.texts(peers, "country", view.hosts.words.countries), size),
    }


def _summed(labels: list[str | None], size: list[int]) -> list[dict[str, Any]]:
    found: dict[str, list[int]] = {}
    for label, count in zip(labels, size, strict=True):
        if label is not None:
            entry = found.setdefault(label, [0, 0])
            entry[0] += count
            entry[1] += 1
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return [{"name": name, "bytes": count, "flows": flows} for name, (count, flows) in ordered[:PEERS]]


def _ports(rows: Rows, is_target: NDArray[np.bool_], size: list[int]) -> list[dict[str, Any]]:
    """Ports of the host that others used, with whether somebody was seen to listen."""
    found: dict[tuple[int, int], list[int]] = {}
    opened, ports = _opened(rows), rows.flows["dst_port"].tolist()
    for index in np.flatnonzero(is_target).tolist():
        if rows.protocols[index] not in PORT_PROTOCOLS:
            continue
        entry = found.setdefault((rows.protocols[index], ports[index]), [0, 0, 0])
        entry[0] += size[index]
        entry[1] += 1
        entry[2] |= opened[index]
    ordered = sorted(found.items(), key=lambda item: (-item[1][2], -item[1][0], item[0]))[:MAX_PORTS]
    return [
        {**_port(*port), "open": bool(seen), "bytes": count, "flows": flows} for port, (count, flows, seen) in ordered
    ]


def _peers(view: FlowView, own: frozenset[Key], peers: NDArray[np.uint32], rows: Rows) -> list[dict[str, Any]]:
    numbers, inverse = np.unique(peers, return_inverse=True)
    size = (rows.flows["src_bytes"] + rows.flows["dst_bytes"]).astype(np.float64)
    traffic, flows = np.bincount(inverse, size), np.bincount(inverse)
    chosen = np.argsort(-traffic, kind="stable")[:PEERS]
    chosen = chosen[numbers[chosen] != 0]
    sums = host_sums(view)
    hosts = HostColumns(sums, own, np.searchsorted(sums.numbers, numbers[chosen]))
    addresses = format_addresses(hosts.host("hi"), hosts.host("lo"), hosts.host("version"))
    return [
        {"address": address, "name": name, "country": country, "bytes": int(traffic[index]), "flows": int(flows[index])}
        for address, name, country, index in zip(
            addresses, hosts.texts("name"), hosts.texts("country"), chosen.tolist(), strict=True
        )
    ]

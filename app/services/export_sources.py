"""What can be exported as rows: each kind once, with its columns and where its documents come from.

A source is prepared on the hub (it takes what it needs from the mirror) and then gives documents part by part; taking a part is plain work for
a real thread, so a file of any size needs the memory of one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.model.alert_fields import ALERT_FIELDS
from app.model.fact_fields import FACT_FIELDS
from app.model.field import Field, describe
from app.model.fields import CONNECTIONS
from app.model.flow_fields import FLOW_FIELDS
from app.services.alert_book import AlertInputs, alert_page
from app.services.connections import Rows, connections
from app.services.fact_documents import Fact
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query, parse_fact_sort
from app.services.flow_documents import flow_documents
from app.services.flow_mirror import FlowView
from app.services.house import House
from app.services.queries import PageRequest, parse_query, parse_sort, select
from app.services.query_times import timed

PART_ROWS: Final = 500
ALL: Final = 1 << 62

Documents = list[dict[str, Any]]

# The order of the CSV that users of earlier programs know; what is ours follows.
SEED_KEYS: Final = (
    "app_name", "app_path", "pid", "local_address", "remote_address", "hostname", "status", "bytes_sent", "bytes_recv", "city", "country",
    "protocol", "detailed_protocol", "duration", "reconnect_count", "latency_ms", "packet_loss_percent", "time_of_detection",
    "session_status", "end_time", "is_anonymous", "cpu_percent", "memory_percent",
)  # fmt: skip
FLOW_KEYS: Final = (
    "flow_id", "community_id", "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "time_of_detection", "last_seen", "duration",
    "src_packets", "dst_packets", "src_bytes", "dst_bytes", "src_payload_bytes", "dst_payload_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export. Times in ns, both ends included; a flow belongs to a time when it overlaps it."""

    q: str = ""
    flow_id: int | None = None
    alert: Mapping[str, Any] | None = None  # only its flows; of alerts, only itself
    first_ns: int | None = None
    last_ns: int | None = None
    sort: str = ""

    @property
    def flow_ids(self) -> frozenset[int] | None:
        """Flows that are asked for; None: all of them."""
        named = None if self.alert is None else frozenset(self.alert["flow_ids"])
        if self.flow_id is None:
            return named
        return frozenset({self.flow_id}) if named is None else named & {self.flow_id}


@dataclass(frozen=True, slots=True)
class Dataset:
    """`fields` in the order of columns; `schema_key`: name of it in the views of other schemas; `with_flow`: documents get the connection that
    they were read in as `flow` for them."""

    name: str
    path: str
    schema_key: str
    fields: tuple[Field, ...]
    live: Callable[[House, ExportRequest, bool], Iterator[Documents]]  # the last: for another schema than ours


def connection_fields() -> tuple[Field, ...]:
    return tuple(CONNECTIONS[name] for name in (*SEED_KEYS, *(name for name in CONNECTIONS if name not in SEED_KEYS)))


def flow_fields() -> tuple[Field, ...]:
    known = {**CONNECTIONS, **{field.name: field for field in FLOW_FIELDS}}
    return tuple(known[name] for name in (*FLOW_KEYS, *(name for name in known if name not in FLOW_KEYS)))


_SHARED: Final = (
    describe("id", "integer", "No.", "Number of the entry, from 1, in this capture."),
    describe("timestamp", "time", "Time", "When it was seen."),
    describe("flow_id", "integer", "Flow", "Flow it was read in."),
)
# Names that mean something else of a connection.
_OF_FACTS: Final = (
    describe("status", "integer", "Status", "Code of the response; null where none was seen."),
    describe("alpn", "list", "ALPN", "Protocols the client offered inside.", zeek="next_protocol"),
)
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "dns": ("client", "server", "query", "type", "rcode", "answers", "resolved_ips", "ttl", "latency_ms", "transport", "kind", "process"),
    "tls": (
        "transport", "server_name", "version", "offered_version", "cipher", "alpn", "ja3", "ja4", "ech", "quic_version", "subject", "issuer",
        "not_before", "not_after", "self_signed", "names",
    ),
    "http": (
        "method", "host", "uri", "version", "user_agent", "status", "content_type", "response_length", "latency_ms", "username",
    ),
    "logins": ("protocol", "username", "succeeded"),
}  # fmt: skip


def fact_fields(kind: str) -> tuple[Field, ...]:
    """The fields of a list of facts, in the order of its documents."""
    known = {**CONNECTIONS, **{field.name: field for field in (*FACT_FIELDS, *_OF_FACTS)}}
    return (*_SHARED, *(known[name] for name in _KEYS[kind]))


# -- live ----------------------------------------------------------------------------------------------------------------


def _live_flows(house: House, wanted: ExportRequest, foreign: bool) -> Iterator[Documents]:
    return _flow_parts(house, wanted, flow_documents)


def _live_connections(house: House, wanted: ExportRequest, foreign: bool) -> Iterator[Documents]:
    return _flow_parts(house, wanted, flow_documents if foreign else connections)


def _flow_parts(house: House, wanted: ExportRequest, documents: Callable[[Rows], Documents]) -> Iterator[Documents]:
    names = house.interface_names()
    parse_query(wanted.q, names)  # what is wrong with it is said before the first byte
    request = PageRequest(limit=ALL, q=wanted.q, sort=parse_sort(wanted.sort))
    return _rows(house.mirror.flow_view(), request, names, house.mirror.now_ns, wanted, documents)


def _rows(
    view: FlowView,
    request: PageRequest,
    names: Sequence[str],
    now_ns: int,
    wanted: ExportRequest,
    documents: Callable[[Rows], Documents],
) -> Iterator[Documents]:
    chosen = select(view, request, names, now_ns).indices
    flows = view.flows
    inside = np.ones(len(chosen), np.bool_)
    if wanted.flow_ids is not None:
        inside &= np.isin(flows["flow_id"][chosen], np.array(sorted(wanted.flow_ids), np.uint64))
    if wanted.first_ns is not None:
        inside &= flows["end"][chosen] >= wanted.first_ns
    if wanted.last_ns is not None:
        inside &= flows["start"][chosen] <= wanted.last_ns
    chosen = chosen[inside]
    for at in range(0, len(chosen), PART_ROWS):
        yield documents(Rows.of(view, chosen[at : at + PART_ROWS], names))


def _live_facts(kind: str) -> Callable[[House, ExportRequest, bool], Iterator[Documents]]:
    def live(house: House, wanted: ExportRequest, foreign: bool) -> Iterator[Documents]:
        parse_fact_query(kind, wanted.q)
        request = FactRequest(kind, ALL, sort=parse_fact_sort(kind, wanted.sort), q=wanted.q)
        facts, now = house.mirror.newest_facts(kind), house.mirror.now_ns
        if not foreign:
            return _facts(facts, request, wanted, now)
        return _with_flows(_facts(facts, request, wanted, now), house.mirror.flow_view(), house.interface_names())

    return live


def _facts(facts: list[Fact], request: FactRequest, wanted: ExportRequest, now_ns: int) -> Iterator[Documents]:
    first, last = wanted.first_ns or 0, ALL if wanted.last_ns is None else wanted.last_ns
    ids = wanted.flow_ids
    kept = [fact for fact in facts if first <= fact.ns <= last and (ids is None or fact.get("flow_id") in ids)]
    documents = fact_page(kept, request, now_ns).documents
    for at in range(0, len(documents), PART_ROWS):
        yield documents[at : at + PART_ROWS]


def _with_flows(parts: Iterator[Documents], view: FlowView, names: Sequence[str]) -> Iterator[Documents]:
    """Facts with the flow they were read in, where that is still held."""
    ids = view.flows["flow_id"]
    order = np.argsort(ids)
    for part in parts:
        wanted = np.array(sorted({fact["flow_id"] for fact in part if fact["flow_id"]}), np.uint64)
        places = np.minimum(np.searchsorted(ids, wanted, sorter=order), max(len(ids) - 1, 0))
        found = order[places] if len(ids) else np.zeros(0, np.intp)
        found = found[ids[found] == wanted] if len(ids) else found
        flows = {flow["flow_id"]: flow for flow in flow_documents(Rows.of(view, found, names))}
        yield [{**fact, "flow": flows.get(fact["flow_id"]) or _ends(fact)} for fact in part]


def _ends(fact: dict[str, Any]) -> dict[str, Any]:
    """What a DNS query says of its own flow, when that is gone."""
    return {"src_ip": fact.get("client"), "dst_ip": fact.get("server"), "protocol": _carried(fact.get("transport"))}


def _carried(transport: Any) -> str | None:
    return transport if transport in ("udp", "tcp") else None


def _live_alerts(house: House, wanted: ExportRequest, foreign: bool) -> Iterator[Documents]:
    """Alerts that no mute rule hides, by the time that each was seen last."""
    query = parse_fact_query("alerts", wanted.q)
    text = timed(query, "time", "time", wanted.first_ns, wanted.last_ns)
    request = FactRequest("alerts", ALL, sort=parse_fact_sort("alerts", wanted.sort), q=text)
    return _alerts(house.alerts.book.inputs(), request, wanted)


def _alerts(inputs: AlertInputs, request: FactRequest, wanted: ExportRequest) -> Iterator[Documents]:
    alert, flow_id = wanted.alert, wanted.flow_id
    documents = alert_page(inputs, request, with_muted=alert is not None).page.documents
    if alert is not None:
        documents = [one for one in documents if one["id"] == alert["id"]]
    if flow_id is not None:
        documents = [one for one in documents if flow_id in one["flow_ids"]]
    for at in range(0, len(documents), PART_ROWS):
        yield documents[at : at + PART_ROWS]


ALERT_KEYS: Final = (
    "app_name", "pid", "remote_address", "bytes_sent", "bytes_recv", "city", "country", "protocol", "duration", "reconnect_count",
    "time_of_detection",
)  # fmt: skip


def alert_fields() -> tuple[Field, ...]:
    """The columns of earlier programs first."""
    known = {field.name: field for field in ALERT_FIELDS}
    return tuple(known[name] for name in (*ALERT_KEYS, *(name for name in known if name not in ALERT_KEYS)))


DATASETS: Final[dict[str, Dataset]] = {
    known.name: known
    for known in (
        Dataset("connections", "conn", "flows", connection_fields(), _live_connections),
        Dataset("flows", "conn", "flows", flow_fields(), _live_flows),
        Dataset("alerts", "notice", "alerts", alert_fields(), _live_alerts),
        *(
            Dataset(kind, path, kind, fact_fields(kind), _live_facts(kind))
            for kind, path in (("dns", "dns"), ("tls", "ssl"), ("http", "http"), ("logins", "logins"))
        ),
    )
}

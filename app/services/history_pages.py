"""Pages of history as the lists give them: stretches become connections again, by the same makers of keys as live ones.

Keys that were known when a flow was written (program, names, place) are shown as they were then; all others are made from its numbers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.concurrency import run_blocking
from app.model.timestamps import parse_time, rfc3339
from app.services.connections import Rows, connections
from app.services.export_sources import ExportRequest
from app.services.fact_documents import Fact
from app.services.fact_fields import fact_rows
from app.services.fact_lists import parse_fact_query
from app.services.flow_documents import flow_documents
from app.services.flow_mirror import DERIVED_DTYPE
from app.services.history import History
from app.services.host_table import HostTable
from app.services.query_errors import BadRequest
from app.store.fields import FIELDS
from app.store.layout import FLOW_DTYPE as STRETCH_DTYPE
from app.store.layout import FLOW_INTEGERS, FLOW_TEXTS
from app.wire.filter import QueryError, parse
from app.wire.records import FLOW_DTYPE

LAST_NS: Final = (1 << 62) - 1
EXPORT_PART: Final = 5_000
MAX_SEARCHED: Final = 5_000  # alerts of a time that a query looks into
_SHARED: Final = tuple(name for name in STRETCH_DTYPE.names or () if name in (FLOW_DTYPE.names or ()))


@dataclass(frozen=True, slots=True)
class Span:
    """A time in the past and what to look for in it; ns, both ends included."""

    first_ns: int = 0
    last_ns: int = LAST_NS
    q: str = ""
    now_ns: int = 0

    def fields(self) -> dict[str, Any]:
        return {"first_ns": self.first_ns, "last_ns": self.last_ns, "q": self.q, "now_ns": self.now_ns}


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """`next_cursor` None at the end; `next_offset` 0 where a cursor goes on, or at the end."""

    documents: list[dict[str, Any]]
    total: int
    next_cursor: str | None = None
    next_offset: int = 0
    more: bool = field(default=False)


def checked(kind: str, q: str) -> None:
    """`BadRequest` with the column of the mistake, where a query is none over history."""
    try:
        parse(q, FIELDS[kind])
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None


def connection_page(history: History, span: Span, limit: int, cursor: str | None, offset: int) -> HistoryPage:
    """Stretches of connections in a time, newest first unless the query sorts."""
    checked("flows", span.q)
    answer = history.ask("flows", **span.fields(), limit=limit, offset=offset, before=_before(cursor), count=True)
    documents = run_blocking(history_connections, answer)  # 20 ms for a thousand
    return _page(documents, answer, offset + limit)


def fact_page(history: History, kind: str, span: Span, limit: int, cursor: str | None, offset: int) -> HistoryPage:
    """Facts in a time, newest first unless the query sorts."""
    checked(kind, span.q)
    answer = history.ask(
        "facts", kind=kind, **span.fields(), limit=limit, offset=offset, before=_before(cursor), count=True
    )
    return _page([_fact(kind, fact) for fact in answer["facts"]], answer, offset + limit)


def alert_page(history: History, span: Span, limit: int, offset: int) -> HistoryPage:
    """Alerts that were last seen in a time, newest first; with a query those that match among the newest `MAX_SEARCHED`."""
    if span.q:
        return _found_alerts(history, span, limit, offset)
    return document_page(history, "alerts", span, limit, offset)


def document_page(history: History, table: str, span: Span, limit: int, offset: int) -> HistoryPage:
    """Mute rules that were made, or programs that were started, in a time; newest first."""
    answer = history.ask("documents", table=table, **span.fields(), limit=limit, offset=offset)
    more = offset + limit < answer["total"]
    return HistoryPage(answer["documents"], answer["total"], None, offset + limit if more else 0, more)


def _found_alerts(history: History, span: Span, limit: int, offset: int) -> HistoryPage:
    """The store knows alerts as documents only, so they are searched here, as those that are held."""
    query = parse_fact_query("alerts", span.q)
    fields = {**span.fields(), "q": ""}
    documents = history.ask("documents", table="alerts", **fields, limit=MAX_SEARCHED, offset=0)["documents"]
    facts = [Fact(0, parse_time(one["last_seen"]), one) for one in documents]
    found = [documents[i] for i in np.flatnonzero(query.mask(fact_rows(facts), span.now_ns)).tolist()]
    more = offset + limit < len(found)
    return HistoryPage(found[offset : offset + limit], len(found), None, offset + limit if more else 0, more)


def exported(history: History, what: str, wanted: ExportRequest, foreign: bool) -> Iterator[list[dict[str, Any]]]:
    """Documents of `what` part by part, for files; asks the store for each part."""
    q = wanted.q if wanted.flow_id is None else f"({wanted.q or 'flow_id:*'}) flow_id:{wanted.flow_id}"
    kind = "flows" if what in ("connections", "flows") else what
    if kind == "alerts":
        yield from _exported_alerts(history, wanted)
        return
    checked(kind, q)
    span = Span(wanted.first_ns or 0, LAST_NS if wanted.last_ns is None else wanted.last_ns, q)
    asked = {**span.fields(), "limit": EXPORT_PART}
    before, offset = None, 0
    while True:
        if kind == "flows":
            answer = history.ask("flows", **asked, before=before, offset=offset)
            documents = run_blocking(history_connections, answer, foreign or what == "flows")
        else:
            answer = history.ask("facts", kind=kind, **asked, before=before, offset=offset)
            documents = [_fact(kind, fact) for fact in answer["facts"]]
        if documents:
            yield documents
        if not answer["more"]:
            return
        before = answer["before"]
        offset = offset + EXPORT_PART if before is None else 0


def _exported_alerts(history: History, wanted: ExportRequest) -> Iterator[list[dict[str, Any]]]:
    if wanted.q or wanted.flow_id is not None:
        raise BadRequest("alerts of the history are chosen by time alone", "q" if wanted.q else "flow", ["from", "to"])
    span = Span(wanted.first_ns or 0, LAST_NS if wanted.last_ns is None else wanted.last_ns)
    offset = 0
    while documents := alert_page(history, span, EXPORT_PART, offset).documents:
        yield documents
        offset += EXPORT_PART


# -- inside --------------------------------------------------------------------------------------------------------------


def _page(documents: list[dict[str, Any]], answer: dict[str, Any], end: int) -> HistoryPage:
    before = answer["before"]
    cursor = None if before is None else base64.urlsafe_b64encode(json.dumps(before).encode()).decode().rstrip("=")
    return HistoryPage(
        documents, answer["total"], cursor, end if answer["more"] and cursor is None else 0, answer["more"]
    )


def _before(cursor: str | None) -> list[int] | None:
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        end, row = found
        if not all(isinstance(part, int) and not isinstance(part, bool) and abs(part) < 1 << 62 for part in (end, row)):
            raise ValueError
    except (ValueError, TypeError):
        raise BadRequest(
            "the cursor does not belong to this list and sort order", "cursor", ["the cursor of the page before"]
        ) from None
    return [end, row]


def history_connections(answer: dict[str, Any], as_flows: bool = False) -> list[dict[str, Any]]:
    """Connections out of the store's answer: counters are those of the stretch."""
    stretches = np.frombuffer(answer["flows"], STRETCH_DTYPE)
    texts = answer["texts"]
    rows = _rows(stretches, texts)
    documents = flow_documents(rows) if as_flows else connections(rows)
    kept = [name for name in (*FLOW_TEXTS, *FLOW_INTEGERS) if name in (documents[0] if documents else ())]
    for i, document in enumerate(documents):
        document.update((name, texts[name][i]) for name in kept)
        document["run"] = answer["runs"][i]
        document["stretch"] = int(stretches["stretch"][i])
        document["stretch_start"] = rfc3339(int(stretches["since"][i]))
    return documents


def _rows(stretches: NDArray[np.void], texts: dict[str, list[Any]]) -> Rows:
    flows = np.zeros(len(stretches), FLOW_DTYPE)
    for name in _SHARED:
        flows[name] = stretches[name]
    flows["history"] = [str(text or "").encode("ascii", "replace")[:24] for text in texts["history"]]
    derived = np.zeros(len(stretches), DERIVED_DTYPE)
    for name in ("reconnects", "direction", "local_is_src"):
        derived[name] = stretches[name]
    hosts = HostTable()
    for end in ("src", "dst"):
        derived[f"{end}_host"] = hosts.numbers(flows["ip_version"], flows[f"{end}_hi"], flows[f"{end}_lo"])
    remote = np.where(derived["local_is_src"], derived["dst_host"], derived["src_host"])
    for number, country in zip(remote.tolist(), texts["country"], strict=True):
        hosts.rows["country"][number] = hosts.words.country(country)
    return Rows(flows, derived, (), hosts=hosts)


def _fact(kind: str, fact: dict[str, Any]) -> dict[str, Any]:
    found = {"id": None, "timestamp": rfc3339(fact["ns"]), **{key: value for key, value in fact.items() if key != "ns"}}
    if kind == "dns":
        answers = found["answers"] or []
        found["answers"] = answers
        pairs = (text.partition(" ") for text in answers)
        found["resolved_ips"] = [value for type_, _, value in pairs if type_ in ("A", "AAAA")]
    return found

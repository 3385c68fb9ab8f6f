"""Lists of facts: filtered with `q`, sorted, paged, newest first unless asked otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.services.fact_documents import Fact
from app.services.fact_fields import FIELDS, SORT_KEYS, fact_rows
from app.services.query_errors import BadRequest
from app.wire.filter import Query, QueryError, parse


@dataclass(frozen=True, slots=True)
class FactRequest:
    """What a list of facts is asked for. `before`: only facts with a smaller number, 0 = all (for the order newest first)."""

    kind: str
    limit: int
    offset: int = 0
    before: int = 0
    sort: tuple[tuple[str, bool], ...] = ()
    q: str = ""


@dataclass(frozen=True, slots=True)
class FactPage:
    """`next_before` and `next_offset` are 0 at the end; one of them goes on."""

    documents: list[dict[str, Any]]
    total: int
    next_before: int = 0
    next_offset: int = 0


def parse_fact_query(kind: str, text: str) -> Query:
    """`BadRequest` carries the column of the mistake."""
    try:
        return parse(text, FIELDS[kind])
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None


def parse_fact_sort(kind: str, text: str) -> tuple[tuple[str, bool], ...]:
    """`-latency_ms,query` → (("latency", True), ("query", False)). `BadRequest` names an unknown key."""
    keys = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name = SORT_KEYS[kind].get(part.lstrip("+-"))
        if name is None:
            raise BadRequest(f"cannot sort by {part.lstrip('+-')[:60]!r}", "sort", sorted(SORT_KEYS[kind]))
        keys.append((name, part.startswith("-")))
    return tuple(keys[:8])


def fact_page(facts: list[Fact], request: FactRequest, now_ns: int) -> FactPage:
    """One page of `facts` (newest first). Runs in any thread."""
    query = parse_fact_query(request.kind, request.q)
    chosen = facts
    if query.condition is not None:
        chosen = [facts[i] for i in np.flatnonzero(query.mask(fact_rows(facts), now_ns)).tolist()]
    total = len(chosen)
    if request.before:
        chosen = [fact for fact in chosen if fact.number < request.before]
    sort = request.sort or tuple((key.name, key.descending) for key in query.sort_keys)
    if sort:
        chosen = [chosen[i] for i in _order(request.kind, chosen, sort)]
    end = request.offset + request.limit
    shown = chosen[request.offset : end]
    more = end < len(chosen) and bool(shown)
    documents = [fact.document for fact in shown]
    if not more:
        return FactPage(documents, total)
    return FactPage(documents, total, 0 if sort else shown[-1].number, end if sort else 0)


def _order(kind: str, facts: list[Fact], sort: tuple[tuple[str, bool], ...]) -> list[int]:
    """Places in the order asked for; what is not known is last, the newest first among equals."""
    rows = fact_rows(facts)
    keys: list[Any] = []
    for name, descending in sort:
        for column in FIELDS[kind].fields[name].facets[0].sort_columns(rows):
            if column.dtype.kind in "US":
                ranks = np.unique(column, return_inverse=True)[1].astype(np.float64)
                column = np.where(column == "", np.nan, ranks)
            if not descending:
                keys.append(column)
            else:
                keys.append(-column if column.dtype.kind == "f" else ~column)
    return [int(i) for i in np.lexsort(keys[::-1])]

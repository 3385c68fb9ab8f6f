"""A query with a time around it: `from` and `to` of a request as conditions of the query language."""

from __future__ import annotations

from app.model.timestamps import rfc3339
from app.wire.filter import Query


def timed(query: Query, begins: str, ends: str, first_ns: int | None, last_ns: int | None) -> str:
    """The query as text, for rows whose field `ends` is not before `first_ns` and whose field `begins` is not after `last_ns`."""
    first, last = rfc3339(first_ns or 0), rfc3339(last_ns or 0)
    bounds = [f"{ends}:>={first}"] if first else []
    bounds += [f"{begins}:<={last}"] if last else []
    condition = "" if query.condition is None else str(query.condition)
    if condition and bounds:
        condition = f"({condition})"
    return " ".join(filter(None, [condition, *bounds, *map(str, query.sort_keys)]))

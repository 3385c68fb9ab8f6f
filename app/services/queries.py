"""Filter, sort and page over all connections by columns; only the rows of the page become dicts.

65,000 flows cost a few milliseconds for numbers and addresses; keys that are text are compared as text, on the rows that the other
conditions left over.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from app.model.fields import CONNECTIONS
from app.model.timestamps import parse_time
from app.services.connection_columns import BOOLEANS, NUMBERS, TIMES, ports, sort_columns
from app.services.connections import Rows, columns
from app.services.flow_mirror import FlowView
from app.services.query_errors import BadRequest
from app.services.query_fields import connection_fields, query_rows
from app.wire.addresses import AddressRange, parse_network
from app.wire.filter import Query, QueryError, parse

Array = NDArray[Any]
MAX_LIMIT: Final = 10_000
MAX_OFFSET: Final = 1_000_000
LARGEST: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a list is asked for. `sort`: (key, descending) pairs; `conditions`: body of /api/connections/filter."""

    limit: int = 1_000
    offset: int = 0
    cursor: str | None = None
    sort: tuple[tuple[str, bool], ...] = ()
    q: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Indices into the view, in the order asked for; `total` counts all that match; `next_cursor` None at the end."""

    indices: NDArray[np.intp]
    total: int
    next_cursor: str | None


def parse_sort(text: str) -> tuple[tuple[str, bool], ...]:
    """`-bytes_sent,protocol` → (("bytes_sent", True), ("protocol", False)). `BadRequest` names an unknown key."""
    keys = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name = part.lstrip("+-")
        if name not in CONNECTIONS:
            raise BadRequest(f"cannot sort by {name[:60]!r}", "sort", CONNECTIONS)
        keys.append((name, part.startswith("-")))
    return tuple(keys[:8])


def parse_query(text: str, interfaces: Sequence[str]) -> Query:
    """The query language over connections. `BadRequest` carries the column of the mistake."""
    try:
        return parse(text, connection_fields(tuple(interfaces)))
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None


def select(view: FlowView, request: PageRequest, interfaces: Sequence[str], now_ns: int) -> Page:
    """The rows of one page. Runs in any thread; a few milliseconds, more with text conditions."""
    rows = Rows.all(view, interfaces)
    matched = np.arange(len(rows))
    query = parse_query(request.q, interfaces) if request.q else None
    if query is not None:
        matched = np.flatnonzero(query.mask(query_rows(rows), now_ns))
    if request.conditions:
        matched = _filter(rows, matched, request.conditions)
    rows = Rows.of(view, matched, interfaces)
    if query is not None and query.sort_keys and not request.sort and request.cursor is None:
        order = query.order(query_rows(rows))[request.offset : request.offset + request.limit]
        return Page(matched[order], len(matched), None)
    keys = _order_keys(rows, request.sort)
    first = _after(keys, request) if request.cursor is not None else None
    order = np.lexsort(keys[::-1]) if first is None else first[np.lexsort([key[first] for key in keys[::-1]])]
    start = 0 if first is not None else request.offset
    shown = order[start : start + request.limit]
    more = len(order) > start + len(shown) and len(shown) > 0
    return Page(matched[shown], len(matched), _cursor(keys, request, int(shown[-1])) if more else None)


def _order_keys(rows: Rows, sort: Sequence[tuple[str, bool]]) -> list[Array]:
    """Arrays to be ordered ascending, most significant first; the newest flow first among equals. NaN is always last."""
    keys = []
    for name, descending in sort:
        for column in sort_columns(rows, name):
            if not descending:
                keys.append(column)
            else:
                keys.append(-column if column.dtype.kind == "f" else ~column)
    return [*keys, ~rows.flows["flow_id"]]


def _spec(request: PageRequest) -> str:
    return ",".join(f"{'-' if descending else ''}{name}" for name, descending in request.sort)


def _cursor(keys: Sequence[Array], request: PageRequest, last: int) -> str:
    values = [key[last].item() for key in keys]
    plain = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([_spec(request), plain]).encode()).decode().rstrip("=")


def _after(keys: Sequence[Array], request: PageRequest) -> NDArray[np.intp]:
    """Indices of what comes after the cursor."""
    wrong = BadRequest(
        "the cursor does not belong to this list and sort order", "cursor", ["the cursor of the page before"]
    )
    try:
        text = cast(str, request.cursor)
        spec, values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        limits = [key.dtype.type(math.nan if value is None else value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    if spec != _spec(request):
        raise wrong
    beyond = np.zeros(len(keys[0]), np.bool_)
    equal = np.ones(len(keys[0]), np.bool_)
    for key, limit in zip(keys, limits, strict=True):
        if key.dtype.kind == "f":
            missing = np.isnan(key)
            beyond |= equal & ((key > limit) | (missing & ~np.isnan(limit)))
            equal &= (key == limit) | (missing & np.isnan(limit))
        else:
            beyond |= equal & (key > limit)
            equal &= key == limit
    return np.flatnonzero(beyond)


# -- the body of /api/connections/filter -----------------------------------------------------------------------------


def filter_names() -> tuple[str, ...]:
    return (*CONNECTIONS, "ip", "port")


def _filter(rows: Rows, matched: NDArray[np.intp], conditions: Mapping[str, Any]) -> NDArray[np.intp]:
    texts: list[tuple[str, str]] = []
    for name, wanted in conditions.items():
        if name not in CONNECTIONS and name not in ("ip", "port"):
            raise BadRequest(f"there is no key {name[:60]!r}", name, filter_names())
        if CONNECTIONS.get(name) is not None and CONNECTIONS[name].kind in ("text", "object"):
            if not isinstance(wanted, str):
                raise BadRequest(f"{name} is compared with text", name, ["a string, found as a part of the value"])
            texts.append((name, wanted.casefold()))
            continue
        part = rows.some(matched)
        matched = matched[_number_mask(part, name, wanted)]
    for name, needle in texts:
        part = rows.some(matched)
        values = columns(part, [name])[0]
        found = (value is not None and needle in str(value).casefold() for value in values)
        matched = matched[np.fromiter(found, np.bool_, len(values))]
    return matched


def _number_mask(rows: Rows, name: str, wanted: Any) -> NDArray[np.bool_]:
    if name == "ip":
        return _ip_mask(rows, wanted)
    if name == "port":
        low, high = _bounds(name, wanted)
        source = ports(rows, rows.flows["src_port"])
        target = ports(rows, rows.flows["dst_port"])
        inside = ((source >= low) & (source <= high) & (source >= 0)) | (
            (target >= low) & (target <= high) & (target >= 0)
        )
        return np.asarray(inside)
    if name in TIMES:
        low, high = _bounds(name, wanted, time=True)
        column = TIMES[name](rows)
        return np.asarray((column >= low) & (column <= high) & (column > 0))
    if CONNECTIONS[name].kind == "boolean":
        if not isinstance(wanted, bool):
            raise BadRequest(f"{name} is compared with true or false", name, ["true", "false"])
        if name not in BOOLEANS:
            return np.zeros(len(rows), np.bool_)  # not known of any flow yet
        return np.asarray(BOOLEANS[name](rows) == wanted)
    low, high = _bounds(name, wanted)
    if name not in NUMBERS:
        return np.zeros(len(rows), np.bool_)  # not known of any flow yet
    column = NUMBERS[name](rows)
    return np.asarray((column >= low) & (column <= high))


def _ip_mask(rows: Rows, wanted: Any) -> NDArray[np.bool_]:
    if not isinstance(wanted, str):
        raise BadRequest("ip is compared with text", "ip", ["an IP address", "a network such as 10.0.0.0/8"])
    try:
        inside: AddressRange = parse_network(wanted.strip())
    except ValueError:
        raise BadRequest(
            f"{wanted[:60]!r} is no address", "ip", ["an IP address", "a network such as 10.0.0.0/8"]
        ) from None
    flows = rows.flows
    ends = (inside.mask(flows["ip_version"], flows[f"{end}_hi"], flows[f"{end}_lo"]) for end in ("src", "dst"))
    return np.asarray(next(ends) | next(ends))


def _bounds(name: str, wanted: Any, time: bool = False) -> tuple[float, float]:
    """Lowest and highest value allowed by `5` or `{"gte": 1, "lte": 9}`."""
    kind = "a time" if time else "a number"
    allowed = [kind, f'{{"gte": {kind}, "lte": {kind}}}']
    if isinstance(wanted, Mapping):
        if not wanted or set(wanted) - {"gte", "lte"}:
            raise BadRequest(f"{name} has bounds other than gte and lte", name, allowed)
        low, high = wanted.get("gte"), wanted.get("lte")
    else:
        low = high = wanted
        if wanted is None:
            raise BadRequest(f"{name} is compared with {kind}", name, allowed)
    return _bound(name, low, -math.inf, time, allowed), _bound(name, high, math.inf, time, allowed)


def _bound(name: str, value: Any, missing: float, time: bool, allowed: list[str]) -> float:
    if value is None:
        return missing
    if time and isinstance(value, str):
        try:
            return parse_time(value)
        except ValueError as error:
            raise BadRequest(f"{name}: {error}", name, allowed) from None
    if isinstance(value, int) and not isinstance(value, bool):
        value = max(-LARGEST, min(LARGEST, value))  # beyond every counter, and floats go no further than 1e308
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadRequest(f"{name} is compared with {'a time' if time else 'a number'}", name, allowed)
    return value * 1e9 if time else value

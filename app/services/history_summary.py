"""A time in the past at a glance: totals, top lists and a curve, beside those of the time before it."""

from __future__ import annotations

from typing import Any, Final

from app.enrich.country import country_name
from app.enrich.services import service_name
from app.model.columns import RINGS
from app.model.fields import METRICS
from app.model.layers import protocol_name
from app.model.timestamps import rfc3339
from app.services.history import History
from app.services.history_pages import LAST_NS, Span, checked
from app.services.query_errors import BadRequest
from app.store.layout import MINUTE_COUNTERS
from app.store.reading_groups import GROUP_NAMES
from app.wire.addresses import format_address

NS: Final = 1_000_000_000
TOP: Final = 10
POINTS: Final = 300  # of a curve, about
MAX_POINTS: Final = 20_000
STEPS: Final = (60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400)
SHOWN_GROUPS: Final = ("app", "process", "host", "local", "country", "port")
COMPARED: Final = ("bytes", "bytes_sent", "bytes_recv", "packets", "flows", "hosts", "dns_queries")


def summary(history: History, span: Span, compare: bool) -> dict[str, Any]:
    """`{from, to, totals, top {by: rows}, series}`, and with `compare` `previous {from, to, totals, series}` and `change` in percent; each row of a top
    list then has `previous` (bytes of the time before)."""
    checked("flows", span.q)
    span = _closed(history, span)
    found: dict[str, Any] = {**_ends(span), "totals": _totals(history, span), "series": curve(history, span, None)}
    found["top"] = {by: top(history, by, span, TOP) for by in SHOWN_GROUPS}
    if compare:
        before = Span(max(2 * span.first_ns - span.last_ns - 1, 0), span.first_ns - 1, span.q, span.now_ns)
        found["previous"] = {
            **_ends(before),
            "totals": _totals(history, before),
            "series": curve(history, before, found["series"]["step"]),
        }
        now, then = found["totals"], found["previous"]["totals"]
        found["change"] = {name: _percent(now[name], then[name]) for name in COMPARED}
        for by, rows in found["top"].items():
            earlier = {row["name"]: row["traffic"] for row in top(history, by, before, 1_000)}
            for row in rows:
                row["previous"] = earlier.get(row["name"], 0)
    return found


def top(history: History, by: str, span: Span, limit: int) -> list[dict[str, Any]]:
    """[{name, traffic, packets, flows}], most bytes first; a name that is not known is null."""
    if by not in GROUP_NAMES:
        raise BadRequest(f"there is no list by {by[:40]!r}", "by", GROUP_NAMES)
    rows = history.ask("top", by=by, **span.fields(), limit=limit)["rows"]
    return [
        {"name": _name(by, row[:-3]), **_more(by, row[:-3]), "traffic": row[-3], "packets": row[-2], "flows": row[-1]}
        for row in rows
    ]


def curve(history: History, span: Span, step: int | None) -> dict[str, Any]:
    """`{step, times, series {metric: values}}` from the minutes; a step without traffic inside is 0."""
    span = _closed(history, span)
    seconds = max((span.last_ns - span.first_ns) // NS, 1)
    if step is None:
        step = next((known for known in STEPS if seconds / known <= POINTS), STEPS[-1])
    if seconds / step > MAX_POINTS:
        raise BadRequest(f"that are more than {MAX_POINTS} points", "step", ["a larger step", "a shorter time"])
    rows = history.ask("series", **span.fields(), step=step)["rows"]
    values = {row[0]: row[1:] for row in rows}
    if values:
        first, last = min(values), max(values)
        times = list(range(first, last + 1, step))
    else:
        times = []
    nothing = [0] * len(MINUTE_COUNTERS)
    columns = list(zip(*(values.get(at, nothing) for at in times), strict=True)) or [()] * len(MINUTE_COUNTERS)
    return {"step": step, "times": times, "series": dict(zip(MINUTE_COUNTERS, map(list, columns), strict=True))}


def points(history: History, metrics: tuple[str, ...], step: int | None, span: Span) -> dict[str, Any]:
    """The document of `/api/timeseries` over history: steps are multiples of a minute."""
    if step is not None and step not in STEPS:
        raise BadRequest(f"there is no step of {step} s in history", "step", [str(known) for known in STEPS])
    span = _closed(history, span)
    found = curve(history, span, step)
    series, step = found["series"], found["step"]
    rates = {
        "pps": lambda: [round(value / step, 3) for value in series["packets"]],
        "bps": lambda: [round(value * 8 / step, 3) for value in series["bytes"]],
        "retransmission_percent": lambda: [
            round(100 * again / max(segments, 1), 3)
            for again, segments in zip(series["retransmissions"], series["tcp_packets"], strict=True)
        ],
    }
    return {
        "metrics": list(metrics),
        "unit": {name: METRICS[name].unit for name in metrics},
        "step": step,
        **_ends(span),
        "times": found["times"],
        "series": {name: rates[name]() if name in rates else series[name] for name in metrics},
    }


def _closed(history: History, span: Span) -> Span:
    """A time with two ends: without a first, what is kept begins it; without a last, now ends it."""
    if span.first_ns and span.last_ns < LAST_NS:
        return span
    last = min(span.last_ns, span.now_ns)
    first = span.first_ns or history.ask("state")["oldest_ns"] or max(last - RINGS[-1][0] * RINGS[-1][1] * NS, 0)
    return Span(min(first, last), last, span.q, span.now_ns)


def _ends(span: Span) -> dict[str, str | None]:
    return {"from": rfc3339(span.first_ns), "to": rfc3339(span.last_ns)}


def _totals(history: History, span: Span) -> dict[str, Any]:
    found = history.ask("totals", **span.fields())
    return {
        **{name: found[name] for name in COMPARED},
        "first": rfc3339(found["first_ns"] or 0),
        "last": rfc3339(found["last_ns"] or 0),
    }


def _percent(now: int, then: int) -> float | None:
    return round(100 * (now - then) / then, 1) if then else None


def _name(by: str, keys: list[Any]) -> str | None:
    if by in ("host", "local"):
        return format_address(*keys)
    if by == "protocol":
        return protocol_name(keys[0])
    if by == "port":
        return f"{protocol_name(keys[0])}/{keys[1]}"
    return None if keys[0] is None else str(keys[0])


def _more(by: str, keys: list[Any]) -> dict[str, Any]:
    if by == "port":
        return {"service": service_name(protocol_name(keys[0]), keys[1])}
    if by == "country":
        return {"country_name": country_name(keys[0]) if keys[0] else None}
    return {}

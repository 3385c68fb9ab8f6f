"""The topics of the live connection: for each a class whose `frame()` says what a client has not seen yet, or None.

A topic object belongs to one subscription and remembers only where that client stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from app.concurrency import run_blocking
from app.model.timestamps import rfc3339
from app.services.alert_topic import AlertTopic
from app.services.applications import top_applications
from app.services.connections import Rows, connections
from app.services.entropy_topic import EntropyTopic
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query, parse_fact_sort
from app.services.flow_mirror import FlowView
from app.services.house import House
from app.services.live_table import MAX_ROWS, LiveTable, Sent, Step, next_step
from app.services.packets import packet_dicts
from app.services.queries import PageRequest, parse_query, parse_sort, select
from app.services.query_errors import BadRequest
from app.services.statistics import capture_state, protocols, sensor_state, stats
from app.services.written_frames import written
from app.wire.filter import QueryError, parse
from app.wire.filter_columns import packet_fields

TICK: Final = 0.9  # seconds; a little under a second, so that each snapshot is followed by a frame
DEFAULT_PACKETS: Final = 100
MAX_PACKETS: Final = 500
UPDATE_ROWS: Final = 200
UPDATE_PACKETS: Final = 50
TOP_APPS: Final = 20


class TopicState(Protocol):
    """`interval`: least seconds between two frames."""

    interval: float

    def frame(self) -> Any | None: ...


class Options:
    """What a client may say with `subscribe`, checked. `BadRequest` names what is wrong."""

    def __init__(self, house: House, given: dict[str, Any]) -> None:
        self.house = house
        self.given = given
        self.q = _text(given, "q")
        self.sort_text = _text(given, "sort")
        limit = given.get("limit")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_ROWS):
            raise BadRequest("limit is not allowed", "limit", [f"a whole number 1..{MAX_ROWS}"])
        self.limit: int | None = limit

    @property
    def sort(self) -> tuple[tuple[str, bool], ...]:
        """For topics that list connections."""
        return parse_sort(self.sort_text)


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} is not text", name, ["text"])
    return value


class _Whole:
    """A document that is sent whole, each time there is a new snapshot (or change) and the interval has passed; made once for all clients."""

    def __init__(self, name: str, house: House, interval: float, make: Callable[[House], Any]) -> None:
        self._name = name
        self.interval = interval
        self._house = house
        self._make = make
        self._generation = -1

    def frame(self) -> Any | None:
        generation = self._house.mirror.generation
        if generation == self._generation:
            return None
        self._generation = generation
        return self._house.frames.get(self._name, generation, self._name, lambda: written(self._make(self._house)))


class _OnChange:
    """A small document that is sent when it differs from the last one, at once."""

    interval = 0.2

    def __init__(self, house: House, make: Callable[[House], Any], ignore: tuple[str, ...] = ()) -> None:
        self._house = house
        self._make = make
        self._ignore = ignore
        self._last: Any = None

    def frame(self) -> Any | None:
        document = self._make(self._house)
        compared = document
        if isinstance(document, dict):
            compared = {key: value for key, value in document.items() if key not in self._ignore}
        if compared == self._last:
            return None
        self._last = compared
        return document


class _Sessions(_OnChange):
    """Counts of a live capture change all the time."""

    interval = TICK


class _TableState(NamedTuple):
    """What the frames of tables are made of. `stamp` tells it from others."""

    stamp: tuple[int, int]
    view: FlowView
    names: list[str]  # of interfaces
    now_ns: int


class _Connections:
    interval = TICK

    def __init__(self, options: Options) -> None:
        self._house = options.house
        names = options.house.interface_names()
        if options.q:
            parse_query(options.q, names)
        self._table = LiveTable(PageRequest(limit=options.limit or 1_000, sort=options.sort, q=options.q))
        self._seen: tuple[int, int] | None = None

    def frame(self) -> Any | None:
        state = self._house.frames.held("connections", self._state, lambda held: held.stamp == self._seen)
        if self._seen == state.stamp:
            return None
        self._seen = state.stamp
        request, holds = self._table.request, self._table.holds
        asked = (request.limit, request.sort, request.q)
        made = self._house.frames.get("connections", state.stamp, (*asked, id(holds)), lambda: self._step(asked, state))
        return self._table.take(made)

    def _state(self) -> _TableState:
        mirror = self._house.mirror
        stamp = (mirror.flows.version, mirror.snapshots)
        return _TableState(stamp, mirror.flow_view(), self._house.interface_names(), mirror.now_ns)

    def _step(self, asked: tuple[Any, ...], state: _TableState) -> Step:
        """The next step of this client and of those that hold the same; those that now hold the same as others go on together with them."""
        step = run_blocking(next_step, self._table.holds, self._table.request, state.view, state.names, state.now_ns)
        reached: list[Sent] = self._house.frames.get("reached", state.stamp, asked, list)
        twin = next((one for one in reached if one.same(step.sent)), None)
        if twin is None:
            reached.append(step.sent)
            return step
        return Step(step.before, step.frame, twin)


class _Packets:
    interval = TICK

    def __init__(self, options: Options) -> None:
        self._house = options.house
        self._limit = min(options.limit or DEFAULT_PACKETS, MAX_PACKETS)
        try:
            self._query = parse(options.q, packet_fields(tuple(options.house.interface_names())))
        except QueryError as error:
            raise BadRequest(error.message, "q", error.allowed, error.position) from None
        self._last_id = 0
        self._capture = options.house.mirror.captures
        self._skipped = options.house.mirror.packets_skipped

    def frame(self) -> Any | None:
        mirror = self._house.mirror
        rows = mirror.packets()
        if mirror.captures != self._capture:
            self._capture, self._last_id = mirror.captures, 0
        newest = int(rows["packet_id"].max(initial=0))
        rows = rows[rows["packet_id"] > np.uint64(min(self._last_id, newest))]
        unseen = max(mirror.packets_skipped - self._skipped, 0)
        self._last_id, self._skipped = newest, mirror.packets_skipped
        matched = rows[self._query.mask(rows, mirror.now_ns)]
        shown = matched[-self._limit :]
        if not len(shown) and not unseen:
            return None
        return {
            "packets": packet_dicts(shown[::-1], self._house.interface_names()),
            "skipped": len(matched) - len(shown) + unseen,
        }


class _Dns:
    """New DNS transactions, newest first, at most `limit` a frame."""

    interval = TICK

    def __init__(self, options: Options) -> None:
        self._house = options.house
        self._limit = min(options.limit or DEFAULT_PACKETS, MAX_PACKETS)
        self._query = parse_fact_query("dns", options.q)
        parse_fact_sort("dns", options.sort_text)
        self._capture = options.house.mirror.captures
        self._last = max(options.house.mirror.facts.counts["dns"] - self._limit, 0)

    def frame(self) -> Any | None:
        mirror = self._house.mirror
        if mirror.captures != self._capture:
            self._capture, self._last = mirror.captures, 0
        count = mirror.facts.counts["dns"]
        if count <= self._last:
            return None
        fresh = [fact for fact in mirror.newest_facts("dns") if fact.number > self._last]
        lost, self._last = count - self._last - len(fresh), count
        page = fact_page(fresh, FactRequest("dns", self._limit, q=str(self._query)), mirror.now_ns)
        skipped = page.total - len(page.documents) + lost
        return {"dns_queries": page.documents, "skipped": skipped} if page.documents or skipped else None


class _Notices:
    interval = 0.0

    def __init__(self, house: House) -> None:
        self._house = house
        self._next = house.mirror.notice_count - min(house.mirror.notice_count, 5)

    def frame(self) -> Any | None:
        count, kept = self._house.mirror.notices_since(self._next)
        if not kept:
            return None
        lost = count - len(kept) - self._next
        self._next = count
        entries = [
            {"time": rfc3339(entry["time_ns"]), "level": entry["level"], "text": entry["text"]} for entry in kept
        ]
        return {**entries[-1], "notices": entries, "lost": lost}


class _NewPrograms:
    """Programs that have a connection for the first time on this machine."""

    interval = 0.0

    def __init__(self, house: House) -> None:
        self._house = house
        self._next = house.programs.event_count

    def frame(self) -> Any | None:
        count, kept = self._house.programs.events_since(self._next)
        if count == self._next:
            return None
        lost, self._next = count - self._next - len(kept), count
        return {"programs": kept, "lost": lost}


def _protocol_stats(house: House) -> dict[str, Any]:
    return {"time": rfc3339(house.mirror.now_ns), "protocols": protocols(house.mirror)}


def _traffic_update(house: House) -> dict[str, Any]:
    """The overview of the seed's dashboards."""
    mirror = house.mirror
    names = house.interface_names()
    active, ended = run_blocking(_newest_flows, mirror.flow_view(), names)
    return {
        "connections": active,
        "disconnected_connections": ended,
        "top_apps": run_blocking(_top_apps, house),
        **house.interfaces.document(),
        "packets": packet_dicts(mirror.packets()[-UPDATE_PACKETS:][::-1], names),
        "dns_queries": [fact.document for fact in mirror.newest_facts("dns")[:UPDATE_PACKETS]],
    }


def _top_apps(house: House) -> list[dict[str, Any]]:
    """Programs where they are known, else applications."""
    return house.programs.top(TOP_APPS) or [
        {"app_name": entry["name"], "traffic": entry["bytes"]} for entry in top_applications(house.mirror.flow_view())
    ]


def _newest_flows(view: FlowView, names: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The active and the ended flows with the newest packets. Takes no lock: runs in a real thread."""
    pages = (
        select(view, PageRequest(limit=UPDATE_ROWS, sort=(("last_seen", True),), q=q), names, 0)
        for q in ("active:yes", "active:no")
    )
    active, ended = (connections(Rows.of(view, page.indices, names)) for page in pages)
    return active, ended


def _progress(house: House) -> dict[str, Any]:
    """The long work under way; `task` is null when there is none."""
    return {key: (house.mirror.progress or {}).get(key) for key in ("task", "done", "total", "text")}


def _sessions(house: House) -> dict[str, Any] | None:
    """The live capture and the files that are open beside it."""
    return {"sessions": house.sessions.documents(), "most": house.sessions.most} if house.sessions is not None else None


TOPICS: Final[dict[str, Callable[[Options], TopicState]]] = {
    "traffic_update": lambda o: _Whole("traffic_update", o.house, 4.9, _traffic_update),
    "stats": lambda o: _Whole("stats", o.house, TICK, lambda house: stats(house.mirror)),
    "protocol_stats": lambda o: _Whole("protocol_stats", o.house, TICK, _protocol_stats),
    "packets": _Packets,
    "connections": _Connections,
    "dns": _Dns,
    "alert": lambda o: AlertTopic(o.house, o.q, o.limit),
    "entropy": EntropyTopic,
    "capture_state": lambda o: _OnChange(o.house, lambda house: capture_state(house.mirror)),
    "sensor_state": lambda o: _OnChange(
        o.house, lambda house: sensor_state(house.mirror), ("snapshot_age_s", "progress")
    ),
    "notice": lambda o: _Notices(o.house),
    "new_program": lambda o: _NewPrograms(o.house),
    "progress": lambda o: _OnChange(o.house, _progress),
    "sessions": lambda o: _Sessions(o.house, _sessions),
}

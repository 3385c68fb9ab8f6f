"""What history is told: ended flows, stretches of long ones, facts, alerts and minutes, collected as they come and made into batches.

`note` runs with every snapshot on the hub and only remembers; `batch` is made in a real thread. What cannot be kept is counted in `lost`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.services.connection_rows import Rows
from app.services.connections import columns
from app.services.fact_documents import Fact
from app.services.history_documents import Documents, Judgement
from app.services.mirror import Mirror
from app.stats.bounded import make_room
from app.store.layout import COUNTERS, FACTS, FLOW_DTYPE, FLOW_INTEGERS, FLOW_TEXTS, MINUTE_COUNTERS

NS: Final = 1_000_000_000
ACTIVE_NS: Final = 300 * NS  # a flow that lasts longer is told of in stretches of this length
LOOK_NS: Final = 10 * NS  # how often the active flows are looked through for them
SLICE: Final = 4_000  # flows that are looked at in one go: some milliseconds
MOST: Final = 20_000  # flows of one batch, which is a message of some megabytes
MAX_WAITING: Final = 200_000  # flows that wait to be written; as many facts
MAX_TRIES: Final = 3  # a batch that cannot be written must not keep the next ones waiting
MAX_OPEN: Final = 200_000  # flows whose stretches are remembered

_SAME: Final = tuple(
    name
    for name in FLOW_DTYPE.names or ()
    if name not in ("since", "stretch", "reconnects", "direction", "local_is_src", *COUNTERS)
)


@dataclass(slots=True)
class Run:
    """One live capture: what rows belong to."""

    boot: str
    started_ns: int

    def document(self) -> dict[str, Any]:
        return {"boot": self.boot, "started_ns": self.started_ns}


@dataclass(slots=True)
class Collected:
    """What waits to be written, of one run."""

    run: Run
    rows: list[tuple[Rows, NDArray[np.void]]] = field(default_factory=list)  # rows, and their stretches (FLOW_DTYPE)
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    minutes: list[list[int]] = field(default_factory=list)
    documents: dict[str, list[list[Any]]] = field(default_factory=dict)
    tries: int = 0  # that failed for no reason of the disk's

    @property
    def flow_count(self) -> int:
        return sum(len(stretches) for _, stretches in self.rows)

    @property
    def fact_count(self) -> int:
        return sum(map(len, self.facts.values()))

    @property
    def empty(self) -> bool:
        return not (self.rows or any(self.facts.values()) or self.minutes or any(self.documents.values()))

    def message(self) -> dict[str, Any]:
        """The batch as the store takes it. Plain work for a real thread."""
        texts: dict[str, list[Any]] = {name: [] for name in (*FLOW_TEXTS, *FLOW_INTEGERS)}
        for rows, _ in self.rows:
            for name, values in zip(texts, columns(rows, tuple(texts)), strict=True):
                texts[name].extend(values)
        return {
            "run": self.run.document(),
            "flows": b"".join(stretches.tobytes() for _, stretches in self.rows),
            "texts": {name: values for name, values in texts.items() if any(value is not None for value in values)},
            "facts": {kind: [_fact(kind, fact) for fact in facts] for kind, facts in self.facts.items()},
            "minutes": self.minutes,
            "documents": self.documents,
        }


def _fact(kind: str, fact: Fact) -> dict[str, Any]:
    document = fact.document
    return {"ns": fact.ns, "flow_id": document.get("flow_id"), **{key: document.get(key) for key, _ in FACTS[kind]}}


class Collector:
    """One writer on the hub. `take_all` gives what waits, in order of runs."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._done: list[Collected] = []  # of captures that are over
        self._now: Collected | None = None
        self.lost = 0  # flows and facts that could not wait
        self.judgement: Judgement | None = None  # what people say of alerts, where it is known
        self._forget()

    def _forget(self) -> None:
        self._open: dict[
            int, tuple[int, int, tuple[int, ...]]
        ] = {}  # flow → (stretches, end of the last in ns, counters then)
        self._told: dict[str, int] = dict.fromkeys(FACTS, 0)
        self._documents = Documents(self._mirror, self.judgement)
        self._minute = 0
        self._looked_ns = 0

    @property
    def waiting(self) -> int:
        """Flow rows that wait."""
        return sum(part.flow_count for part in self._parts())

    def _parts(self) -> list[Collected]:
        """What waits, in order."""
        return [*self._done, *([self._now] if self._now else [])]

    # -- on the hub ----------------------------------------------------------------------------------------------------

    def note(self, snapshot: dict[str, Any]) -> None:
        """After the mirror has taken over a snapshot: remembers the flows that ended in it."""
        capture = self._mirror.part("capture")
        if capture.get("source") != "live" or not capture.get("started_ns"):
            return
        run = Run(str(self._mirror.snapshot_boot or ""), int(capture["started_ns"]))
        if self._now is None or self._now.run != run:
            self._begin(run)
        rows = self._mirror.ended_rows(snapshot.get("flows"), self._names())
        if rows is not None:
            for first in range(0, len(rows), SLICE):
                time.sleep(0)  # whoever waits, first
                self._add(rows.part(first, SLICE))

    def capture_over(self) -> None:
        """Before the mirror forgets a capture: takes what was not told yet."""
        if self._now is not None:
            self._look(all_open=True)
            self._take_lists(minute_too=True)
            self._done.append(self._now)
            self._now = None

    def take_all(self, last: bool = False) -> list[Collected]:
        """Everything that waits; `last`: the flows that are still active as well, because nobody will ask again."""
        if self._now is not None:
            if last or self._mirror.now_ns - self._looked_ns >= LOOK_NS:
                self._look(all_open=last)
            self._take_lists(minute_too=last)
        found = [part for part in self._parts() if not part.empty]
        self._done = []
        if self._now is not None:
            self._now = Collected(self._now.run)
        return found

    def give_back(self, parts: Iterable[Collected]) -> None:
        """Batches that could not be written wait again, as far as there is room."""
        for part in parts:
            if part.tries >= MAX_TRIES:
                self.lost += part.flow_count + part.fact_count
                continue
            if self.waiting + part.flow_count > MAX_WAITING:
                self.lost += part.flow_count
                part.rows = []
            if sum(one.fact_count for one in self._parts()) + part.fact_count > MAX_WAITING:
                self.lost += part.fact_count
                part.facts = {}
            if not part.empty:
                self._done.append(part)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        listed = self._mirror.part("capture").get("interfaces", [])
        return [str(entry.get("name") or "") for entry in listed if isinstance(entry, dict)]

    def _begin(self, run: Run) -> None:
        self.capture_over()
        self._forget()
        self._now = Collected(run)

    def _add(self, rows: Rows) -> None:
        if self._now is None:
            return
        if self.waiting + len(rows) > MAX_WAITING:
            self.lost += len(rows)
            return
        for first in range(0, len(rows), MOST):
            some = rows.part(first, MOST)
            if self._now.flow_count + len(some) > MOST:
                self._done.append(self._now)
                self._now = Collected(self._now.run)
            self._now.rows.append((some, self._stretches(some)))

    def _look(self, all_open: bool) -> None:
        """Active flows whose stretch is long enough."""
        self._looked_ns = now = self._mirror.now_ns
        rows = self._mirror.active_rows(0 if all_open else now - ACTIVE_NS, self._names())
        if rows is None:
            return
        if self._open:
            ids, ends = rows.flows["flow_id"].tolist(), rows.flows["end"].tolist()
            due = [
                i
                for i, (flow_id, end) in enumerate(zip(ids, ends, strict=True))
                if (known := self._open.get(flow_id)) is None
                or (end > known[1] and (all_open or now - known[1] >= ACTIVE_NS))
            ]
            rows = rows.some(np.array(due, np.intp))
        if len(rows):
            self._add(rows)

    def _stretches(self, rows: Rows) -> NDArray[np.void]:
        """The growth of each flow since it was told of last; remembers it for the next time."""
        flows = rows.flows
        found = np.zeros(len(flows), FLOW_DTYPE)
        for name in (*_SAME, *COUNTERS):
            found[name] = flows[name]
        found["since"] = flows["start"]
        for name in ("reconnects", "direction", "local_is_src"):
            found[name] = rows.derived[name]
        for i, (flow_id, ended) in enumerate(zip(flows["flow_id"].tolist(), flows["ended"].tolist(), strict=True)):
            if not ended or flow_id in self._open:
                self._one(found, i, not ended)
        return found

    def _one(self, found: NDArray[np.void], i: int, active: bool) -> None:
        row = found[i]
        flow_id = int(row["flow_id"])
        counters = tuple(int(row[name]) for name in COUNTERS)
        known = self._open.pop(flow_id, None)
        if known is not None:
            number, since, before = known
            row["stretch"], row["since"] = number, since
            for name, now, then in zip(COUNTERS, counters, before, strict=True):
                row[name] = max(now - then, 0)
        if active:
            make_room(self._open, MAX_OPEN)
            self._open[flow_id] = ((known[0] if known else 0) + 1, int(row["end"]), counters)

    def _take_lists(self, minute_too: bool) -> None:
        assert self._now is not None
        for kind in FACTS:
            fresh, missed = self._mirror.facts_after(kind, self._told[kind])
            self.lost += missed
            if fresh:
                self._told[kind] = fresh[-1].number
                self._now.facts.setdefault(kind, []).extend(fresh)
        for table, rows in self._documents.take(self._now.run.started_ns).items():
            self._now.documents.setdefault(table, []).extend(rows)
        self._take_minutes(minute_too)

    def _take_minutes(self, unfinished_too: bool) -> None:
        assert self._now is not None
        now = self._mirror.now_ns // NS
        last = now if unfinished_too else now // 60 * 60 - 60
        if last <= self._minute:
            return
        rows = self._mirror.buckets(60, self._minute + 1, last)
        if len(rows):
            self._minute = int(rows["start"][-1]) - (60 if unfinished_too else 0)
            names = ("start", *MINUTE_COUNTERS)
            self._now.minutes.extend([int(row[name]) for name in names] for row in rows)

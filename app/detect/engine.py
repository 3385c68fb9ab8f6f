"""Runs the detectors of one capture: hands packets, facts and flows to those that asked, ticks on the capture's clock, folds what they say.

The clock is the time of the packets, also live, so that a file gives what the same traffic gave on the wire; where no packet comes, live capture moves it
on with `advance`. A detector that fails is counted, and switched off after `MOST_FAILURES`; the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect.batch import Batch, Columns
from app.detect.block_list import BlockList
from app.detect.context import Context
from app.detect.detector import Detector
from app.detect.folding import Folding
from app.detect.registry import DETECTORS
from app.dpi.facts import Fact
from app.flow.contacts import Contacts
from app.model.alert import Alert, Detection
from app.stats.entropy_note import EntropyNote
from app.wire.records import FLOW_DTYPE
from app.wire.row_copies import copied, joined

SECOND: Final = 1_000_000_000
MOST_FAILURES: Final = 3
MAX_CHANGED: Final = 20_000  # rows of changed flows shown at once; the rest follows in the next second
MAX_ENDED: Final = 65_536  # ended flows that wait for the next second; more are not shown to detectors, and counted
BACKWARDS: Final = 60  # seconds by which packets may be older than the clock before it is set back

Notify = Callable[[str, str], None]  # level, text


def _quiet(level: str, text: str) -> None:
    """Nobody wants to hear."""


def _unheard(alert: Alert) -> None:
    """Nobody wants to hear."""


class Engine:
    """`begin` a capture, then `take` blocks, `fact`s and `ended` flows as they come, `advance` where time passes without packets, `finish`."""

    def __init__(
        self,
        detectors: Sequence[type[Detector]] = DETECTORS,
        knobs: Mapping[str, Mapping[str, float]] | None = None,
        notify: Notify = _quiet,
        block_list: BlockList | None = None,
        on_alert: Callable[[Alert], None] = _unheard,
    ) -> None:
        self._block_list = block_list
        self._classes = tuple(detectors)
        self._knobs = knobs or {}
        self._notify = notify
        self._on_alert = on_alert
        self.begin(Context())

    def begin(self, context: Context) -> None:
        """A new capture: new detectors, no alerts."""
        self.context = context
        context.block_list = self._block_list
        self._detectors: list[Detector] = []
        self.folding = Folding(self._losses)
        wanted = any(one.contacts for one in self._classes)
        if wanted and context.contacts is None and context.table is not None:
            context.contacts = Contacts(context.table.capacity)
        self.failures: dict[str, int] = {}
        self._detectors = [one(context, self._say, self._knobs.get(one.name)) for one in self._classes]
        self.flows_not_shown = 0
        self._ended: list[NDArray[np.void]] = []
        self._ended_rows = 0
        self._second = 0
        self._slot = self._pass_from = self._next_from = 0
        self._sort()

    def _sort(self) -> None:
        """Who is shown what; a detector that does not override a method is never called with it."""

        def overriding(method: str) -> list[Detector]:
            return [one for one in self._detectors if getattr(type(one), method) is not getattr(Detector, method)]

        self._of_packets = [one for one in overriding("on_packets") if one.selections]
        self._of_flows = [one for one in overriding("on_flows") if one.wants_flows]
        self._of_ticks = overriding("on_tick")
        self._of_contacts: dict[str, list[Detector]] = {}
        for one in overriding("on_contact"):
            for table in one.contacts:
                self._of_contacts.setdefault(table, []).append(one)
        self._of_facts: dict[type, list[tuple[Detector, Callable[[Any], None]]]] = {}
        for one in overriding("on_fact"):
            for kind in one.facts:
                self._of_facts.setdefault(kind, []).append((one, one.on_fact))

    def _say(self, detection: Detection) -> None:
        alert = self.folding.take(detection)
        if alert is not None:
            self._on_alert(alert)

    def _losses(self) -> dict[str, int]:
        losses = dict(self.context.losses())
        losses["flows_not_shown"] = self.flows_not_shown
        losses["detector_state_lost"] = self.context.state_lost()
        losses["packets_rationed"] = sum(one.rationed for one in self._detectors)
        return losses

    # -- what comes ----------------------------------------------------------------------------------------------------

    def take(
        self,
        data: NDArray[np.uint8],
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        first_id: int,
    ) -> None:
        """A decoded block that went through the flow table. first_id: number of its first packet."""
        if not len(packets) or not self._detectors:
            return
        columns = Columns(data, packets, flow_ids)
        stamps = np.ascontiguousarray(packets["ts"])
        seconds = self._clock(stamps // SECOND)
        if self._second == 0:
            self._second = int(seconds[0])
            self.context.started_ns = int(stamps[0])
        if seconds[0] == seconds[-1] == self._second:
            cuts = [0]
        else:
            before = np.concatenate(([self._second], seconds[:-1]))
            cuts = sorted({0, *np.flatnonzero(seconds != before).tolist()})
        ticked = False
        for begin, end in zip(cuts, [*cuts[1:], len(packets)], strict=True):
            second = int(seconds[begin])
            if second != self._second:
                self._tick((self._second + 1) * SECOND)
                if second > self._second + 1:  # silence: what waited for answers has waited long enough
                    self.context.now_ns = max(self.context.now_ns, second * SECOND)
                    self._tick(second * SECOND)
                self._second = second
                ticked = True
            self.context.now_ns = int(stamps[end - 1])
            if self.context.contacts is not None:
                self.context.contacts.add(packets, begin, end, flow_ids, first_id)
            batch = Batch(columns, begin, end, first_id, self.context.now_ns, self.context.contacts)
            for one in self._of_packets:
                for name in one.selections:
                    if len(batch.select(name)):
                        self._call(one, one.on_packets, batch)
                        break
        if ticked:
            self._show_flows()

    def _clock(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """The capture's clock at each packet: it does not go back for packets out of order, but it does where all of a block is from an earlier time."""
        if self._second and int(seconds.max()) >= self._second - BACKWARDS:
            seconds = np.maximum(seconds, self._second)
        return np.maximum.accumulate(seconds)

    def fact(self, fact: Fact | EntropyNote) -> None:
        """Something was read in payload."""
        for one, hear in self._of_facts.get(type(fact), ()):
            try:
                hear(fact)
            except Exception as error:  # as in _call, which would cost as much as most detectors do
                self._failed(one, error)

    def ended(self, records: NDArray[np.void]) -> None:
        """Flows ended (FLOW_DTYPE; copied): shown with the next tick."""
        if not self._of_flows:
            return
        room = max(MAX_ENDED - self._ended_rows, 0)
        if room < len(records):
            self.flows_not_shown += len(records) - room
            records = records[:room]
        if len(records):
            self._ended.append(copied(records))
            self._ended_rows += len(records)

    def advance(self, now_ns: int) -> None:
        """Live capture: time passes without packets too."""
        second = now_ns // SECOND
        if self._second and second > self._second:
            self.context.now_ns = max(self.context.now_ns, now_ns)
            self._tick(second * SECOND)
            self._second = second
            self._show_flows()

    def settle(self) -> None:
        """The capture is over, and its flows are still in the table: the last second is looked at, and nothing is waited for."""
        self.context.ending = True
        self._tick(self.context.now_ns)

    def finish(self) -> None:
        """All flows have ended."""
        now_ns = self.context.now_ns
        self.context.ending = True
        self._show_flows(everything=True)
        self._tick(now_ns)
        for one in list(self._detectors):
            self._call(one, one.on_end, now_ns)

    # -- ticks -----------------------------------------------------------------------------------------------------------

    def _tick(self, now_ns: int) -> None:
        contacts = self.context.contacts
        if contacts is not None and contacts.any_listed:
            for table, detectors in self._of_contacts.items():
                for contact in contacts.listed(table):
                    for one in detectors:
                        self._call(one, one.on_contact, table, contact)
        for one in self._of_ticks:
            self._call(one, one.on_tick, now_ns)

    def _show_flows(self, everything: bool = False) -> None:
        table = self.context.table
        if not self._of_flows:
            return
        changed = np.zeros(0, FLOW_DTYPE)
        if table is not None and not everything:
            if self._slot == 0:
                self._next_from = table.next_tick() + 1
            changed, self._slot, _ = table.collect(self._pass_from, MAX_CHANGED, self._slot)
            if self._slot == 0:
                self._pass_from = self._next_from
        ended = joined(self._ended) if self._ended else np.zeros(0, FLOW_DTYPE)
        self._ended, self._ended_rows = [], 0
        if len(changed) or len(ended):
            for one in self._of_flows:
                self._call(one, one.on_flows, changed, ended)

    # -- failures --------------------------------------------------------------------------------------------------------

    def _call(self, one: Detector, method: Callable[..., None], *arguments: Any) -> None:
        try:
            method(*arguments)
        except (
            Exception
        ) as error:  # a detector's defect must not stop the capture; it is counted, and the tests forbid it
            self._failed(one, error)

    def _failed(self, one: Detector, error: Exception) -> None:
        count = self.failures[one.name] = self.failures.get(one.name, 0) + 1
        if count == 1:
            logging.getLogger(__name__).warning("detector %s failed", one.name, exc_info=error)
        if count >= MOST_FAILURES and one in self._detectors:
            self._detectors.remove(one)
            self._sort()
            self._notify(
                "error",
                f"The detector {one.name} failed {count} times ({type(error).__name__}) and is switched off until the next capture; what it would have found is not shown.",
            )

    def state(self) -> dict[str, Any]:
        """For the page: how detection is."""
        return {
            "detectors": len(self._classes),
            "switched_off": sorted({one.name for one in self._classes} - {one.name for one in self._detectors}),
            "failures": dict(self.failures),
            "alerts": self.folding.total,
            "alerts_lost": self.folding.lost,
            "alerts_waiting": self.folding.waiting,
            "flows_not_shown": self.flows_not_shown,
            "state_lost": self.context.state_lost(),
        }

"""The sensor's words on programs, applied: records live as long as the sensor, owners and totals as long as the capture.

Not locked: `Mirror` owns the lock.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from app.services.fact_mirror import FactMirror
from app.services.flow_mirror import FlowMirror
from app.services.owner_book import MAX_RECORDS, EndOwner, FlowOwner, Process, parse_process
from app.services.program_totals import ProgramTotals


class ProcessMirror:
    """`totals` are of this capture; `records` of this sensor, by number."""

    def __init__(self, flows: FlowMirror, facts: FactMirror) -> None:
        self._flows = flows
        self._facts = facts
        self._boot: str | None = None
        self.records: OrderedDict[int, Process] = OrderedDict()
        self.totals = ProgramTotals()
        self.state: dict[str, Any] = {}
        self.malformed = 0
        flows.on_forget = self._forget

    def clear(self) -> None:
        """A new capture."""
        self.totals = ProgramTotals()

    def apply(self, snapshot: dict[str, Any], boot: str | None) -> None:
        """Takes over one snapshot. Parts that make no sense are left out and counted."""
        if boot != self._boot:
            self._boot = boot
            self.records.clear()
        state = snapshot.get("attribution")
        if isinstance(state, dict):
            self.state = state
        for row in self._list(snapshot.get("processes")):
            try:
                process = parse_process(row)
            except (ValueError, KeyError, TypeError, AttributeError):
                self.malformed += 1
                continue
            self.records[process.number] = process
            if len(self.records) > MAX_RECORDS:
                self.records.popitem(last=False)
        book = self._facts.facts.owners
        touched = []
        for row in self._list(snapshot.get("owners")):
            try:
                flow_id, high, low, port, first, second = row
                book.take(flow_id, FlowOwner(high, low, port, self._end(first), self._end(second)))
            except (ValueError, TypeError):
                self.malformed += 1
                continue
            touched.append(flow_id)
        if touched:
            book.version += 1
            self._flows.touch(touched)

    def _list(self, part: Any) -> list[Any]:
        if isinstance(part, list):
            return part
        self.malformed += part is not None
        return []

    def _end(self, row: Any) -> EndOwner | None:
        if row is None:
            return None
        number, method, confidence, after, reason = row
        process = self.records.get(number) if number is not None else None
        if number is not None and process is None:
            raise ValueError("a process that was not described")
        return EndOwner(process, method, float(confidence), after, reason)

    def _forget(self, flow: np.void, local_is_src: bool) -> None:
        """A flow leaves the table: its bytes stay with its program."""
        book = self._facts.facts.owners
        owner = book.flows.pop(int(flow["flow_id"]), None)
        if owner is None:
            return
        rows = np.array([flow], flow.dtype)
        pair = _pair(owner, flow, local_is_src)
        self.totals.add(rows, [pair], np.array([local_is_src]))


def _pair(owner: FlowOwner, flow: np.void, local_is_src: bool) -> tuple[EndOwner | None, EndOwner | None]:
    source = (int(flow["src_hi"]), int(flow["src_lo"]))
    target = (int(flow["dst_hi"]), int(flow["dst_lo"]))
    same = (owner.high, owner.low) == source and (source != target or owner.port == int(flow["src_port"]))
    pair = (owner.first, owner.second) if same == local_is_src else (owner.second, owner.first)
    return pair

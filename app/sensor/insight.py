"""What the traffic is: inspectors and nDPI behind one door, and what they found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.dpi.application import Application
from app.dpi.facts import Fact
from app.dpi.known_applications import KnownApplications
from app.dpi.ndpi_client import NdpiClient
from app.flow.table import FlowTable
from app.sensor.findings import Findings
from app.sensor.inspection import MAX_FLOWS, Inspection
from app.sensor.inspectors import recognizers

SENSOR_FLOWS: Final = (
    8_192  # flows looked at together in the sensor, which stays small; a file on its own gets MAX_FLOWS
)
MAX_UNNAMED: Final = 65_536  # ended flows that wait for nDPI's word
LIVE_SECONDS_PER_TICK: Final = 0.25  # of inspection, so that the capture ring is never left alone for long


class Insight:
    """One capture's inspection.

    `patient`: a file is read, so everything is looked at; else inspection is bounded in time and skips rather than waits. `limit`: how many facts of each
    kind are kept, None = all. `engine`: None where applications are not wanted.
    """

    def __init__(self, patient: bool, engine: NdpiClient | None = None, limit: int | None = None) -> None:
        self.patient = patient
        self.engine = engine
        self._limit = limit
        self.findings = Findings(limit)
        self.on_fact: Callable[[Fact], None] | None = None  # who else hears of facts, as they are found
        self.inspection: Inspection | None = None
        self.applications: Counter[str] = Counter()  # bytes of ended flows by application
        self.unnamed_bytes = 0
        self._known = KnownApplications()
        self._unnamed: dict[int, int] = {}  # bytes of ended flows whose application may still be told
        self._clock_ns = 0

    def begin(self, capacity: int) -> None:
        """A new capture over a flow table of `capacity` rows."""
        self.findings = Findings(self._limit)
        self.applications.clear()
        self._unnamed.clear()
        self.unnamed_bytes = 0
        self._known = KnownApplications()
        seconds = None if self.patient else LIVE_SECONDS_PER_TICK
        tcp, udp = recognizers()
        most = MAX_FLOWS if self._limit is None else SENSOR_FLOWS
        self.inspection = Inspection(self._hear_fact, tcp, udp, capacity, seconds, most)

    def _hear_fact(self, fact: Fact) -> None:
        self.findings.take(fact)
        if self.on_fact is not None:
            self.on_fact(fact)

    def take(
        self,
        data: NDArray[np.uint8],
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        heads: NDArray[np.uint8],
        table: FlowTable,
    ) -> None:
        """A decoded block that went through the flow table."""
        assert self.inspection is not None, "begin() comes first"
        self.inspection.messages = self.on_fact is not None  # only detectors read them
        self.inspection.take(data, packets, flow_ids, table)
        if len(packets):
            self._clock_ns = int(packets["ts"][-1])
        if self.engine is not None:
            for slot, flow in self.inspection.identified:
                application = self._known.find(flow)
                if application is not None:
                    self.engine.pass_over(slot, flow.flow_id)
                    self._name(flow.flow_id, application)
            self.engine.feed(packets, flow_ids, heads, data, self._clock_ns, wait=self.patient)
            self.hear()

    def hear(self) -> None:
        """Take what nDPI has decided."""
        if self.engine is not None:
            for flow_id, application in self.engine.poll():
                self._known.learn(flow_id, application)
                self._name(flow_id, application)

    def ended(self, records: NDArray[np.void]) -> None:
        """Flows ended (FLOW_DTYPE)."""
        assert self.inspection is not None, "begin() comes first"
        if self.inspection.active:
            for flow_id, end in zip(records["flow_id"].tolist(), records["end"].tolist(), strict=True):
                self.inspection.ended(flow_id, end)
        if self.engine is not None:
            self.engine.show_silent(records, self._clock_ns, wait=self.patient)
            self.engine.end(records["flow_id"], self._clock_ns)

        sizes = (records["src_bytes"] + records["dst_bytes"]).tolist()
        for flow_id, size in zip(records["flow_id"].tolist(), sizes, strict=True):
            known = self.findings.flows.get(flow_id)
            name = known.app if known is not None else None
            if name is None and self.engine is None and known is not None:
                name = known.protocol
            if name:
                self.applications[name] += size
            elif self.engine is not None and len(self._unnamed) < MAX_UNNAMED:
                self._unnamed[flow_id] = size
            else:
                self.unnamed_bytes += size

    def _name(self, flow_id: int, application: Application) -> None:
        self.findings.application(flow_id, application)
        size = self._unnamed.pop(flow_id, None)
        if size is not None:
            self._tally(flow_id, size)

    def _tally(self, flow_id: int, size: int) -> None:
        """Bytes of an ended flow, to the best name there is."""
        known = self.findings.flows.get(flow_id)
        name = (known.app or known.protocol) if known is not None else None
        if name:
            self.applications[name] += size
        else:
            self.unnamed_bytes += size

    def next_tick(self, clock_ns: int) -> None:
        if self.inspection is not None:
            self.inspection.next_tick()
        if self.engine is not None:
            self.engine.tick(clock_ns)
            self.hear()

    def state(self) -> dict[str, Any]:
        """For the page: what is in use, and what was left out."""
        inspection, engine = self.inspection, self.engine
        return {
            "engine": "ndpi" if engine is not None and engine.available else "content",
            "engine_version": engine.version if engine is not None else None,
            "engine_why_not": engine.why_not if engine is not None else "applications are not asked for",
            "engine_restarts": engine.statistics.restarts if engine is not None else 0,
            "engine_packets_skipped": engine.statistics.packets_skipped if engine is not None else 0,
            "bytes_read": inspection.bytes_read if inspection else 0,
            "bytes_skipped": inspection.bytes_skipped if inspection else 0,
            "flows_passed_over": inspection.flows_passed_over if inspection else 0,
            "flows_let_go": inspection.flows_let_go if inspection else 0,
            "failures": inspection.failures if inspection else 0,
            "active": inspection.active if inspection else 0,
            "facts_forgotten": self.findings.forgotten,
        }

    def settle(self) -> None:
        """The end of a file: wait for what nDPI still has to say."""
        if self.engine is not None:
            for flow_id, application in self.engine.drain():
                self._name(flow_id, application)
        for flow_id, size in self._unnamed.items():
            self._tally(flow_id, size)
        self._unnamed.clear()

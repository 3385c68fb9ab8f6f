"""The way a packet goes, the same for live capture, replay and `analyze`: block → columns → flows → counts → insight → packet store → detection."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.attribution.asker import Asker
from app.detect.context import Context
from app.detect.engine import Engine
from app.dpi.inspector import FlowContext
from app.flow.roll_ups import RollUps
from app.flow.table import SECOND, FlowTable, Timeouts
from app.sensor.cards import Cards
from app.sensor.entropy_watch import EntropyWatch
from app.sensor.hardware_addresses import HardwareAddresses
from app.sensor.insight import Insight
from app.stats.entropy_note import EntropyNote
from app.stats.payload_entropy import PayloadEntropy
from app.stats.traffic import TrafficCounts
from app.wire.block import Block
from app.wire.decode import BATCH, Decoder

SWEEP_NS: Final = 10 * SECOND  # of the capture's clock, between two sweeps for silent flows


class Store(Protocol):
    """What keeps raw frames (`app.sensor.packet_store`)."""

    def add(
        self, block: Block, packets: NDArray[np.void], heads: NDArray[np.uint8], flow_ids: NDArray[np.uint64]
    ) -> int: ...

    def clear(self) -> None: ...


class Evidence(Protocol):
    """What cuts the packets of alerts out of the store (`app.sensor.evidence`)."""

    def cut(self) -> None: ...

    def clear(self) -> None: ...


class EndedFlows(Protocol):
    """What takes the records of flows that ended (FLOW_DTYPE; valid during the call)."""

    def __call__(self, records: NDArray[np.void]) -> None: ...


class Pipeline:
    """One capture's state. `feed` blocks, `expire` by the clock, `finish` at the end of a file."""

    def __init__(
        self,
        max_flows: int,
        store: Store | None = None,
        on_ended: EndedFlows | None = None,
        timeouts: Timeouts | None = None,
        insight: Insight | None = None,
        entropy: PayloadEntropy | None = None,
        detection: Engine | None = None,
        owners: Asker | None = None,
        cards: Cards | None = None,
        watch: EntropyWatch | None = None,
    ) -> None:
        self._max_flows = max_flows
        self.watch = watch
        self.detection = detection
        self.cards = cards
        self.evidence: Evidence | None = None
        self.kernel_drops = 0  # so far; whoever reads the source says it
        self.insight = insight
        self.entropy = entropy
        self.owners = owners
        self._timeouts = timeouts
        self._on_ended = on_ended
        self.table: FlowTable
        self.store = store
        self.counts = TrafficCounts()
        self.roll_ups = RollUps()
        self.generation = 0  # number of captures begun
        self._flow_ids_used = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new capture starts. Flow ids go on, so that no two flows of one run share one."""
        if self.generation:
            self._flow_ids_used = self.table.last_flow_id
        self.generation += 1
        self._decoder = Decoder()
        self.table = FlowTable(self._max_flows, self._take_ended, self._timeouts, self._flow_ids_used)
        if self.insight is not None:
            self.insight.begin(self._max_flows)
        if self.cards is not None:
            self.cards.begin(self._max_flows)
            self.cards.protocol_of = self._protocol_of
        if self.detection is not None:
            self.detection.begin(self._context())
            if self.insight is not None:
                self.insight.on_fact = self.detection.fact
            if self.cards is not None:
                self.cards.on_finding = self.detection.fact
        if self.watch is not None:
            self.watch.begin(self._max_flows, self._context().known, self._hear)
        self.kernel_drops = 0
        if self.owners is not None:
            self.owners.begin()
        self.counts.reset()
        self.roll_ups.reset()
        self.hardware = HardwareAddresses()
        if self.store is not None:
            self.store.clear()
        if self.evidence is not None:
            self.evidence.clear()
        self._last_sweep = 0
        self._rolled_tick = 0

    def feed(self, block: Block) -> None:
        """Take all frames of a block."""
        for start in range(0, len(block.frames), BATCH):
            frames = block.frames[start : start + BATCH]
            packets = self._decoder.decode(block.data, frames)
            if len(carriers := self._decoder.carriers):
                carrier_ids, _ = self.table.update(carriers)
                if self.entropy is not None:
                    self.entropy.add(block.data, carriers, carrier_ids)
            flow_ids, heads = self.table.update(packets)
            if self.owners is not None:
                self.owners.take(packets, flow_ids)
            self.counts.add(packets)
            self.hardware.take(block.data, packets)
            if self.insight is not None:
                self.insight.take(block.data, packets, flow_ids, heads, self.table)
            if self.entropy is not None:
                self.entropy.add(block.data, packets, flow_ids)
            if self.watch is not None:
                self.watch.take(block.data, packets, flow_ids, self.table)
            first_id = self.counts.packets - len(packets) + 1
            if self.store is not None:
                first_id = self.store.add(Block(block.data, frames), packets, heads, flow_ids)
            if self.cards is not None:
                self.cards.take(block.data, packets, flow_ids, self.table, first_id)
            if self.detection is not None:
                self.detection.take(block.data, packets, flow_ids, first_id)
            if self.evidence is not None:
                self.evidence.cut()
        self._sweep_if_due(self._decoder.clock_ns)

    def expire(self, now_ns: int) -> None:
        """Live capture: time passes without packets too."""
        self._sweep_if_due(now_ns)
        if self.detection is not None:
            self.detection.advance(now_ns)

    def finish(self) -> None:
        """The capture is over: all flows end."""
        if self.detection is not None:
            self.detection.settle()
        self.table.finish()
        if self.insight is not None:
            self.insight.settle()
        if self.entropy is not None:
            self.entropy.finish()
        if self.watch is not None:
            self.watch.finish()
        if self.detection is not None:
            self.detection.finish()

    def close_tick(self) -> int:
        """Bring the roll-ups up to date and close the tick; returns the number of the closed one."""
        self.table.drain()
        self.roll_ups.add_active(self.table, self._rolled_tick)
        if self.insight is not None:
            self.insight.next_tick(self.clock_ns)
        if self.cards is not None:
            self.cards.next_tick()
        if self.watch is not None:
            self.watch.close_tick(self.clock_ns, self.table)
        closed = self.table.next_tick()
        self._rolled_tick = closed + 1
        return closed

    @property
    def clock_ns(self) -> int:
        """The capture's clock: time of the newest packet, 0 before the first."""
        return self._decoder.clock_ns

    def _sweep_if_due(self, now_ns: int) -> None:
        if self._last_sweep == 0 or now_ns < self._last_sweep:
            self._last_sweep = now_ns
        elif now_ns - self._last_sweep >= SWEEP_NS:
            self._last_sweep = now_ns
            self.table.expire(now_ns)

    def _take_ended(self, records: NDArray[np.void], rolled: NDArray[np.int64]) -> None:
        self.roll_ups.add_ended(records, rolled)
        if self.watch is not None:
            self.watch.ended(records)
        if self.insight is not None:
            self.insight.ended(records)
        if self.cards is not None:
            self.cards.ended(records)
        if self.detection is not None:
            self.detection.ended(records)
        if self._on_ended is not None:
            self._on_ended(records)

    def _protocol_of(self, flow_id: int) -> str | None:
        """What a flow was recognised as."""
        known = self.insight.findings.flows.get(flow_id) if self.insight is not None else None
        return known.protocol if known is not None else None

    def _hear(self, note: EntropyNote) -> None:
        if self.detection is not None:
            self.detection.fact(note)

    def _context(self) -> Context:
        """What detectors may know of this capture."""
        insight = self.insight
        known = (lambda flow_id: insight.findings.flows.get(flow_id)) if insight is not None else (lambda flow_id: None)

        def flow() -> FlowContext | None:
            return insight.inspection.current if insight is not None and insight.inspection is not None else None

        return Context(self.table, known, flow, self._not_seen)

    def _not_seen(self) -> dict[str, int]:
        """What conclusions cannot rest on."""
        inspection = self.insight.inspection if self.insight is not None else None
        return {
            "kernel_drops": self.kernel_drops,
            "undecoded": sum(self.counts.undecoded().values()),
            "flows_evicted": self.table.evicted,
            "flows_not_inspected": inspection.flows_passed_over if inspection else 0,
        }

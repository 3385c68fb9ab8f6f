"""Streams that go one way and are not answered, while some of their packets are looked at (`app.detect.stream_samples`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect.batch import TCP, UDP, Batch
from app.detect.flow_lookup import OneWay, one_way
from app.detect.stream_samples import KEPT, StreamSamples
from app.flow.table import FlowTable
from app.stats.bounded import BoundedMap

SECOND: Final = 1_000_000_000
MOST_WATCHED: Final = 64  # flows at the same time
LONG_NS: Final = 3 * SECOND  # after which others are looked at in its place
LEAST: Final = 64  # packets of a batch in which one flow stands out
LOOKED_AT: Final = 64  # of them
STANDS_OUT: Final = 12
MOST_REFUSALS: Final = 8  # of a batch
UNREACHABLE: Final = {1: 3, 58: 1}  # ICMP's type by protocol


class StreamWatch:
    """`look` at each batch, which finds what stands out; `watch` what is named."""

    def __init__(self, cleared: BoundedMap[int, int]) -> None:
        """cleared: flow → packets up to which it meant something."""
        self._watched: dict[int, tuple[OneWay, StreamSamples]] = {}
        self._cleared = cleared

    def watch(self, stream: OneWay, now_ns: int) -> StreamSamples | None:
        """What was seen of it; None where it was found to mean something, or where nobody has the time."""
        held = self._watched.get(stream.flow)
        if held is not None:
            return held[1]
        if len(self._watched) >= MOST_WATCHED or stream.packets < 2 * (self._cleared.get(stream.flow) or 0):
            return None
        samples = StreamSamples(now_ns)
        self._watched[stream.flow] = stream, samples
        return samples

    def seen(self, flow: int) -> StreamSamples | None:
        """What was seen of a flow that is watched."""
        held = self._watched.get(flow)
        return held[1] if held is not None else None

    def clear(self, flow: int, packets: int) -> None:
        """It means something: it is looked at again when it has doubled."""
        if self._watched.pop(flow, None) is not None:
            self._cleared[flow] = packets

    def keep(self, flows: set[int], now_ns: int) -> None:
        """Forget what is none of these and no longer new."""
        for flow in [
            one for one, (_, held) in self._watched.items() if one not in flows and now_ns - held.since > LONG_NS
        ]:
            del self._watched[flow]

    def look(self, batch: Batch, table: FlowTable | None) -> None:
        """Some packets of the flows that are watched, and what ICMP says of them."""
        self._notice(batch, table)
        for stream, samples in self._watched.values():
            if not samples.enough:
                slots = batch.packets["flow"] == stream.slot
                mine = np.flatnonzero(slots & (batch.packets["src_port"] == stream.src_port)) + batch.begin
                mine = mine[batch.column("src_lo", mine) == np.uint64(stream.src[1])]
                most = samples.wanted(len(mine))
                for index in mine[:: max(1, len(mine) // most)][:most].tolist():
                    one = batch.row(index)
                    if batch.flow_id(index) == stream.flow:
                        samples.add(int(one["seq"]), int(one["ack"]), batch.payload(index, KEPT), batch.evidence(index))
            if stream.protocol == UDP:
                self._refusals(batch, stream, samples)

    def _notice(self, batch: Batch, table: FlowTable | None) -> None:
        """Streams that make up much of a batch, at once: that of a flood may be over before the flow table is looked through."""
        if table is None or len(batch) < LEAST:
            return
        slots: NDArray[np.int32] = np.sort(batch.packets["flow"][:: len(batch) // LOOKED_AT])
        often = slots[STANDS_OUT - 1 :] == slots[: 1 - STANDS_OUT]
        for slot in set(slots[: 1 - STANDS_OUT][often].tolist()):
            stream = one_way(table, slot) if slot >= 0 else None
            if stream is not None and stream.protocol in (TCP, UDP):
                self.watch(stream, batch.now_ns)

    @staticmethod
    def _refusals(batch: Batch, stream: OneWay, samples: StreamSamples) -> None:
        """Messages of the target that nobody takes the flow's datagrams."""
        icmp = batch.select("icmp")
        if not len(icmp):
            return
        said = (batch.column("src_lo", icmp) == np.uint64(stream.dst[1])) & (
            batch.column("dst_lo", icmp) == np.uint64(stream.src[1])
        )
        ports = stream.src_port.to_bytes(2, "big") + stream.dst_port.to_bytes(2, "big")
        for index in icmp[said][:MOST_REFUSALS].tolist():
            one = batch.row(index)
            quoted = batch.frame(index, 160)[int(one["payload_offset"]) :]
            if int(one["src_port"]) == UNREACHABLE.get(int(one["protocol"])) and ports in quoted:
                samples.refuse(batch.evidence(index))

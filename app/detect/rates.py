"""How many packets of a kind each address got or sent in the current second. Bounded: of one block only the busiest addresses are kept apart."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect.batch import Batch, Indices
from app.model.alert import MAX_EVIDENCE, Evidence

BUSIEST: Final = 64  # addresses of one block that are kept apart
MOST: Final = 2048  # addresses of one second
KEPT: Final = 5  # packets of each that are kept as evidence

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


class Rate:
    """One address in one second. `others`: different addresses at the other end, of the blocks in which it was busy."""

    __slots__ = ("address", "evidence", "first", "flows", "last", "others", "packets", "payload")

    def __init__(self, address: tuple[int, int], first: int) -> None:
        self.address = address
        self.first = self.last = first
        self.packets = 0
        self.payload = 0
        self.others = 0
        self.evidence: list[Evidence] = []
        self.flows: list[int] = []


class Rates:
    """`add` selected packets during a second, `take` at its end."""

    def __init__(self, end: str) -> None:
        self._end, self._other = (end, "src" if end == "dst" else "dst")
        self._now: dict[tuple[int, int], Rate] = {}
        self.passed_over = 0  # packets of addresses that were not kept apart

    def add(self, batch: Batch, chosen: Indices) -> None:
        if not len(chosen):
            return
        hi, lo = batch.column(f"{self._end}_hi", chosen), batch.column(f"{self._end}_lo", chosen)
        key = lo * _ODD ^ hi
        _, first, inverse, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(counts)[::-1]
        if len(order) > BUSIEST:
            self.passed_over += int(counts[order[BUSIEST:]].sum())
            order = order[:BUSIEST]
        for place in order.tolist():
            mine = chosen if len(counts) == 1 else chosen[inverse == place]
            self._count(batch, (int(hi[first[place]]), int(lo[first[place]])), mine)

    def _count(self, batch: Batch, address: tuple[int, int], chosen: Indices) -> None:
        stamps: NDArray[Any] = batch.column("ts", chosen)
        rate = self._now.get(address)
        if rate is None:
            if len(self._now) >= MOST:
                self.passed_over += len(chosen)
                return
            rate = self._now[address] = Rate(address, int(stamps[0]))
        rate.packets += len(chosen)
        rate.last = int(stamps[-1])
        rate.payload += int(batch.column("payload_len", chosen).sum())
        others = batch.column(f"{self._other}_lo", chosen) * _ODD ^ batch.column(f"{self._other}_hi", chosen)
        rate.others = max(rate.others, len(np.unique(others)))
        if len(rate.evidence) < min(KEPT, MAX_EVIDENCE):
            rate.evidence.extend(batch.evidence(*chosen[: KEPT - len(rate.evidence)].tolist()))
            rate.flows.extend(flow for flow in map(batch.flow_id, chosen[:KEPT].tolist()) if flow)

    def take(self) -> list[Rate]:
        """The addresses of the second that is over."""
        now, self._now = self._now, {}
        return list(now.values())

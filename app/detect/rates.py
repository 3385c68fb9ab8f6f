"""How many packets of a kind each address got or sent in the current second. Bounded: of one block only the busiest addresses are kept apart."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect.batch import Picked
from app.model.alert import Evidence
from app.wire.row_copies import chosen, joined

BUSIEST: Final = 64  # addresses counted together that are kept apart
TOGETHER: Final = 4096
MOST: Final = 2048  # addresses of one second
KEPT: Final = 5  # packets of each that are kept as evidence

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


class Rate:
    """One address in one second. `others`: different addresses at the other end, of the blocks in which it was busy."""

    __slots__ = ("address", "evidence", "first", "flows", "last", "others", "packets", "payload", "wire")

    def __init__(self, address: tuple[int, int], first: int) -> None:
        self.address = address
        self.first = self.last = first
        self.packets = 0
        self.payload = 0
        self.wire = 0  # bytes of whole frames
        self.others = 0
        self.evidence: list[Evidence] = []
        self.flows: list[int] = []


class Rates:
    """`add` selected packets during a second, `take` at its end. They are counted some hundred at a time, not batch by batch."""

    def __init__(self, end: str, least: int) -> None:
        """`end`: src or dst. least: packets in a second below which nobody asks about an address."""
        self._least = least
        self._end, self._other = (end, "src" if end == "dst" else "dst")
        self._now: dict[tuple[int, int], Rate] = {}
        self._waiting: list[Picked] = []
        self._rows = 0
        self.passed_over = 0  # packets of addresses that were not kept apart

    def add(self, picked: Picked) -> None:
        if len(picked.rows):
            self._waiting.append(picked)
            self._rows += len(picked.rows)
            if self._rows >= TOGETHER:
                self._count_waiting(1)

    def _count_waiting(self, least: int) -> None:
        """least: packets of an address among those that wait, for it to be kept apart."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if not waiting:
            return
        rows = joined([one.rows for one in waiting])
        packet_ids = np.concatenate([one.packet_ids for one in waiting])
        flow_ids = np.concatenate([one.flow_ids for one in waiting])
        hi, lo = rows[f"{self._end}_hi"], rows[f"{self._end}_lo"]
        _, first, inverse, counts = np.unique(
            lo * _ODD ^ hi, return_index=True, return_inverse=True, return_counts=True
        )
        order = np.argsort(counts)[::-1]
        order = order[counts[order] >= least]
        if len(order) > BUSIEST:
            self.passed_over += int(counts[order[BUSIEST:]].sum())
            order = order[:BUSIEST]
        for place in order.tolist():
            mine = inverse == place
            address = (int(hi[first[place]]), int(lo[first[place]]))
            self._count(address, chosen(rows, mine), packet_ids[mine], flow_ids[mine])

    def _count(
        self,
        address: tuple[int, int],
        rows: NDArray[np.void],
        packet_ids: NDArray[np.int64],
        flow_ids: NDArray[np.uint64],
    ) -> None:
        rate = self._now.get(address)
        if rate is None:
            if len(self._now) >= MOST:
                self.passed_over += len(rows)
                return
            rate = self._now[address] = Rate(address, int(rows["ts"][0]))
        rate.packets += len(rows)
        rate.last = int(rows["ts"][-1])
        rate.payload += int(rows["payload_len"].sum())
        rate.wire += int(rows["wire_len"].sum())
        others = rows[f"{self._other}_lo"] * _ODD ^ rows[f"{self._other}_hi"]
        rate.others = max(rate.others, len(np.unique(others)) if len(rows) > 1 else 1)
        room = KEPT - len(rate.evidence)
        if room > 0:
            pairs = zip(packet_ids[:room].tolist(), rows["ts"][:room].tolist(), strict=True)
            rate.evidence.extend(Evidence(number, ts) for number, ts in pairs)
            rate.flows.extend(flow for flow in flow_ids[:room].tolist() if flow)

    def take(self) -> list[Rate]:
        """The addresses of the second that is over."""
        self._count_waiting(1 if self._now else self._least)
        now, self._now = self._now, {}
        return list(now.values())

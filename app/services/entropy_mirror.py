"""Entropy of flows as the sensor last said it, with the last samples of each for its graph. Bounded; not locked: `Mirror` owns the lock."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.wire.records import ENTROPY_DTYPE

MAX_FLOWS: Final = 4_096  # whose samples are kept; the one that was silent longest goes first
SERIES: Final = 240  # samples of one flow
MAX_UNLOGGED: Final = 40_000  # samples that wait for the log
POINT_DTYPE: Final = np.dtype([("ts", "<i8"), ("src", "<f4"), ("dst", "<f4")])


class Kept:
    """One flow: its newest row, and a ring of samples."""

    __slots__ = ("count", "ring", "row")

    def __init__(self) -> None:
        self.row: np.void = np.zeros(1, ENTROPY_DTYPE)[0]
        self.ring = np.zeros(16, POINT_DTYPE)
        self.count = 0

    def add(self, row: np.void) -> None:
        if self.count >= len(self.ring) < SERIES:
            self.ring = np.concatenate((self.ring, np.zeros(min(len(self.ring), SERIES - len(self.ring)), POINT_DTYPE)))
        self.ring[self.count % len(self.ring)] = (row["ts"], row["src_value"], row["dst_value"])
        self.count += 1
        self.row = row.copy()  # not the whole snapshot

    def series(self) -> NDArray[np.void]:
        """Oldest first; a copy."""
        size = len(self.ring)
        if self.count <= size:
            return self.ring[: self.count].copy()
        return np.roll(self.ring, -(self.count % size))


class EntropyMirror:
    """One writer."""

    def __init__(self) -> None:
        self.unlogged: deque[NDArray[np.void]] = deque()
        self._unlogged_rows = 0
        self.unlogged_lost = 0
        self.version = 0
        self.clear()

    def clear(self) -> None:
        """A new capture. What has not been logged yet still will be."""
        self._flows: OrderedDict[int, Kept] = OrderedDict()
        self.version += 1

    def __len__(self) -> int:
        return len(self._flows)

    def apply(self, rows: NDArray[np.void]) -> None:
        """ENTROPY rows of one snapshot, oldest first."""
        if not len(rows):
            return
        self.version += 1
        for flow_id, row in zip(rows["flow_id"].tolist(), rows, strict=True):
            kept = self._flows.pop(flow_id, None) or Kept()
            kept.add(row)
            self._flows[flow_id] = kept
        while len(self._flows) > MAX_FLOWS:
            self._flows.popitem(last=False)
        if self._unlogged_rows + len(rows) > MAX_UNLOGGED:
            self.unlogged_lost += len(rows)
            return
        self.unlogged.append(rows)
        self._unlogged_rows += len(rows)

    def take_unlogged(self) -> list[NDArray[np.void]]:
        """What came since the last call, for the log."""
        taken = list(self.unlogged)
        self.unlogged.clear()
        self._unlogged_rows = 0
        return taken

    def rows(self) -> NDArray[np.void]:
        """The newest row of every flow that is kept."""
        return np.array([kept.row for kept in self._flows.values()], ENTROPY_DTYPE)

    def series(self, flow_ids: list[int]) -> dict[int, NDArray[np.void]]:
        """Samples of some flows."""
        return {flow_id: self._flows[flow_id].series() for flow_id in flow_ids if flow_id in self._flows}

"""Shannon entropy of payload bytes per flow and direction, over all payload that was captured (bits per byte)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.native.loader import kernel

FINISHED: Final = 512  # histograms handed over at a time
_CHUNK: Final = 4096  # rows of the flow table looked at together at the end


class PayloadEntropy:
    """Histograms of 2 kB per row of a flow table, touched only as used; entropies by flow id when a row changes hands or at the end."""

    def __init__(self, capacity: int) -> None:
        self._histograms = np.zeros((capacity, 512), np.uint32)
        self._owners = np.zeros(capacity, np.uint64)
        self._finished = np.zeros((FINISHED, 512), np.uint32)
        self._finished_ids = np.zeros(FINISHED, np.uint64)
        self._place = np.zeros(1, np.int64)
        self._count = kernel("count_payload")
        self.values: dict[int, tuple[float | None, float | None]] = {}  # flow id → lower endpoint's, higher endpoint's

    def add(self, data: NDArray[np.uint8], packets: NDArray[np.void], flow_ids: NDArray[np.uint64]) -> None:
        """Count a decoded block that went through the flow table. `data`: the block's buffer."""
        n = len(packets)
        self._place[0] = 0
        while self._place[0] < n:
            done = self._count(
                data,
                packets,
                n,
                flow_ids,
                self._histograms,
                self._owners,
                self._finished,
                self._finished_ids,
                self._place,
            )
            if done:
                self._keep(self._finished_ids[:done], self._finished[:done])

    def finish(self) -> None:
        """The capture is over: all that is still counted."""
        used = np.flatnonzero(self._owners)
        for start in range(0, len(used), _CHUNK):
            rows = used[start : start + _CHUNK]
            self._keep(self._owners[rows], self._histograms[rows])
        self._owners[:] = 0

    def _keep(self, ids: NDArray[np.uint64], histograms: NDArray[np.uint32]) -> None:
        low, high = shannon(histograms[:, :256]), shannon(histograms[:, 256:])
        for flow_id, a, b in zip(ids.tolist(), low.tolist(), high.tolist(), strict=True):
            self.values[flow_id] = (None if a < 0 else a, None if b < 0 else b)


def shannon(counts: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Entropy of each row of a table of counts, bits per symbol; -1 for rows without any."""
    numbers = counts.astype(np.float64)
    total = numbers.sum(axis=1)
    weighted = np.zeros_like(numbers)
    np.log2(numbers, out=weighted, where=numbers > 0)
    weighted *= numbers
    some = total > 0
    result = np.full(len(counts), -1.0)
    result[some] = np.maximum(np.log2(total[some]) - weighted[some].sum(axis=1) / total[some], 0.0)
    return result

"""Hosts, conversations and ports: what the flows add up to. Bounded; when a table is nearly full its smaller half is dropped and counted."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.flow import roll_up_kernels as kernels
from app.flow.record_kernels import RECORD
from app.flow.table import FlowTable

CAPACITY: Final = 1 << 16
_KEYS_OF_HOST, _KEYS_OF_PAIR = slice(0, 2), slice(0, 4)


class RollUps:
    """Sums since the last `reset`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._hosts = np.zeros((capacity, 7), np.int64)
        self._pairs = np.zeros((capacity, 7), np.int64)
        self._ports = np.zeros((2 * 65536, 2), np.int64)
        self._counters = np.zeros(4, np.int64)
        self.hosts_evicted = 0
        self.conversations_evicted = 0

    def reset(self) -> None:
        for array in (self._hosts, self._pairs, self._ports, self._counters):
            array[...] = 0
        self.hosts_evicted = self.conversations_evicted = 0

    def add_active(self, table: FlowTable, since_tick: int) -> None:
        """Count what the active flows gained since they were last counted; `since_tick`: no flow changed earlier without being counted."""
        kernels.add_active(
            since_tick, table.rows, table.rolled, table.meta, self._hosts, self._pairs, self._ports, self._counters
        )
        self._prune()

    def add_ended(self, records: NDArray[np.void], rolled: NDArray[np.int64]) -> None:
        kernels.add_ended(
            records.view(RECORD), len(records), rolled, self._hosts, self._pairs, self._ports, self._counters
        )
        self._prune()

    def _prune(self) -> None:
        """Keep the half with the most bytes of a table that is more than 70 % full."""
        limit = len(self._hosts) * 7 // 10
        if self._counters[kernels.HOSTS] > limit:
            used = self._hosts[self._hosts[:, 2] != 0]
            kept = _larger_half(used, used[:, 5] + used[:, 6])
            self.hosts_evicted += len(used) - len(kept)
            self._hosts[...] = 0
            self._counters[kernels.HOSTS] = 0
            kernels.restore_hosts(kept, self._hosts, self._counters)
        if self._counters[kernels.PAIRS] > limit:
            used = self._pairs[self._pairs[:, 4] != 0]
            kept = _larger_half(used, used[:, 6])
            self.conversations_evicted += len(used) - len(kept)
            self._pairs[...] = 0
            self._counters[kernels.PAIRS] = 0
            kernels.restore_pairs(kept, self._pairs, self._counters)

    @property
    def lost(self) -> int:
        """Sums that found no room between two prunings."""
        return int(self._counters[kernels.HOSTS_LOST] + self._counters[kernels.PAIRS_LOST])

    def top_hosts(self, n: int) -> NDArray[np.int64]:
        """int64[≤ n, 7]: hi, lo, used, packets sent, packets received, bytes sent, bytes received; most bytes first."""
        return _top(self._hosts[self._hosts[:, 2] != 0], lambda rows: rows[:, 5] + rows[:, 6], n)

    def top_conversations(self, n: int) -> NDArray[np.int64]:
        """int64[≤ n, 7]: a hi, a lo, b hi, b lo, used, packets, bytes; most bytes first."""
        return _top(self._pairs[self._pairs[:, 4] != 0], lambda rows: rows[:, 6], n)

    def top_ports(self, n: int) -> list[tuple[str, int, int, int]]:
        """(protocol, port, packets, bytes) of the responders' ports, most bytes first."""
        used = np.flatnonzero(self._ports[:, 0])
        order = used[np.argsort(-self._ports[used, 1], kind="stable")[:n]]
        return [
            ("tcp" if row < 65536 else "udp", int(row) % 65536, int(self._ports[row, 0]), int(self._ports[row, 1]))
            for row in order
        ]


def _larger_half(rows: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    keep = len(rows) // 2
    return np.ascontiguousarray(rows[np.argpartition(-size, keep)[:keep]])


def _top(rows: NDArray[np.int64], size, n: int) -> NDArray[np.int64]:  # type: ignore[no-untyped-def]
    totals = size(rows)
    if len(rows) > n:
        rows = rows[np.argpartition(-totals, n)[:n]]
        totals = size(rows)
    return rows[np.argsort(-totals, kind="stable")]

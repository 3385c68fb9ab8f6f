"""Hosts, conversations and ports: what the flows add up to. Bounded; what finds no room is counted."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.flow import layout
from app.flow.memory import page_aligned
from app.flow.record_layout import RECORD
from app.flow.table import FlowTable
from app.native.call import EACH_CALL
from app.native.loader import kernel

CAPACITY: Final = 1 << 16  # rows of each table; half of them are used at most


class RollUps:
    """Sums since the last `reset`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._hosts: NDArray[np.int64] = page_aligned((capacity, 8), np.int64)
        self._pairs: NDArray[np.int64] = page_aligned((capacity, 8), np.int64)
        self._ports = np.zeros((2 * 65536, 2), np.int64)
        self._counters = np.zeros(layout.ROLL_UP_COUNTERS, np.int64)
        kept = (self._hosts, self._pairs, self._ports, self._counters)
        self._add_active = kernel("add_active").bind(*(EACH_CALL,) * 4, *kept)
        self._add_ended = kernel("add_ended").bind(*(EACH_CALL,) * 3, *kept)
        self._dropped = [0, 0]  # hosts, conversations that a pruning dropped
        self._empty = True

    def reset(self) -> None:
        if not self._empty:  # writing zeros would touch all of the memory
            for array in (self._hosts, self._pairs, self._ports, self._counters):
                array[...] = 0
        self._dropped = [0, 0]
        self._empty = True

    def add_active(self, table: FlowTable, since_tick: int) -> None:
        """Count what the active flows gained since they were last counted; `since_tick`: no flow changed earlier without being counted."""
        self._empty = False
        self._add_active(since_tick, table.rows, table.rolled, table.meta)
        # A host that grows slowly gets its chance in time.
        self._counters[layout.HOSTS_LEAST] //= 2
        self._counters[layout.PAIRS_LEAST] //= 2
        self._prune()

    def add_ended(self, records: NDArray[np.void], rolled: NDArray[np.int64]) -> None:
        self._empty = False
        self._add_ended(records.view(RECORD), len(records), rolled)
        self._prune()

    def _prune(self) -> None:
        """A table that is more than 45 % full keeps the half of its rows with the most bytes; the least of them is what newcomers have to bring."""
        limit = len(self._hosts) * 45 // 100
        if self._counters[layout.HOSTS] > limit:
            used = self._hosts[self._hosts[:, layout.H_USED] != 0]
            size = used[:, layout.H_BYTES_OUT] + used[:, layout.H_BYTES_IN]
            kept, least = _larger_half(used, size)
            self._dropped[0] += len(used) - len(kept)
            self._hosts[...] = 0
            self._counters[layout.HOSTS] = 0
            kernel("restore_hosts")(kept, self._hosts, self._counters)
            self._counters[layout.HOSTS_LEAST] = least
        if self._counters[layout.PAIRS] > limit:
            used = self._pairs[self._pairs[:, layout.P_USED] != 0]
            kept, least = _larger_half(used, used[:, layout.P_BYTES])
            self._dropped[1] += len(used) - len(kept)
            self._pairs[...] = 0
            self._counters[layout.PAIRS] = 0
            kernel("restore_pairs")(kept, self._pairs, self._counters)
            self._counters[layout.PAIRS_LEAST] = least

    @property
    def hosts_evicted(self) -> int:
        """Hosts dropped, and sums of hosts that found no room: while it is 0, every host is in the table with all of its traffic."""
        return self._dropped[0] + int(self._counters[layout.HOSTS_LOST])

    @property
    def conversations_evicted(self) -> int:
        return self._dropped[1] + int(self._counters[layout.PAIRS_LOST])

    def top_hosts(self, n: int) -> NDArray[np.int64]:
        """int64[≤ n, 8]: hi, lo, used, packets sent, packets received, bytes sent, bytes received, –; most bytes first."""
        rows = self._hosts[self._hosts[:, layout.H_USED] != 0]
        return _top(rows, rows[:, layout.H_BYTES_OUT] + rows[:, layout.H_BYTES_IN], n)

    def top_conversations(self, n: int) -> NDArray[np.int64]:
        """int64[≤ n, 8]: a hi, a lo, b hi, b lo, used, packets, bytes, –; most bytes first."""
        rows = self._pairs[self._pairs[:, layout.P_USED] != 0]
        return _top(rows, rows[:, layout.P_BYTES], n)

    def top_ports(self, n: int) -> list[tuple[str, int, int, int]]:
        """(protocol, port, packets, bytes) of the responders' ports, most bytes first."""
        used = np.flatnonzero(self._ports[:, 0])
        order = used[np.argsort(-self._ports[used, 1], kind="stable")[:n]]
        return [
            ("tcp" if row < 65536 else "udp", int(row) % 65536, int(self._ports[row, 0]), int(self._ports[row, 1]))
            for row in order
        ]


def _larger_half(rows: NDArray[np.int64], size: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """(the half of the rows with the larger sizes, the least size among them)."""
    keep = len(rows) // 2
    chosen = np.argpartition(-size, keep)[:keep]
    return np.ascontiguousarray(rows[chosen]), int(size[chosen].min())


def _top(rows: NDArray[np.int64], size: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    if len(rows) > n:
        chosen = np.argpartition(-size, n)[:n]
        rows, size = rows[chosen], size[chosen]
    return rows[np.argsort(-size, kind="stable")]

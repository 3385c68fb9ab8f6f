"""The flow table: bidirectional flows with counters, TCP state, RTT, explicit expiry and counted eviction."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.flow import layout
from app.flow.memory import page_aligned
from app.flow.record_layout import RECORD
from app.native.call import EACH_CALL, Bound
from app.native.loader import kernel
from app.wire.records import FLOW_DTYPE

SECOND: Final = 1_000_000_000
ENDED_CAPACITY: Final = 2048

EndedSink = Callable[[NDArray[np.void], NDArray[np.int64]], None]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Silence that ends a flow, in seconds."""

    tcp_open: int = 900
    tcp_closed: int = 15
    udp: int = 180
    other: int = 60


class FlowTable:
    """At most `capacity` flows at a time; when it is full the flow that has been silent longest (of a few looked at) is ended and counted.

    Flows that end are handed to `on_ended(records: FLOW_DTYPE[n], rolled: int64[n, 4])`; `rolled` is what the roll-ups have already
    counted of them. The arrays are valid during the call only.
    """

    def __init__(
        self, capacity: int, on_ended: EndedSink, timeouts: Timeouts | None = None, flow_ids_used: int = 0
    ) -> None:
        if not 16 <= capacity <= 1 << 28:
            raise ValueError(f"a flow table of {capacity} rows: 16 to {1 << 28} are possible")
        limits = timeouts or Timeouts()
        self.capacity = capacity
        self._on_ended = on_ended
        index_size = 1 << (2 * capacity - 1).bit_length()
        self._index = page_aligned((index_size,), np.uint64)
        self.rows = page_aligned((capacity, layout.ROW_COLUMNS), np.int64)
        self.tcp = page_aligned((capacity, layout.TCP_COLUMNS), np.int64)
        self.rolled = page_aligned((capacity, layout.ROLLED_COLUMNS), np.int64)
        self._free = np.arange(capacity - 1, -1, -1, dtype=np.int32)
        self.meta = np.zeros(layout.META_SIZE, np.int64)
        self.meta[layout.FREE] = capacity
        self.meta[layout.NEXT_FLOW_ID] = flow_ids_used
        self._ended = np.zeros(ENDED_CAPACITY, RECORD)
        self._ended_rolled = np.zeros((ENDED_CAPACITY, layout.ROLLED_COLUMNS), np.int64)
        self._seeds = np.array([secrets.randbits(64), secrets.randbits(64)], np.uint64)
        seconds = (limits.tcp_open, limits.tcp_closed, limits.udp, limits.other)
        self._timeouts = np.array([s * SECOND for s in seconds], np.int64)
        self._rtt_samples = np.zeros(layout.RTT_SAMPLES, np.int64)
        self._flow_ids = np.zeros(0, np.uint64)
        self._heads = np.zeros(0, np.uint8)
        self._update = self._bind_update()
        self._sweep_rows = kernel("sweep_flows").bind(EACH_CALL, EACH_CALL, *self._kept())

    def _kept(self) -> tuple[NDArray[Any], ...]:
        """The arrays that the kernels work on, in their order."""
        table = (self._index, self.rows, self.tcp, self.rolled, self._free, self.meta)
        return (*table, self._ended, self._ended_rolled, self._seeds, self._timeouts)

    def _bind_update(self) -> Bound:
        own = (*self._kept(), self._rtt_samples, self._flow_ids, self._heads)
        return kernel("update_flows").bind(EACH_CALL, EACH_CALL, EACH_CALL, *own)

    def update(self, packets: NDArray[np.void]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """Account decoded packets (their columns flow and kind are filled in). Returns (flow id, 1 = belongs to the beginning of its flow) per
        packet; both arrays are valid until the next call."""
        n = len(packets)
        if len(self._flow_ids) < n:
            self._flow_ids = np.zeros(n, np.uint64)
            self._heads = np.zeros(n, np.uint8)
            self._update = self._bind_update()
        done = 0
        while done < n:
            done = self._update(packets, done, n)
            if done < n:
                self._drain()
        return self._flow_ids[:n], self._heads[:n]

    def expire(self, now_ns: int) -> None:
        """End the flows that are silent longer than their timeout at `now_ns`."""
        self._sweep(now_ns, everything=False)

    def finish(self) -> None:
        """End all flows: the capture is over."""
        self._sweep(0, everything=True)

    def _sweep(self, now_ns: int, *, everything: bool) -> None:
        while not self._sweep_rows(now_ns, everything):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        n = int(self.meta[layout.ENDED])
        if n:
            self._on_ended(self._ended[:n].view(FLOW_DTYPE), self._ended_rolled[:n])
            self.meta[layout.ENDED] = 0

    def drain(self) -> None:
        """Hand over the flows that have ended so far."""
        self._drain()

    def collect(self, since_tick: int, limit: int, start: int = 0) -> tuple[NDArray[np.void], int, int]:
        """Records of the active flows that changed in tick `since_tick` or later, at most `limit`, from slot `start` on. Returns (FLOW_DTYPE array,
        slot to go on from or 0 when complete, changed flows that did not fit)."""
        cursor = np.array([start, 0], np.int64)
        out = np.zeros(min(limit, max(1, self.active)), RECORD)
        n = kernel("collect_flows")(since_tick, self.rows, self.tcp, self.meta, out, cursor)
        return out[:n].view(FLOW_DTYPE), int(cursor[0]), int(cursor[1])

    def next_tick(self) -> int:
        """Close the current tick; returns the number of the tick that was closed."""
        closed = int(self.meta[layout.TICK])
        self.meta[layout.TICK] = closed + 1
        return closed

    @property
    def active(self) -> int:
        return int(self.meta[layout.ACTIVE])

    @property
    def rows_used(self) -> int:
        """Rows from the first on that have ever held a flow."""
        return int(self.meta[layout.HIGH_WATER])

    @property
    def created(self) -> int:
        return int(self.meta[layout.CREATED])

    @property
    def last_flow_id(self) -> int:
        return int(self.meta[layout.NEXT_FLOW_ID])

    @property
    def evicted(self) -> int:
        return int(self.meta[layout.EVICTED])

    @property
    def tcp_packets(self) -> int:
        return int(self.meta[layout.TCP_PACKETS])

    @property
    def tcp_retransmissions(self) -> int:
        return int(self.meta[layout.TCP_RETRANSMISSIONS])

    def handshake_rtts(self) -> NDArray[np.int64]:
        """The last handshake RTTs measured, ns, at most 1024, in no order."""
        n = min(int(self.meta[layout.RTT_COUNT]), layout.RTT_SAMPLES)
        return self._rtt_samples[:n].copy()

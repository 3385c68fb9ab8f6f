"""Byte histograms of flows in a fixed number of slots: over a flow's life, over its last packets, and by bits. Memory is bounded by the slots.

A flow gets a slot with its first payload and keeps it to its end, or until it has been silent for ten seconds and another flow asks while none is free.
A flow that finds none is counted, and asks again every 32 packets.

The window is the last `window_packets` packets with payload of a direction, in four quarters of which the oldest goes as a whole: it holds between three
and four quarters of that number. Of each packet at most `packet_bytes` are counted in it, a stretch whose place moves from packet to packet, so long packets are
sampled and short ones are whole; at most 65,535 bytes a quarter. The life histogram holds the first `life_bytes` of each direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.flow.layout import FLOW_ID
from app.flow.table import FlowTable
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.stats import entropy_layout as at

SAMPLE_ROOM: Final = 512  # samples handed over at a time
MOST_WAITING: Final = 20_000  # samples that wait for `take_samples`; more are lost and counted


@dataclass(frozen=True, slots=True)
class EntropySettings:
    """What is measured. Bytes and packets: 0 = all."""

    slots: int = 4096
    window_packets: int = 100
    refresh_ns: int = 1_000_000_000
    ratio: float = 0.5
    life_bytes: int = 16_384
    packet_bytes: int = 256
    unhurried: bool = False  # a file, of which nobody looks at the samples between: fewer of them


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """ids: int64[n, IDS_SIZE]; values: float64[n, 2, SAMPLE_SIZE] (app.flow.entropy_layout)."""

    ids: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


class FlowEntropy:
    """Of one capture. `add` each block after the flow table, `ended` with the records of flows that end, `settle` before samples are wanted."""

    def __init__(self, settings: EntropySettings, capacity: int) -> None:
        slots = settings.slots
        self.settings = settings
        self._config = np.zeros(at.CONFIG_SIZE, np.int64)
        self._config[at.LIFE_BYTES] = settings.life_bytes
        self._config[at.PACKET_BYTES] = settings.packet_bytes
        self._config[at.QUARTER_PACKETS] = max(1, settings.window_packets // at.QUARTERS)
        self._config[at.REFRESH] = settings.refresh_ns
        self._config[at.UNHURRIED] = settings.unhurried
        self._config[at.RATIO] = round(settings.ratio * 1e6)
        self.meta = np.zeros(at.META_SIZE, np.int64)
        self.meta[at.FREE] = slots
        self._slot_of = np.zeros(capacity, np.int32)
        self._free = np.arange(slots - 1, -1, -1, dtype=np.int32)
        self._owners = np.zeros(slots, np.uint64)
        self._state = np.zeros((slots, at.STATE_SIZE), np.int64)
        self._sides = np.zeros((slots, 2, at.SIDE_SIZE), np.int64)
        life = np.zeros((slots, 2 * at.SYMBOLS), np.uint32)
        window = np.zeros((slots, 2 * at.QUARTERS, at.SYMBOLS), np.uint16)
        bits = np.zeros((slots, 2 * at.ORDERS, at.SYMBOLS), np.uint16)
        levels = np.zeros((slots, 2, 4))
        self._lives = np.zeros((slots, 2, at.MEASURE_SIZE + 1))
        self._ids = np.zeros((SAMPLE_ROOM, at.IDS_SIZE), np.int64)
        self._values = np.zeros((SAMPLE_ROOM, 2, at.SAMPLE_SIZE))
        tables = (at.logarithms(), at.byte_classes())
        small = (self._owners, self._state, self._sides)
        out = (*tables, self._ids, self._values)
        self._count = kernel("count_flow_bytes").bind(
            *[EACH_CALL] * 5,
            self._config,
            self.meta,
            self._slot_of,
            self._free,
            *small,
            life,
            window,
            bits,
            levels,
            self._lives,
            *out,
        )
        self._sample = kernel("sample_slots").bind(*[EACH_CALL] * 3, *small, life, window, levels, self._lives, *out)
        self._waiting: list[Samples] = []
        self._waiting_rows = 0
        self.samples_lost = 0

    def add(
        self,
        data: NDArray[np.uint8],
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        table: FlowTable,
    ) -> None:
        """A decoded block that went through the flow table. `data`: the block's buffer."""
        n = len(packets)
        self.meta[at.PLACE] = 0
        while self.meta[at.PLACE] < n:
            self._keep(self._count(data, packets, n, flow_ids, table.rows))

    def ended(self, records: NDArray[np.void]) -> None:
        """Flows that end (FLOW_DTYPE): their entropies are written into the records, their last samples kept, their slots freed."""
        held, slots = self._held(records)
        if self.meta[at.ORPHANS]:
            places, orphans = self._orphans(records, held)
            held, slots = np.concatenate((held, places)), np.concatenate((slots, orphans))
        if not len(held):
            return
        self._sample_all(slots, at.ENDED)
        self._write(records, held, slots)
        rows = self._state[slots, at.ROW]
        self._slot_of[rows[self._slot_of[rows] == slots + 1]] = 0
        self._free_slots(slots)

    def _held(self, records: NDArray[np.void]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """(places of the records whose flows have a slot, the slots)."""
        slots = self._slot_of[records["slot"]].astype(np.int64) - 1
        held = np.flatnonzero(slots >= 0)
        held = held[self._owners[slots[held]] == records["flow_id"][held]]
        return held, slots[held]

    def _orphans(self, records: NDArray[np.void], held: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The same for flows whose row another one has taken since."""
        others = np.setdiff1d(np.arange(len(records)), held)
        _, places, slots = np.intersect1d(records["flow_id"][others], self._owners, return_indices=True)
        return others[places], slots.astype(np.int64)

    def _free_slots(self, slots: NDArray[np.int64]) -> None:
        self._owners[slots] = 0
        self._state[slots] = 0
        free = int(self.meta[at.FREE])
        self._free[free : free + len(slots)] = slots
        self.meta[at.FREE] = free + len(slots)

    def free_forgotten(self, table: FlowTable) -> None:
        """All ends have been told: slots of flows that are not in the table any more had ended before they were counted."""
        rows = self._state[:, at.ROW]
        gone = (self._owners != 0) & (table.rows[rows, FLOW_ID].astype(np.uint64) != self._owners)
        if gone.any():
            slots = np.flatnonzero(gone)
            self._slot_of[rows[slots][self._slot_of[rows[slots]] == slots + 1]] = 0
            self._free_slots(slots)
        self.meta[at.ORPHANS] = 0

    def settle(self, now_ns: int) -> None:
        """Sample the slots with payload whose sample is due at `now_ns` of the capture's clock, though no packet came to bring it about."""
        due = (self._state[:, at.DIRTY] != 0) & (self._state[:, at.NEXT_SAMPLE] <= now_ns)
        slots = np.flatnonzero(due)
        if len(slots):
            self._sample_all(slots, 0)
            self._state[slots, at.NEXT_SAMPLE] = now_ns + self.settings.refresh_ns

    def fill(self, records: NDArray[np.void]) -> None:
        """Write the entropies of active flows into their records (FLOW_DTYPE), as of their last sample."""
        held, slots = self._held(records)
        self._write(records, held, slots)

    def take_samples(self) -> list[Samples]:
        """What was sampled since the last call, in order of time per flow."""
        taken, self._waiting, self._waiting_rows = self._waiting, [], 0
        return taken

    @property
    def samples_waiting(self) -> int:
        return self._waiting_rows

    def statistics(self) -> dict[str, Any]:
        """Slots and what was left out, for the snapshot."""
        slots = len(self._owners)
        return {
            "slots": slots,
            "used": slots - int(self.meta[at.FREE]),
            "taken_over": int(self.meta[at.TAKEN_OVER]),
            "flows_without": int(self.meta[at.PASSED_OVER]),
            "bytes_counted": int(self.meta[at.BYTES_COUNTED]),
            "bytes_passed": int(self.meta[at.BYTES_PASSED]),
            "samples_lost": self.samples_lost,
            "window_packets": self.settings.window_packets,
            "refresh_s": self.settings.refresh_ns / 1e9,
            "life_bytes": self.settings.life_bytes,
            "ratio": self.settings.ratio,
        }

    def _write(self, records: NDArray[np.void], held: NDArray[np.intp], slots: NDArray[np.int64]) -> None:
        measured = self._lives[slots]
        for direction, name in enumerate(("src_entropy", "dst_entropy")):
            some = measured[:, direction, at.M_N] > 0
            records[name][held] = np.where(some, measured[:, direction, at.M_PLAIN], np.nan)

    def _sample_all(self, slots: NDArray[np.int64], flags: int) -> None:
        for start in range(0, len(slots), SAMPLE_ROOM):
            chosen = slots[start : start + SAMPLE_ROOM]
            self._keep(self._sample(chosen, len(chosen), flags))

    def _keep(self, count: int) -> None:
        if not count:
            return
        if self._waiting_rows + count > MOST_WAITING:
            self.samples_lost += count
            return
        self._waiting.append(Samples(self._ids[:count].copy(), self._values[:count].copy()))
        self._waiting_rows += count

"""The packets still held: raw frames in two rings of memory, found by number, by query or by flow.

Frames within the first bytes of their flow go to the *head* ring, the rest to the *bulk* ring, so a large transfer pushes out
other large transfers but never the beginnings of conversations. The oldest frames of a ring are overwritten and counted.
Memory is touched only as it is used. One thread owns a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.sensor import store_layout as layout
from app.sensor.card_masking import CardMasking
from app.sensor.packet_rows import packet_rows
from app.sensor.store_layout import STORED_DTYPE
from app.wire.block import Block
from app.wire.filter import Query
from app.wire.records import FRAME_DTYPE, PACKET_DTYPE
from app.wire.row_copies import chosen, copied, joined

HEAD_BYTES: Final = 64 * 1024  # of each flow go to the head ring
DEFAULT_CAPACITY: Final = 64 << 20
SMALLEST_CAPACITY: Final = 1 << 20
LARGEST_CAPACITY: Final = 4 << 30  # a position in a ring has 32 bits
_HEAD_SHARE: Final = 0.75  # of the capacity is the head ring's
_HEAD_FRAME: Final = 300  # bytes of an average frame, which size the indexes
_BULK_FRAME: Final = 600
_WINDOW: Final = 16_384  # packet numbers looked at together


@dataclass(frozen=True, slots=True)
class StoredPacket:
    """One packet as held. `row` is a `PACKET_ROW` array of length 1; `frame` the bytes as on the wire (maybe cut)."""

    row: NDArray[np.void]
    frame: bytes
    link_type: int
    interface: int
    ts: int
    shown: bytes  # the frame with card numbers masked


@dataclass(frozen=True, slots=True)
class HeldFrame:
    """One frame on its way to a file."""

    packet_id: int
    ts: int
    frame: bytes
    wire_len: int
    link_type: int
    interface: int
    hidden: Sequence[int] = ()  # positions of digits of card numbers
    flow_id: int = 0  # 0 = none


def _held(record: np.void, frame: bytes, hidden: Sequence[int] = ()) -> HeldFrame:
    return HeldFrame(
        int(record["packet_id"]),
        int(record["ts"]),
        frame,
        max(int(record["wire_len"]), len(frame)),
        int(record["link_type"]),
        int(record["interface"]),
        hidden,
        int(record["flow_id"]),
    )


class _Ring:
    """One byte ring with its index, both written by the kernel."""

    def __init__(self, capacity: int, records: int) -> None:
        self.data: NDArray[np.uint8] = np.empty(capacity, np.uint8)
        self.index: NDArray[np.void] = np.zeros(records, STORED_DTYPE)
        self.words: NDArray[np.uint64] = self.index.view(np.uint64).reshape(records, -1)
        self.state: NDArray[np.int64] = np.zeros(layout.RING_FIELDS, np.int64)

    @property
    def held(self) -> int:
        return int(self.state[layout.HELD])

    @property
    def used_bytes(self) -> int:
        return int(self.state[layout.WRITE] - self.state[layout.OLDEST_BYTE]) if self.held else 0

    def record(self, place: int) -> np.void:
        """The held record at `place`; 0 is the oldest."""
        found: np.void = self.index[(int(self.state[layout.OLDEST]) + place) % len(self.index)]
        return found

    def lower_bound(self, packet_id: int) -> int:
        """Place of the first held record whose packet_id is not below `packet_id`."""
        low, high = 0, self.held
        while low < high:
            middle = (low + high) // 2
            if int(self.record(middle)["packet_id"]) < packet_id:
                low = middle + 1
            else:
                high = middle
        return low

    def records(self, first: int, end: int) -> NDArray[np.void]:
        """Copies of the records from place `first` to before `end`, oldest first."""
        oldest, size = int(self.state[layout.OLDEST]), len(self.index)
        low, high = oldest + first, oldest + max(first, end)
        if high <= size:
            return copied(self.index[low:high])
        if low >= size:
            return copied(self.index[low - size : high - size])
        return joined((self.index[low:], self.index[: high - size]))

    def frame(self, record: np.void) -> bytes:
        offset = int(record["offset"])
        return self.data[offset : offset + int(record["cap_len"])].tobytes()

    def find(self, packet_id: int) -> np.void | None:
        place = self.lower_bound(packet_id)
        if place < self.held and int(self.record(place)["packet_id"]) == packet_id:
            return self.record(place)
        return None


def room_for_frames(memory_bytes: int) -> int:
    """The capacity of a store that takes `memory_bytes` with its index, or the smallest there is."""
    index = STORED_DTYPE.itemsize * (_HEAD_SHARE / _HEAD_FRAME + (1 - _HEAD_SHARE) / _BULK_FRAME)
    return max(int(memory_bytes / (1 + index)), SMALLEST_CAPACITY)


class PacketStore:
    """Raw frames of the last packets. `capacity_bytes` is for the frames; the index takes about a third of it on top."""

    def __init__(self, capacity_bytes: int = DEFAULT_CAPACITY, masking: CardMasking | None = None) -> None:
        if not SMALLEST_CAPACITY <= capacity_bytes <= LARGEST_CAPACITY:
            raise ValueError(
                f"the packet store holds {SMALLEST_CAPACITY} to {LARGEST_CAPACITY} bytes, not {capacity_bytes}"
            )
        self.capacity_bytes = capacity_bytes
        self._masking = masking or CardMasking()
        head = int(capacity_bytes * _HEAD_SHARE)
        bulk = capacity_bytes - head
        self._head = _Ring(head, head // _HEAD_FRAME)
        self._bulk = _Ring(bulk, bulk // _BULK_FRAME)
        self._rings = (self._head, self._bulk)
        parts = [part for ring in self._rings for part in (ring.data, ring.index, ring.words, ring.state)]
        self._store_frames = kernel("store_frames").bind(*(EACH_CALL,) * 6, *parts)
        self._next_id = 1
        self._outside = 0

    def add(
        self, block: Block, packets: NDArray[np.void], heads: NDArray[np.uint8], flow_ids: NDArray[np.uint64]
    ) -> int:
        """Take in all frames of a block; the number of the first of them.

        packets: PACKET[n] of the block's frames; heads: 1 = within the first `HEAD_BYTES` of its flow; flow_ids: 0 = none.
        A VLAN tag that the kernel took out is put back, so frames are held as they were on the wire.
        """
        count = len(block.frames)
        if not (len(packets) == len(heads) == len(flow_ids) == count):
            raise ValueError("frames, packets, heads and flow_ids must have the same length")
        if packets.dtype != PACKET_DTYPE or block.frames.dtype != FRAME_DTYPE:
            raise TypeError("frames and packets must have the layouts FRAME and PACKET")
        first_id = self._next_id
        words = np.ascontiguousarray(packets).view(np.uint64).reshape(count, -1)
        frames = np.ascontiguousarray(block.frames)
        self._outside += self._store_frames(block.data, frames, words, heads, flow_ids, first_id)
        self._next_id += count
        return first_id

    @property
    def newest_id(self) -> int:
        """Number of the last packet taken in; 0 before the first."""
        return self._next_id - 1

    def get(self, packet_id: int) -> StoredPacket | None:
        """A packet by number; None when it is not held (any more)."""
        for ring in self._rings:
            record = ring.find(packet_id)
            if record is not None:
                frame = ring.frame(record)
                row = packet_rows(np.array([record]), [frame], self._masking)
                shown = self._masking.masked(record, frame)
                return StoredPacket(
                    row, frame, int(record["link_type"]), int(record["interface"]), int(record["ts"]), shown
                )
        return None

    def rows(self, query: Query, limit: int, before_id: int = 0, now_ns: int = 0) -> tuple[NDArray[np.void], int, int]:
        """(PACKET_ROW newest first, next_before_id, scanned): at most `limit` matching packets older than `before_id`.

        before_id 0 = from the newest; next_before_id 0 = nothing older is held. With `sort:` in the query all matching packets
        are ordered and the first `limit` returned; there is no next page then.
        """
        if query.sort_keys:
            records, scanned = self._matching(query, before_id or self._next_id, now_ns, None)
            return self._with_payload(records[query.order(records)][:limit]), 0, scanned
        records, scanned = self._matching(query, before_id or self._next_id, now_ns, limit)
        more = len(records) > limit
        records = records[:limit]
        next_before = int(records["packet_id"][-1]) if more and len(records) else 0
        return self._with_payload(records), next_before, scanned

    def newest(self, count: int, after_id: int = 0) -> NDArray[np.void]:
        """PACKET_ROW of the newest `count` packets with a number above `after_id`, oldest first."""
        first = max(after_id + 1, self._next_id - count)
        return self._with_payload(self._window(first, self._next_id)[-count:] if count > 0 else self._window(1, 1))

    def iter_frames(
        self, query: Query, flow_id: int = 0, limit_bytes: int = 1 << 62, now_ns: int = 0, hide: bool = True
    ) -> Iterator[HeldFrame]:
        """Held frames that match, in the order they came, until `limit_bytes` of frames have been given.

        flow_id 0 = of all flows. What is overwritten while the caller takes its time is left out.
        """
        records, _ = self._matching(query, self._next_id, now_ns, None)
        records = records[::-1]
        if flow_id:
            records = records[records["flow_id"] == flow_id]
        given = 0
        for record in records:
            packet_id = int(record["packet_id"])
            frame = self._frame(packet_id)
            if frame is None:
                continue
            given += len(frame)
            if given > limit_bytes:
                return
            yield _held(record, frame, self._masking.hidden(record, frame) if hide else ())

    def windows_back(self) -> Iterator[NDArray[np.void]]:
        """Copies of the held records (`STORED_DTYPE`), a window at a time, the newest window first, each oldest first."""
        oldest, end = self._oldest_id(), self._next_id
        while end > oldest:
            end, records = self._step(end)
            yield records

    def frames_of(self, packet_ids: Iterable[int], hide: bool = True) -> Iterator[HeldFrame]:
        """Those of the packets that are still held; `hide`: with the positions of card numbers."""
        for packet_id in packet_ids:
            for ring in self._rings:
                record = ring.find(packet_id)
                if record is not None:
                    frame = ring.frame(record)
                    yield _held(record, frame, self._masking.hidden(record, frame) if hide else ())

    def link_types(self, query: Query, flow_id: int = 0, now_ns: int = 0) -> set[int]:
        """The link types of the held packets that match; empty when none does."""
        records, _ = self._matching(query, self._next_id, now_ns, None)
        return set(np.unique(records["link_type"][(records["flow_id"] == flow_id) | (flow_id == 0)]).tolist())

    def statistics(self) -> dict[str, int | None]:
        """What is held and what was lost. oldest_ns: capture time of the oldest held packet, None when there is none."""
        oldest = [int(ring.record(0)["ts"]) for ring in self._rings if ring.held]
        return {
            "packets": sum(ring.held for ring in self._rings),
            "bytes": sum(ring.used_bytes for ring in self._rings),
            "capacity_bytes": self.capacity_bytes,
            "oldest_ns": min(oldest, default=None),
            "packets_seen": self._next_id - 1,
            "packets_overwritten": sum(int(ring.state[layout.OVERWRITTEN]) for ring in self._rings),
            "packets_cut": sum(int(ring.state[layout.CUT]) for ring in self._rings),
            "frames_outside": self._outside,
            "head_packets": self._head.held,
            "bulk_packets": self._bulk.held,
        }

    def clear(self, renumber: bool = False) -> None:
        """Forget all packets and counters. `renumber`: the next packet is number 1 again."""
        for ring in self._rings:
            ring.state[:] = 0
        self._outside = 0
        if renumber:
            self._next_id = 1

    def _frame(self, packet_id: int) -> bytes | None:
        for ring in self._rings:
            record = ring.find(packet_id)
            if record is not None:
                return ring.frame(record)
        return None

    def _oldest_id(self) -> int:
        oldest = [int(ring.record(0)["packet_id"]) for ring in self._rings if ring.held]
        return min(oldest, default=self._next_id)

    def _window(self, first_id: int, end_id: int) -> NDArray[np.void]:
        """Records of both rings with first_id <= packet_id < end_id, oldest first."""
        parts = [ring.records(ring.lower_bound(first_id), ring.lower_bound(end_id)) for ring in self._rings]
        records = joined(parts)
        return chosen(records, np.argsort(records["packet_id"], kind="stable"))

    def _matching(self, query: Query, before_id: int, now_ns: int, limit: int | None) -> tuple[NDArray[np.void], int]:
        """(records newest first, how many were looked at); with a limit, stops once it has more than that."""
        found: list[NDArray[np.void]] = [np.empty(0, STORED_DTYPE)]
        count = scanned = 0
        oldest = self._oldest_id()
        end = min(before_id, self._next_id)
        while end > oldest and (limit is None or count <= limit):
            end, records = self._step(end)
            scanned += len(records)
            records = chosen(records, query.mask(records, now_ns))[::-1]
            count += len(records)
            found.append(records)
        return joined(found), scanned

    def _step(self, end_id: int) -> tuple[int, NDArray[np.void]]:
        """The window below `end_id` that holds anything, and where it starts: long gaps of overwritten bulk are jumped over."""
        newest = 0
        for ring in self._rings:
            place = ring.lower_bound(end_id) - 1
            if place >= 0:
                newest = max(newest, int(ring.record(place)["packet_id"]))
        first = max(newest + 1 - _WINDOW, 1)
        return first, self._window(first, newest + 1)

    def _with_payload(self, records: NDArray[np.void]) -> NDArray[np.void]:
        frames: list[bytes] = []
        for packet_id in records["packet_id"].tolist():
            frame: Any = self._frame(packet_id)
            frames.append(frame if frame is not None else b"")
        return packet_rows(records, frames, self._masking)

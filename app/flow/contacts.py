"""Who tried to reach what: the contact tables of one capture, and what a row of them says."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.flow import contact_layout as at
from app.flow.memory import page_aligned
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.wire.decode import BATCH

TABLES: Final = ("pairs", "ports", "targets", "services")


@dataclass(frozen=True, slots=True)
class Contact:
    """One row. `key` addresses are halves; see `app.flow.contact_layout` for what source, target and items are in each table."""

    slot: int
    a: tuple[int, int]
    b: tuple[int, int]
    port: int
    protocol: int
    first: int
    last: int
    attempts: int
    items: int  # different ones, estimated
    answers: int  # of them that answered
    refusals: int
    kinds: int
    second: int
    in_second: int
    peak: int
    side: int
    payload: int
    told: int
    packets: tuple[tuple[int, int], ...]  # (number, ns) of some attempts
    flow_ids: tuple[int, ...]

    @property
    def failed(self) -> int:
        """Items that did not answer."""
        return max(self.items - self.answers, 0)

    @property
    def seconds(self) -> float:
        return max(self.last - self.first, 0) / 1e9


def estimate(bits: int, size: int = at.BITS) -> int:
    """How many different things set `bits` of `size` bits (linear counting, Whang et al. 1990)."""
    if bits >= size:
        return int(size * math.log(size))
    return round(-size * math.log(1 - bits / size))


class Contacts:
    """`add` packets; `listed` gives the rows worth a look since the last time."""

    def __init__(self, flow_rows: int) -> None:
        """flow_rows: capacity of the flow table."""
        self._tables = [page_aligned((size, at.COLUMNS), np.int64) for size in at.SIZES]
        self._meta = np.zeros(at.META_SIZE, np.int64)
        self._lists = np.zeros((len(TABLES), at.LIST_SIZE), np.int64)
        seeds = np.array([secrets.randbits(64), secrets.randbits(64)], np.uint64)
        spoke = page_aligned((flow_rows,), np.int64)
        self._bursts = np.zeros(BATCH, np.int64)
        kept = (*self._tables, self._meta, self._lists, seeds, spoke, self._bursts)
        self._note = kernel("note_contacts").bind(*(EACH_CALL,) * 5, *kept)

    def add(self, packets: NDArray[np.void], begin: int, end: int, flow_ids: NDArray[np.uint64], first_id: int) -> int:
        """Count the attempts among packets[begin:end] (PACKET rows that went through the flow table); how many there were."""
        return int(self._note(packets, begin, end, flow_ids, first_id))

    @property
    def bursts(self) -> NDArray[np.int64]:
        """Of the packets added last: those that begin a burst of their flow – its first packet, or payload after silence. Valid until the next `add`."""
        return self._bursts[: int(self._meta[at.BURSTS])]

    @property
    def any_listed(self) -> bool:
        return bool(self._meta[: len(TABLES)].any())

    @property
    def lost(self) -> int:
        """Rows that had to make room, and rows that nobody could look at in time."""
        return int(self._meta[at.LOST : at.LOST + 2 * len(TABLES)].sum())

    def listed(self, name: str) -> list[Contact]:
        """Rows of a table that changed and have several items or many attempts in a second; each once until it changes again."""
        number = TABLES.index(name)
        count = int(self._meta[at.LISTS + number])
        if not count:
            return []
        slots = self._lists[number, :count].copy()
        self._meta[at.LISTS + number] = 0
        table = self._tables[number]
        table[slots, at.LISTED] = 0
        rows = table[slots].tolist()
        return [self._contact(slot, row) for slot, row in zip(slots.tolist(), rows, strict=True) if row[at.TAG]]

    def tell(self, name: str, contact: Contact, value: int) -> None:
        """Remember in the row what has been said of it (`told` of later looks)."""
        table = self._tables[TABLES.index(name)]
        if table[contact.slot, at.FIRST] == contact.first:
            table[contact.slot, at.TOLD] = value

    def caller(self, target: tuple[int, int], protocol: int) -> tuple[int, int] | None:
        """Who tried most of a target, as far as the pairs are kept."""
        table = self._tables[0]
        hi, lo = np.array(target, np.uint64).view(np.int64)
        mine = np.flatnonzero((table[:, at.B_LO] == lo) & (table[:, at.B_HI] == hi) & (table[:, at.KEY] == protocol))
        if not len(mine):
            return None
        row = table[mine[np.argmax(table[mine, at.ATTEMPTS])]]
        found = row[at.A_HI : at.A_LO + 1].view(np.uint64).tolist()
        return int(found[0]), int(found[1])

    def again(self, name: str, contact: Contact) -> None:
        """List the row for the next look even if nothing more is tried: answers may still be under way."""
        number = TABLES.index(name)
        table, count = self._tables[number], int(self._meta[at.LISTS + number])
        if (
            count < at.LIST_SIZE
            and not table[contact.slot, at.LISTED]
            and table[contact.slot, at.FIRST] == contact.first
        ):
            self._lists[number, count] = contact.slot
            self._meta[at.LISTS + number] = count + 1
            table[contact.slot, at.LISTED] = 1

    @staticmethod
    def _contact(slot: int, row: list[int]) -> Contact:
        mask = (1 << 64) - 1
        side = sum((word & mask).bit_count() for word in row[at.SIDE : at.SIDE + at.SIDE_WORDS])
        kept = min(row[at.ATTEMPTS], 4)
        return Contact(
            slot,
            (row[at.A_HI] & mask, row[at.A_LO] & mask),
            (row[at.B_HI] & mask, row[at.B_LO] & mask),
            row[at.KEY] >> 8,
            row[at.KEY] & 0xFF,
            row[at.FIRST],
            row[at.LAST],
            row[at.ATTEMPTS],
            min(
                estimate(row[at.DISTINCT]), row[at.ATTEMPTS]
            ),  # ports in order fill the map evenly, which is taken for more
            row[at.ANSWERS],
            row[at.REFUSALS],
            row[at.KINDS],
            row[at.SECOND],
            row[at.IN_SECOND],
            row[at.PEAK],
            min(estimate(side, 256), row[at.ATTEMPTS]),
            row[at.PAYLOAD],
            row[at.TOLD],
            tuple(zip(row[at.PACKETS : at.PACKETS + kept], row[at.TIMES : at.TIMES + kept], strict=True)),
            tuple(flow for flow in row[at.FLOWS : at.FLOWS + kept] if flow),
        )

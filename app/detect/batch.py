"""Packets of one second as detectors see them: columns, and selections that all of them share.

All selections are worked out at once for a decoded block, when the first detector asks (`app.wire.selection_kernels`). Raw bytes are there for the few packets
that a detector picks out. Nothing here outlives the call in which it was handed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.flow.contacts import Contacts
from app.model.alert import Evidence
from app.native.loader import kernel
from app.wire.network_header import ip_header, network_header
from app.wire.row_copies import chosen
from app.wire.selection_layout import NAMES

Indices = NDArray[np.intp]

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TCP, UDP, ICMP, ICMPV6, IGMP, SCTP = 6, 17, 1, 58, 2, 132
_NONE: Final = np.zeros(0, np.intp)
_ROW: Final = {name: row for row, name in enumerate(NAMES)}
# What a detector may ask for. "bursts": payload after silence of its flow, and first packets, from the contact tables.
SELECTIONS: Final = frozenset((*NAMES, "all", "bursts"))


class Columns:
    """A decoded block (PACKET rows), and which of its packets belong to which selection."""

    def __init__(self, data: NDArray[np.uint8], packets: NDArray[np.void], flow_ids: NDArray[np.uint64]) -> None:
        self.data = data
        self.packets = packets
        self.flow_ids = flow_ids
        self._lists: NDArray[np.int64] | None = None
        self._counts: list[int] = []

    def selection(self, name: str) -> Indices:
        """Indices of the packets, in the order in which they came."""
        if self._lists is None:
            self._lists = np.empty((len(NAMES), len(self.packets)), np.int64)
            counts = np.zeros(len(NAMES), np.int64)
            kernel("choose_packets")(self.data, self.packets, len(self.packets), self._lists, counts)
            self._counts = counts.tolist()
        row = _ROW[name]
        return self._lists[row, : self._counts[row]]


@dataclass(frozen=True, slots=True)
class Picked:
    """Copies of some packets, to be looked at later: PACKET rows, their numbers and flows."""

    rows: NDArray[np.void]
    packet_ids: NDArray[np.int64]
    flow_ids: NDArray[np.uint64]


class Batch:
    """Rows `begin` to `end` of a decoded block: all of one second of the capture's clock.

    Indices that go in and come out count from the start of the block, so that `rows` and `frame` need no sum.
    """

    def __init__(
        self, columns: Columns, begin: int, end: int, first_id: int, now_ns: int, contacts: Contacts | None = None
    ) -> None:
        self._columns = columns
        self._contacts = contacts
        self.begin, self.end = begin, end
        self._first_id = first_id
        self.now_ns = now_ns  # the capture's clock after these packets

    def __len__(self) -> int:
        return self.end - self.begin

    def select(self, name: str) -> Indices:
        """Indices of the packets of a selection, in the order in which they came."""
        if name == "bursts":
            return self._contacts.bursts if self._contacts is not None else _NONE
        if name == "all":
            return np.arange(self.begin, self.end)
        places = self._columns.selection(name)
        if self.begin == 0 and self.end == len(self._columns.packets):
            return places
        low, high = np.searchsorted(places, (self.begin, self.end))
        return places[low:high]

    def rows(self, name: str) -> NDArray[np.void]:
        """PACKET rows of a selection (a copy)."""
        return chosen(self._columns.packets, self.select(name))

    def column(self, name: str, indices: Indices) -> NDArray[Any]:
        """One column of chosen packets."""
        return self._columns.packets[name][indices]

    def pick(self, indices: Indices) -> Picked:
        """Copies that outlive the call."""
        return Picked(chosen(self._columns.packets, indices), indices + self._first_id, self._columns.flow_ids[indices])

    @property
    def packets(self) -> NDArray[np.void]:
        return self._columns.packets[self.begin : self.end]

    def row(self, index: int) -> np.void:
        row: np.void = self._columns.packets[index]
        return row

    def flow_id(self, index: int) -> int:
        """0 = the packet belongs to no flow."""
        return int(self._columns.flow_ids[index])

    def packet_id(self, index: int) -> int:
        return self._first_id + int(index)

    def evidence(self, *indices: int) -> tuple[Evidence, ...]:
        stamps = self._columns.packets["ts"]
        return tuple(Evidence(self.packet_id(index), int(stamps[index])) for index in indices)

    @property
    def data(self) -> NDArray[np.uint8]:
        """The block's buffer; PACKET.offset counts in it. For kernels."""
        return self._columns.data

    # -- bytes of single packets ---------------------------------------------------------------------------------------

    def frame(self, index: int, most: int = 65_536) -> bytes:
        """The captured bytes of a frame."""
        row = self._columns.packets[index]
        start = int(row["offset"])
        return bytes(self._columns.data[start : start + min(int(row["cap_len"]), most)].data)

    def payload(self, index: int, most: int = 4096) -> bytes:
        """Captured layer-4 payload; b"" where there is none."""
        row = self._columns.packets[index]
        start = int(row["payload_offset"])
        end = min(start + int(row["payload_len"]), int(row["cap_len"]), start + most)
        if not start or end <= start:
            return b""
        base = int(row["offset"])
        return bytes(self._columns.data[base + start : base + end].data)

    def macs(self, index: int) -> tuple[bytes, bytes] | None:
        """(source, destination) of an Ethernet frame; None of any other."""
        row = self._columns.packets[index]
        if int(row["link_type"]) != 1 or int(row["cap_len"]) < 14:
            return None
        head = self.frame(index, 14)
        return head[6:12], head[0:6]

    def ip_header(self, index: int) -> bytes:
        """The captured bytes from the outermost IP header on; b"" where none is found."""
        frame = self.frame(index)
        at = ip_header(frame, int(self._columns.packets[index]["link_type"]))
        return b"" if at is None else frame[at:]

    def arp(self, index: int) -> bytes:
        """The ARP packet (from the hardware type on); b"" where it is cut or not found."""
        frame = self.frame(index, 512)
        kind, at = network_header(frame, int(self._columns.packets[index]["link_type"]))
        return frame[at:] if kind == 0x0806 and len(frame) >= at + 28 else b""


def mac_text(mac: bytes) -> str:
    return mac.hex(":")

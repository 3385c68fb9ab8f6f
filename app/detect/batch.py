"""Packets of one second as detectors see them: columns, and selections that all of them share.

A selection is worked out once for a decoded block, when the first detector asks; the others read the same array. Raw bytes are there for the few packets
that a detector picks out. Nothing here outlives the call in which it was handed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.flow.contacts import Contacts
from app.model.alert import Evidence
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT, LAYER_BIT
from app.wire.network_header import ip_header, network_header

Indices = NDArray[np.intp]

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TCP, UDP, ICMP, ICMPV6, IGMP, SCTP = 6, 17, 1, 58, 2, 132
_NONE: Final = np.zeros(0, np.intp)
_ARP: Final = np.uint32(LAYER_BIT["arp"])
_DNS: Final = np.uint32(LAYER_BIT["dns"])
EVERY: Final = 4  # one of so many plain packets is looked at for options
_RAW: Final = (101, 228, 229)
_COMMON: Final = frozenset({TCP, UDP, ICMP, ICMPV6})


class Columns:
    """A decoded block (PACKET rows) whose columns are copied out once, contiguous."""

    def __init__(self, data: NDArray[np.uint8], packets: NDArray[np.void], flow_ids: NDArray[np.uint64]) -> None:
        self.data = data
        self.packets = packets
        self.flow_ids = flow_ids
        self._columns: dict[str, NDArray[Any]] = {}
        self._selections: dict[str, Indices] = {}

    def column(self, name: str) -> NDArray[Any]:
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = np.ascontiguousarray(self.packets[name])
        return found

    def selection(self, name: str) -> Indices:
        found = self._selections.get(name)
        if found is None:
            found = self._selections[name] = SELECTIONS[name](self)
        return found


def _rare(columns: Columns) -> Indices:
    """What is not the plain middle of a TCP or UDP flow: a small part of most traffic, in which the other selections are looked for."""
    protocol, kind = columns.column("protocol"), columns.column("kind")
    flags = columns.column("tcp_flags")
    tcp = protocol == TCP
    plain = tcp & (flags & (FIN | SYN | RST | ACK) == ACK)
    plain |= protocol == UDP
    plain &= kind & (KIND_FIRST_OF_FLOW | KIND_FRAGMENT) == 0
    plain &= columns.column("layers") & _ARP == 0
    return np.flatnonzero(~plain)


def _among(test: Callable[[Columns, Indices], NDArray[np.bool_]], where: str = "rare") -> Callable[[Columns], Indices]:
    """A selection of those packets of another one that pass a test of columns."""

    def choose(columns: Columns) -> Indices:
        rare = columns.selection(where)
        chosen: Indices = rare[test(columns, rare)] if len(rare) else rare
        return chosen

    return choose


def _protocols(*numbers: int) -> Callable[[Columns], Indices]:
    """Packets with a transport header of their own, of these protocols."""

    def test(columns: Columns, rare: Indices) -> NDArray[np.bool_]:
        protocol = columns.column("protocol")[rare]
        mask = protocol == numbers[0]
        for number in numbers[1:]:
            mask |= protocol == number
        whole: NDArray[np.bool_] = mask & (columns.column("kind")[rare] & KIND_LATER_FRAGMENT == 0)
        return whole

    return _among(test)


def _carries(name: str, where: str = "rare") -> Callable[[Columns], Indices]:
    bit = np.uint32(LAYER_BIT[name])
    return _among(lambda columns, rare: columns.column("layers")[rare] & bit != 0, where)


def _of_kind(bit: int) -> Callable[[Columns], Indices]:
    return _among(lambda columns, rare: columns.column("kind")[rare] & bit != 0)


def _tcp_marked(columns: Columns, rare: Indices) -> NDArray[np.bool_]:
    """TCP packets that are not the plain middle of a connection: SYN, FIN, RST, or no ACK at all."""
    flags = columns.column("tcp_flags")[rare]
    marked: NDArray[np.bool_] = (flags & (FIN | SYN | RST) != 0) | (flags & ACK == 0)
    marked &= (columns.column("protocol")[rare] == TCP) & (columns.column("kind")[rare] & KIND_LATER_FRAGMENT == 0)
    return marked


def _tcp_with(mask: int, value: int) -> Callable[[Columns], Indices]:
    return _among(lambda columns, rare: columns.column("tcp_flags")[rare] & mask == value, "tcp_marked")


def _tcp_odd(columns: Columns, marked: Indices) -> NDArray[np.bool_]:
    """Combinations that no TCP sends in a connection: none, FIN without ACK, SYN with FIN or RST, FIN with PSH and URG, SYN with URG."""
    flags = columns.column("tcp_flags")[marked] & (FIN | SYN | RST | PSH | ACK | URG)
    odd: NDArray[np.bool_] = _IS_ODD[flags]
    return odd


def _is_odd(flags: int) -> bool:
    return (
        flags == 0
        or flags & (FIN | ACK | SYN | RST) == FIN
        or flags & (SYN | FIN) == SYN | FIN
        or flags & (SYN | RST) == SYN | RST
        or flags & (FIN | PSH | URG | ACK) == FIN | PSH | URG
        or flags & (SYN | URG) == SYN | URG
        or flags & (SYN | ACK | RST | FIN) == 0
    )


_IS_ODD: Final = np.array([_is_odd(flags) for flags in range(64)])


def _first_of(number: int) -> Callable[[Columns], Indices]:
    return _among(lambda columns, first: columns.column("protocol")[first] == number, "first")


def _other_ip(columns: Columns, rare: Indices) -> NDArray[np.bool_]:
    protocol = columns.column("protocol")[rare]
    mask: NDArray[np.bool_] = columns.column("ip_version")[rare] != 0
    for number in _COMMON:
        mask &= protocol != number
    return mask


def _udp(columns: Columns) -> Indices:
    return np.flatnonzero((columns.column("protocol") == UDP) & (columns.column("kind") & KIND_LATER_FRAGMENT == 0))


def _udp_ports(*ports: int) -> Callable[[Columns], Indices]:
    def test(columns: Columns, udp: Indices) -> NDArray[np.bool_]:
        source, target = columns.column("src_port")[udp], columns.column("dst_port")[udp]
        mask = np.zeros(len(udp), np.bool_)
        for port in ports:
            mask |= (source == port) | (target == port)
        return mask

    return _among(test, "udp")


def _dns(columns: Columns) -> Indices:
    return np.flatnonzero(columns.column("layers") & _DNS)


def _ip_options(columns: Columns) -> Indices:
    """IPv4 with options and IPv6 with hop-by-hop, routing or destination headers, in plain or once tagged Ethernet frames and raw IP: of rare packets and of
    a sample of the others."""
    rare = columns.selection("rare")
    looking = np.zeros(len(columns.packets), np.bool_)
    looking[::EVERY] = looking[rare] = True
    looked = np.flatnonzero(looking)
    link, version = columns.column("link_type")[looked], columns.column("ip_version")[looked]
    vlan = columns.column("vlan")[looked]
    ethernet = link == 1
    at = np.where(vlan != 0, 18, 14)
    if not ethernet.all():
        at = np.where(ethernet, at, np.where(np.isin(link, _RAW), 0, 1 << 20))
    whole = np.flatnonzero((version != 0) & (columns.column("cap_len")[looked] >= at + 20))
    place = columns.column("offset")[looked[whole]].astype(np.int64) + at[whole]
    data = columns.data
    first = data[place]
    odd = (first > 0x45) & (first < 0x50)  # IPv4 with a header longer than 20 bytes
    six = np.flatnonzero(first >> 4 == 6)
    if len(six):
        following = data[place[six] + 6]
        odd[six] = (following == 0) | (following == 43) | (following == 60)
    chosen: Indices = looked[whole[odd]]
    return chosen


# What a detector may ask for; a new one needs one line.
SELECTIONS: Final[dict[str, Callable[[Columns], Indices]]] = {
    "all": lambda columns: np.arange(len(columns.packets)),
    "rare": _rare,
    "arp": _carries("arp"),
    "icmp": _protocols(ICMP, ICMPV6),
    "icmpv6": _protocols(ICMPV6),
    "igmp": _carries("igmp"),
    "udp": _udp,
    "tcp_marked": _among(_tcp_marked),
    "syn": _tcp_with(SYN | ACK | RST | FIN, SYN),
    "syn_ack": _tcp_with(SYN | ACK | RST | FIN, SYN | ACK),
    "rst": _tcp_with(RST | SYN, RST),
    "tcp_odd": _among(_tcp_odd, "tcp_marked"),
    "first": _of_kind(KIND_FIRST_OF_FLOW),  # the first packet of each flow, with its responder as destination
    "first_tcp": _first_of(TCP),
    "first_udp": _first_of(UDP),
    "other_ip": _among(_other_ip),  # IP that is not TCP, UDP, ICMP
    "fragments": _of_kind(KIND_FRAGMENT),
    "ip_options": _ip_options,
    "dhcp": _udp_ports(67, 68, 546, 547),
    "dns": _dns,
    "bursts": lambda columns: (
        _NONE
    ),  # payload after silence of its flow, and first packets; `Batch.select` has them from the contact tables
    "undecoded": lambda columns: np.flatnonzero(columns.column("reason")),
}


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
        chosen = self._columns.selection(name)
        if self.begin == 0 and self.end == len(self._columns.packets):
            return chosen
        low, high = np.searchsorted(chosen, (self.begin, self.end))
        return chosen[low:high]

    def rows(self, name: str) -> NDArray[np.void]:
        """PACKET rows of a selection (a copy)."""
        return self._columns.packets[self.select(name)]

    def column(self, name: str, indices: Indices) -> NDArray[Any]:
        """One column of chosen packets."""
        return self._columns.column(name)[indices]

    def pick(self, indices: Indices) -> Picked:
        """Copies that outlive the call."""
        return Picked(self._columns.packets[indices], indices + self._first_id, self._columns.flow_ids[indices])

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

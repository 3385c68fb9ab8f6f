"""Which hardware address belongs to which host of the local network: from ARP, neighbour discovery, and the frames of hosts themselves.

ARP says both addresses (RFC 826). A neighbour-discovery packet comes from the link itself (hop limit 255, RFC 4861 § 7.1), so its frame's source is the
host's. Other frames tell it only where no router lies between: what is seen as the source of many addresses is one, and then says nothing.
At most a few frames of each batch are looked at, those that begin a flow, and under load of a few batches only: hosts speak again and again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.scope import is_local_network
from app.model.layers import KIND_FIRST_OF_FLOW, LAYER_BIT
from app.wire.addresses import V4_PREFIX, format_address
from app.wire.network_header import ethernet_header
from app.wire.row_copies import chosen as chosen_rows

ETHERNET: Final = 1
PER_BATCH: Final = 24  # frames of each kind that are looked at
BATCHES: Final = 32  # in a tick that are looked at, 0.1 to 0.4 ms each; then only every SKIPPED-th
SKIPPED: Final = 16
MAX_HOSTS: Final = 16_384
MAX_CARDS: Final = 8_192
MAX_SAID: Final = 2_000  # in one snapshot; the rest follows
ROUTER: Final = 12  # addresses behind one card, from which on it is a router (a host has a few of its own)
_ICMPV6: Final = 58
_NDP: Final = (133, 134, 135, 136)  # router and neighbour solicitations and advertisements
_ARP_HEAD: Final = bytes((0, 1, 8, 0, 6, 4))  # Ethernet, IPv4, and the lengths of their addresses
_RANK: Final = {"": -1, "frame": 0, "ndp": 1, "arp": 1}  # the empty one: taken back

Key = tuple[int, int, int]  # version, halves


class HardwareAddresses:
    """Of one capture. Bounded: hosts beyond MAX_HOSTS are counted in `not_kept`."""

    def __init__(self) -> None:
        self.not_kept = 0
        self._batches = 0
        self._known: dict[Key, tuple[bytes, str]] = {}
        self._hosts_of: dict[bytes, set[Key]] = {}
        self._changed: dict[Key, None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def take(self, data: NDArray[np.uint8], packets: NDArray[np.void]) -> None:
        """Looks at some packets (PACKET, flows numbered) of a block whose bytes are `data`."""
        self._batches += 1
        if self._batches > BATCHES and self._batches % SKIPPED:
            return
        outer = (packets["link_type"] == ETHERNET) & (packets["depth"] == 0) & (packets["cap_len"] >= 14)
        if not outer.any():
            return
        arp = np.flatnonzero(outer & (packets["layers"] & LAYER_BIT["arp"] != 0))[:PER_BATCH]
        for offset, length in zip(packets["offset"][arp].tolist(), packets["cap_len"][arp].tolist(), strict=True):
            self._take_arp(data[offset : offset + min(length, 64)].tobytes())
        first = outer & (packets["kind"] & KIND_FIRST_OF_FLOW != 0)
        neighbour = outer & (packets["protocol"] == _ICMPV6) & np.isin(packets["src_port"], _NDP)
        chosen = np.flatnonzero(first | neighbour)
        if len(chosen):
            high, low = packets["src_hi"][chosen], packets["src_lo"][chosen]
            chosen = chosen[neighbour[chosen] | is_local_network(high, low)][:PER_BATCH]
        self._take_frames(data, chosen_rows(packets, chosen), neighbour[chosen])

    def take_changed(self) -> list[list[str]]:
        """Once a tick: [address, hardware address, source] of what is new or has changed, at most MAX_SAID; both empty where it was taken back."""
        self._batches = 0
        said = []
        for key in list(self._changed)[:MAX_SAID]:
            del self._changed[key]
            version, high, low = key
            text = format_address(high, low, version)
            known = self._known.get(key)
            if text is not None and known is not None:
                said.append([text, known[0].hex(":"), known[1]])
        return said

    def _take_arp(self, frame: bytes) -> None:
        _, at = ethernet_header(frame, 0)
        if frame[at : at + 6] != _ARP_HEAD or len(frame) < at + 18:
            return
        address = int.from_bytes(frame[at + 14 : at + 18], "big")
        if address:  # zero: a probe for an address that is not taken yet (RFC 5227)
            self._learn((4, 0, V4_PREFIX | address), frame[at + 8 : at + 14], "arp")

    def _take_frames(self, data: NDArray[np.uint8], packets: NDArray[np.void], neighbour: NDArray[np.bool_]) -> None:
        columns = (packets[name].tolist() for name in ("ip_version", "src_hi", "src_lo", "offset"))
        for version, high, low, offset, is_neighbour in zip(*columns, neighbour.tolist(), strict=True):
            if version in (4, 6) and (high or low):
                card = data[offset + 6 : offset + 12].tobytes()
                self._learn((version, high, low), card, "ndp" if is_neighbour else "frame")

    def _learn(self, key: Key, card: bytes, source: str) -> None:
        if card[0] & 1 or not any(card):  # a group's address, or loopback
            return
        known = self._known.get(key)
        if known is not None and (known == (card, source) or _RANK[known[1]] > _RANK[source]):
            return
        if source == "frame" and self._is_router(card, key):
            return
        if known is None and len(self._known) >= MAX_HOSTS:
            self.not_kept += 1
            return
        self._known[key] = (card, source)
        self._changed[key] = None

    def _is_router(self, card: bytes, key: Key) -> bool:
        """Counts the addresses behind a card; when they are many, what was concluded from its frames is taken back."""
        hosts = self._hosts_of.get(card)
        if hosts is None:
            if len(self._hosts_of) >= MAX_CARDS:
                return True  # nothing is concluded of cards that cannot be counted
            hosts = self._hosts_of[card] = set()
        if len(hosts) > ROUTER:
            return True
        hosts.add(key)
        if len(hosts) <= ROUTER:
            return False
        for host in hosts:
            if self._known.get(host) == (card, "frame"):
                self._known[host] = (b"", "")
                self._changed[host] = None
        return True

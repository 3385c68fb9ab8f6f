"""What is known of flows and of addresses beyond their packets: applications, server names, fingerprints, passive names.

One writer (the link reader), many readers, also in real threads: entries are never written again once they are in, and nothing takes a lock.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from app.dpi.facts import DnsAnswer
from app.enrich.names import CAPACITY, NameTable, PassiveName
from app.enrich.oui import mac_number
from app.services.owner_book import OwnerBook
from app.stats.bounded import make_room
from app.wire.addresses import format_address, parse_address

MAX_KNOWN: Final = 200_000  # flows
MAX_MACS: Final = 65_536
MAX_MEMO: Final = 200_000  # names that were looked up
MAX_SHARED: Final = 4096  # what was said of flows last, for the flows of which it is said again
SAID_BY_CLIENT: Final = frozenset(
    {"tls", "quic", "dtls", "http"}
)  # whose server name was asked of the responder itself
# What nDPI calls the server name of these is the name that was looked up, not the server's.
_LOOK_UPS: Final = frozenset({"dns", "mdns", "llmnr", "netbios", "nbns"})

Halves = tuple[int, int]


class KnownFlow(NamedTuple):
    """What is known of one flow; text or None. All but the last are in the order of the sensor's rows, without the number of the flow."""

    detailed_protocol: str | None = None  # as nDPI writes it: what is spoken, a dot, whose it is
    category: str | None = None
    application_source: str | None = None  # ndpi, content, port, protocol
    server_name: str | None = None
    server_name_source: str | None = None  # tls, quic, dtls, http, ndpi
    ja3: str | None = None
    ja4: str | None = None
    tls_version: str | None = None
    alpn: str | None = None
    protocol: str | None = None  # recognised by content, lower case
    application: str | None = None  # `Google` of `TLS.Google`, `DNS` of `DNS`

    @property
    def spoken(self) -> str | None:
        """The application protocol, unless only the port tells it."""
        return self.detailed_protocol if self.application_source != "port" else self.protocol or self.detailed_protocol


class HardwareAddress(NamedTuple):
    """Of a host of the local network, and how it is known."""

    mac: str
    source: str  # arp, ndp, dhcp: the host or its neighbour said it; frame: frames with its address came from there


UNKNOWN: Final = KnownFlow()


def known_flow(row: Sequence[Any]) -> KnownFlow:
    """The values of one of the sensor's rows. `ValueError` where they are not what they should be."""
    if len(row) != len(KnownFlow._fields) - 1 or not all(value is None or isinstance(value, str) for value in row):
        raise ValueError("what is known of a flow is a list of texts")
    return _shared(*row)


@lru_cache(MAX_SHARED)
def _shared(*said: str | None) -> KnownFlow:
    """Of ten thousands of flows the same few thousand things are said: one object for each."""
    row = [None if value is None else sys.intern(value) for value in said]
    spoken, _, owner = (row[0] or "").partition(".")
    looks_up = spoken.lower() in _LOOK_UPS or row[9] in _LOOK_UPS
    # Whoever asks for a service's name does not use the service yet: its name stays in `detailed_protocol`.
    known = KnownFlow(*row)._replace(application=sys.intern(spoken if looks_up else owner or spoken) or None)
    if known.server_name_source == "ndpi" and looks_up:
        return known._replace(server_name=None, server_name_source=None)
    return known


class NameBook:
    """Passive names of addresses, as a client sees them; look-ups are remembered until something new is said of the address."""

    def __init__(self) -> None:
        self._table = NameTable(CAPACITY)
        self._said: OrderedDict[Halves, int] = (
            OrderedDict()
        )  # how often something was said; in the table's order of age
        self._memo: dict[tuple[Halves, Halves], tuple[int, PassiveName | None]] = {}
        self._changed: set[Halves] = set()

    def __len__(self) -> int:
        return len(self._said)

    def note_changed(self, address: Halves) -> None:
        """Something beside its names is new."""
        self._changed.add(address)

    def take_changed(self) -> set[Halves]:
        """Addresses that something new was said of, once."""
        changed, self._changed = self._changed, set()
        return changed

    def learn_dns(self, client: str, query: str, resolved: Iterable[tuple[str, int]], ts: int) -> None:
        """`resolved`: (address, TTL in s) that an answer to `client` gave for `query`."""
        for address, ttl in resolved:
            kind = "AAAA" if ":" in address else "A"
            self._table.learn_dns(client, query, [DnsAnswer(query, kind, ttl, address)], ts)
            self._note(address)

    def learn_server(self, source: str, server: Halves, client: Halves, version: int, name: str, ts: int) -> None:
        """A client asked a server for `name`, by `source` (one of SAID_BY_CLIENT)."""
        address = format_address(*server, version)
        if address is None:
            return
        if source == "http":
            self._table.learn_http(address, name, ts, format_address(*client, version))
        else:
            self._table.learn_sni(address, name, ts, format_address(*client, version))
        self._note_halves(server)

    def learn_certificate(self, server: Halves, version: int, names: Iterable[str], ts: int) -> None:
        address = format_address(*server, version)
        if address is not None:
            self._table.learn_certificate(address, names, ts)
            self._note_halves(server)

    def learn_host(self, address: str, name: str, source: str, mac: str | None, ts: int) -> None:
        self._table.learn_host(address, name, source, mac, ts)
        self._note(address)

    def learn_reverse(self, address: str, name: str, ts: int) -> None:
        self._table.learn_reverse(address, name, ts)
        self._note(address)

    def knows(self, address: Halves) -> bool:
        """Whether anything was said of an address: a fast no."""
        return address in self._said

    def name(self, address: Halves, client: Halves, version: int, now_ns: int) -> PassiveName | None:
        """The best name of an address as `client` sees it at `now_ns`; None: nothing was said."""
        said = self._said.get(address)
        if said is None:
            return None
        key = (address, client)
        remembered = self._memo.get(key)
        if remembered is not None and remembered[0] == said:
            return remembered[1]
        text = format_address(*address, version)
        found = self._table.name_of(text, format_address(*client, version), now_ns) if text is not None else None
        self._memo[key] = (said, found)
        return found

    def all_names(self, address: Halves, version: int, now_ns: int) -> list[PassiveName]:
        """Everything that was said of an address, best first."""
        text = format_address(*address, version)
        return self._table.names_of(text, now_ns) if text is not None else []

    def forget_look_ups(self) -> None:
        """Names grow old: called now and then, and before there are too many."""
        self._memo = {}

    @property
    def look_ups(self) -> int:
        return len(self._memo)

    def _note(self, address: str) -> None:
        try:
            _, high, low = parse_address(address)
        except ValueError:
            return
        self._note_halves((high, low))

    def _note_halves(self, key: Halves) -> None:
        self._said[key] = self._said.get(key, 0) + 1
        self._said.move_to_end(key)
        if len(self._said) > CAPACITY:
            self._said.popitem(last=False)
        self._changed.add(key)


class FlowFacts:
    """Of one capture. `flows` by flow number."""

    def __init__(self) -> None:
        self.flows: dict[int, KnownFlow] = {}
        self.names = NameBook()
        self.owners = OwnerBook()
        self.macs: dict[Halves, HardwareAddress] = {}
        self.now_ns = 0

    def take(self, flow_id: int, known: KnownFlow) -> None:
        """At most MAX_KNOWN: the flows that were heard of first go."""
        if flow_id not in self.flows:
            make_room(self.flows, MAX_KNOWN)
        self.flows[flow_id] = known

    def learn_mac(self, address: str, mac: str, source: str) -> None:
        """Hardware address of a neighbour (empty: it was a mistake); at most MAX_MACS, the first heard of go. `ValueError` for what are no addresses."""
        _, high, low = parse_address(address)
        if (high, low) not in self.macs:
            make_room(self.macs, MAX_MACS)
        known = self.macs.pop((high, low), None)
        if mac and mac_number(mac) is None:
            raise ValueError("no hardware address")
        if known is not None and known.source in ("arp", "ndp") and source in ("dhcp", "frame"):
            self.macs[high, low] = known
        elif mac:
            self.macs[high, low] = HardwareAddress(mac.lower(), source)
        if self.macs.get((high, low)) != known:
            self.names.note_changed((high, low))

    def of(self, flow_ids: Iterable[int]) -> list[KnownFlow]:
        get = self.flows.get
        return [get(flow_id, UNKNOWN) for flow_id in flow_ids]


NOTHING_KNOWN: Final = FlowFacts()

"""Chosen rows of the flow mirror with what several keys of a connection share, and what every theme of keys reads from them.

`local` is the end that is this machine, otherwise the originator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.layers import CONN_STATES, ENDINGS
from app.services.flow_facts import NOTHING_KNOWN, FlowFacts, KnownFlow
from app.services.flow_mirror import FlowView
from app.services.host_table import NO_HOSTS, HostTable
from app.services.owner_book import EndOwner
from app.services.remote_names import remote_names
from app.wire.addresses import format_address
from app.wire.row_copies import chosen as chosen_rows

PORT_PROTOCOLS: Final = frozenset({6, 17, 33, 132, 136})
TCP: Final = 6
ONE_WAY: Final = 4  # bit of FLOW.kind

# Zeek's state → netstat's word, seen from the originator and from the responder.
_STATUS: Final[dict[str, tuple[str, str]]] = {
    "OTH": ("ESTABLISHED", "ESTABLISHED"),  # begun before the capture; what is seen is its middle
    "S0": ("SYN_SENT", "SYN_RECV"),
    "S1": ("ESTABLISHED", "ESTABLISHED"),
    "SF": ("CLOSE", "CLOSE"),
    "REJ": ("CLOSE", "CLOSE"),
    "S2": ("FIN_WAIT2", "CLOSE_WAIT"),
    "S3": ("CLOSE_WAIT", "FIN_WAIT2"),
    "RSTO": ("CLOSE", "CLOSE"),
    "RSTR": ("CLOSE", "CLOSE"),
    "RSTOS0": ("CLOSE", "CLOSE"),
    "RSTRH": ("CLOSE", "CLOSE"),
    "SH": ("FIN_WAIT1", "SYN_RECV"),
    "SHR": ("SYN_SENT", "FIN_WAIT1"),
}
# Both ends have closed, one has reset, or the one that opened has given up.
CLOSED_ON_WIRE: Final = np.isin(
    [CONN_STATES[state] if state < len(CONN_STATES) else "" for state in range(256)],
    ["SF", "REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR"],
)
CLOSED: Final = ENDINGS.index("closed")
STATUS_TABLE: Final[tuple[tuple[str, str], ...]] = tuple(_STATUS[state] for state in CONN_STATES)


def endpoint_text(address: str | None, port: int, protocol: int) -> str | None:
    """`192.0.2.1:443`, `[2001:db8::1]:443`; the address alone for protocols without ports."""
    if address is None or protocol not in PORT_PROTOCOLS:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Rows:
    """Some rows of a FlowView with what several keys share.

    Used in real threads beside green code, so nothing here may take a lock (`functools.cached_property` does before Python 3.12).
    """

    def __init__(
        self,
        flows: NDArray[np.void],
        derived: NDArray[np.void],
        interfaces: Sequence[str] = (),
        facts: FlowFacts = NOTHING_KNOWN,
        hosts: HostTable = NO_HOSTS,
    ) -> None:
        self.flows = flows
        self.derived = derived
        self.interfaces = interfaces
        self.facts = facts
        self.hosts = hosts
        self.local_is_src: NDArray[np.bool_] = derived["local_is_src"]
        self._protocols: list[int] | None = None
        self._ended: list[int] | None = None
        self._known: list[KnownFlow] | None = None
        self._owners: list[tuple[EndOwner | None, EndOwner | None]] | None = None
        self._hostnames: list[tuple[str | None, str | None]] | None = None
        self.memo: dict[str, Any] | None = None  # of a whole view: several clients ask for the same columns

    @classmethod
    def of(cls, view: FlowView, chosen: NDArray[Any], interfaces: Sequence[str] = ()) -> Rows:
        return cls(
            chosen_rows(view.flows, chosen), chosen_rows(view.derived, chosen), interfaces, view.facts, view.hosts
        )

    @classmethod
    def all(cls, view: FlowView, interfaces: Sequence[str] = ()) -> Rows:
        rows = cls(view.flows, view.derived, interfaces, view.facts, view.hosts)
        rows._hostnames = view.memo.get("hostnames")
        rows.memo = view.memo
        return rows

    def some(self, chosen: NDArray[Any]) -> Rows:
        """Part of the rows."""
        return Rows(
            chosen_rows(self.flows, chosen), chosen_rows(self.derived, chosen), self.interfaces, self.facts, self.hosts
        )

    def part(self, first: int, most: int) -> Rows:
        """At most so many of the rows, from `first` on."""
        return self if not first and len(self) <= most else self.some(np.arange(first, min(first + most, len(self))))

    def __len__(self) -> int:
        return len(self.flows)

    def sent(self, name: str) -> NDArray[Any]:
        """A counter of the local end: `sent("bytes")` is src_bytes where the local end is the originator."""
        return np.where(self.local_is_src, self.flows[f"src_{name}"], self.flows[f"dst_{name}"])

    def received(self, name: str) -> NDArray[Any]:
        return np.where(self.local_is_src, self.flows[f"dst_{name}"], self.flows[f"src_{name}"])

    @property
    def remote_hosts(self) -> NDArray[np.uint32]:
        """Number of the remote end in `hosts`."""
        return np.where(self.local_is_src, self.derived["dst_host"], self.derived["src_host"])

    @property
    def local_hosts(self) -> NDArray[np.uint32]:
        return np.where(self.local_is_src, self.derived["src_host"], self.derived["dst_host"])

    @property
    def protocols(self) -> list[int]:
        if self._protocols is None:
            self._protocols = list(self.flows["protocol"].tolist())
        return self._protocols

    @property
    def ended(self) -> list[int]:
        if self._ended is None:
            self._ended = list(ending(self.flows).tolist())
        return self._ended

    @property
    def known(self) -> list[KnownFlow]:
        """What is known of each flow beyond its packets."""
        if self._known is None:
            self._known = self.facts.of(self.flows["flow_id"].tolist())
        return self._known

    @property
    def owners(self) -> list[tuple[EndOwner | None, EndOwner | None]]:
        """(who has the local end, who has the other one) of each flow."""
        if self._owners is None:
            self._owners = self.facts.owners.of(self.flows, self.local_is_src)
        return self._owners

    @property
    def hostnames(self) -> list[tuple[str | None, str | None]]:
        """(name of the remote end, who said it) of each flow."""
        if self._hostnames is None:
            self._hostnames = remote_names(self)
            if self.memo is not None:
                self.memo["hostnames"] = self._hostnames
        return self._hostnames

    def endpoints(self, take: Callable[[str], NDArray[Any]]) -> list[str | None]:
        columns = (take("hi"), take("lo"), take("port"), self.flows["ip_version"])
        high, low, port, version = (column.tolist() for column in columns)
        return [
            endpoint_text(format_address(h, lo, v), p, protocol)
            for h, lo, p, v, protocol in zip(high, low, port, version, self.protocols, strict=True)
        ]


def latency_ms(rows: Rows) -> NDArray[np.float64]:
    """Round trip of the handshake, else of a ping to the remote end where those are sent; NaN where neither is known."""
    handshake = rows.flows["rtt_ns"]
    pinged = rows.hosts.known(rows.remote_hosts, "ping_ms")
    return np.where(handshake >= 0, handshake / 1e6, pinged.astype(np.float64))


Producer = Callable[[Rows], list[Any]]


def ending(flows: NDArray[np.void]) -> NDArray[np.uint8]:
    """FLOW.ended, with TCP connections that were closed on the wire among the ended ones at once: the sensor keeps those a while longer."""
    closed = (flows["protocol"] == TCP) & CLOSED_ON_WIRE[flows["conn_state"]] & (flows["ended"] == 0)
    return np.where(closed, np.uint8(CLOSED), flows["ended"])


def loss_percent(flows: NDArray[np.void]) -> NDArray[np.float64]:
    """Retransmitted TCP segments in percent of all; NaN for other protocols."""
    packets = (flows["src_packets"] + flows["dst_packets"]).astype(np.float64)
    again = flows["src_retransmissions"].astype(np.float64) + flows["dst_retransmissions"]
    known = (flows["protocol"] == TCP) & (packets > 0)
    return np.where(known, 100.0 * again / np.maximum(packets, 1), np.nan)

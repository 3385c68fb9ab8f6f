"""Flow rows → connections: each key of a connection is one function over the chosen rows, giving a list.

Only rows that are shown come here, so text is made late. `local` is the end that is this machine, otherwise the originator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.services import service_name
from app.flow.community_id import community_id
from app.model.fields import CONNECTIONS
from app.model.layers import CONN_STATES, ENDINGS, protocol_name
from app.model.timestamps import rfc3339
from app.services.flow_facts import NOTHING_KNOWN, FlowFacts, KnownFlow
from app.services.flow_mirror import DIRECTIONS, FlowView, take
from app.services.remote_names import remote_names
from app.wire.addresses import format_address

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


# Keys of a connection that are values of KnownFlow.
KNOWN_TEXTS: Final = (
    "application",
    "category",
    "application_source",
    "server_name",
    "server_name_source",
    "ja3",
    "ja4",
    "tls_version",
    "alpn",
)


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
    ) -> None:
        self.flows = flows
        self.derived = derived
        self.interfaces = interfaces
        self.facts = facts
        self.local_is_src: NDArray[np.bool_] = derived["local_is_src"]
        self._protocols: list[int] | None = None
        self._ended: list[int] | None = None
        self._known: list[KnownFlow] | None = None
        self._hostnames: list[tuple[str | None, str | None]] | None = None

    @classmethod
    def of(cls, view: FlowView, chosen: NDArray[Any], interfaces: Sequence[str] = ()) -> Rows:
        return cls(take(view.flows, chosen), take(view.derived, chosen), interfaces, view.facts)

    @classmethod
    def all(cls, view: FlowView, interfaces: Sequence[str] = ()) -> Rows:
        return cls(view.flows, view.derived, interfaces, view.facts)

    def some(self, chosen: NDArray[Any]) -> Rows:
        """Part of the rows."""
        return Rows(take(self.flows, chosen), take(self.derived, chosen), self.interfaces, self.facts)

    def __len__(self) -> int:
        return len(self.flows)

    def sent(self, name: str) -> NDArray[Any]:
        """A counter of the local end: `sent("bytes")` is src_bytes where the local end is the originator."""
        return np.where(self.local_is_src, self.flows[f"src_{name}"], self.flows[f"dst_{name}"])

    def received(self, name: str) -> NDArray[Any]:
        return np.where(self.local_is_src, self.flows[f"dst_{name}"], self.flows[f"src_{name}"])

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
    def hostnames(self) -> list[tuple[str | None, str | None]]:
        """(name of the remote end, who said it) of each flow."""
        if self._hostnames is None:
            self._hostnames = remote_names(self)
        return self._hostnames

    def endpoints(self, take: Callable[[str], NDArray[Any]]) -> list[str | None]:
        columns = (take("hi"), take("lo"), take("port"), self.flows["ip_version"])
        high, low, port, version = (column.tolist() for column in columns)
        return [
            endpoint_text(format_address(h, lo, v), p, protocol)
            for h, lo, p, v, protocol in zip(high, low, port, version, self.protocols, strict=True)
        ]


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


def _numbers(column: NDArray[Any], digits: int) -> list[float | None]:
    """Rounded floats; what is not a number becomes None."""
    return [round(value, digits) if math.isfinite(value) else None for value in column.tolist()]


_community_id = lru_cache(maxsize=16_384)(community_id)


def _community_ids(rows: Rows) -> list[str | None]:
    names = ("src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "protocol", "ip_version", "kind")
    found: list[str | None] = []
    for sh, sl, dh, dl, sp, dp, protocol, version, kind in zip(
        *(rows.flows[name].tolist() for name in names), strict=True
    ):
        if version == 4:
            src, dst = (sl & 0xFFFFFFFF).to_bytes(4, "big"), (dl & 0xFFFFFFFF).to_bytes(4, "big")
        elif version == 6:
            src = sh.to_bytes(8, "big") + sl.to_bytes(8, "big")
            dst = dh.to_bytes(8, "big") + dl.to_bytes(8, "big")
        else:
            found.append(None)
            continue
        found.append(_community_id(src, dst, protocol, sp, dp, one_way=bool(kind & ONE_WAY)))
    return found


def _services(rows: Rows) -> list[str | None]:
    ports = rows.flows["dst_port"].tolist()
    return [
        service_name(protocol_name(protocol), port) if protocol in PORT_PROTOCOLS else None
        for protocol, port in zip(rows.protocols, ports, strict=True)
    ]


def _spoken(rows: Rows) -> list[str | None]:
    """The application protocol: by content where that is known, else the service of the port."""
    return [known.spoken or service for known, service in zip(rows.known, _services(rows), strict=True)]


def _known(name: str) -> Producer:
    return lambda rows: [getattr(known, name) for known in rows.known]


def _statuses(rows: Rows) -> list[str]:
    states, mine = rows.flows["conn_state"].tolist(), rows.local_is_src.tolist()
    ours = (0 if local else 1 for local in mine)
    return [
        ("CLOSE" if ended else STATUS_TABLE[state][side]) if protocol == TCP and state < len(STATUS_TABLE) else "NONE"
        for state, side, protocol, ended in zip(states, ours, rows.protocols, rows.ended, strict=True)
    ]


def _conn_states(rows: Rows) -> list[str | None]:
    states = rows.flows["conn_state"].tolist()
    return [
        CONN_STATES[state] if protocol == TCP and state < len(CONN_STATES) else None
        for state, protocol in zip(states, rows.protocols, strict=True)
    ]


def _interfaces(rows: Rows) -> list[str | None]:
    names = rows.interfaces
    return [names[i] or None if i < len(names) else None for i in rows.flows["interface"].tolist()]


def _times(column: NDArray[Any]) -> list[str | None]:
    return [rfc3339(ns) for ns in column.tolist()]


def _seconds(flows: NDArray[np.void]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(flows["end"] - flows["start"], 0) / 1e9)


def _latencies(flows: NDArray[np.void]) -> NDArray[np.float64]:
    return np.where(flows["rtt_ns"] >= 0, flows["rtt_ns"] / 1e6, np.nan)


_PRODUCERS: Final[dict[str, Producer]] = {
    "flow_id": lambda rows: rows.flows["flow_id"].tolist(),
    "community_id": _community_ids,
    "protocol": lambda rows: [protocol_name(number) for number in rows.protocols],
    "detailed_protocol": _spoken,
    "service": _services,
    "local_address": lambda rows: rows.endpoints(rows.sent),
    "remote_address": lambda rows: rows.endpoints(rows.received),
    "direction": lambda rows: [DIRECTIONS[code] for code in rows.derived["direction"].tolist()],
    "status": _statuses,
    "conn_state": _conn_states,
    "history": lambda rows: [text.decode("ascii", "replace") or None for text in rows.flows["history"].tolist()],
    "session_status": lambda rows: ["Closed" if ended else "Active" for ended in rows.ended],
    "end_reason": lambda rows: [ENDINGS[code] if code < len(ENDINGS) else None for code in rows.ended],
    "bytes_sent": lambda rows: rows.sent("bytes").tolist(),
    "bytes_recv": lambda rows: rows.received("bytes").tolist(),
    "packets_sent": lambda rows: rows.sent("packets").tolist(),
    "packets_recv": lambda rows: rows.received("packets").tolist(),
    "time_of_detection": lambda rows: _times(rows.flows["start"]),
    "end_time": lambda rows: _times(np.where(ending(rows.flows) != 0, rows.flows["end"], 0)),
    "last_seen": lambda rows: _times(rows.flows["end"]),
    "duration": lambda rows: _numbers(_seconds(rows.flows), 6),
    "latency_ms": lambda rows: _numbers(_latencies(rows.flows), 3),
    "packet_loss_percent": lambda rows: _numbers(loss_percent(rows.flows), 3),
    "reconnect_count": lambda rows: rows.derived["reconnects"].tolist(),
    "entropy_sent": lambda rows: _numbers(rows.sent("entropy"), 4),
    "entropy_recv": lambda rows: _numbers(rows.received("entropy"), 4),
    "interface": _interfaces,
    "vlan": lambda rows: [vlan or None for vlan in rows.flows["vlan"].tolist()],
    "tunnel_depth": lambda rows: rows.flows["depth"].tolist(),
    "hostname": lambda rows: [name for name, _ in rows.hostnames],
    "hostname_source": lambda rows: [source for _, source in rows.hostnames],
    **{name: _known(name) for name in KNOWN_TEXTS},
}


def _unknown(rows: Rows) -> list[Any]:
    return [None] * len(rows)


def columns(rows: Rows, names: Sequence[str]) -> list[list[Any]]:
    """One list per name, all as long as `rows`. Names are those of `CONNECTIONS`; what is not known yet is None."""
    return [_PRODUCERS.get(name, _unknown)(rows) for name in names]


def connections(rows: Rows, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows as they leave the program: a dict each, with every key of the contract."""
    names = tuple(CONNECTIONS) if names is None else tuple(names)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns(rows, names), strict=True)]

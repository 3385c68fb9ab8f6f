"""The fields that packets and flows can be asked for, over the columns of `app.model.columns`.

The same names serve `PACKET` and `PACKET_ROW` (and whatever else keeps those column names). Interfaces are numbers in the rows;
`packet_fields(names)` and `flow_fields(names)` make sets that know their names, as the list of interfaces stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.layers import CONN_STATES, ENDINGS, IP_PROTOCOLS, LAYER_BIT, REASONS
from app.wire.filter import Field, FieldSet
from app.wire.filter_facets import (
    AddressFacet,
    Columns,
    EnumFacet,
    Facet,
    FlagFacet,
    NumberFacet,
    Rows,
    TextFacet,
    TimeFacet,
)
from app.wire.filter_values import BYTES, COUNT, MILLISECONDS, PLAIN, SECONDS
from app.wire.service_ports import ports_by_service

TCP_FLAGS: Final = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
TCP_FLAG_LETTERS: Final = {"f": 1, "s": 2, "r": 4, "p": 8, "a": 16, "u": 32, "e": 64, "c": 128}
PORT_PROTOCOLS: Final = (
    6,
    17,
    33,
    132,
    136,
)  # TCP, UDP, DCCP, SCTP, UDP-Lite: others keep ICMP types in the port columns

_HAS_PORTS: Final = np.isin(np.arange(256), PORT_PROTOCOLS)


def columns(*names: str) -> Columns:
    """The named columns as alternatives."""
    return lambda rows: [rows[name] for name in names]


def _addresses(*sides: str) -> Callable[[Rows], Sequence[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]:
    return lambda rows: [(rows["ip_version"], rows[f"{side}_hi"], rows[f"{side}_lo"]) for side in sides]


def _ports(*sides: str) -> Columns:
    """Port columns with -1 in rows whose protocol has none."""

    def ports(rows: Rows) -> Sequence[NDArray[Any]]:
        has_ports = _HAS_PORTS[rows["protocol"]]
        return [np.where(has_ports, rows[f"{side}_port"].astype(np.int32), np.int32(-1)) for side in sides]

    return ports


def _codes(names: Sequence[str | None]) -> dict[str, tuple[int, ...]]:
    return {name.lower(): (code,) for code, name in enumerate(names) if name}


def _interface_facets(interfaces: Sequence[str]) -> tuple[Facet, ...]:
    """Names where they are known; a number is the place in the list."""
    return (EnumFacet(columns("interface"), _codes(interfaces), numbers=0xFFFF),)


def _shared(interfaces: Sequence[str]) -> list[Field]:
    """What packets and flows have in common."""
    protocols = {name: (number,) for number, name in IP_PROTOCOLS.items()}
    port = NumberFacet(_ports("src", "dst"), PLAIN, missing=-1, largest=0xFFFF)
    return [
        Field("ip", (AddressFacet(_addresses("src", "dst")),), "either address", ("addr", "host")),
        Field("src_ip", (AddressFacet(_addresses("src")),), "source (of a flow: who began it)", ("src",)),
        Field("dst_ip", (AddressFacet(_addresses("dst")),), "destination", ("dst",)),
        Field("ip_version", (NumberFacet(columns("ip_version"), PLAIN, missing=0),), "4 or 6"),
        Field("port", (port,), "either port (TCP, UDP, SCTP, DCCP)"),
        Field("src_port", (NumberFacet(_ports("src"), PLAIN, -1, 0xFFFF),), "source port", ("sport",)),
        Field("dst_port", (NumberFacet(_ports("dst"), PLAIN, -1, 0xFFFF),), "destination port", ("dport",)),
        Field("service", (EnumFacet(_ports("src", "dst"), ports_by_service(), missing=-1),), "usual service of a port"),
        Field(
            "protocol", (EnumFacet(columns("protocol"), protocols, 255),), "IP protocol by name or number", ("proto",)
        ),
        Field("vlan", (NumberFacet(columns("vlan"), PLAIN, missing=0),), "VLAN id; * = any VLAN"),
        Field("interface", _interface_facets(interfaces), "interface that saw it", ("if",)),
        Field("flow_id", (NumberFacet(columns("flow_id"), PLAIN, missing=0),), "number of the flow", ("flow",)),
        Field("tunnel", (NumberFacet(_optional("depth"), PLAIN),), "number of tunnels around it; 0 = none", ("depth",)),
    ]


def _optional(name: str) -> Columns:
    """A column that some of the layouts lack: zeros there."""
    return lambda rows: [rows[name] if name in (rows.dtype.names or ()) else np.zeros(len(rows), np.uint8)]


def packet_fields(interfaces: Sequence[str] = ()) -> FieldSet:
    """Fields of packets (`PACKET_ROW` and the packet store's index)."""
    layer = FlagFacet(columns("layers"), LAYER_BIT, {})
    protocol = EnumFacet(columns("protocol"), {name: (number,) for number, name in IP_PROTOCOLS.items()}, 255)
    fields = [
        *_shared(interfaces),
        Field("protocol", (protocol, layer), "IP protocol, or a layer such as arp or dns", ("proto",)),
        Field("layer", (layer,), "what the frame carries at any depth", ("layers",)),
        Field("size", (NumberFacet(columns("wire_len"), BYTES),), "frame bytes on the wire", ("bytes", "length")),
        Field("payload_size", (NumberFacet(columns("payload_len"), BYTES),), "layer-4 payload bytes", ("payload",)),
        Field("flags", (FlagFacet(columns("tcp_flags"), TCP_FLAGS, TCP_FLAG_LETTERS),), "TCP flags", ("tcp_flags",)),
        Field("window", (NumberFacet(columns("window"), BYTES),), "TCP window as sent"),
        Field("time", (TimeFacet(columns("ts")),), "when it was captured", ("timestamp", "ts")),
        Field("id", (NumberFacet(columns("packet_id"), PLAIN),), "number of the packet", ("packet_id",)),
        Field("undecoded", (EnumFacet(columns("reason"), _codes((None, *REASONS[1:])), missing=0),), "why not decoded"),
        Field("fragment", (EnumFacet(_bit("kind", 0), YES_NO),), "an IP fragment: yes or no"),
        Field("retransmission", (EnumFacet(_bit("kind", 5), YES_NO),), "TCP segment sent again: yes or no"),
        Field("out_of_order", (EnumFacet(_bit("kind", 6), YES_NO),), "TCP segment that came late: yes or no"),
    ]
    return FieldSet(fields, free=("ip", "port", "protocol", "service", "interface"))


YES_NO: Final[dict[str, tuple[int, ...]]] = {"yes": (1,), "true": (1,), "no": (0,), "false": (0,)}


def _bit(name: str, place: int) -> Columns:
    return lambda rows: [rows[name] >> place & 1]


def _sum(first: str, second: str) -> Columns:
    """Two counters of a flow as one (uint64, so that 32-bit counters do not wrap)."""
    return lambda rows: [rows[first].astype(np.uint64) + rows[second]]


def _both(name: str, units: Any, what: str, local: str, alias: tuple[str, ...] = ()) -> list[Field]:
    """A counter with its two directions: `bytes`, `src_bytes`, `dst_bytes`."""
    source, destination = f"src_{name}", f"dst_{name}"
    own = (f"{name}_sent",) if local else ()
    other = (f"{name}_recv",) if local else ()
    return [
        Field(name, (NumberFacet(_sum(source, destination), units),), f"{what}, both directions", alias),
        Field(source, (NumberFacet(columns(source), units),), f"{what} sent by the originator", own),
        Field(destination, (NumberFacet(columns(destination), units),), f"{what} sent by the responder", other),
    ]


def _flow_columns() -> list[Field]:
    ended = lambda rows: [np.minimum(rows["ended"], 1)]  # noqa: E731 - a column, not a function of its own
    status = {"active": (0,), "open": (0,), "closed": (1,), "ended": (1,)}
    entropy = lambda rows: [rows["src_entropy"], rows["dst_entropy"]]  # noqa: E731
    return [
        Field("duration", (NumberFacet(lambda rows: [rows["end"] - rows["start"]], SECONDS),), "first to last packet"),
        Field("start", (TimeFacet(columns("start")),), "time of the first packet"),
        Field("end", (TimeFacet(columns("end")),), "time of the last packet", ("time", "last")),
        Field(
            "latency_ms",
            (NumberFacet(columns("rtt_ns"), MILLISECONDS, missing=-1),),
            "handshake round trip",
            ("latency",),
        ),
        Field("state", (EnumFacet(columns("conn_state"), _codes(CONN_STATES)),), "Zeek's conn_state", ("conn_state",)),
        Field("history", (TextFacet(columns("history")),), "Zeek's history letters"),
        Field("session_status", (EnumFacet(ended, status),), "active or closed", ("status",)),
        Field("active", (EnumFacet(lambda rows: [(rows["ended"] == 0).view(np.uint8)], YES_NO),), "yes or no"),
        Field("ending", (EnumFacet(columns("ended"), _codes(ENDINGS), missing=0),), "what ended the flow"),
        Field(
            "flags",
            (FlagFacet(lambda rows: [rows["src_flags"] | rows["dst_flags"]], TCP_FLAGS, TCP_FLAG_LETTERS),),
            "all TCP flags seen",
        ),
        Field(
            "src_flags", (FlagFacet(columns("src_flags"), TCP_FLAGS, TCP_FLAG_LETTERS),), "TCP flags of the originator"
        ),
        Field(
            "dst_flags", (FlagFacet(columns("dst_flags"), TCP_FLAGS, TCP_FLAG_LETTERS),), "TCP flags of the responder"
        ),
        Field("entropy", (NumberFacet(entropy, PLAIN),), "bits per byte of the payload, either direction"),
        Field(
            "src_entropy",
            (NumberFacet(columns("src_entropy"), PLAIN),),
            "of the originator's payload",
            ("entropy_sent",),
        ),
        Field(
            "dst_entropy",
            (NumberFacet(columns("dst_entropy"), PLAIN),),
            "of the responder's payload",
            ("entropy_recv",),
        ),
    ]


def flow_fields(interfaces: Sequence[str] = ()) -> FieldSet:
    """Fields of `FLOW` rows; extend the set with what lives beside them (programs, names, countries)."""
    fields = [
        *_shared(interfaces),
        *_both("bytes", BYTES, "frame bytes on the wire", "local", ("size",)),
        *_both("packets", COUNT, "packets", "local"),
        *_both("payload", BYTES, "layer-4 payload bytes", ""),
        *_both("retransmissions", COUNT, "retransmitted segments", ""),
        *_both("out_of_order", COUNT, "segments out of order", ""),
        *_flow_columns(),
    ]
    return FieldSet(fields, free=("ip", "port", "protocol", "service", "state", "interface"))


PACKET_FIELDS: Final = packet_fields()
FLOW_FIELDS: Final = flow_fields()

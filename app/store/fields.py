"""What history can be asked for: the fields of flows and facts in the query language, and where each is in the tables.

The field sets give the errors and say what a value means; the places say where it is. Needs no DuckDB, so the web process can tell what is wrong with a
query before it asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from app.model.layers import CONN_STATES, ENDINGS, IP_PROTOCOLS
from app.store.conditions import Place
from app.wire.filter import Field, FieldSet
from app.wire.filter_columns import TCP_FLAG_LETTERS, TCP_FLAGS, YES_NO
from app.wire.filter_facets import AddressFacet, Columns, EnumFacet, FlagFacet, NumberFacet, TextFacet, TimeFacet
from app.wire.filter_values import BYTES, COUNT, MILLISECONDS, PLAIN, SECONDS, Units
from app.wire.service_ports import ports_by_service

DIRECTIONS: Final = ("outbound", "inbound", "internal", "external")
_PORTED: Final = "protocol IN (6, 17, 33, 132, 136)"

_Row = tuple[Field, Place]


def _no_columns() -> Columns:
    """History is asked in SQL; nothing reads these columns."""
    return lambda rows: [np.zeros(len(rows))]


def _row(field: Field, *expressions: str, whole: bool = False, real: bool = False, guard: str = "") -> _Row:
    return field, Place(expressions, whole, real, guard)


def _address(name: str, help: str, aliases: tuple[str, ...], *prefixes: str, version: str = "ip_version") -> _Row:
    return _row(Field(name, (AddressFacet(lambda rows: []),), help, aliases), version, *prefixes)


def _number(
    name: str,
    help: str,
    expressions: Sequence[str],
    units: Units = PLAIN,
    aliases: tuple[str, ...] = (),
    missing: int | None = None,
    largest: int | None = None,
    real: bool = False,
    guard: str = "",
) -> _Row:
    facet = NumberFacet(_no_columns(), units, missing, largest)
    return _row(Field(name, (facet,), help, aliases), *expressions, real=real, guard=guard)


def _text(name: str, help: str, aliases: tuple[str, ...] = (), column: str | None = None, whole: bool = False) -> _Row:
    return _row(Field(name, (TextFacet(_no_columns()),), help, aliases), f'"{column or name}"', whole=whole)


def _codes(name: str, help: str, values: Mapping[str, tuple[int, ...]], expressions: Sequence[str], aliases: tuple[str, ...] = (),
           numbers: int | None = None, missing: int | None = None, guard: str = "") -> _Row:  # fmt: skip
    return _row(
        Field(name, (EnumFacet(_no_columns(), values, numbers, missing),), help, aliases), *expressions, guard=guard
    )


def _time(name: str, help: str, column: str, aliases: tuple[str, ...] = ()) -> _Row:
    return _row(Field(name, (TimeFacet(_no_columns()),), help, aliases), column)


def _port(name: str, help: str, aliases: tuple[str, ...], *columns: str) -> _Row:
    return _number(name, help, columns, aliases=aliases, largest=0xFFFF, guard=_PORTED)


def _local(name: str, of_local: bool) -> str:
    first, second = ("src", "dst") if of_local else ("dst", "src")
    return f"CASE WHEN local_is_src THEN {first}_{name} ELSE {second}_{name} END"


def _counters(name: str, help: str, units: Units, aliases: tuple[str, ...] = ()) -> list[_Row]:
    return [
        _number(name, f"{help}, both directions", [f"(src_{name} + dst_{name})"], units, aliases),
        _number(f"src_{name}", f"{help} of the originator", [f"src_{name}"], units),
        _number(f"dst_{name}", f"{help} of the responder", [f"dst_{name}"], units),
    ]


def _flow_rows() -> list[_Row]:
    names = {name: (number,) for number, name in IP_PROTOCOLS.items()}
    states = {name.lower(): (code,) for code, name in enumerate(CONN_STATES)}
    endings = {name: (code,) for code, name in enumerate(ENDINGS) if name}
    both = ("src_port", "dst_port")
    local = f"({_local('port', True)})"
    remote = f"({_local('port', False)})"
    flags = (FlagFacet(_no_columns(), TCP_FLAGS, TCP_FLAG_LETTERS),)
    return [
        _address("ip", "either address", ("addr", "host"), "src", "dst"),
        _address("src_ip", "who began it", ("src",), "src"),
        _address("dst_ip", "who was called", ("dst",), "dst"),
        _number("ip_version", "4 or 6", ["ip_version"], missing=0),
        _port("port", "either port", (), *both),
        _port("src_port", "port of the originator", ("sport",), "src_port"),
        _port("dst_port", "port of the responder", ("dport",), "dst_port"),
        _number("local_port", "port of this machine's end", [local], missing=-1, largest=0xFFFF),
        _number("remote_port", "port of the other end", [remote], missing=-1, largest=0xFFFF),
        _codes("service", "usual service of a port", dict(ports_by_service()), both, guard=_PORTED),
        _codes("protocol", "IP protocol by name or number", names, ["protocol"], ("proto",), 255),
        _number("vlan", "VLAN id", ["vlan"], missing=0),
        _text("interface", "interface that saw it", ("if",)),
        _number("flow_id", "number of the flow in its run", ["flow_id"], aliases=("flow",), missing=0),
        _number("tunnel", "number of tunnels around it", ["depth"], aliases=("depth",)),
        *_counters("bytes", "frame bytes on the wire", BYTES, ("size",)),
        *_counters("packets", "packets", COUNT),
        *_counters("payload", "layer-4 payload bytes", BYTES),
        *_counters("retransmissions", "retransmitted segments", COUNT),
        *_counters("out_of_order", "segments out of order", COUNT),
        _number("bytes_sent", "frame bytes of this machine's end", [_local("bytes", True)], BYTES),
        _number("bytes_recv", "frame bytes of the other end", [_local("bytes", False)], BYTES),
        _number("packets_sent", "packets of this machine's end", [_local("packets", True)], COUNT),
        _number("packets_recv", "packets of the other end", [_local("packets", False)], COUNT),
        _number("duration", "first to last packet", ['("end" - "start")'], SECONDS),
        _time("start", "time of the first packet", '"start"', ("time_of_detection",)),
        _time("end", "time of the last packet", '"end"', ("time", "last", "last_seen")),
        _number("latency_ms", "handshake round trip", ["rtt_ns"], MILLISECONDS, ("latency",), missing=-1),
        _codes("state", "Zeek's conn_state", states, ["conn_state"], ("conn_state",)),
        _text("history", "Zeek's history letters"),
        _codes("session_status", "active or closed", {"active": (0,), "open": (0,), "closed": (1,), "ended": (1,)},
               ["least(ended, 1)"], ("status",)),
        _codes("active", "yes or no", YES_NO, ["(ended = 0)::UTINYINT"]),
        _codes("ending", "what ended it", endings, ["ended"], ("end_reason",), missing=0),
        _row(Field("flags", flags, "all TCP flags seen"), "(src_flags | dst_flags)"),
        _row(Field("src_flags", flags, "TCP flags of the originator"), "src_flags"),
        _row(Field("dst_flags", flags, "TCP flags of the responder"), "dst_flags"),
        _number("entropy", "bits per byte, either direction", ["src_entropy", "dst_entropy"], real=True),
        _codes("direction", "outbound, inbound, internal, external", {name: (i,) for i, name in enumerate(DIRECTIONS)}, ["direction"]),
        _text("application", "whose traffic it is, or what it speaks", ("app",)),
        _text("category", "kind of application"),
        _text("application_source", "ndpi, content, port, protocol"),
        _text("detailed_protocol", "application protocol and whose it is", ("app_protocol",)),
        _text("server", "name the client asked for", ("server_name", "sni"), "server_name"),
        _text("hostname", "name of the remote end"),
        _text("ja4", "fingerprint of the client's hello"),
        _text("ja3", "older fingerprint of the client's hello"),
        _text("tls_version", "version of TLS", ("tls",)),
        _text("alpn", "protocols offered inside TLS or QUIC"),
        _text("app_name", "program on this machine", ("program", "process")),
        _text("app_path", "path of that program", ("path",)),
        _number("pid", "process number of that program", ["pid"]),
        _text("country", "country of the remote address"),
        _number("asn", "autonomous system of the remote address", ["asn"]),
        _text("organization", "who runs that autonomous system", ("org",)),
    ]  # fmt: skip


def _shared() -> list[_Row]:
    return [
        _time("time", "when it was seen", "ns", ("timestamp",)),
        _number("flow_id", "number of the flow in its run", ["flow_id"], aliases=("flow",)),
    ]


def _truth(name: str, help: str) -> _Row:
    return _codes(name, help, YES_NO, [f"{name}::UTINYINT"])


def _words(*names: str) -> list[_Row]:
    return [_text(name, name, whole=True) for name in names]


_FACT_ROWS: Final[dict[str, list[_Row]]] = {
    "dns": [
        *_shared(),
        _text("query", "name that was asked for", ("name",)),
        *_words("type", "rcode", "transport", "kind"),
        _text("client", "who asked"),
        _text("server", "who was asked"),
        _text("answer", "an answer, with its type", ("answers",), "answers"),
        _number("ttl", "shortest TTL of the answers", ["ttl"], real=True),
        _number("latency", "from the question to the answer", ["(latency_ms * 1000000)"], MILLISECONDS, ("latency_ms",), real=True),
    ],
    "tls": [
        *_shared(),
        _text("server_name", "name the client asked for", ("server", "sni")),
        *_words("transport"),
        *(_text(name, name) for name in ("version", "cipher", "alpn", "ja3", "ja4", "subject", "issuer", "names")),
        _truth("self_signed", "signed with its own key"),
        _truth("ech", "the client hides the name it asks for"),
    ],
    "http": [
        *_shared(),
        *_words("method"),
        _text("host", "Host header", ("server",)),
        *(_text(name, name) for name in ("uri", "user_agent", "content_type", "version", "username")),
        _number("status", "code of the response", ["status"], real=True),
        _number("response_length", "bytes of the response", ["response_length"], BYTES, real=True),
        _number("latency", "from the question to the answer", ["(latency_ms * 1000000)"], MILLISECONDS, ("latency_ms",), real=True),
    ],
    "logins": [*_shared(), *_words("protocol"), _text("username", "who logged in"), _truth("succeeded", "the server agreed")],
}  # fmt: skip
_FREE: Final = {
    "flows": ("ip", "port", "protocol", "service", "state", "interface", "application", "server", "hostname"),
    "dns": ("query", "answer", "type", "rcode"),
    "tls": ("server_name", "subject", "ja4"),
    "http": ("host", "uri", "user_agent", "method"),
    "logins": ("username", "protocol"),
}

_ROWS: Final[dict[str, list[_Row]]] = {"flows": _flow_rows(), **_FACT_ROWS}
FIELDS: Final[dict[str, FieldSet]] = {
    kind: FieldSet((field for field, _ in rows), _FREE[kind]) for kind, rows in _ROWS.items()
}
PLACES: Final[dict[str, dict[str, Place]]] = {
    kind: {field.name: place for field, place in rows} for kind, rows in _ROWS.items()
}

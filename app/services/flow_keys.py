"""The keys of a connection that its packets and their payload tell."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.services import service_name
from app.flow.community_id import community_id
from app.model.layers import CONN_STATES, ENDINGS, protocol_name
from app.model.timestamps import rfc3339
from app.services.connection_rows import (
    ONE_WAY,
    PORT_PROTOCOLS,
    STATUS_TABLE,
    TCP,
    Producer,
    Rows,
    ending,
    latency_ms,
    loss_percent,
)
from app.services.connection_theme import QueryField, Theme
from app.services.flow_mirror import DIRECTIONS

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
    "latency_ms": lambda rows: _numbers(latency_ms(rows), 3),
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

THEME: Final = Theme(
    producers=_PRODUCERS,
    texts=(*KNOWN_TEXTS, "detailed_protocol", "hostname", "hostname_source"),
    query_texts=(
        QueryField("application", "application", "whose traffic it is, or what it speaks", free=True),
        QueryField("category", "category", "kind of application"),
        QueryField("application_source", "application_source", "ndpi, content, port, protocol"),
        QueryField("detailed_protocol", "detailed_protocol", "application protocol and whose it is", ("app_protocol",)),
        QueryField("server", "server_name", "name the client asked for", ("server_name", "sni"), free=True),
        QueryField("server_name_source", "server_name_source", "tls, quic, dtls, http, ndpi"),
        QueryField("hostname", "hostname", "name of the remote end", free=True),
        QueryField("hostname_source", "hostname_source", "who said that name"),
        QueryField("ja4", "ja4", "fingerprint of the client's hello"),
        QueryField("ja3", "ja3", "older fingerprint of the client's hello"),
        QueryField("tls_version", "tls_version", "version of TLS", ("tls",)),
        QueryField("alpn", "alpn", "protocols offered inside TLS or QUIC"),
    ),
)

"""Connections as columns: what they can be filtered and sorted by without making text.

Numbers are float64 or integers with NaN (floats) where a value is not known. Sort columns give, for a key, the arrays that order it,
the most significant first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.services import service_name
from app.model.layers import CONN_STATES, protocol_name
from app.services.connection_rows import PORT_PROTOCOLS, STATUS_TABLE, TCP, Rows, ending, latency_ms, loss_percent
from app.services.connection_themes import THEMES
from app.services.connections import columns
from app.services.flow_mirror import DIRECTIONS

Array = NDArray[Any]


def _ranks(names: list[str]) -> Array:
    """Alphabetical rank of each code's name."""
    order = {name: rank for rank, name in enumerate(sorted(set(names)))}
    return np.array([order[name] for name in names], np.uint16)


_PROTOCOL_RANK: Final = _ranks([protocol_name(number) for number in range(256)])
_DIRECTION_RANK: Final = _ranks(list(DIRECTIONS))
_STATE_RANK: Final = _ranks(list(CONN_STATES))
_HAS_PORTS: Final = np.isin(np.arange(256), sorted(PORT_PROTOCOLS))


def known_seconds(rows: Rows) -> Array:
    return np.asarray(np.maximum(rows.flows["end"] - rows.flows["start"], 0) / 1e9)


def _vlan(rows: Rows) -> Array:
    return np.where(rows.flows["vlan"] > 0, rows.flows["vlan"].astype(np.float64), np.nan)


NUMBERS: Final[dict[str, Callable[[Rows], Array]]] = {
    "flow_id": lambda rows: rows.flows["flow_id"],
    "bytes_sent": lambda rows: rows.sent("bytes"),
    "bytes_recv": lambda rows: rows.received("bytes"),
    "packets_sent": lambda rows: rows.sent("packets"),
    "packets_recv": lambda rows: rows.received("packets"),
    "duration": known_seconds,
    "latency_ms": latency_ms,
    "packet_loss_percent": lambda rows: loss_percent(rows.flows),
    "reconnect_count": lambda rows: rows.derived["reconnects"],
    "entropy_sent": lambda rows: rows.sent("entropy").astype(np.float64),
    "entropy_recv": lambda rows: rows.received("entropy").astype(np.float64),
    "vlan": _vlan,
    "tunnel_depth": lambda rows: rows.flows["depth"],
    **{name: make for theme in THEMES for name, make in theme.numbers.items()},
}

BOOLEANS: Final[dict[str, Callable[[Rows], Array]]] = {
    name: make for theme in THEMES for name, make in theme.booleans.items()
}

TIMES: Final[dict[str, Callable[[Rows], Array]]] = {
    "time_of_detection": lambda rows: rows.flows["start"],
    "end_time": lambda rows: np.where(ending(rows.flows) != 0, rows.flows["end"], 0),
    "last_seen": lambda rows: rows.flows["end"],
    **{name: make for theme in THEMES for name, make in theme.times.items()},
}


def ports(rows: Rows, column: Array) -> Array:
    """A port column as int32, -1 where the protocol has no ports."""
    return np.where(_HAS_PORTS[rows.flows["protocol"]], column.astype(np.int32), np.int32(-1))


def _endpoint(rows: Rows, take: Callable[[str], Array]) -> tuple[Array, ...]:
    return take("hi"), take("lo"), ports(rows, take("port"))


def _service_order(rows: Rows) -> tuple[Array, ...]:
    flows = rows.flows
    key = flows["dst_port"].astype(np.uint32) << 8 | flows["protocol"]
    unique, inverse = np.unique(key, return_inverse=True)
    names = [service_name(protocol_name(int(k) & 255), int(k) >> 8) or "\uffff" for k in unique]
    return (_ranks(names)[inverse] if names else np.zeros(0, np.uint16),)


def _status_order(rows: Rows) -> tuple[Array, ...]:
    ours = np.array([pair[0] for pair in STATUS_TABLE] + ["NONE", "CLOSE"])
    theirs = np.array([pair[1] for pair in STATUS_TABLE] + ["NONE", "CLOSE"])
    state = np.minimum(rows.flows["conn_state"], len(STATUS_TABLE) - 1).astype(np.intp)
    state = np.where(ending(rows.flows) != 0, len(STATUS_TABLE) + 1, state)
    state = np.where(rows.flows["protocol"] == TCP, state, len(STATUS_TABLE))
    words = np.where(rows.local_is_src, ours[state], theirs[state])
    return (np.unique(words, return_inverse=True)[1],)


_TEXT_ORDERS: Final[dict[str, Callable[[Rows], tuple[Array, ...]]]] = {
    "protocol": lambda rows: (_PROTOCOL_RANK[rows.flows["protocol"]],),
    "service": _service_order,
    "local_address": lambda rows: _endpoint(rows, rows.sent),
    "remote_address": lambda rows: _endpoint(rows, rows.received),
    "direction": lambda rows: (_DIRECTION_RANK[rows.derived["direction"]],),
    "status": _status_order,
    "conn_state": lambda rows: (_STATE_RANK[np.minimum(rows.flows["conn_state"], len(CONN_STATES) - 1)],),
    "history": lambda rows: (np.unique(rows.flows["history"], return_inverse=True)[1],),
    "session_status": lambda rows: (np.minimum(ending(rows.flows), 1),),
    "end_reason": lambda rows: (ending(rows.flows),),
    "interface": lambda rows: (rows.flows["interface"],),
}


# Ordered by the text itself; what is not known comes last.
_BY_TEXT: Final = frozenset(name for theme in THEMES for name in theme.texts)


def text_ranks(values: list[str | None]) -> Array:
    """Rank of each text, case apart; NaN for None."""
    ordered = sorted({value for value in values if value is not None}, key=lambda text: (text.casefold(), text))
    ranks: dict[str | None, float] = {text: float(rank) for rank, text in enumerate(ordered)}
    return np.array([ranks.get(value, np.nan) for value in values], np.float64)


def sort_columns(rows: Rows, name: str) -> tuple[Array, ...]:
    """What orders the rows by a key of a connection; nothing for keys that are not known yet. `KeyError` for unsortable ones."""
    if name in NUMBERS:
        return (NUMBERS[name](rows),)
    if name in BOOLEANS:
        return (BOOLEANS[name](rows).astype(np.float64),)
    if name in TIMES:
        return (TIMES[name](rows),)
    if name in _TEXT_ORDERS:
        return _TEXT_ORDERS[name](rows)
    if name in _BY_TEXT:
        return (text_ranks(columns(rows, [name])[0]),)
    return ()

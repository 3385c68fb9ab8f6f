"""The query language over connections: the fields of flows, with those of the local and the remote end beside them.

`bytes_sent` of a connection is what the local end sent, not the originator; `local_ip`, `remote_ip` and `direction` exist only here,
where the machine's own addresses are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.model.layers import ENDINGS
from app.services.connection_columns import NUMBERS, ports
from app.services.connection_rows import Rows, ending, loss_percent
from app.services.connection_theme import QueryField
from app.services.connection_themes import THEMES
from app.services.connections import columns as connection_columns
from app.services.flow_mirror import DIRECTIONS
from app.wire.filter import Field, FieldSet
from app.wire.filter_columns import YES_NO, columns, flow_fields
from app.wire.filter_facets import AddressFacet, EnumFacet, NumberFacet, TextFacet
from app.wire.filter_values import BYTES, COUNT, PLAIN

Array = NDArray[Any]


class QueryRows:
    """Flow rows that also answer to the columns below; each is made when a query asks for it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.dtype = rows.flows.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> Array:
        rows = self._rows
        side, _, rest = name.partition(".")
        if not rest:
            return rows.flows[name]
        if side == "derived":
            return rows.derived[rest]
        if side == "number":
            return NUMBERS[rest](rows)
        if side == "text":
            return self._text(name, rest)
        if side == "state":
            ended = ending(rows.flows)
            columns_of: dict[str, Array] = {
                "ending": ended,
                "closed": np.minimum(ended, 1),
                "active": (ended == 0).view(np.uint8),
            }
            return columns_of[rest]
        if side == "loss":
            return loss_percent(rows.flows)
        column = rows.sent(rest) if side == "local" else rows.received(rest)
        return ports(rows, column) if rest == "port" else column

    def _text(self, name: str, key: str) -> Array:
        """A column of text; of a whole view it is made once, as it does not change until the view does."""
        memo = self._rows.memo
        column: Array | None = memo.get(name) if memo is not None else None
        if column is None:
            column = np.array(connection_columns(self._rows, [key])[0], np.object_)
            if memo is not None:
                memo[name] = column
        return column


def query_rows(rows: Rows) -> NDArray[np.void]:
    """What `Query.mask` and `Query.order` read: an array as far as they look."""
    return cast(NDArray[np.void], QueryRows(rows))


def _address(side: str) -> AddressFacet:
    def ends(rows: NDArray[np.void]) -> Sequence[tuple[Array, Array, Array]]:
        return [(rows["ip_version"], rows[f"{side}.hi"], rows[f"{side}.lo"])]

    return AddressFacet(ends)


@lru_cache(maxsize=8)
def connection_fields(interfaces: tuple[str, ...]) -> FieldSet:
    """Fields that connections can be asked for; `interfaces` are their names in the order of the capture."""
    directions = {name: (code,) for code, name in enumerate(DIRECTIONS)}
    base = flow_fields(interfaces)
    own = [
        Field("local_ip", (_address("local"),), "address of this machine's end", ("local_address", "local")),
        Field("remote_ip", (_address("remote"),), "address of the other end", ("remote_address", "remote")),
        Field("local_port", (NumberFacet(columns("local.port"), PLAIN, -1, 0xFFFF),), "port of this machine's end"),
        Field("remote_port", (NumberFacet(columns("remote.port"), PLAIN, -1, 0xFFFF),), "port of the other end"),
        Field(
            "direction", (EnumFacet(columns("derived.direction"), directions),), "outbound, inbound, internal, external"
        ),
        Field(
            "reconnects",
            (NumberFacet(columns("derived.reconnects"), COUNT),),
            "earlier flows of the same pair",
            ("reconnect_count",),
        ),
        Field(
            "loss",
            (NumberFacet(columns("loss.percent"), PLAIN),),
            "TCP segments sent again, in percent",
            ("packet_loss_percent",),
        ),
    ]
    for name, units in (("bytes", BYTES), ("packets", COUNT)):
        own.append(
            Field(f"{name}_sent", (NumberFacet(columns(f"local.{name}"), units),), f"{name} from this machine's end")
        )
        own.append(
            Field(f"{name}_recv", (NumberFacet(columns(f"remote.{name}"), units),), f"{name} to this machine's end")
        )
    own += [*_states(), *_themes()]
    taken = {name for known in own for name in (known.name, *known.aliases)}
    kept = [
        Field(known.name, known.facets, known.help, tuple(alias for alias in known.aliases if alias not in taken))
        for known in base.fields.values()
        if known.name not in taken
    ]
    free = (known.name for theme in THEMES for known in theme.query_texts if known.free)
    return FieldSet([*kept, *own], free=(*(known.name for known in base.free), *free))


def _states() -> list[Field]:
    """Active or ended, where a TCP connection that was closed on the wire has ended."""
    words = {"active": (0,), "open": (0,), "closed": (1,), "ended": (1,)}
    endings = {name: (code,) for code, name in enumerate(ENDINGS) if name}
    return [
        Field("session_status", (EnumFacet(columns("state.closed"), words),), "active or closed", ("status",)),
        Field("active", (EnumFacet(columns("state.active"), YES_NO),), "yes or no"),
        Field("ending", (EnumFacet(columns("state.ending"), endings, missing=0),), "what ended it", ("end_reason",)),
    ]


def _themes() -> list[Field]:
    """What the themes offer."""
    return [
        *(_text(known) for theme in THEMES for known in theme.query_texts),
        *(
            Field(known.name, (NumberFacet(columns(f"number.{known.key}"), known.units),), known.help, known.aliases)
            for theme in THEMES
            for known in theme.query_numbers
        ),
        *(known for theme in THEMES for known in theme.query_fields),
    ]


def _text(known: QueryField) -> Field:
    names = (f"text.{key}" for key in (known.key, *known.other_keys))
    return Field(known.name, (TextFacet(columns(*names)),), known.help, known.aliases)

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

from app.services.connection_columns import ports
from app.services.connections import Rows, loss_percent
from app.services.flow_mirror import DIRECTIONS
from app.wire.filter import Field, FieldSet
from app.wire.filter_columns import columns, flow_fields
from app.wire.filter_facets import AddressFacet, EnumFacet, NumberFacet
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
        if side == "loss":
            return loss_percent(rows.flows)
        column = rows.sent(rest) if side == "local" else rows.received(rest)
        return ports(rows, column) if rest == "port" else column


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
    taken = {name for known in own for name in (known.name, *known.aliases)}
    kept = [
        Field(known.name, known.facets, known.help, tuple(alias for alias in known.aliases if alias not in taken))
        for known in base.fields.values()
    ]
    return FieldSet([*kept, *own], free=tuple(known.name for known in base.free))

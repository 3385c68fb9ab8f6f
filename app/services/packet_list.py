"""The newest packets: from the sensor's ring of kept packets, or the mirror's last ticks where the sensor is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.errors import CommandError
from app.services.captures import GONE_CODES
from app.services.house import House
from app.services.packets import packet_dicts
from app.services.query_errors import BadRequest
from app.wire.filter import QueryError, parse
from app.wire.filter_columns import packet_fields
from app.wire.records import PACKET_ROW_DTYPE

MAX_ROWS: Final = 12_000  # of one answer of the sensor, offset included
SORTS: Final = ("-id", "id", "-timestamp", "timestamp")


@dataclass(frozen=True, slots=True)
class PacketPage:
    """`next_before`: number to ask for older packets with, 0 at the end. `source`: "sensor" or "mirror"."""

    packets: list[dict[str, Any]]
    next_before: int
    source: str


def packet_page(house: House, limit: int, offset: int, before: int, q: str, sort: str) -> PacketPage:
    """`limit` packets after the first `offset`, all older than `before` (0 = newest first). `BadRequest` for a bad `q` or `sort`."""
    if sort and sort not in SORTS:
        raise BadRequest(f"packets cannot be sorted by {sort[:40]!r}", "sort", SORTS)
    if offset + limit > MAX_ROWS:
        raise BadRequest("the offset is too large", "offset", [f"limit + offset up to {MAX_ROWS}; use the cursor"])
    names = house.interface_names()
    try:
        query = parse(q, packet_fields(tuple(names)))
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None
    try:
        result = house.link.command("packets", limit=limit + offset, before_id=before, q=q)
        rows = np.frombuffer(result.get("rows", b""), PACKET_ROW_DTYPE)
        next_before, source = int(result.get("next_before_id") or 0), "sensor"
    except CommandError as error:
        if error.code not in GONE_CODES:
            raise
        rows = _newest(house.mirror.packets(), before)
        rows = rows[query.mask(rows, house.mirror.now_ns)][: limit + offset]
        next_before, source = 0, "mirror"
    shown = rows[offset : offset + limit]
    if sort in ("id", "timestamp"):
        shown = shown[::-1]
    return PacketPage(packet_dicts(shown, names), next_before, source)


def _newest(rows: NDArray[np.void], before: int) -> NDArray[np.void]:
    rows = rows[::-1]
    return rows[rows["packet_id"] < before] if before else rows

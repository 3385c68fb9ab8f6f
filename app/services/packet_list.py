"""The newest packets: from the sensor's ring of kept packets, or the mirror's last ticks where the sensor is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.errors import CommandError
from app.services.captures import GONE_CODES, sensor_command
from app.services.house import House
from app.services.packets import packet_dicts
from app.services.query_errors import BadRequest
from app.wire.filter import QueryError, parse
from app.wire.filter_columns import packet_fields
from app.wire.records import PACKET_ROW_DTYPE
from app.wire.row_copies import joined

MAX_OFFSET: Final = 10_000  # beyond it, the cursor is the way
PER_COMMAND: Final = 1_000  # rows of one answer of the sensor
PACKET_SECONDS: Final = 5.0
DISSECT_SECONDS: Final = 25.0  # the first one starts the dissector, which takes up to 20 s on a slow machine
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
    names = house.interface_names()
    try:
        query = parse(q, packet_fields(tuple(names)))
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None
    try:
        rows, next_before = _from_sensor(house, limit + offset, before, q)
        source = "sensor"
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


def _from_sensor(house: House, count: int, before: int, q: str) -> tuple[NDArray[np.void], int]:
    """`count` rows, newest first, in as many answers as it takes; and the number to go on with, 0 at the end."""
    parts = [np.zeros(0, PACKET_ROW_DTYPE)]
    while count > 0:
        result = house.link.command("packets", limit=min(count, PER_COMMAND), before_id=before, q=q)
        rows = np.frombuffer(result.get("rows", b""), PACKET_ROW_DTYPE)
        parts.append(rows)
        count -= len(rows)
        before = int(result.get("next_before_id") or 0)
        if not before or not len(rows):
            break
    return joined(parts), before


def packet_detail(house: House, packet_id: int) -> dict[str, Any]:
    """The packet's row (`packet`), and the sensor's dissection: `tree`, `hex`, `summary`, `info`, `link_type`, `masked`, `error`."""
    held = sensor_command(house.link, "packet", PACKET_SECONDS, packet_id=packet_id)
    dissection = sensor_command(house.link, "dissect", DISSECT_SECONDS, packet_id=packet_id)
    rows = packet_dicts(np.frombuffer(held.get("row", b""), PACKET_ROW_DTYPE), house.interface_names())
    return {"id": packet_id, "packet": rows[0] if rows else None, **dissection}


def _newest(rows: NDArray[np.void], before: int) -> NDArray[np.void]:
    rows = rows[::-1]
    return rows[rows["packet_id"] < before] if before else rows

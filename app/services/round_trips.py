"""The ongoing round trip of TCP connections as keys: from data of the local end to its acknowledgement, as seen here."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.services.connection_rows import Producer, Rows
from app.services.connection_theme import QueryField, Theme
from app.wire.filter_values import PLAIN


def round_trips(rows: Rows, which: str = "rtt_ms") -> NDArray[np.float64]:
    """Milliseconds of the way from here to the remote end and back; NaN where no data was acknowledged. `which`: rtt_ms or rtt_min_ms."""
    found = rows.sent(which).astype(np.float64)
    return np.where(found > 0, found, np.nan)


def _column(which: str) -> Producer:
    def values(rows: Rows) -> list[Any]:
        return [round(value, 3) if math.isfinite(value) else None for value in round_trips(rows, which).tolist()]

    return values


THEME: Final = Theme(
    producers={"rtt_ms": _column("rtt_ms"), "rtt_min_ms": _column("rtt_min_ms")},
    numbers={"rtt_ms": round_trips, "rtt_min_ms": lambda rows: round_trips(rows, "rtt_min_ms")},
    query_numbers=(
        QueryField("rtt_ms", "rtt_ms", "ongoing round trip in ms, smoothed", ("rtt",), PLAIN),
        QueryField("rtt_min_ms", "rtt_min_ms", "smallest ongoing round trip in ms", ("rtt_min",), PLAIN),
    ),
)

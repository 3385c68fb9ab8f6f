"""Points for charts out of the time rings: one array of times, one array of values for each metric asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.columns import RINGS
from app.model.fields import METRICS
from app.model.timestamps import rfc3339
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest

Buckets = NDArray[np.void]

_COUNTED: Final = (
    "packets",
    "bytes",
    "tcp_bytes",
    "udp_bytes",
    "icmp_bytes",
    "other_bytes",
    "flows",
    "retransmissions",
    "tcp_packets",
)
_RATES: Final[dict[str, Callable[[Buckets, int], NDArray[np.float64]]]] = {
    "pps": lambda rows, step: rows["packets"] / step,
    "bps": lambda rows, step: rows["bytes"] * 8.0 / step,
    "retransmission_percent": lambda rows, step: 100.0 * rows["retransmissions"] / np.maximum(rows["tcp_packets"], 1),
}
METRIC_NAMES: Final = (*_COUNTED, *_RATES)
STEPS: Final = tuple(step for step, _ in RINGS)


def timeseries(
    mirror: Mirror, metrics: tuple[str, ...], step: int | None, first_ns: int | None, last_ns: int | None
) -> dict[str, Any]:
    """`{step, unit, from, to, times, series}`; times are seconds since the epoch, the start of each bucket.

    Without `step` the finest ring that reaches back to `first_ns`. Seconds without traffic inside the capture are 0; before its first
    and after its last bucket there are no points. `BadRequest` for a metric or step that does not exist.
    """
    for name in metrics:
        if name not in METRIC_NAMES:
            raise BadRequest(f"there is no metric {name[:60]!r}", "metric", METRIC_NAMES)
    if step is not None and step not in STEPS:
        raise BadRequest(f"there is no step of {step} s", "step", [str(known) for known in STEPS])
    now = (mirror.now_ns or mirror.wall_ns) // 1_000_000_000
    last = now if last_ns is None else last_ns // 1_000_000_000
    if step is None:
        wanted = now - (first_ns // 1_000_000_000 if first_ns is not None else now - 300)
        step = next((known for known, size in RINGS if known * size >= wanted), RINGS[-1][0])
    span = step * dict(RINGS)[step]
    first = max(last - span if first_ns is None else first_ns // 1_000_000_000, 0)
    rows = _filled(mirror.buckets(step, first, last), step)
    return {
        "metrics": list(metrics),
        "unit": {name: METRICS[name].unit for name in metrics},
        "step": step,
        "from": rfc3339(first * 1_000_000_000),
        "to": rfc3339(last * 1_000_000_000),
        "times": rows["start"].tolist(),
        "series": {name: _values(rows, name, step) for name in metrics},
    }


def _filled(rows: Buckets, step: int) -> Buckets:
    """The buckets with empty ones where the capture saw nothing."""
    if len(rows) < 2:
        return rows
    first = int(rows["start"][0])
    places = (rows["start"] - first) // step
    full = np.zeros(int(places[-1]) + 1, rows.dtype)
    full["start"] = first + np.arange(len(full)) * step
    full[places] = rows
    return full


def _values(rows: Buckets, name: str, step: int) -> list[float]:
    if name in _COUNTED:
        return list(rows[name].tolist())
    return list(np.round(_RATES[name](rows, step), 3).tolist())

"""The time rings of the sensor, kept as it sends them: for each step one ring of BUCKET rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.model.columns import RINGS
from app.wire.records import BUCKET_DTYPE


class TimeRings:
    """1 s × 10 min, 10 s × 3 h, 60 s × 24 h. Not locked: `Mirror` owns the lock."""

    def __init__(self) -> None:
        self.rings: dict[int, NDArray[np.void]] = {}
        self.clear()

    def clear(self) -> None:
        self.rings = {step: np.zeros(size, BUCKET_DTYPE) for step, size in RINGS}

    def apply(self, series: dict[str, bytes]) -> None:
        """Takes over changed buckets; unknown steps and bytes that are no whole rows are left out."""
        for step, ring in self.rings.items():
            data = series.get(str(step), b"")
            if not isinstance(data, bytes) or len(data) % BUCKET_DTYPE.itemsize:
                continue
            rows = np.frombuffer(data, BUCKET_DTYPE)
            rows = rows[rows["start"] > 0]
            ring[(rows["start"] // step) % len(ring)] = rows

    def between(self, step: int, first: int, last: int) -> NDArray[np.void]:
        """Buckets with first <= start <= last (seconds), in order of time."""
        ring = self.rings[step]
        rows = ring[(ring["start"] >= max(first, 1)) & (ring["start"] <= last)]
        return rows[np.argsort(rows["start"])]

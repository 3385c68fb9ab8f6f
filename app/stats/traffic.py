"""Counts of the traffic as such: totals, layers, sizes, reasons, time rings. Fed with decoded blocks after the flow stage."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.columns import RINGS
from app.model.layers import LAYER_NAMES, REASONS
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.stats import layout
from app.stats.layout import BUCKET_DTYPE

SIZE_LABELS: Final = ("≤ 64", "65–128", "129–256", "257–512", "513–1024", "1025–1518", "> 1518")


class TrafficCounts:
    """Totals since the last `reset`. Times are ns of the capture's clock."""

    def __init__(self) -> None:
        self._totals = np.zeros(layout.TOTALS_SIZE, np.int64)
        self._masks = np.zeros((layout.MASK_SLOTS, 3), np.int64)
        self._sizes = np.zeros((len(SIZE_LABELS), 2), np.int64)
        self._reasons = np.zeros(16, np.int64)
        self.rings: list[NDArray[np.void]] = [np.zeros(length, BUCKET_DTYPE) for _, length in RINGS]
        kept = (self._totals, self._masks, self._sizes, self._reasons, *self.rings)
        self._count = kernel("count_block").bind(EACH_CALL, EACH_CALL, *kept)

    def reset(self) -> None:
        for array in (self._totals, self._masks, self._sizes, self._reasons, *self.rings):
            array[...] = np.zeros((), array.dtype)

    def add(self, packets: NDArray[np.void]) -> None:
        self._count(packets, len(packets))

    @property
    def packets(self) -> int:
        return int(self._totals[layout.PACKETS])

    @property
    def bytes(self) -> int:
        """Frame bytes on the wire."""
        return int(self._totals[layout.OCTETS])

    @property
    def captured_bytes(self) -> int:
        return int(self._totals[layout.CAPTURED])

    @property
    def first_ns(self) -> int | None:
        """Earliest packet, None before the first."""
        return int(self._totals[layout.FIRST]) if self.packets else None

    @property
    def last_ns(self) -> int | None:
        return int(self._totals[layout.LAST]) if self.packets else None

    def layers(self) -> list[tuple[str, int, int]]:
        """(name, packets, bytes) of each layer seen, most packets first. A frame counts once for each layer that it carries."""
        used = self._masks[self._masks[:, 1] > 0]
        counts = []
        for bit, name in enumerate(LAYER_NAMES):
            of_layer = used[(used[:, 0] >> bit) & 1 == 1]
            if len(of_layer):
                counts.append((name, int(of_layer[:, 1].sum()), int(of_layer[:, 2].sum())))
        return sorted(counts, key=lambda row: -row[1])

    def sizes(self) -> list[tuple[str, int, int]]:
        """(label, packets, bytes) by frame size on the wire."""
        return [(label, int(row[0]), int(row[1])) for label, row in zip(SIZE_LABELS, self._sizes, strict=True)]

    def undecoded(self) -> dict[str, int]:
        """Frames that could not be decoded to their innermost header, by reason."""
        return {name: int(self._reasons[i]) for i, name in enumerate(REASONS) if i and self._reasons[i]}

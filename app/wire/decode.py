"""Decoding: a block's frames to `PACKET` records, with the little state that outlives a block."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.wire.codes import FRAGMENT_SLOTS
from app.wire.records import PACKET_DTYPE

BATCH: Final = (
    4096  # frames per call: their records (384 KiB) stay in the second-level cache until the flow stage reads them
)


class Decoder:
    """Keeps the ports of fragmented datagrams and the clock between blocks."""

    def __init__(self) -> None:
        self._fragment_keys = np.zeros(FRAGMENT_SLOTS, np.uint64)
        self._fragment_ports = np.zeros(FRAGMENT_SLOTS, np.uint32)
        self._clock = np.zeros(2, np.int64)
        self._packets = np.zeros(BATCH, PACKET_DTYPE)
        self._carriers = np.zeros(BATCH, PACKET_DTYPE)
        kept = (self._packets, self._fragment_keys, self._fragment_ports, self._clock, self._carriers)
        self._decode = kernel("decode_block").bind(EACH_CALL, EACH_CALL, EACH_CALL, *kept)

    def decode(self, data: NDArray[np.uint8], frames: NDArray[np.void]) -> NDArray[np.void]:
        """Records of at most BATCH frames (FRAME_DTYPE) that lie in `data`; valid until the next call."""
        n = len(frames)
        if n > BATCH:
            raise ValueError(f"{n} frames at once: at most {BATCH}")
        self._decode(data, frames, n)
        return self._packets[:n]

    @property
    def carriers(self) -> NDArray[np.void]:
        """Records of the outer UDP datagrams of tunnels in the frames decoded last: those frames belong to two flows."""
        return self._carriers[: int(self._clock[1])]

    @property
    def clock_ns(self) -> int:
        """Time of the last frame that had one; 0 before the first."""
        return int(self._clock[0])

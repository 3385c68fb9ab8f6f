"""A block: what a source hands to the decoder, many frames at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Block:
    """Frames in one buffer, with one `FRAME_DTYPE` record each.

    `data` belongs to the source and is valid until the source's next `read()` (a file) or until
    `release(block)` (a ring). Every record lies inside it: offset + cap_len <= len(data).
    """

    data: NDArray[np.uint8]
    frames: NDArray[np.void]
    token: int = 0  # for the source that gets the block back

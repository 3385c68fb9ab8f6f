"""Places in the arrays of the traffic counts, and the records that they are made of."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.model.columns import BUCKET, PACKET

PACKET_DTYPE: Final = np.dtype(list(PACKET))
BUCKET_DTYPE: Final = np.dtype(list(BUCKET))

# totals[…]
PACKETS: Final = 0
OCTETS: Final = 1
CAPTURED: Final = 2
FIRST: Final = 3
LAST: Final = 4
MASKS: Final = 5
MASKS_LOST: Final = 6
TOTALS_SIZE: Final = 8

MASK_SLOTS: Final = 1024  # distinct sets of layers; a capture has some tens of them

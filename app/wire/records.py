"""The NumPy types of the record layouts in `app.model.columns`."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.model.columns import BUCKET, ENTROPY, FLOW, FRAME, PACKET, PACKET_ROW

FRAME_DTYPE: Final = np.dtype(list(FRAME))
PACKET_DTYPE: Final = np.dtype(list(PACKET))
FLOW_DTYPE: Final = np.dtype(list(FLOW))
PACKET_ROW_DTYPE: Final = np.dtype(list(PACKET_ROW))
BUCKET_DTYPE: Final = np.dtype(list(BUCKET))
ENTROPY_DTYPE: Final = np.dtype(list(ENTROPY))

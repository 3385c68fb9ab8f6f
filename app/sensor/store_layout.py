"""The index record of a held frame, and the numbers of state of a ring of the packet store."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.model.columns import PACKET

# One held frame. In `PACKET` columns: offset = in the ring, cap_len = bytes held, payload_offset counts a restored VLAN tag.
STORED_DTYPE: Final = np.dtype([*PACKET, ("packet_id", "<u8"), ("flow_id", "<u8")])

# State of a ring: int64 values.
WRITE: Final = 0  # position of the next byte, counted without wrapping
OLDEST_BYTE: Final = 1  # position of the oldest held frame, counted without wrapping
WRITE_OFFSET: Final = 2  # offset of the next byte in the ring
OLDEST: Final = 3  # slot of the oldest held record
HELD: Final = 4  # records held
OVERWRITTEN: Final = 5  # frames forgotten to make room
CUT: Final = 6  # frames too long for the ring, held without their end
RING_FIELDS: Final = 8

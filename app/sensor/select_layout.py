"""Numbers of the choice of packets for inspectors: what a flow is allowed, and the columns of what was chosen."""

from __future__ import annotations

from typing import Final

FIRST_PACKETS: Final = 24  # packets of a new flow that are looked at before somebody has to say that more are wanted
ALL: Final = 255
# Columns of `chosen`
PLACE: Final = 0
DIRECTION: Final = 1
FIRST_BYTE: Final = 2
LAST_BYTE: Final = 3
NEW: Final = 4
CHOSEN_COLUMNS: Final = 5

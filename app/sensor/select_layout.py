"""Numbers of the choice of packets for inspectors: whether a flow is wanted, and the columns of what was chosen."""

from __future__ import annotations

from typing import Final

ALL: Final = 255  # every packet with payload is wanted
# Columns of `chosen`
PLACE: Final = 0
DIRECTION: Final = 1
FIRST_BYTE: Final = 2
LAST_BYTE: Final = 3
NEW: Final = 4
CHOSEN_COLUMNS: Final = 5

"""Numbers of the loops over capture files: limits, what a walk returns, and the places in its small arrays."""

from __future__ import annotations

from typing import Final

MAX_FRAME: Final = 262_144  # largest captured length that a file may claim (libpcap's MAXIMUM_SNAPLEN)
MAX_RECORD: Final = (
    MAX_FRAME + 4096
)  # longest stretch that is kept until it is complete; larger blocks are skipped through
MAX_BLOCK: Final = 16 << 20  # longest pcapng block that is believed (as Wireshark)
NO_TIME: Final = -1  # FRAME.ts where the file gives none, or one that no clock can have

# What a walk returns.
MORE: Final = 0
FULL: Final = 1
DAMAGED: Final = 2
META: Final = 3  # pcapng: a section header or interface description stands at the position

# Places in the state array: out, except that WHY is set only with DAMAGED.
POSITION: Final = 0
COUNT: Final = 1
OTHERS: Final = 2
SKIP: Final = 3
WHY: Final = 4
STATE_SIZE: Final = 5

# WHY a pcapng block is damaged.
WHY_BLOCK_LENGTH: Final = 1
WHY_FRAME_LENGTH: Final = 2
WHY_INTERFACE: Final = 3
WHY_TRAILER: Final = 4

# Columns of the pcapng interface table.
IF_LINK_TYPE: Final = 0
IF_CLOCK: Final = 1
IF_FACTOR: Final = 2
IF_OFFSET: Final = 3
IF_SNAPLEN: Final = 4
IF_INDEX: Final = 5
IF_COLUMNS: Final = 6

# IF_CLOCK: how IF_FACTOR makes nanoseconds of the units of if_tsresol.
CLOCK_MULTIPLY: Final = 0
CLOCK_DIVIDE: Final = 1
CLOCK_BINARY: Final = 2  # units of 2^-factor seconds
CLOCK_UNKNOWN: Final = 3  # the offset is beyond any date

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
OLD_PACKET: Final = 2
SIMPLE_PACKET: Final = 3
ENHANCED_PACKET: Final = 6

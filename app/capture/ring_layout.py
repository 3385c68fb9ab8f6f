"""Numbers of the walk over a ring block: what it returns, and the places in its small arrays."""

from __future__ import annotations

from typing import Final

# What a walk returns.
DONE: Final = 0  # the ring block is read to its end
FULL: Final = 1  # the array of frames is full
UNKNOWN_INTERFACE: Final = 2  # the packet at the position came from an interface that is not in the table
DAMAGED: Final = 3  # a header points out of its ring block: it is left

# Places in the state array, in and out.
POSITION: Final = 0
LEFT: Final = 1  # packets of the ring block from the position on
COUNT: Final = 2  # frames filled
STATE_SIZE: Final = 3

# Columns of the interface table.
KERNEL_INDEX: Final = 0
LINK_TYPE: Final = 1
LOOPBACK: Final = 2
COLUMNS: Final = 3

HEADER: Final = 48  # tpacket3_hdr, aligned
ADDRESS: Final = 20  # sockaddr_ll

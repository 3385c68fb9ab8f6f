"""Numbers of the choice of packets for inspectors: the state of a flow, and the columns of what was chosen."""

from __future__ import annotations

from typing import Final

# wanted[slot]
DONE: Final = 0  # nobody wants more
DATAGRAMS: Final = 4  # a fresh UDP flow: so many datagrams may still be what somebody knows, counted down
FRESH_TCP: Final = 16  # a TCP flow without payload so far
JUDGED_A: Final = 1  # added to FRESH_TCP: what the originator began with is nothing anybody knows
JUDGED_B: Final = 2  # and the responder
ASKED: Final = (
    200  # added to the datagrams left: a datagram that fits a signature was chosen, Python says what comes of it
)
ALL: Final = 255  # every packet with payload is wanted
# Columns of `chosen`
PLACE: Final = 0
DIRECTION: Final = 1
FIRST_BYTE: Final = 2
LAST_BYTE: Final = 3
FITS: Final = 4  # bits of the recognisers whose signature the flow's first payload fits; 0 = not the first; EVERY
EXPECTED_A: Final = 5  # next sequence number of both directions where the flow begins to be looked at; -1 = not known
EXPECTED_B: Final = 6
CHOSEN_COLUMNS: Final = 7
PIECE: Final = -2  # FITS of an IP fragment of UDP: it has to be put together first
EVERY: Final = -1  # FITS where a hole came before the first payload: it may be anything

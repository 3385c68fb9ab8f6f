"""Numbers that the card kernels and Python share: kinds of events, their columns, states of flows and edges."""

from __future__ import annotations

from typing import Final

# What an event is about
PLAIN: Final = 1  # digits in ASCII, maybe in groups: prefix, length and check digit are right
PERCENT: Final = 2  # digits as %34, or as =34 of quoted-printable
HEX: Final = 3  # digits as 3431…
LONG: Final = 4  # more digits in a row than a card has
BASE64: Final = 5
UTF16: Final = 6
FULLWIDTH: Final = 7  # U+FF10 … U+FF19 in UTF-8
EBCDIC: Final = 8
PACKED: Final = 9  # two digits in a byte behind tag 57 or 5A of EMV
WHOLE: Final = 16  # a payload of a flow that Python decodes
PIECE: Final = 17  # a segment out of order whose begin or end may belong to a number
TAIL: Final = 18  # the end of the segments before it, in `joined`
FRAGMENT: Final = 19  # of an IP datagram

# Columns of an event
KIND: Final = 0
PLACE: Final = 1  # the packet's place in the block
DIRECTION: Final = 2  # 0: from the originator
START: Final = 3  # in the buffer, or in the row of `joined`
END: Final = 4
JOINED: Final = 5  # row of `joined`, -1 = the event lies in the block's buffer
SEQ: Final = 6  # sequence number of the row's first byte
COLUMNS: Final = 7

EVENTS: Final = 4096  # handed over at a time
PACKET_EVENTS: Final = 48  # of one packet; more are counted as left out
JOINED_ROWS: Final = 1024

# What is known of a flow (one byte per row of the flow table)
TLS_A, TLS_B = 1, 2  # a handshake record came from the originator, from the responder
SSH_A, SSH_B = 4, 8
ENCRYPTED: Final = 16  # nobody looks
DECODE: Final = 32  # every payload goes to Python as well
SPENT: Final = 64  # Python has had enough of it

# edges[2 * row + direction]: the last bytes of a stream, where a number may go on behind them
EDGE_BYTES: Final = 80
EDGE_OWNER: Final = 0  # flow id
EDGE_NEXT: Final = 1  # next sequence number
EDGE_LENGTH: Final = 2
EDGE_DISORDER: Final = 3  # segments that are still handed over in pieces, after one that came out of order
EDGE_HOLED: Final = 4  # 1: bytes were missing somewhere before, so what comes late may be new
EDGE_FIRST: Final = 5  # sequence number of the first segment seen
EDGE_COLUMNS: Final = 6
DISORDER_SEGMENTS: Final = 32
HEAD_BYTES: Final = 80  # of the next segment that are put behind an edge
JOINED_BYTES: Final = EDGE_BYTES + HEAD_BYTES

# counters
SCANNED: Final = 0  # payload bytes
SKIPPED_ENCRYPTED: Final = 1
EVENTS_LEFT_OUT: Final = 2
RESUME: Final = 3  # packet to go on from
COUNTERS: Final = 8

# Issuers, in the order of `app.wire.card_numbers.BRANDS`; 0 = none

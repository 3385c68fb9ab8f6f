"""Rows of the contact tables: who tried to reach what, in bounded memory. All int64.

Four tables with rows of the same shape. A row counts the attempts of one key and the different *items* among them, as bits of a 512-bit map:

| table | key | items | side |
|---|---|---|---|
| pairs | source, target, protocol | ports of the target | – |
| ports | source, port, protocol | targets | networks of the targets (/24, IPv6 /64) |
| targets | target, protocol | ports | sources |
| services | target, port, protocol | sources | – |
"""

from __future__ import annotations

from typing import Final

TAG: Final = 0  # hash of the key, 0 = free
A_HI: Final = 1  # source (pairs, ports) or target (targets, services)
A_LO: Final = 2
B_HI: Final = 3  # target of a pair, else 0
B_LO: Final = 4
KEY: Final = 5  # port << 8 | protocol (port 0 where it is no part of the key)
FIRST: Final = 6  # ns of the first and last attempt
LAST: Final = 7
ATTEMPTS: Final = 8
ANSWERS: Final = 9  # items that answered (SYN-ACK, a datagram, an echo reply)
REFUSALS: Final = 10  # resets in answer to an attempt
KINDS: Final = 11  # bits of how it was tried
SECOND: Final = 12  # of the capture's clock …
IN_SECOND: Final = 13  # … and the attempts in it
PEAK: Final = 14  # most attempts in one second
DISTINCT: Final = 15  # bits set in ITEMS
LISTED: Final = 16  # 1 = stands in the list of rows to look at
TOLD: Final = 17  # for the detector's own use
PACKETS: Final = 18  # packet numbers of four attempts: the first three and the last
FLOWS: Final = 22  # their flows
TIMES: Final = 26
PAYLOAD: Final = 30  # bytes of payload in the attempts
TRUSTED: Final = 31  # for the detector's own use
SIDE: Final = 32  # 4 words
SIDE_WORDS: Final = 4
ITEMS: Final = 36  # 8 words
ANSWERED: Final = 44  # 8 words: items that answered
WORDS: Final = 8
BITS: Final = 512
COLUMNS: Final = 56

WAYS: Final = 8  # rows of one bucket
IDLE_NS: Final = 600_000_000_000  # silence after which a row begins anew
LONGEST_NS: Final = 3_600_000_000_000  # … and age

# Bits of KINDS
BY_SYN: Final = 1
BY_FIN: Final = 2
BY_NULL: Final = 4
BY_XMAS: Final = 8
BY_ACK: Final = 16
BY_UDP: Final = 32
BY_ODD: Final = 64  # other combinations that no TCP sends
BY_ICMP: Final = 128
BY_SCTP: Final = 256

# Rows are listed for a look when they have so many items, or attempts in one second
LISTED_FROM_ITEMS: Final = 3
LISTED_FROM_RATE: Final = 60
LIST_SIZE: Final = 1024  # of each table

PAIRS, PORTS, TARGETS, SERVICES = range(4)
SIZES: Final = (8192, 8192, 2048, 4096)  # rows
# meta[…]: per table: how many are listed (0..3), rows given up for others (4..7), rows that did not fit the list (8..11)
LISTS: Final = 0
LOST: Final = 4
UNLISTED: Final = 8
BURSTS: Final = 12  # packets in the list of bursts
META_SIZE: Final = 16

SILENCE_NS: Final = 800_000_000  # of a flow after which a packet with payload begins a burst

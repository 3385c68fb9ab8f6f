"""Columns of the flow table's rows. All int64, so that a direction d (0: lower endpoint, 1: higher) is an offset: `row[PACKETS + d]`.

Endpoints are in canonical order (address, then port); who the originator is stands in STATE.
"""

from __future__ import annotations

from typing import Final

# rows[slot, …]: two cache lines, touched for each packet
A_HI: Final = 0
A_LO: Final = 1
B_HI: Final = 2
B_LO: Final = 3
KEY: Final = 4  # port a << 48 | port b << 32 | vlan << 16 | one-way << 15 | IP version << 8 | protocol
TUNNEL: Final = 5  # tunnel id | depth << 32
FIRST: Final = 6  # ns
LAST: Final = 7
PACKETS: Final = 8
BYTES: Final = 10
PAYLOAD: Final = 12
FLOW_ID: Final = 14  # 0: the slot is free
STATE: Final = 15
ROW_COLUMNS: Final = 16

# Bits of STATE
SEEN_SHIFT: Final = 8  # per direction (8 bits each): history letters seen
SEEN_SYN: Final = 1
SEEN_SYN_ACK: Final = 2
SEEN_ACK: Final = 4
SEEN_DATA: Final = 8
SEEN_FIN: Final = 16
SEEN_RST: Final = 32
FLAGS_SHIFT: Final = 16  # all TCP flags, direction a at 16, b at 24
ORIGINATOR_B: Final = 1 << 32
ORIGINATOR_CERTAIN: Final = 1 << 33
CLOSED: Final = 1 << 34
CARRIER: Final = 1 << 35  # outer datagrams of a tunnel: the packets inside are in flows of their own
CHANGED_SHIFT: Final = 40  # number of the tick that last changed the row, 23 bits
CHANGED_MASK: Final = (1 << 23) - 1

# tcp[slot, …]: TCP only, but INTERFACE and HISTORY. The first cache line is touched by each segment, the other two rarely.
SEQUENCE: Final = 0  # per direction: next sequence number expected | last acknowledgement << 32
NEXT_TIME: Final = 2  # ns, when the next sequence number last grew
ACK_TIME: Final = 4  # ns, of the last segment
MARKS: Final = 6  # window | duplicate acknowledgements << 16 | bits below
SYN_TIME: Final = 8  # of the last SYN, 0 = none
RTT: Final = 9  # ns, -1 = not seen
BASE: Final = 10  # sequence number of the first packet
RETRANSMISSIONS: Final = 12
OUT_OF_ORDER: Final = 14
INTERFACE: Final = 16
HISTORY: Final = 17  # 24 letters
ROUND_TRIP: Final = 20  # per direction, of its segments: smoothed | smallest << 32, 0 = not measured
TIMED: Final = 22  # TIMED_SEGMENTS times per direction, a ring: end of a segment on its way | its time << 32
TIMED_SEGMENTS: Final = 5
TCP_COLUMNS: Final = 32

# Bits of MARKS
NEXT_KNOWN: Final = 1 << 32  # segments of this direction have been seen
ACK_KNOWN: Final = 1 << 33
KEEP_ALIVE: Final = 1 << 34  # the last segment of this direction was a keep-alive
PROBE: Final = 1 << 35  # … a zero-window probe
RTT_OPEN: Final = 1 << 36  # this direction sent a SYN whose handshake is not complete
TIMED_COUNT_SHIFT: Final = 37  # segments of this direction in its ring of times, 3 bits
TIMED_FIRST_SHIFT: Final = 40  # place of the oldest of them, 3 bits
SENT_AGAIN: Final = (
    1 << 43
)  # the newest data of this direction, or some before it, was sent again: its acknowledgement is ambiguous
REPEATED: Final = 1 << 44  # what had been acknowledged was sent again: the first place of the ring holds when
TIMING: Final = 0xFF << TIMED_COUNT_SHIFT  # all of these
ROUND_TRIP_UNIT_NS: Final = 100

# rolled[slot, …]: what the roll-ups have already counted
ROLLED_COLUMNS: Final = 4  # packets a, b, bytes a, b

# meta[…]: counters and cursors of the table
NEXT_FLOW_ID: Final = 0
FREE: Final = 1  # entries on the stack of free slots
ACTIVE: Final = 2
EVICTED: Final = 3
HAND: Final = 4  # the eviction clock's hand
ENDED: Final = 5  # records in the buffer of ended flows
TICK: Final = 6
CREATED: Final = 7
TCP_PACKETS: Final = 8
TCP_RETRANSMISSIONS: Final = 9
CURSOR: Final = 10  # where a sweep goes on
HIGH_WATER: Final = 11  # slots ever used
RTT_COUNT: Final = 12  # handshakes measured, position in the ring of samples
META_SIZE: Final = 16

# counters[…] of the roll-ups: rows used, sums turned away, bytes that a newcomer must exceed
HOSTS: Final = 0
HOSTS_LOST: Final = 1
HOSTS_LEAST: Final = 2
PAIRS: Final = 3
PAIRS_LOST: Final = 4
PAIRS_LEAST: Final = 5
ROLL_UP_COUNTERS: Final = 8
RTT_SAMPLES: Final = 1024  # the last handshake RTTs, kept in a ring

# hosts[row, …] and pairs[row, …] of the roll-ups
H_HI, H_LO, H_USED, H_PACKETS_OUT, H_PACKETS_IN, H_BYTES_OUT, H_BYTES_IN = range(7)
P_A_HI, P_A_LO, P_B_HI, P_B_LO, P_USED, P_PACKETS, P_BYTES = range(7)

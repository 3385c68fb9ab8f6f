"""Places in the arrays that hold the byte histograms of flows, and in the measurements that are made of them.

Directions are those of the flow: 0 from the originator, 1 to it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

SYMBOLS: Final = 256
QUARTERS: Final = 4  # the window is this many runs of packets; the oldest is emptied when a new one begins

# config[…]
LIFE_BYTES: Final = 0  # payload bytes of a direction that its life histogram counts; 0 = all
PACKET_BYTES: Final = 1  # of one packet that the window counts; 0 = all
QUARTER_PACKETS: Final = 2  # packets with payload in one quarter of the window
REFRESH: Final = 3  # ns of the capture's clock between two samples of a flow
RATIO: Final = 4  # of change that is a spike or a drop, in millionths
UNHURRIED: Final = 5  # not 0: between two samples of a flow its packets double, or a quarter of a window is new
CONFIG_SIZE: Final = 8

# meta[…]
FREE: Final = 0  # entries on the stack of free slots
HAND: Final = 1  # where the search for a silent slot goes on
PASSED_OVER: Final = 2  # flows that found no slot
TAKEN_OVER: Final = 3  # slots that went from a silent flow to another
BYTES_COUNTED: Final = 4
BYTES_PASSED: Final = 5  # payload bytes of flows without a slot
PLACE: Final = 6  # packet to go on with
ORPHANS: Final = 7  # slots whose row went to another flow before the end of theirs was told
META_SIZE: Final = 8

# state[slot, …]
ROW: Final = 0  # of the flow table
LAST: Final = 1  # ns, last payload
NEXT_SAMPLE: Final = 2  # ns
DIRTY: Final = 3  # payload since the last sample
O_HI: Final = 4  # the originator's address
O_LO: Final = 5
R_HI: Final = 6  # the responder's
R_LO: Final = 7
PORTS: Final = 8  # originator's << 16 | responder's
KIND: Final = 9  # IP protocol | IP version << 8 | interface << 16 | CERTAIN
NEXT_PACKETS: Final = 10  # packets with payload after which the next sample may be taken
STATE_SIZE: Final = 11
CERTAIN: Final = 1 << 32  # the beginning of the connection was seen

# sides[slot, direction, …]
TOTAL: Final = 0  # payload bytes seen
LIFE_N: Final = 1  # … in the life histogram
PACKETS: Final = 2  # packets with payload
QUARTER: Final = 3  # the quarter that is filled now
IN_QUARTER: Final = 4  # packets in it
QUARTER_N: Final = 5  # bytes in it
HEAD: Final = 6  # first eight bytes, the first lowest
BITS_N: Final = 7  # bytes in the bit sample
BITS_NEXT: Final = 8  # payload bytes after which the next bit sample begins
PRODUCTS: Final = 9  # sum of the products of neighbouring bytes, of the life histogram's bytes
PAIRS: Final = 10
LEVELS: Final = 11  # quarters that the running level has seen
MEASURED_N: Final = 12  # LIFE_N when the life histogram was last measured
SIDE_SIZE: Final = 16

# Bit sample: counts of eight bits at a time from every bit position, read from the low bit (deflate), and from three read from the high bit (bzip2, JPEG).
BITS_FULL: Final = 4096  # bytes of one sample
BITS_AGAIN: Final = 16  # the next sample begins after this many times as many bytes
ORDERS: Final = 2

# One measurement of a histogram, float64
M_N: Final = 0  # bytes
M_PLAIN: Final = 1  # Shannon entropy, bits per byte
M_SECOND: Final = 2  # sum of p · log2(p)²
M_DISTINCT: Final = 3
M_CHI: Final = 4  # χ² against equal frequencies
M_TRIMMED: Final = 5  # … without the TRIM most frequent values
M_CORRECTED: Final = 6  # Grassberger's estimate, bits per byte
M_TEXT: Final = 7  # printable ASCII, tab, line feed, carriage return
M_ZERO: Final = 8
M_CONTINUING: Final = 9  # UTF-8 continuation bytes
M_ANNOUNCED: Final = 10  # continuation bytes that UTF-8 lead bytes announce
M_FORBIDDEN: Final = 11  # bytes that no text has
M_BASE64: Final = 12
MEASURE_SIZE: Final = 13
TRIM: Final = 8

# samples[n, direction, …]: window, life, and what is beside them
S_WINDOW: Final = 0
S_LIFE: Final = MEASURE_SIZE
S_SERIAL: Final = 2 * MEASURE_SIZE  # correlation of neighbouring bytes; NaN: none
S_BITS: Final = S_SERIAL + 1  # score of the bit sample read from the low bit, then from the high bit; NaN: not yet full
S_LEVEL: Final = S_BITS + ORDERS  # running level before the last quarter; NaN: not yet
S_QUARTER: Final = S_LEVEL + 1  # the last whole quarter's entropy
SAMPLE_SIZE: Final = S_QUARTER + 1

# ids[n, …]
I_FLOW: Final = 0
I_TIME: Final = 1
I_SLOT: Final = 2
I_ROW: Final = 3
I_FLAGS: Final = 4  # bits below, shifted by FLAG_BITS for direction 1
I_HEADS: Final = 5  # HEAD of both directions
I_TOTALS: Final = 7  # TOTAL of both directions
I_ENDS: Final = 9  # O_HI to KIND of the state
ENDS_SIZE: Final = KIND + 1 - O_HI
IDS_SIZE: Final = I_ENDS + ENDS_SIZE

SPIKE: Final = 1
DROP: Final = 2
FELL: Final = 4  # from a level that only compressed or encrypted bytes have to one that they do not have
FLAG_BITS: Final = 4
ENDED: Final = 256  # the flow's last sample

LEVEL_MEMORY: Final = 8  # quarters that the running level looks back on
LEVEL_LEAST: Final = 3  # quarters before a change can be told
QUARTER_LEAST: Final = 256  # bytes of a quarter that is compared
HIGH_LEVEL: Final = 7.2  # bits per byte; only compressed or encrypted bytes stay above it
LOW_LEVEL: Final = 6.5  # … and do not come below this
SILENCE_NS: Final = 10_000_000_000  # a slot whose flow has been silent this long may be taken over
LOOKED_AT: Final = 4  # slots, when none is free
ASK_AGAIN: Final = 32  # packets that a flow without a slot waits before it asks again

TABLE: Final = 16_384  # counts up to here are looked up exactly

# class of a byte value: bits
C_TEXT: Final = 1
C_CONTINUING: Final = 2
C_FORBIDDEN: Final = 4
C_BASE64: Final = 8


def byte_classes() -> np.ndarray:
    """uint8[256, 2]: class bits of each byte value, and how many continuation bytes it announces as UTF-8 lead (RFC 3629 § 3)."""
    classes = np.zeros((SYMBOLS, 2), np.uint8)
    classes[0x20:0x7F, 0] |= C_TEXT
    classes[[9, 10, 13], 0] |= C_TEXT
    classes[0x80:0xC0, 0] |= C_CONTINUING
    classes[[*range(9), 11, 12, *range(14, 27), *range(28, 32), 0x7F, 0xC0, 0xC1, *range(0xF5, 0x100)], 0] |= (
        C_FORBIDDEN
    )
    classes[0xC2:0xE0, 1], classes[0xE0:0xF0, 1], classes[0xF0:0xF5, 1] = 1, 2, 3
    classes[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n"), 0] |= C_BASE64
    return classes


def logarithms() -> np.ndarray:
    """float64[2, TABLE + 1]: c · log2(c), and c · G(c) / ln 2 with Grassberger's G (arXiv:physics/0307138, equations 35 and 36)."""
    counts = np.arange(TABLE + 1, dtype=np.float64)
    table = np.zeros((2, TABLE + 1))
    table[0, 1:] = counts[1:] * np.log2(counts[1:])
    g = np.zeros(TABLE + 2)
    g[1] = -np.euler_gamma - np.log(2)
    g[2:-1:2] = g[1] + 2 * np.cumsum(1 / (2 * np.arange(TABLE // 2) + 1))
    g[3::2] = g[2:-1:2]
    table[1] = counts * g[: TABLE + 1] / np.log(2)
    return table

"""Decoded packets → the packets nDPI is shown: payload as captured, under IP and TCP or UDP headers that we write.

One idea: a header that we wrote cannot lie. nDPI never sees a length that does not hold, an option, an extension header, a fragment or a
tunnel; what the snap length cut is not announced.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.native.call import EACH_CALL, Bound
from app.native.loader import kernel
from app.wire.records import PACKET_DTYPE

MAX_PAYLOAD: Final = 4096  # bytes of one packet: a ClientHello with its post-quantum key, most certificate messages
SYN, RST = 2, 4
TCP: Final = 6
UDP: Final = 17

# RECORD of app.dpi.ndpi
RECORD_DTYPE: Final = np.dtype(
    [
        ("flow_id", "<u8"),
        ("time_ms", "<u8"),
        ("offset", "<u4"),
        ("length", "<u2"),
        ("ip_version", "u1"),
        ("protocol", "u1"),
    ]
)

_HEADERS: Final = 80  # bytes at most


def showable_flows(records: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which of these records nDPI can be shown: TCP and UDP over IP."""
    protocol, version = records["protocol"], records["ip_version"]
    shown: NDArray[np.bool_] = ((protocol == TCP) | (protocol == UDP)) & ((version == 4) | (version == 6))
    return shown


def build(
    packets: NDArray[np.void], flow_ids: NDArray[np.uint64], data: NDArray[np.uint8], base: int = 0
) -> tuple[bytes, bytes]:
    """(RECORD rows, the packets' bytes) for PACKET rows of TCP and UDP over IP; `data` is the buffer their offsets point into. The records' offsets
    begin at `base`."""
    n = len(packets)
    lengths = np.zeros(n, np.int64)
    out = np.empty(n * (_HEADERS + MAX_PAYLOAD), np.uint8)
    size = _writer()(packets, n, data, MAX_PAYLOAD, lengths, out)
    records = np.zeros(n, RECORD_DTYPE)
    records["flow_id"] = flow_ids
    records["time_ms"] = np.maximum(packets["ts"] // 1_000_000, 1)
    records["offset"] = base + np.cumsum(lengths) - lengths
    records["length"] = lengths
    records["ip_version"] = packets["ip_version"]
    records["protocol"] = packets["protocol"]
    return records.tobytes(), out[:size].tobytes()


@cache
def _writer() -> Bound:
    """Bound once: that costs more than to write a few packets. One thread at a time."""
    return kernel("write_plain_packets").bind(*(EACH_CALL,) * 6)


def greetings(records: NDArray[np.void]) -> NDArray[np.void]:
    """For flows that carried no payload (FLOW rows, TCP or UDP): the packet each began with, as a PACKET row."""
    rows = np.zeros(len(records), PACKET_DTYPE)
    for name in ("src_hi", "src_lo", "src_port", "dst_hi", "dst_lo", "dst_port", "ip_version", "protocol"):
        rows[name] = records[name]
    rows["ts"] = records["start"]
    rows["tcp_flags"] = records["src_flags"] & (SYN | RST)
    return rows

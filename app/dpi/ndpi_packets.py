"""Decoded packets → the packets nDPI is shown: payload as captured, under IP and TCP or UDP headers that we write.

One idea: a header that we wrote cannot lie. nDPI never sees a length that does not hold, an option, an extension header, a fragment or a
tunnel; what the snap length cut is not announced.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

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

_IPV4: Final = [
    ("version", "u1"), ("tos", "u1"), ("length", ">u2"), ("id", ">u2"), ("fragment", ">u2"), ("ttl", "u1"),
    ("protocol", "u1"), ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4"),
]  # fmt: skip
_IPV6: Final = [
    ("version", ">u4"), ("length", ">u2"), ("protocol", "u1"), ("ttl", "u1"),
    ("src_hi", ">u8"), ("src_lo", ">u8"), ("dst_hi", ">u8"), ("dst_lo", ">u8"),
]  # fmt: skip
_TCP: Final = [
    ("src_port", ">u2"), ("dst_port", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("data_offset", "u1"), ("flags", "u1"),
    ("window", ">u2"), ("tcp_checksum", ">u2"), ("urgent", ">u2"), ("options", "V20"),
]  # fmt: skip
# Maximum segment size, SACK permitted, timestamps, window scale, as Linux writes them: nDPI takes a SYN without options for a scanner's.
_OPTIONS: Final = np.frombuffer(bytes.fromhex("020405b4 0402 080a0000000100000000 01 030307"), "V20")[0]
_UDP: Final = [("src_port", ">u2"), ("dst_port", ">u2"), ("udp_length", ">u2"), ("udp_checksum", ">u2")]
_HEADERS: Final = {
    (4, TCP): np.dtype(_IPV4 + _TCP),
    (4, UDP): np.dtype(_IPV4 + _UDP),
    (6, TCP): np.dtype(_IPV6 + _TCP),
    (6, UDP): np.dtype(_IPV6 + _UDP),
}
_LONGEST: Final = max(header.itemsize for header in _HEADERS.values())


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
    start = packets["offset"].astype(np.int64) + packets["payload_offset"]
    held = packets["offset"].astype(np.int64) + packets["cap_len"] - start
    payload = np.clip(np.minimum(held, packets["payload_len"]), 0, MAX_PAYLOAD)
    headers = np.zeros((n, _LONGEST), np.uint8)
    sizes = np.zeros(n, np.int64)
    for (version, protocol), layout in _HEADERS.items():
        rows = np.flatnonzero((packets["ip_version"] == version) & (packets["protocol"] == protocol))
        if len(rows):
            header = _header(layout, packets[rows], payload[rows])
            headers[rows, : layout.itemsize] = header.view(np.uint8).reshape(len(rows), layout.itemsize)
            sizes[rows] = layout.itemsize
    records = np.zeros(n, RECORD_DTYPE)
    lengths = sizes + payload
    records["flow_id"] = flow_ids
    records["time_ms"] = np.maximum(packets["ts"] // 1_000_000, 1)
    records["offset"][1:] = np.cumsum(lengths[:-1])
    records["offset"] += np.uint32(base)
    records["length"] = lengths
    records["ip_version"] = packets["ip_version"]
    records["protocol"] = packets["protocol"]
    return records.tobytes(), _gather(headers.tobytes(), sizes, data.data, start, payload)


def greetings(records: NDArray[np.void]) -> NDArray[np.void]:
    """For flows that carried no payload (FLOW rows, TCP or UDP): the packet each began with, as a PACKET row."""
    rows = np.zeros(len(records), PACKET_DTYPE)
    for name in ("src_hi", "src_lo", "src_port", "dst_hi", "dst_lo", "dst_port", "ip_version", "protocol"):
        rows[name] = records[name]
    rows["ts"] = records["start"]
    rows["tcp_flags"] = records["src_flags"] & (SYN | RST)
    return rows


def _header(layout: np.dtype[np.void], packets: NDArray[np.void], payload: NDArray[np.int64]) -> NDArray[np.void]:
    """The headers of packets of one kind, `layout` each. Checksums stay 0: nDPI does not look at them."""
    out = np.zeros(len(packets), layout)
    names = layout.names or ()
    transport = 40 if "seq" in names else 8
    for name in ("src_port", "dst_port"):
        out[name] = packets[name]
    out["protocol"] = packets["protocol"]
    out["ttl"] = 64
    if "src" in names:
        out["version"] = 0x45
        out["length"] = 20 + transport + payload
        out["src"], out["dst"] = packets["src_lo"].astype(np.uint32), packets["dst_lo"].astype(np.uint32)
    else:
        out["version"] = 6 << 28
        out["length"] = transport + payload
        for name in ("src_hi", "src_lo", "dst_hi", "dst_lo"):
            out[name] = packets[name]
    if transport == 40:
        out["data_offset"] = 10 << 4
        out["options"] = _OPTIONS
        out["flags"] = packets["tcp_flags"]
        for name in ("seq", "ack", "window"):
            out[name] = packets[name]
    else:
        out["udp_length"] = 8 + payload
    return out


def _gather(
    headers: bytes,
    sizes: NDArray[np.int64],
    data: memoryview,
    start: NDArray[np.int64],
    payload: NDArray[np.int64],
) -> bytes:
    parts: list[bytes | memoryview] = []
    row = 0
    for size, first, length in zip(sizes.tolist(), start.tolist(), payload.tolist(), strict=True):
        parts.append(headers[row : row + size])
        if length:
            parts.append(data[first : first + length])
        row += _LONGEST
    return b"".join(parts)

"""Capture files made in memory, and a slow reader of pcap that knows nothing of ours."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

Packet = tuple[int, bytes, int]  # ns, bytes, length on the wire


def pcap(
    packets: Iterable[Packet], *, big: bool = False, unit: int = 1000, extra: int = 0, link: int = 1, minor: int = 4
) -> bytes:
    """A pcap; `extra` more bytes in each record header (8: Kuznetzov's variant)."""
    order = ">" if big else "<"
    magic = 0xA1B2CD34 if extra else 0xA1B2C3D4 if unit == 1000 else 0xA1B23C4D
    out = [struct.pack(order + "IHHiIII", magic, 2, minor, 0, 0, 65535, link)]
    for ts, data, wire_len in packets:
        lengths = (len(data), wire_len) if minor > 2 else (wire_len, len(data))
        out.append(struct.pack(order + "IIII", ts // 10**9, ts % 10**9 // unit, *lengths) + bytes(extra) + data)
    return b"".join(out)


def block(kind: int, body: bytes, order: str = "<", length: int | None = None, trailer: int | None = None) -> bytes:
    """A pcapng block; `length` and `trailer` may lie."""
    body += bytes(-len(body) % 4)
    true = len(body) + 12
    return (
        struct.pack(order + "II", kind, true if length is None else length)
        + body
        + struct.pack(order + "I", true if trailer is None else trailer)
    )


def section(order: str = "<", major: int = 1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1), order)


def interface(link: int = 1, snaplen: int = 0, order: str = "<", options: Sequence[tuple[int, bytes]] = ()) -> bytes:
    packed = b"".join(
        struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
    )
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + packed, order)


def enhanced(ts: int, data: bytes, wire_len: int | None = None, index: int = 0, order: str = "<", **lies: int) -> bytes:
    head = struct.pack(
        order + "IIIII", index, ts >> 32, ts & 0xFFFFFFFF, len(data), len(data) if wire_len is None else wire_len
    )
    return block(6, head + data, order, **lies)


def simple(data: bytes, wire_len: int | None = None, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(data) if wire_len is None else wire_len) + data, order)


def read_pcap(raw: bytes) -> list[Packet]:
    """Packets of a little-endian µs pcap, up to the first record that is cut or too long."""
    packets, at = [], 24
    while at + 16 <= len(raw):
        seconds, fraction, kept, wire_len = struct.unpack_from("<IIII", raw, at)
        if kept > 262_144 or at + 16 + kept > len(raw):
            break
        packets.append((seconds * 10**9 + fraction * 1000, raw[at + 16 : at + 16 + kept], wire_len))
        at += 16 + kept
    return packets

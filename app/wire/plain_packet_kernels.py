"""Decoded packets written anew: plain IP and transport headers of ours, then the payload as captured."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-overload, call-arg"

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, njit, types, uint8, uint64

from app.native.declare import kernel
from app.wire.load_kernels import peek, poke
from app.wire.records import PACKET_DTYPE

_OPTIONS = {"nogil": True, "error_model": "numpy"}
TCP = 6
# Maximum segment size, SACK permitted, timestamps, window scale, as Linux writes them: a SYN without options looks like a scanner's
OPTIONS = np.frombuffer(bytes.fromhex("020405b4 0402 080a0000000100000000 01 030307"), np.uint8).copy()

SIGNATURE = types.intp(
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.uint8[::1],
    types.intp,
    types.int64[::1],
    types.uint8[::1],
)


@njit(**_OPTIONS)
def put(out, at, value, size):
    """A number of so many bytes, big-endian; returns the place behind it."""
    for k in range(size):
        poke(out, at + k, uint8((uint64(value) >> uint64(8 * (size - 1 - k))) & uint64(255)))
    return at + size


@njit(**_OPTIONS)
def put_ip(out, at, p, size):
    """The IP header over `size` bytes."""
    if p.ip_version == 4:
        at = put(out, at, 0x4500, 2)
        at = put(out, at, 20 + size, 2)
        at = put(out, at, 0, 4)
        at = put(out, at, 64 << 8 | int64(p.protocol), 2)
        at = put(out, at, 0, 2)
        at = put(out, at, p.src_lo, 4)
        return put(out, at, p.dst_lo, 4)
    at = put(out, at, 6 << 28, 4)
    at = put(out, at, size, 2)
    at = put(out, at, int64(p.protocol) << 8 | 64, 2)
    at = put(out, at, p.src_hi, 8)
    at = put(out, at, p.src_lo, 8)
    at = put(out, at, p.dst_hi, 8)
    return put(out, at, p.dst_lo, 8)


@kernel(SIGNATURE)
def write_plain_packets(packets, n, data, most, lengths, out):
    """Write packets[:n], TCP or UDP over IP, one behind the other to `out`, each with at most `most` bytes of its captured payload; lengths[i] is what the
    i-th takes. `out` has room for 80 + most bytes of each. Checksums are 0. Returns the bytes written."""
    at = int64(0)
    for i in range(n):
        p = packets[i]
        begin = int64(p.offset) + int64(p.payload_offset)
        end = min(int64(p.offset) + int64(p.cap_len), int64(len(data)))
        size = max(min(end - begin, int64(p.payload_len), most), int64(0))
        start = at
        at = put_ip(out, at, p, size + (40 if p.protocol == TCP else 8))
        at = put(out, at, p.src_port, 2)
        at = put(out, at, p.dst_port, 2)
        if p.protocol == TCP:
            at = put(out, at, p.seq, 4)
            at = put(out, at, p.ack, 4)
            at = put(out, at, 10 << 12 | int64(p.tcp_flags) & 255, 2)
            at = put(out, at, p.window, 2)
            at = put(out, at, 0, 4)
            for k in range(len(OPTIONS)):
                poke(out, at + k, OPTIONS[k])
            at += len(OPTIONS)
        else:
            at = put(out, at, 8 + size, 2)
            at = put(out, at, 0, 2)
        for k in range(size):
            poke(out, at + k, peek(data, begin + k))
        at += size
        lengths[i] = at - start
    return at

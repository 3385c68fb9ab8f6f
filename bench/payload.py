"""One pool of bytes from which every generated payload is cut, and checksums of any cut in constant time.

A packet's payload is (offset, length) in the pool; offsets are even, so that prefix sums over 16-bit words give the
Internet checksum (RFC 1071) of a cut without reading it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench import messages

VARIANTS = 512  # different hosts, and so different first messages
BULK = 1 << 20  # bytes of each kind of bulk payload
LONGEST = 1600  # no cut is longer

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Where the variants of one message lie in the pool."""

    offset: I64
    length: I64


@dataclass(frozen=True)
class Pool:
    """The bytes, where each kind begins, and the prefix sums."""

    data: bytes
    random: int
    text: int
    flat: int
    zeros: int
    tables: dict[str, Table]
    _sums: NDArray[np.uint64]
    _bytes: NDArray[np.uint8]

    def word_sum(self, offset: I64, length: I64) -> NDArray[np.uint64]:
        """Sum of the big-endian 16-bit words of each cut; an odd last byte counts as a word's high half."""
        end = offset + length
        total: NDArray[np.uint64] = self._sums[end >> 1] - self._sums[offset >> 1]
        odd = (length & 1).astype(np.uint64)
        total += odd * (self._bytes[np.maximum(end - 1, 0)].astype(np.uint64) << np.uint64(8))
        return total


def _flat_bytes(length: int) -> bytes:
    """Low entropy: runs of one byte, a counter, a short period."""
    run = bytes(600) + b"\xff" * 600 + b"ABABABAB" * 100 + bytes(i & 15 for i in range(2000))
    return (run * (length // len(run) + 1))[:length]


@lru_cache(maxsize=1)
def pool() -> Pool:
    """The pool; it is the same for every file."""
    data = bytearray()

    def add(piece: bytes) -> int:
        start = len(data)
        data.extend(piece + bytes(len(piece) & 1))
        return start

    zeros = add(bytes(LONGEST))
    random = add(messages.filler("bulk", BULK + LONGEST))
    body = messages.json_text(BULK + LONGEST)
    text = add(body)
    flat = add(_flat_bytes(BULK + LONGEST))
    makers = {
        "client_hello": messages.client_hello,
        "server_hello": messages.server_hello,
        "http_request": messages.http_request,
        "http_response": lambda number: messages.http_response(number, body[number * 64 :]),
        "dns_query": messages.dns_query,
        "dns_answer": messages.dns_answer,
    }
    tables = {}
    for name, make in makers.items():
        pieces = [make(number) for number in range(VARIANTS)]
        offsets = np.array([add(piece) for piece in pieces], np.int64)
        tables[name] = Table(offsets, np.array([len(piece) for piece in pieces], np.int64))
    words = np.frombuffer(bytes(data), ">u2").astype(np.uint64)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(words)])
    return Pool(bytes(data), random, text, flat, zeros, tables, sums, np.frombuffer(bytes(data), np.uint8))

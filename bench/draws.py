"""Repeatable random numbers: each is a hash of (seed, purpose, index), never the state of a generator.

A number depends on nothing but its three inputs, so a file comes out the same whatever the chunk size, the
NumPy version or the part of it that is made.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15


def _mixed(words: U64) -> U64:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014), element by element."""
    words = words ^ (words >> np.uint64(30))
    words = words * np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


@dataclass(frozen=True)
class Draws:
    """All random numbers of one file."""

    seed: int

    def bits(self, purpose: str, index: NDArray[np.integer]) -> U64:
        """64 random bits for each index; `purpose` names an independent sequence."""
        start = (zlib.crc32(purpose.encode()) * _GOLDEN + self.seed * 0xD1342543DE82EF95) & 0xFFFFFFFFFFFFFFFF
        words = index.astype(np.uint64) * np.uint64(_GOLDEN)
        words += np.uint64(start)
        return _mixed(words)

    def below(self, purpose: str, index: NDArray[np.integer], limit: int) -> NDArray[np.int64]:
        """An integer in 0..limit-1 for each index; `limit` is at most 2**32."""
        high = self.bits(purpose, index) >> np.uint64(32)
        return ((high * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)

    def chosen(self, purpose: str, index: NDArray[np.integer], shares: list[int]) -> NDArray[np.int64]:
        """The number of a choice for each index, drawn with weights `shares`."""
        edges = np.cumsum(np.array(shares, np.int64))
        return np.searchsorted(edges, self.below(purpose, index, int(edges[-1])), side="right").astype(np.int64)

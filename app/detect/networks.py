"""Which addresses belong to the place that is watched. Addresses are (hi, lo) halves, IPv4 mapped, as in `app.model.columns`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.wire.addresses import V4_PREFIX, format_address

_V4_PRIVATE: Final = (
    (0x0A000000, 8),
    (0xAC100000, 12),
    (0xC0A80000, 16),
    (0x64400000, 10),  # RFC 6598, carrier-grade NAT
    (0xA9FE0000, 16),
)
_LOOPBACK: Final = (0x7F000000, 8)


def is_v4(hi: int, lo: int) -> bool:
    return hi == 0 and lo >> 32 == 0xFFFF


@lru_cache(maxsize=1 << 14)
def is_private(hi: int, lo: int) -> bool:
    """Of a private, link-local, unique-local or loopback network (RFC 1918, 3927, 4193, 6598)."""
    if is_v4(hi, lo):
        address = lo & 0xFFFFFFFF
        return any(address >> 32 - bits == net >> 32 - bits for net, bits in (*_V4_PRIVATE, _LOOPBACK))
    return hi >> 57 == 0xFC00 >> 9 or hi >> 54 == 0xFE80 >> 6 or (hi == 0 and lo == 1)


@lru_cache(maxsize=1 << 14)
def is_group(hi: int, lo: int) -> bool:
    """Multicast or broadcast (the limited one; a directed one needs the mask, which nobody says), or unspecified."""
    if is_v4(hi, lo):
        address = lo & 0xFFFFFFFF
        return address >> 28 == 0xE or address in (0xFFFFFFFF, 0)
    return hi >> 56 == 0xFF or (hi == 0 and lo == 0)


def is_loopback(hi: int, lo: int) -> bool:
    return (is_v4(hi, lo) and (lo & 0xFFFFFFFF) >> 24 == 127) or (hi == 0 and lo == 1)


def maybe_broadcast(hi: int, lo: int) -> bool:
    """An IPv4 address whose last octet is 255: the broadcast address of a /24 and of most others."""
    return is_v4(hi, lo) and lo & 0xFF == 0xFF


def private_rows(hi: NDArray[Any], lo: NDArray[Any]) -> NDArray[np.bool_]:
    """`is_private` of columns."""
    address = lo & np.uint64(0xFFFFFFFF)
    v4 = (hi == 0) & (lo >> np.uint64(32) == np.uint64(0xFFFF))
    inside = np.zeros(len(hi), np.bool_)
    for net, bits in (*_V4_PRIVATE, _LOOPBACK):
        inside |= address >> np.uint64(32 - bits) == np.uint64(net >> 32 - bits)
    local6 = (hi >> np.uint64(57) == np.uint64(0xFC00 >> 9)) | (hi >> np.uint64(54) == np.uint64(0xFE80 >> 6))
    result: NDArray[np.bool_] = (v4 & inside) | (~v4 & local6)
    return result


def group_rows(hi: NDArray[Any], lo: NDArray[Any]) -> NDArray[np.bool_]:
    """`is_group` of columns."""
    address = lo & np.uint64(0xFFFFFFFF)
    v4 = (hi == 0) & (lo >> np.uint64(32) == np.uint64(0xFFFF))
    group4 = (address >> np.uint64(28) == 0xE) | (address == 0xFFFFFFFF) | (address == 0)
    group6 = (hi >> np.uint64(56) == 0xFF) | ((hi == 0) & (lo == 0))
    result: NDArray[np.bool_] = (v4 & group4) | (~v4 & group6)
    return result


def text(hi: int, lo: int) -> str:
    """The address as pages show it."""
    return format_address(hi, lo, 4 if is_v4(hi, lo) else 6) or ""


def v4(address: int) -> tuple[int, int]:
    """Halves of an IPv4 address."""
    return 0, V4_PREFIX | address

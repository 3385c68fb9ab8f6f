"""IP addresses between their text and the two 64-bit halves that the columns hold.

IPv4 is held as ::ffff:a.b.c.d with version 4 (see `app.model.columns`), so one pair of columns serves both families and a range
of addresses is an interval of pairs. IPv6 text is that of RFC 5952.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from socket import AF_INET6, inet_ntop
from struct import Struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

V4_PREFIX: Final = 0xFFFF << 32  # low half of ::ffff:0.0.0.0
_MASK64: Final = (1 << 64) - 1
_HALVES: Final = Struct(">QQ")
_LONGEST_TEXT: Final = 64  # of an address with a prefix length, generously


@dataclass(frozen=True, slots=True)
class AddressRange:
    """All addresses of one version from `low` to `high`, both included, as halves."""

    version: int
    low_hi: int
    low_lo: int
    high_hi: int
    high_lo: int

    def contains(self, version: int, hi: int, lo: int) -> bool:
        return self.version == version and (self.low_hi, self.low_lo) <= (hi, lo) <= (self.high_hi, self.high_lo)

    def mask(self, version: NDArray[Any], hi: NDArray[Any], lo: NDArray[Any]) -> NDArray[np.bool_]:
        """Which rows lie in the range."""
        low_hi, low_lo = np.uint64(self.low_hi), np.uint64(self.low_lo)
        high_hi, high_lo = np.uint64(self.high_hi), np.uint64(self.high_lo)
        if low_hi == high_hi:
            inside = (hi == low_hi) & ((lo == low_lo) if low_lo == high_lo else (lo >= low_lo) & (lo <= high_lo))
        else:
            inside = ((hi > low_hi) | ((hi == low_hi) & (lo >= low_lo))) & (
                (hi < high_hi) | ((hi == high_hi) & (lo <= high_lo))
            )
        result: NDArray[np.bool_] = inside & (version == self.version)
        return result


def halves(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int]:
    """The (hi, lo) pair of an address."""
    if address.version == 4:
        return 0, V4_PREFIX | int(address)
    return int(address) >> 64, int(address) & _MASK64


@lru_cache(maxsize=1 << 16)
def format_address(hi: int, lo: int, ip_version: int) -> str | None:
    """The text of an address; None where there is none (`ip_version` 0)."""
    if ip_version == 4:
        return f"{lo >> 24 & 255}.{lo >> 16 & 255}.{lo >> 8 & 255}.{lo & 255}"
    if ip_version != 6:
        return None
    if hi == 0 and lo >> 32 == 0xFFFF:  # RFC 5952 § 5: the well-known mapped prefix keeps its dots
        return f"::ffff:{lo >> 24 & 255}.{lo >> 16 & 255}.{lo >> 8 & 255}.{lo & 255}"
    if hi:  # no IPv4 address inside, which the system would write in its own way
        return inet_ntop(AF_INET6, _HALVES.pack(hi, lo))
    value = hi << 64 | lo
    return _compress([value >> shift & 0xFFFF for shift in range(112, -1, -16)])


def _compress(groups: list[int]) -> str:
    """RFC 5952 § 4: the first longest run of at least two zero groups becomes `::`."""
    best_start, best_length, run_start = 0, 1, -1
    for position, group in enumerate([*groups, 1]):
        if group == 0:
            if run_start < 0:
                run_start = position
        elif run_start >= 0:
            if position - run_start > best_length:
                best_start, best_length = run_start, position - run_start
            run_start = -1
    if best_length < 2:
        return ":".join([f"{group:x}" for group in groups])
    before = ":".join([f"{group:x}" for group in groups[:best_start]])
    after = ":".join([f"{group:x}" for group in groups[best_start + best_length :]])
    return f"{before}::{after}"


def format_addresses(hi: NDArray[Any], lo: NDArray[Any], ip_version: NDArray[Any]) -> list[str | None]:
    """The texts of whole columns; addresses that repeat cost a look-up."""
    return [format_address(*key) for key in zip(hi.tolist(), lo.tolist(), ip_version.tolist(), strict=True)]


def parse_address(text: str) -> tuple[int, int, int]:
    """(version, hi, lo) of an address; ValueError when the text is none (zone identifiers are none either)."""
    if len(text) > _LONGEST_TEXT or "%" in text:
        raise ValueError("not an IP address")
    address = ipaddress.ip_address(text)
    hi, lo = halves(address)
    return address.version, hi, lo


def parse_network(text: str) -> AddressRange:
    """The range that an address, a CIDR prefix (host bits may be set) or a pattern like `192.168.*` names; ValueError otherwise."""
    if len(text) > _LONGEST_TEXT or "%" in text:
        raise ValueError("not an IP address or network")
    if "*" in text:
        text = _prefix_of_pattern(text)
    if "/" not in text:
        version, hi, lo = parse_address(text)
        return AddressRange(version, hi, lo, hi, lo)
    network = ipaddress.ip_network(text, strict=False)
    low_hi, low_lo = halves(network.network_address)
    high_hi, high_lo = halves(network.broadcast_address)
    return AddressRange(network.version, low_hi, low_lo, high_hi, high_lo)


def _prefix_of_pattern(text: str) -> str:
    """`10.1.*` and `10.1.*.*` are 10.1.0.0/16: only whole trailing octets may be open."""
    octets = text.split(".")
    known = [octet for octet in octets if octet != "*"]
    if len(octets) > 4 or not known or octets[: len(known)] != known:
        raise ValueError("not an IP address or network")
    return ".".join(known + ["0"] * (4 - len(known))) + f"/{8 * len(known)}"


def range_between(low: str, high: str) -> AddressRange:
    """The range from one address to another of the same version; ValueError otherwise."""
    first, last = parse_network(low), parse_network(high)
    if first.version != last.version:
        raise ValueError("both ends of an address range need the same IP version")
    if (last.high_hi, last.high_lo) < (first.low_hi, first.low_lo):
        raise ValueError("the range ends before it starts")
    return AddressRange(first.version, first.low_hi, first.low_lo, last.high_hi, last.high_lo)

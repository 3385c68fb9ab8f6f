"""What kind of address it is: global, private, link-local, multicast, for documentation … (IANA special-purpose registries, RFC 6890).

Pure look-ups over the address alone, as scalars for a page and as columns for the mirror. Only global addresses have a place in the world: the
others mean another host in each network, whatever a database says of them.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.wire.addresses import parse_address

_MAPPED: Final = 0xFFFF  # low half of ::ffff:0:0/96, shifted by 32 (RFC 4291 § 2.5.5.2)

SCOPES: Final = (
    "global",
    "private",
    "shared",  # between a provider's translator and its customers
    "loopback",
    "link_local",
    "multicast",
    "broadcast",
    "unspecified",
    "documentation",
    "benchmarking",
    "reserved",
)
GLOBAL: Final = 0
NO_ADDRESS: Final = 255  # the code of a row without an address

# The IANA registries of special-purpose addresses, multicast and what is not given out; a longer prefix wins.
_SPECIAL_V4: Final = """
0.0.0.0/8 reserved          0.0.0.0/32 unspecified      10.0.0.0/8 private          100.64.0.0/10 shared
127.0.0.0/8 loopback        169.254.0.0/16 link_local   172.16.0.0/12 private       192.0.0.0/24 reserved
192.0.0.9/32 global         192.0.0.10/32 global        192.0.2.0/24 documentation  192.168.0.0/16 private
198.18.0.0/15 benchmarking  198.51.100.0/24 documentation  203.0.113.0/24 documentation  224.0.0.0/4 multicast
240.0.0.0/4 reserved        255.255.255.255/32 broadcast
"""
# IPv6 by the high half; what differs in the low half (::, ::1, mapped IPv4) is handled apart. Unicast is given out of 2000::/3 (RFC 4291 § 2.4).
_SPECIAL_V6: Final = """
::/0 reserved              2000::/3 global            64:ff9b::/64 global         64:ff9b:1::/48 private
100::/64 reserved          2001::/23 reserved         2001::/32 global            2001:1::/64 global
2001:2::/48 benchmarking   2001:3::/32 global         2001:4:112::/48 global      2001:20::/28 reserved
2001:db8::/32 documentation  3fff::/20 documentation  fc00::/7 private            fe80::/10 link_local
ff00::/8 multicast
"""


def scope(text: str) -> str:
    """One of SCOPES for an address (a zone is left out). `ValueError` where the text is no address."""
    version, high, low = parse_address(text.partition("%")[0])
    codes = scopes(np.array([version], np.uint8), np.array([high], np.uint64), np.array([low], np.uint64))
    return SCOPES[int(codes[0])]


def scopes(version: NDArray[Any], high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Index into SCOPES of each address (IP version, halves); NO_ADDRESS where the version is neither 4 nor 6."""
    starts4, codes4 = _steps(_SPECIAL_V4, 0)
    starts6, codes6 = _steps(_SPECIAL_V6, 64)
    is_four = (high == np.uint64(0)) & (low >> np.uint64(32) == np.uint64(_MAPPED))  # IPv4, and IPv6 that means it
    four = codes4[np.searchsorted(starts4, low & np.uint64(0xFFFFFFFF), "right") - 1]
    six = codes6[np.searchsorted(starts6, high, "right") - 1]
    six[(high == np.uint64(0)) & (low == np.uint64(0))] = SCOPES.index("unspecified")
    six[(high == np.uint64(0)) & (low == np.uint64(1))] = SCOPES.index("loopback")
    found = np.where(is_four, four, six)
    found[(version != 4) & (version != 6)] = NO_ADDRESS
    return np.asarray(found)


@lru_cache(maxsize=2)
def _steps(table: str, shift: int) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """First addresses (their high halves with `shift` 64) from which on a code holds, and the codes."""
    words = table.split()
    rows: list[tuple[IPv4Network | IPv6Network, str]] = [
        (ip_network(network), name) for network, name in zip(words[::2], words[1::2], strict=True)
    ]
    rows.sort(key=lambda row: row[0].prefixlen)  # longer ones are written over shorter ones
    borders = {0}
    for network, _ in rows:
        borders |= {int(network.network_address) >> shift, (int(network.broadcast_address) >> shift) + 1}
    limit = 1 << (32 if shift == 0 else 64)
    starts = sorted(border for border in borders if border < limit)
    codes = np.zeros(len(starts), np.uint8)
    for network, name in rows:
        first, last = int(network.network_address) >> shift, int(network.broadcast_address) >> shift
        codes[[first <= start <= last for start in starts]] = SCOPES.index(name)
    return np.array(starts, np.uint64), codes


# First address and prefix length of what counts as inside: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291, RFC 1122.
_V4_INSIDE: Final = (
    (0x0A000000, 8),
    (0xAC100000, 12),
    (0xC0A80000, 16),
    (0x64400000, 10),
    (0xA9FE0000, 16),
    (0x7F000000, 8),
)


def is_local_network(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Per address (halves), whether it belongs to a private, link-local or loopback network."""
    mapped = (high == np.uint64(0)) & (low >> np.uint64(32) == np.uint64(_MAPPED))
    inside = np.zeros(len(high), np.bool_)
    for network, bits in _V4_INSIDE:
        shift = np.uint64(32 - bits)
        inside |= (low & np.uint64(0xFFFFFFFF)) >> shift == np.uint64(network) >> shift
    top = high >> np.uint64(48)
    unique_local = top >> np.uint64(9) == np.uint64(0xFC00 >> 9)  # fc00::/7
    link_local = top >> np.uint64(6) == np.uint64(0xFE80 >> 6)  # fe80::/10
    loopback = (high == np.uint64(0)) & (low == np.uint64(1))
    return np.asarray((mapped & inside) | unique_local | link_local | loopback)

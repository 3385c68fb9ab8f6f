"""What kind of address it is: this machine, private, link-local, multicast … (IANA special-purpose registries).

Pure look-ups over the address alone, as scalars for a page and as columns for the mirror.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MAPPED: Final = 0xFFFF00000000


def scope(text: str) -> str:
    """`loopback`, `link_local`, `multicast`, `broadcast`, `unspecified`, `private`, `reserved` or `global`."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_multicast:
        return "multicast"
    if address.is_link_local:
        return "link_local"
    if address == IPv4Address("255.255.255.255"):
        return "broadcast"
    if address.is_private:
        return "private"
    return "reserved" if address.is_reserved else "global"


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
    mapped = (high == np.uint64(0)) & (low >> np.uint64(32) == np.uint64(_MAPPED >> 32))
    inside = np.zeros(len(high), np.bool_)
    for network, bits in _V4_INSIDE:
        shift = np.uint64(32 - bits)
        inside |= (low & np.uint64(0xFFFFFFFF)) >> shift == np.uint64(network) >> shift
    top = high >> np.uint64(48)
    unique_local = top >> np.uint64(9) == np.uint64(0xFC00 >> 9)  # fc00::/7
    link_local = top >> np.uint64(6) == np.uint64(0xFE80 >> 6)  # fe80::/10
    loopback = (high == np.uint64(0)) & (low == np.uint64(1))
    return np.asarray((mapped & inside) | unique_local | link_local | loopback)

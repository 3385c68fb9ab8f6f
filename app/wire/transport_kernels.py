"""Transport headers other than TCP and UDP: what stands in the place of ports."""

from __future__ import annotations

import numpy as np
from numba import njit

from app.wire import codes as c
from app.wire.load_kernels import load16

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def counterpart(icmp_type, version):
    """The type that answers an ICMP or ICMPv6 type (Community ID v1, both directions), -1 for one-way types."""
    if version == 4:
        if icmp_type == 8 or icmp_type == 0:
            return 8 - icmp_type
        if 13 <= icmp_type <= 18:
            return ((icmp_type - 13) ^ 1) + 13
        if icmp_type == 9 or icmp_type == 10:
            return 19 - icmp_type
        return -1
    if 128 <= icmp_type <= 131 or icmp_type == 144 or icmp_type == 145:
        return icmp_type ^ 1
    if icmp_type == 133 or icmp_type == 135 or icmp_type == 139:
        return icmp_type + 1
    if icmp_type == 134 or icmp_type == 136 or icmp_type == 140:
        return icmp_type - 1
    return -1


@njit(**_OPTIONS)
def small_transport(buf, pos, end, protocol):
    """ICMP, ICMPv6 and SCTP: (source "port", destination "port", header size or -1, layer bits, kind bits).

    Of ICMP the type and the type of its counterpart, or for one-way types the code, stand for the ports."""
    if protocol == 132:
        if pos + 12 > end:
            return 0, 0, -1, 0, 0
        return load16(buf, pos), load16(buf, pos + 2), 12, c.B_SCTP, 0
    bits = c.B_ICMP if protocol == 1 else c.B_ICMPV6
    if pos + 2 > end:
        return 0, 0, -1, bits, 0
    icmp_type = np.int64(buf[pos])
    other = counterpart(icmp_type, 4 if protocol == 1 else 6)
    if other < 0:
        return icmp_type, np.int64(buf[pos + 1]), 8, bits, c.KIND_ONE_WAY
    return icmp_type, other, 8, bits, 0


@njit(**_OPTIONS)
def layer_of(protocol):
    """Layer bit of an IP protocol that is not read further."""
    if protocol == 2:
        return c.B_IGMP
    if protocol == 50:
        return c.B_ESP
    if protocol == 89:
        return c.B_OSPF
    if protocol == 103:
        return c.B_PIM
    return 0 if protocol == 59 else c.B_OTHER

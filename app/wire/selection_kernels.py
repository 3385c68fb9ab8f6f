"""One pass over a decoded block: which of its packets belong to which selection."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-overload"

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, njit, types

from app.model.layers import KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT, LAYER_BIT
from app.native.declare import kernel
from app.wire import selection_layout as at
from app.wire.records import PACKET_DTYPE

_OPTIONS = {"nogil": True, "error_model": "numpy"}
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
LAYER_ARP, LAYER_DNS, LAYER_IGMP = LAYER_BIT["arp"], LAYER_BIT["dns"], LAYER_BIT["igmp"]
RAW_1, RAW_2, RAW_3 = at.RAW_LINKS


def _is_odd(flags: int) -> bool:
    """None, FIN without ACK, SYN with FIN or RST, FIN with PSH and URG, SYN with URG."""
    return (
        flags & (FIN | ACK | SYN | RST) == FIN
        or flags & (SYN | FIN) == SYN | FIN
        or flags & (SYN | RST) == SYN | RST
        or flags & (FIN | PSH | URG | ACK) == FIN | PSH | URG
        or flags & (SYN | URG) == SYN | URG
        or flags & (SYN | ACK | RST | FIN) == 0
    )


IS_ODD = np.array([_is_odd(flags) for flags in range(64)])

SIGNATURE = types.intp(
    types.uint8[::1],
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.int64[:, ::1],
    types.int64[::1],
)


@njit(forceinline=True, **_OPTIONS)
def put(lists, counts, which, i):
    lists[which, counts[which]] = i
    counts[which] += 1


@njit(forceinline=True, **_OPTIONS)
def is_dhcp(port):
    return port == 67 or port == 68 or port == 546 or port == 547


@njit(**_OPTIONS)
def has_options(data, p):
    """An IPv4 header longer than 20 bytes; IPv6 with a hop-by-hop, routing or destination header."""
    if p.link_type == at.ETHERNET:
        begin = int64(18 if p.vlan != 0 else 14)
    elif p.link_type == RAW_1 or p.link_type == RAW_2 or p.link_type == RAW_3:
        begin = int64(0)
    else:
        return False
    if p.ip_version == 0 or int64(p.cap_len) < begin + 20:
        return False
    place = int64(p.offset) + begin
    first = data[place]
    if first >> 4 == 6:
        following = data[place + 6]
        return following == 0 or following == 43 or following == 60
    return first > 0x45 and first < 0x50


@njit(**_OPTIONS)
def mark_tcp(p, lists, counts, i):
    """The selections of a TCP packet that is not the plain middle of a connection."""
    flags = int64(p.tcp_flags)
    put(lists, counts, at.TCP_MARKED, i)
    if flags & (SYN | ACK | RST | FIN) == SYN:
        put(lists, counts, at.SYN, i)
    if flags & (SYN | ACK | RST | FIN) == SYN | ACK:
        put(lists, counts, at.SYN_ACK, i)
    if flags & (RST | SYN) == RST:
        put(lists, counts, at.RST, i)
    if IS_ODD[flags & 63]:
        put(lists, counts, at.TCP_ODD, i)


@kernel(SIGNATURE)
def choose_packets(data, packets, n, lists, counts):
    """Write the places of packets[:n] that belong to selection k to lists[k, :counts[k]], in rising order. lists: int64[selections, at least n];
    counts: int64[selections]. Returns how many are rare."""
    for k in range(len(counts)):
        counts[k] = 0
    for i in range(n):
        p = packets[i]
        protocol, kind, layers = int64(p.protocol), int64(p.kind), int64(p.layers)
        flags = int64(p.tcp_flags)
        whole = kind & KIND_LATER_FRAGMENT == 0
        plain = protocol == 17 or (protocol == 6 and flags & (FIN | SYN | RST | ACK) == ACK)
        rare = not plain or kind & (KIND_FIRST_OF_FLOW | KIND_FRAGMENT) != 0 or layers & LAYER_ARP != 0
        if p.reason != 0:
            put(lists, counts, at.UNDECODED, i)
        if layers & LAYER_DNS:
            put(lists, counts, at.DNS, i)
        if protocol == 17 and whole:
            put(lists, counts, at.UDP, i)
            if is_dhcp(p.src_port) or is_dhcp(p.dst_port):
                put(lists, counts, at.DHCP, i)
        if (rare or i % at.EVERY == 0) and has_options(data, p):
            put(lists, counts, at.IP_OPTIONS, i)
        if not rare:
            if protocol == 6 and int64(p.window) < at.NARROW and p.payload_len == 0:
                put(lists, counts, at.TCP_NARROW, i)
            continue
        put(lists, counts, at.RARE, i)
        if layers & LAYER_ARP:
            put(lists, counts, at.ARP, i)
        if layers & LAYER_IGMP:
            put(lists, counts, at.IGMP, i)
        if kind & KIND_FRAGMENT:
            put(lists, counts, at.FRAGMENTS, i)
        if kind & KIND_FIRST_OF_FLOW:
            put(lists, counts, at.FIRST, i)
            if protocol == 6:
                put(lists, counts, at.FIRST_TCP, i)
            elif protocol == 17:
                put(lists, counts, at.FIRST_UDP, i)
        if protocol == 6:
            if whole and (flags & (FIN | SYN | RST) != 0 or flags & ACK == 0):
                mark_tcp(p, lists, counts, i)
        elif protocol == 1 or protocol == 58:
            if whole:
                put(lists, counts, at.ICMP, i)
                if protocol == 58:
                    put(lists, counts, at.ICMPV6, i)
        elif protocol != 17 and p.ip_version != 0:
            put(lists, counts, at.OTHER_IP, i)
    return int64(counts[at.RARE])

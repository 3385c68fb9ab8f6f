"""Tunnels and IPv6 extension headers: what is inside, and where; and the numbers that tell tunnels apart.

Each function takes (buf, pos, end), checks every length against `end` and says what follows: (next code, position), or a position
alone with -1 for "not one". The decoder's loop is in `app.wire.decode_kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from app.wire.codes import (
    B_AH,
    B_GENEVE,
    B_GTP,
    B_TEREDO,
    B_VXLAN,
    BRIDGED,
    CISCO_METADATA,
    CISCO_WCCP,
    DONE,
    ERSPAN_2,
    ERSPAN_3,
    ETHERNET,
    GRE_PPP,
    IPV4,
    IPV6,
    MPLS,
    NSH,
    PORT_CAPWAP,
    PORT_GENEVE,
    PORT_GTP_U,
    PORT_L2TP,
    PORT_MPLS,
    PORT_TEREDO,
    PORT_VXLAN,
    PORT_VXLAN_GPE,
    PPP,
    PROTOCOL_ETHER_IP,
    PROTOCOL_PIM,
    RAW_IP,
    WLAN,
)
from app.wire.load_kernels import load16, load32, multiply_high

MIX = uint64(0x9E3779B97F4A7C15)

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def tunnel_id(src_hi, src_lo, dst_hi, dst_lo, kind, network):
    """Both directions of a tunnel give the same number: addresses enter as sum, `network` is the VNI or 0."""
    return (
        multiply_high((src_lo + dst_lo) ^ MIX, (src_hi + dst_hi + uint64(kind)) ^ uint64(network) ^ MIX)
        & uint64(0x7FFFFFFF)
    ) | uint64(1)


@njit(**_OPTIONS)
def gre_header(buf, pos, end):
    """GRE (RFC 2784, 2890; version 1: RFC 2637) and ERSPAN in it: (next code, position)."""
    if pos + 4 > end:
        return DONE, end
    flags = load16(buf, pos)
    protocol = load16(buf, pos + 2)
    size = 4
    if flags & 0xC000:  # checksum or routing present: both fields are there
        size += 4
    if flags & 0x2000:
        size += 4
    if flags & 0x1000:
        size += 4
    if flags & 7 == 1 and flags & 0x0080:  # PPTP: acknowledgement
        size += 4
    if pos + size > end:
        return DONE, end
    pos += size
    if protocol == BRIDGED:
        return ETHERNET, pos
    if protocol == ERSPAN_2:
        return ETHERNET, pos + 8 if flags & 0x1000 else pos
    if protocol == ERSPAN_3:
        return ETHERNET, pos + 12 if pos + 12 > end or buf[pos + 11] & 1 == 0 else pos + 20
    if protocol == GRE_PPP:
        return PPP, pos
    if protocol == CISCO_METADATA:  # here the EtherType stands before the tag
        return (load16(buf, pos), pos + 8) if pos + 8 <= end else (DONE, end)
    if protocol == CISCO_WCCP:  # version 2 of WCCP has a redirect header of four bytes before the packet
        return IPV4, pos if pos < end and buf[pos] >> 4 == 4 else pos + 4
    return protocol, pos


@njit(**_OPTIONS)
def geneve_header(buf, pos, end):
    """GENEVE (RFC 8926): (next code, position, VNI)."""
    if pos + 8 > end or buf[pos] >> 6 != 0:
        return DONE, end, 0
    size = 8 + (buf[pos] & 0x3F) * 4
    protocol = load16(buf, pos + 2)
    if pos + size > end:
        return DONE, end, 0
    return ETHERNET if protocol == BRIDGED else protocol, pos + size, load32(buf, pos + 4) >> 8


@njit(**_OPTIONS)
def gtp_header(buf, pos, end):
    """GTP-U version 1, message G-PDU (3GPP TS 29.281): position of the inner IP packet, or -1."""
    if pos + 8 > end or buf[pos] & 0xF0 != 0x30 or buf[pos + 1] != 0xFF:
        return -1
    at = pos + 8
    if buf[pos] & 7:  # sequence, N-PDU number and next extension type are all there
        at += 4
        for _ in range(8):
            if at > end or buf[at - 1] == 0:
                break
            if at >= end:
                return -1
            size = buf[at] * 4
            if size == 0:
                return -1
            at += size
        if at <= end and buf[at - 1] != 0:
            return -1
    if at >= end:
        return -1
    version = buf[at] >> 4
    return at if version == 4 or version == 6 else -1


@njit(**_OPTIONS)
def teredo_header(buf, pos, end):
    """Teredo (RFC 4380 § 5.1.1): position of the inner IPv6 packet after authentication and origin, or -1."""
    if pos + 4 <= end and buf[pos] == 0 and buf[pos + 1] == 1:
        pos += 13 + buf[pos + 2] + buf[pos + 3]
    if pos + 8 <= end and buf[pos] == 0 and buf[pos + 1] == 0:
        pos += 8
    if pos + 40 <= end and buf[pos] >> 4 == 6:
        return pos
    return -1


@njit(**_OPTIONS)
def options_fit(buf, pos, end):
    """Do the type-length-value options of a hop-by-hop or destination header (RFC 8200 § 4.2) stay inside the header?"""
    while pos < end:
        if buf[pos] == 0:  # Pad1 has no length
            pos += 1
        elif pos + 2 > end:
            return True
        else:
            pos += 2 + np.int64(buf[pos + 1])
    return pos <= end


@njit(**_OPTIONS)
def extension_headers(buf, pos, end, protocol):
    """IPv6 extension headers (RFC 8200 § 4): (protocol, position, fragment offset or -1, more, identification, layer bits).

    Protocol 255 = the chain is cut or has more than 16 headers."""
    offset, more, identification, bits = -1, 0, np.int64(0), 0
    for _ in range(16):
        if protocol == 0 or protocol == 43 or protocol == 60 or protocol == 140:
            if pos + 8 > end:
                return 255, end, offset, more, identification, bits
            following, size = np.int64(buf[pos]), (np.int64(buf[pos + 1]) + 1) * 8
            if (protocol == 0 or protocol == 60) and not options_fit(buf, pos + 2, min(pos + size, end)):
                return 255, end, offset, more, identification, bits
            protocol = following
            pos += size
        elif protocol == 44:
            if pos + 8 > end:
                return 255, end, offset, more, identification, bits
            value = load16(buf, pos + 2)
            identification = load32(buf, pos + 4)
            protocol = np.int64(buf[pos])
            pos += 8
            if value & 0xFFF9:  # an atomic fragment (RFC 6946) is a whole packet
                offset, more = value >> 3, value & 1
                if offset > 0:
                    return protocol, pos, offset, more, identification, bits
        elif protocol == 51:
            bits |= B_AH
            if pos + 8 > end:
                return 255, end, offset, more, identification, bits
            protocol, size = np.int64(buf[pos]), (buf[pos + 1] + 2) * 4
            pos += size
        else:
            return protocol, pos, offset, more, identification, bits
        if pos > end:
            return 255, end, offset, more, identification, bits
    return 255, end, offset, more, identification, bits


@njit(**_OPTIONS)
def vxlan_gpe_header(buf, pos, end):
    """VXLAN with a next-protocol field (draft-ietf-nvo3-vxlan-gpe): (next code, position, VNI)."""
    if pos + 8 > end or buf[pos] & 0x04 == 0:
        return DONE, end, 0
    kind = buf[pos + 3]
    network = load32(buf, pos + 4) >> 8
    if kind == 1:
        return IPV4, pos + 8, network
    if kind == 2:
        return IPV6, pos + 8, network
    if kind == 3:
        return ETHERNET, pos + 8, network
    if kind == 4:
        return NSH, pos + 8, network
    return DONE, end, 0


@njit(**_OPTIONS)
def l2tp_header(buf, pos, end):
    """L2TP version 2 data message (RFC 2661 § 3.1): position of the PPP frame, or -1."""
    if pos + 6 > end:
        return -1
    flags = load16(buf, pos)
    if flags & 0x8000 or flags & 0xF != 2:
        return -1
    at = pos + 6
    if flags & 0x4000:
        at += 2
    if flags & 0x0800:
        at += 4
    if flags & 0x0200:
        if at + 2 > end:
            return -1
        at += 2 + load16(buf, at)
    return at if at < end else -1


@njit(**_OPTIONS)
def capwap_header(buf, pos, end):
    """CAPWAP data (RFC 5415 § 4.3), not in DTLS, whole: (next code, position or -1)."""
    if pos + 8 > end or buf[pos] != 0:
        return DONE, -1
    size = (buf[pos + 1] >> 3) * 4
    if buf[pos + 3] & 0x88 or size < 8 or pos + size >= end:  # a fragment, or a keep-alive
        return DONE, -1
    if buf[pos + 2] & 1 == 0:
        return ETHERNET, pos + size
    return (WLAN, pos + size) if buf[pos + 2] >> 1 & 0x1F == 1 else (DONE, -1)


@njit(**_OPTIONS)
def rare_tunnel(buf, pos, end, protocol):
    """PIM register (RFC 7761 § 4.9.3), EtherIP (RFC 3378), Ethernet in IPv6 (RFC 8986 § 4.9): (next code, position), DONE for nothing inside."""
    if protocol == PROTOCOL_PIM:
        if pos + 9 > end or buf[pos] != 0x21 or buf[pos + 4] & 0x40:  # 0x40: a null register, without a packet
            return DONE, end
        return RAW_IP, pos + 8
    if protocol == PROTOCOL_ETHER_IP:
        return (ETHERNET, pos + 2) if pos + 16 <= end and load16(buf, pos) == 0x3000 else (DONE, end)
    return ETHERNET, pos


@njit(**_OPTIONS)
def udp_tunnel(buf, pos, end, src_port, dst_port):
    """What a UDP payload at `pos` carries, told by its ports: (next code, position or -1, network, layer bits)."""
    if dst_port == PORT_VXLAN:
        if pos + 8 <= end and buf[pos] & 0x08:
            return ETHERNET, pos + 8, load32(buf, pos + 4) >> 8, B_VXLAN
    elif dst_port == PORT_VXLAN_GPE:
        code, at, network = vxlan_gpe_header(buf, pos, end)
        if code != DONE:
            return code, at, network, 0
    elif dst_port == PORT_L2TP:
        return PPP, l2tp_header(buf, pos, end), 0, 0
    elif dst_port == PORT_CAPWAP or src_port == PORT_CAPWAP:
        code, at = capwap_header(buf, pos, end)
        return code, at, 0, 0
    elif dst_port == PORT_MPLS:  # RFC 7510
        return MPLS, pos if pos + 4 <= end else -1, 0, 0
    elif dst_port == PORT_GENEVE:
        code, at, network = geneve_header(buf, pos, end)
        if code != DONE:
            return code, at, network, B_GENEVE
    elif dst_port == PORT_GTP_U or src_port == PORT_GTP_U:
        at = gtp_header(buf, pos, end)
        if at >= 0:
            return RAW_IP, at, 0, B_GTP
    elif dst_port == PORT_TEREDO or src_port == PORT_TEREDO:
        at = teredo_header(buf, pos, end)
        if at >= 0:
            return IPV6, at, 0, B_TEREDO
    return DONE, -1, 0, 0

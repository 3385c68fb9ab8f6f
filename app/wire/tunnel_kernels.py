"""Headers between the link layer and the innermost IP packet: label stacks, PPP, LLC, tunnels, IPv6 extension headers.

Each function takes (buf, pos, end), checks every length against `end` and says what follows: (next code, position), or a position
alone with -1 for "not one". Plain indexing where speed does not matter; the decoder's loop is in `app.wire.decode_kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from app.wire import codes
from app.wire.load_kernels import load16, load32

B_AH = codes.BIT["ah"]
IPV4, IPV6, MPLS, DONE, ETHERNET, PPP = codes.IPV4, codes.IPV6, codes.MPLS, codes.DONE, codes.ETHERNET, codes.PPP
BRIDGED, GRE_PPP, ERSPAN_2, ERSPAN_3, CISCO_WCCP = (
    codes.BRIDGED,
    codes.GRE_PPP,
    codes.ERSPAN_2,
    codes.ERSPAN_3,
    codes.CISCO_WCCP,
)
CISCO_METADATA, NSH = codes.CISCO_METADATA, codes.NSH
_OPTIONS = {"nogil": True, "error_model": "numpy"}


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
def mpls_stack(buf, pos, end):
    """Label stack (RFC 3032): position after the entry with the bottom bit, or -1."""
    for _ in range(16):
        if pos + 4 > end:
            return -1
        pos += 4
        if buf[pos - 2] & 1:
            return pos
    return -1


@njit(**_OPTIONS)
def mpls_payload(buf, pos, end):
    """What follows a label stack is told by its first nibble (RFC 4928): IP, or a pseudowire with or without control word."""
    if pos >= end:
        return DONE, end
    nibble = buf[pos] >> 4
    if nibble == 4:
        return IPV4, pos
    if nibble == 6:
        return IPV6, pos
    if nibble == 0 and pos + 18 <= end:  # RFC 4385 control word
        return ETHERNET, pos + 4
    if nibble == 1:
        return DONE, end
    return ETHERNET, pos


@njit(**_OPTIONS)
def llc_header(buf, pos, end):
    """IEEE 802.2 with SNAP (RFC 1042) or IP (SAP 0x06): (next code, position)."""
    if pos + 3 > end:
        return DONE, end
    if buf[pos] == 0xAA and buf[pos + 1] == 0xAA and buf[pos + 2] == 3:
        if pos + 8 > end:
            return DONE, end
        if buf[pos + 3] == 0x00 and buf[pos + 4] == 0x80 and buf[pos + 5] == 0xC2:  # bridged frames, RFC 2684 § 5.2
            kind = load16(buf, pos + 6)
            if kind == 1 or kind == 7:
                return ETHERNET, pos + (10 if kind == 1 or kind == 7 else 8)
            return DONE, end
        return load16(buf, pos + 6), pos + 8
    if buf[pos] == 6 and buf[pos + 1] == 6:
        return IPV4, pos + 3
    return DONE, end


@njit(**_OPTIONS)
def ppp_header(buf, pos, end):
    """PPP (RFC 1661, 1662): optional address and control, one or two bytes of protocol."""
    if pos + 2 <= end and buf[pos] == 0xFF and buf[pos + 1] == 0x03:
        pos += 2
    if pos >= end:
        return DONE, end
    if buf[pos] & 1:
        protocol = np.int64(buf[pos])
        pos += 1
    elif pos + 2 <= end:
        protocol = load16(buf, pos)
        pos += 2
    else:
        return DONE, end
    if protocol == 0x21:
        return IPV4, pos
    if protocol == 0x57:
        return IPV6, pos
    if protocol == 0x281 or protocol == 0x283:
        return MPLS, pos
    if protocol == 0x31:  # bridging, RFC 3518: flags, MAC type
        return ETHERNET, pos + 2
    return DONE, end


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
def nsh_header(buf, pos, end):
    """Network Service Header (RFC 8300 § 2.2): (next code, position)."""
    if pos + 8 > end:
        return DONE, end
    size = (load16(buf, pos) & 0x3F) * 4
    kind = buf[pos + 3]
    if size < 8 or pos + size > end:
        return DONE, end
    if kind == 1:
        return IPV4, pos + size
    if kind == 2:
        return IPV6, pos + size
    if kind == 3:
        return ETHERNET, pos + size
    if kind == 5:
        return MPLS, pos + size
    return DONE, end


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

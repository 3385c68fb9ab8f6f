"""Headers between the link layer and IP: label stacks, PPP, LLC, tags of switches.

`lower_header` reads one of them and says what follows. These are rare; the loop of the decoder calls it as a function.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from app.wire.codes import (
    ARISTA,
    B_LLC,
    B_MPLS,
    B_PPP,
    B_PPPOE,
    BRIDGED,
    CISCO_METADATA,
    DONE,
    ETHERNET,
    FABRIC_PATH,
    IPV4,
    IPV6,
    LLC,
    MACSEC,
    MPLS,
    MPLS_MULTICAST,
    NSH,
    PBB,
    PPP,
    PPPOE,
    R_BAD_IP,
    R_ENCRYPTED,
    R_IP,
    R_LINK,
    RAW_IP,
    VN_TAG,
    WLAN,
)
from app.wire.link_kernels import wlan_data
from app.wire.load_kernels import load16, load32

_OPTIONS = {"nogil": True, "error_model": "numpy"}


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
def macsec_header(buf, pos, end):
    """MACsec security tag (IEEE 802.1AE § 9.3): what is only signed can be read. (next code, position, layer bits, reason or 0)."""
    if pos + 6 > end:
        return DONE, end, 0, R_LINK
    control = buf[pos]
    if control & 0x8C:  # another version, encrypted, or changed
        return DONE, end, 0, R_ENCRYPTED
    size = 14 if control & 0x20 else 6  # with the secure channel's identifier
    if pos + size + 2 > end:
        return DONE, end, 0, R_LINK
    return load16(buf, pos + size), pos + size + 2, 0, 0


@njit(**_OPTIONS)
def arista_header(buf, pos, end):
    """Time stamp that Arista's switches put behind the addresses: subtype 1, version 0x10 (64 bits) or 0x20 (48 bits): (next code, position)."""
    if pos + 4 > end or load16(buf, pos) != 1:
        return DONE, end
    version = load16(buf, pos + 2) & 0xF0
    size = 12 if version == 0x10 else 10 if version == 0x20 else 0
    if size == 0 or pos + size + 2 > end:
        return DONE, end
    return load16(buf, pos + size), pos + size + 2


@njit(forceinline=True, **_OPTIONS)
def is_lower_header(nxt):
    """Is this a header between the link layer and IP that `lower_header` reads?"""
    return (
        nxt == LLC
        or nxt == MPLS
        or nxt == MPLS_MULTICAST
        or nxt == PPPOE
        or nxt == PPP
        or nxt == WLAN
        or nxt == PBB
        or nxt == VN_TAG
        or nxt == CISCO_METADATA
        or nxt == BRIDGED
        or nxt == FABRIC_PATH
        or nxt == NSH
        or nxt == MACSEC
        or nxt == ARISTA
        or nxt == RAW_IP
    )


@njit(**_OPTIONS)
def lower_header(buf, nxt, pos, end):
    """One such header: (next code, position, layer bits, reason or 0). DONE: nothing that we read follows."""
    if nxt == LLC:
        code, at = llc_header(buf, pos, end)
        return code, at, B_LLC, 0
    if nxt == RAW_IP:
        if pos >= end:
            return DONE, end, 0, R_IP
        version = buf[pos] >> 4
        if version == 4:
            return IPV4, pos, 0, 0
        return (IPV6, pos, 0, 0) if version == 6 else (DONE, end, 0, R_BAD_IP)
    if nxt == MPLS or nxt == MPLS_MULTICAST:
        at = mpls_stack(buf, pos, end)
        if at < 0:
            return DONE, end, B_MPLS, R_LINK
        code, at = mpls_payload(buf, at, end)
        return code, at, B_MPLS, 0
    if nxt == PPPOE:
        return (PPP, pos + 6, B_PPPOE, 0) if pos + 6 <= end else (DONE, end, B_PPPOE, R_LINK)
    if nxt == PPP:
        code, at = ppp_header(buf, pos, end)
        return code, at, B_PPP, 0
    if nxt == WLAN:
        code, at, bits, why = wlan_data(buf, pos, end)
        return code, at, bits, why
    if nxt == PBB:  # service tag, then a customer's Ethernet frame
        return ETHERNET, pos + 4, 0, 0
    if nxt == VN_TAG:
        return (load16(buf, pos + 4), pos + 6, 0, 0) if pos + 6 <= end else (DONE, end, 0, R_LINK)
    if nxt == CISCO_METADATA:
        size = max(1, np.int64(buf[pos + 1])) * 4 + 2 if pos + 2 <= end else 0
        if size == 0 or pos + size + 2 > end:
            return DONE, end, 0, R_LINK
        return load16(buf, pos + size), pos + size + 2, 0, 0
    if nxt == FABRIC_PATH:  # tag, then the customer's frame
        return ETHERNET, pos + 2, 0, 0
    if nxt == NSH:
        code, at = nsh_header(buf, pos, end)
        return code, at, 0, 0
    if nxt == MACSEC:
        return macsec_header(buf, pos, end)
    if nxt == ARISTA:
        code, at = arista_header(buf, pos, end)
        return code, at, 0, 0
    return ETHERNET, pos, 0, 0  # BRIDGED


@njit(**_OPTIONS)
def arp_addresses(buf, pos, end):
    """Sender and target of an ARP packet for IPv4 (RFC 826): (address, address, are they there)."""
    if pos + 8 <= end and load16(buf, pos + 2) == IPV4 and buf[pos + 5] == 4:
        hardware = np.int64(buf[pos + 4])
        if pos + 16 + 2 * hardware <= end:
            return load32(buf, pos + 8 + hardware), load32(buf, pos + 12 + 2 * hardware), True
    return np.int64(0), np.int64(0), False

"""Link-layer headers that are not plain Ethernet: what follows, and where.

Each function takes (buf, pos, end) and returns (next code, position, layer bits); a header that does not fit gives next = DONE
with the position at `end`. Formats: tcpdump.org/linktypes.html and the RFCs named beside them. These are rare, so they are
compiled as functions of their own and use plain indexing; the decoder's loop stays small.
"""

from __future__ import annotations

from numba import njit

from app.wire import codes
from app.wire.load_kernels import load16, load32

_LLC_BIT = codes.B_LLC
_PPP_BIT = codes.B_PPP
_WLAN_BIT = codes.B_WLAN
_SLL_BIT = codes.B_SLL
_NULL_BIT = codes.B_NULL
_RAW_BIT = codes.B_RAW
_ENCRYPTED = codes.R_ENCRYPTED
_DONE, _IPV4, _IPV6, _LLC, _PPP, _RAW_IP, _WLAN, _ETHERNET, _ARP, _MPLS, _PPPOE = (
    codes.DONE,
    codes.IPV4,
    codes.IPV6,
    codes.LLC,
    codes.PPP,
    codes.RAW_IP,
    codes.WLAN,
    codes.ETHERNET,
    codes.ARP,
    codes.MPLS,
    codes.PPPOE,
)


@njit(nogil=True, error_model="numpy")
def little16(buf, pos):
    return buf[pos] | buf[pos + 1] << 8


@njit(nogil=True, error_model="numpy")
def little32(buf, pos):
    return buf[pos] | buf[pos + 1] << 8 | buf[pos + 2] << 16 | buf[pos + 3] << 24


@njit(nogil=True, error_model="numpy")
def family(number):
    """EtherType of an address family number of the BSDs, Linux or macOS; DONE for others."""
    if number == 2:
        return _IPV4
    if number == 10 or number == 24 or number == 26 or number == 28 or number == 30:
        return _IPV6
    return _DONE


@njit(nogil=True, error_model="numpy")
def null_header(buf, pos, end):
    """LINKTYPE_NULL and LOOP: address family in the byte order of the capturing host, which may not be ours."""
    if pos + 4 > end:
        return _DONE, end, _NULL_BIT
    number = little32(buf, pos)
    if number > 0xFFFF:
        number = load32(buf, pos)
    return family(number), pos + 4, _NULL_BIT


@njit(nogil=True, error_model="numpy")
def ether_type_or_llc(value):
    """SLL protocol field: an EtherType, or one of Linux's numbers below 0x600 (4 = 802.2 LLC)."""
    if value >= 0x600:
        return value
    return _LLC if value == 4 else _DONE


@njit(nogil=True, error_model="numpy")
def wlan_data(buf, pos, end):
    """IEEE 802.11 MAC header: only data frames carry packets, and only unprotected ones can be read. Returns reason > 0 for protected."""
    if pos + 24 > end:
        return _DONE, end, _WLAN_BIT, 1
    control, flags = buf[pos], buf[pos + 1]
    if control & 3 and flags & 3 == 0:  # version 0 is the only one: Cisco's access points swap the two bytes in CAPWAP
        control, flags = flags, control
    if control & 0x0C != 0x08 or control & 0x40:  # not a data frame, or one without data
        return _DONE, end, _WLAN_BIT, 0
    if flags & 0x40:
        return _DONE, end, _WLAN_BIT, _ENCRYPTED
    size = 24
    if flags & 3 == 3:
        size += 6
    aggregate = False
    if control & 0x80:
        if pos + size + 2 > end:
            return _DONE, end, _WLAN_BIT, 1
        aggregate = buf[pos + size] & 0x80 != 0
        size += 2
        if flags & 0x80:
            size += 4
    if aggregate:  # the first sub-frame of an A-MSDU: two addresses and a length stand before the LLC header
        size += 14
    return _LLC, pos + size, _WLAN_BIT, 0


@njit(nogil=True, error_model="numpy")
def radiotap(buf, pos, end):
    """Radiotap header (radiotap.org): only its length matters, and whether the 802.11 header is padded."""
    if pos + 8 > end:
        return _DONE, end, 0
    size = little16(buf, pos + 2)
    if size < 8 or pos + size > end:
        return _DONE, end, 0
    return _WLAN, pos + size, 0


@njit(nogil=True, error_model="numpy")
def nflog(buf, pos, end):
    """LINKTYPE_NFLOG: type-length-values, the packet is that of type 9 (NFULA_PAYLOAD). Lengths in host byte order."""
    if pos + 4 > end:
        return _DONE, end, 0
    at = pos + 4
    for _ in range(32):
        if at + 4 > end:
            break
        size = little16(buf, at)
        if size < 4:
            break
        if little16(buf, at + 2) & 0x7FFF == 9:
            return family(buf[pos]), at + 4, 0
        at += (size + 3) & ~3
    return _DONE, end, 0


@njit(nogil=True, error_model="numpy")
def frame_relay(buf, pos, end):
    """Q.922 address, then RFC 2427 (control 0x03, NLPID) or Cisco's EtherType."""
    at = pos
    for _ in range(4):  # address bytes end with the EA bit
        if at >= end:
            return _DONE, end, 0
        at += 1
        if buf[at - 1] & 1:
            break
    if at + 2 > end:
        return _DONE, end, 0
    if buf[at] != 0x03:
        return load16(buf, at), at + 2, 0
    at += 1
    if buf[at] == 0:  # padding before the NLPID
        at += 1
    if at >= end:
        return _DONE, end, 0
    nlpid = buf[at]
    if nlpid == 0xCC:
        return _IPV4, at + 1, 0
    if nlpid == 0x8E:
        return _IPV6, at + 1, 0
    if nlpid == 0x80 and at + 6 <= end:  # SNAP
        return load16(buf, at + 4), at + 6, 0
    return _DONE, end, 0


@njit(nogil=True, error_model="numpy")
def token_ring(buf, pos, end):
    """IEEE 802.5: access and frame control, addresses, optional source routing."""
    size = 14
    if pos + size + 2 > end:
        return _DONE, end, 0
    if buf[pos + 8] & 0x80:
        size += buf[pos + 14] & 0x1F
    return _LLC, pos + size, 0


@njit(nogil=True, error_model="numpy")
def arcnet(buf, pos, end):
    """LINKTYPE_ARCNET_LINUX: source, destination, offset, then RFC 1201 or RFC 1051."""
    if pos + 9 > end:
        return _DONE, end, 0
    kind = buf[pos + 4]
    if kind == 240 or kind == 241:  # RFC 1051: no fragment header
        return (_IPV4 if kind == 240 else _ARP), pos + 5, 0
    if kind != 212 and kind != 213 and kind != 196:
        return _DONE, end, 0
    at = pos + 8  # split flag, sequence number
    if buf[pos + 5] == 0xFF:  # exception frame: padding, then the real header
        at = pos + 12
    return (_IPV4 if kind == 212 else _ARP if kind == 213 else _IPV6), at, 0


@njit(nogil=True, error_model="numpy")
def inner_link_type(buf, pos, end, link_type):
    """Headers that name the link type of what follows: PPI (192), PKTAP (258). Returns (link type or -1, position)."""
    if link_type == 192 and pos + 8 <= end:
        size = little16(buf, pos + 2)
        if size >= 8 and pos + size <= end:
            return little32(buf, pos + 4), pos + size
    elif (link_type == 258 or link_type == 149) and pos + 12 <= end:
        size = little32(buf, pos)
        if 12 <= size <= end - pos:
            return little32(buf, pos + 8), pos + size
    return -1, end


@njit(nogil=True, error_model="numpy")
def juniper(buf, pos, end, link_type):
    """Juniper's header before Ethernet (178), PPP (179), frame relay (180), Cisco HDLC (181): magic, flags, extensions with their length."""
    if pos + 6 > end or buf[pos] != 0x4D or buf[pos + 1] != 0x47 or buf[pos + 2] != 0x43 or buf[pos + 3] & 0x02:
        return _DONE, end, 0
    at = pos + 4
    if buf[pos + 3] & 0x80:
        at += 2 + load16(buf, at)
    if at + 4 > end:
        return _DONE, end, 0
    if link_type == 178:
        return _ETHERNET, at, 0
    if link_type == 179:
        return _PPP, at, 0
    if link_type == 180:
        return frame_relay(buf, at, end)
    return load16(buf, at + 2), at + 4, 0


@njit(nogil=True, error_model="numpy")
def first_header(buf, pos, end, link_type):
    """(next code, position, layer bits) at the start of a frame of any link type; unknown link types give next = -1."""
    if link_type == 192 or link_type == 258 or link_type == 149:
        link_type, pos = inner_link_type(buf, pos, end, link_type)
        if link_type < 0:
            return _DONE, end, 0
    if link_type == 1:
        return _ETHERNET, pos, 0
    if link_type == 0 or link_type == 108:
        return null_header(buf, pos, end)
    if link_type == 101 or link_type == 12 or link_type == 14:
        return _RAW_IP, pos, _RAW_BIT
    if link_type == 228:
        return _IPV4, pos, 0
    if link_type == 229:
        return _IPV6, pos, 0
    if link_type == 113:
        if pos + 16 > end:
            return _DONE, end, _SLL_BIT
        return ether_type_or_llc(load16(buf, pos + 14)), pos + 16, _SLL_BIT
    if link_type == 276:
        if pos + 20 > end:
            return _DONE, end, _SLL_BIT
        return ether_type_or_llc(load16(buf, pos)), pos + 20, _SLL_BIT
    if link_type == 105:
        return _WLAN, pos, 0
    if link_type == 127:
        return radiotap(buf, pos, end)
    if link_type == 119:  # Prism: 144 bytes; or an AVS header under the same number
        if pos + 8 > end:
            return _DONE, end, 0
        size = load32(buf, pos + 4) if load32(buf, pos) & 0xFFFFF000 == 0x80211000 else 144
        if size < 8 or size > end - pos:
            return _DONE, end, 0
        return _WLAN, pos + size, 0
    if link_type == 163:  # AVS
        size = load32(buf, pos + 4) if pos + 8 <= end else 0
        if size < 8 or size > end - pos:
            return _DONE, end, 0
        return _WLAN, pos + size, 0
    hdlc = (link_type == 9 or link_type == 50) and pos + 2 <= end and buf[pos] & 0x7F == 0x0F and buf[pos + 1] == 0
    if link_type == 104 or hdlc:  # Cisco HDLC, on lines of PPP too: address (0x0F, 0x8F), control, EtherType
        if pos + 4 > end:
            return _DONE, end, 0
        kind = load16(buf, pos + 2)
        return (_DONE if kind == 0x8035 else kind), pos + 4, 0  # 0x8035 is SLARP here
    if link_type == 9 or link_type == 50:
        return _PPP, pos, 0
    if link_type == 166 or link_type == 204:  # one byte of direction
        return _PPP, pos + 1, 0
    if link_type == 51:
        return _PPPOE, pos, 0
    if link_type == 107:
        return frame_relay(buf, pos, end)
    if link_type == 10:  # FDDI: frame control, two addresses
        return _LLC, pos + 13, 0
    if link_type == 6:
        return token_ring(buf, pos, end)
    if link_type == 100:
        return _LLC, pos, 0
    if link_type == 123:  # SunATM: flags, VPI, VCI
        return _LLC, pos + 4, 0
    if link_type == 129:
        return arcnet(buf, pos, end)
    if link_type == 8:  # SLIP: direction and a compressed header
        return _RAW_IP, pos + 16, 0
    if link_type == 109:  # OpenBSD enc: family, SPI, flags
        if pos + 12 > end:
            return _DONE, end, 0
        return family(little32(buf, pos) if buf[pos] else load32(buf, pos)), pos + 12, 0
    if link_type == 117:  # pflog: its length, padded to four, then the family
        if pos + 4 > end:
            return _DONE, end, 0
        return family(buf[pos + 1]), pos + ((buf[pos] + 3) & ~3), 0
    if link_type == 138:  # IP over IEEE 1394
        if pos + 18 > end:
            return _DONE, end, 0
        return load16(buf, pos + 16), pos + 18, 0
    if link_type == 226:  # Solaris ipnet
        if pos + 24 > end:
            return _DONE, end, 0
        return family(buf[pos + 1]), pos + 24, 0
    if link_type == 242:  # IP over InfiniBand: hardware address of 20 bytes, EtherType, reserved
        if pos + 44 > end:
            return _DONE, end, 0
        return load16(buf, pos + 40), pos + 44, 0
    if link_type == 239:
        return nflog(buf, pos, end)
    if 178 <= link_type <= 181:
        return juniper(buf, pos, end, link_type)
    if link_type == 219:
        return _MPLS, pos, 0
    return -1, pos, 0

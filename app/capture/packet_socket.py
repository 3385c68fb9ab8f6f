"""The Linux packet socket, as packet(7) and linux/if_packet.h describe it: constants, filters, link types, state of interfaces.

Nothing here needs a right: the sockets were opened by somebody who has it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import Final

from app.capture.bpf_compile import MAX_SNAPLEN, Instruction
from app.model.errors import CaptureError

SOL_PACKET: Final = 263
PACKET_ADD_MEMBERSHIP: Final = 1
PACKET_DROP_MEMBERSHIP: Final = 2
PACKET_RX_RING: Final = 5
PACKET_STATISTICS: Final = 6
PACKET_VERSION: Final = 10
TPACKET_V3: Final = 2
ETH_P_ALL: Final = 3
_PACKET_MR_PROMISC: Final = 1
_SO_ATTACH_FILTER: Final = 26
_SIOCGIFFLAGS: Final = 0x8913
_IFF_UP: Final = 1
_RETURN_K: Final = 0x06

LINKTYPE_ETHERNET: Final = 1
LINKTYPE_RAW: Final = 101
LINKTYPE_UNKNOWN: Final = 147  # LINKTYPE_USER0: means nothing to anybody
# ARPHRD_ (linux/if_arp.h) → LINKTYPE_. Of those that give raw IP, frames are read from the network header on: what stands before
# it differs between drivers and directions.
_LINK_TYPES: Final[dict[int, int]] = {
    1: LINKTYPE_ETHERNET,
    772: LINKTYPE_ETHERNET,  # loopback has an Ethernet header, of zeros
    512: LINKTYPE_RAW,  # PPP
    519: LINKTYPE_RAW,  # RAWIP
    768: LINKTYPE_RAW,  # TUNNEL
    769: LINKTYPE_RAW,  # TUNNEL6
    776: LINKTYPE_RAW,  # SIT
    778: LINKTYPE_RAW,  # IPGRE
    823: LINKTYPE_RAW,  # IP6GRE
    65534: LINKTYPE_RAW,  # NONE (tun, wireguard)
    65535: LINKTYPE_RAW,  # VOID
    801: 105,  # IEEE 802.11
    802: 119,  # with a PRISM header
    803: 127,  # with a radiotap header
    804: 195,  # IEEE 802.15.4
    280: 227,  # CAN
    824: 253,  # NETLINK
}
ARPHRD_LOOPBACK: Final = 772


def link_type_of(hardware: int) -> int:
    """LINKTYPE_ number for an ARPHRD_ number."""
    return _LINK_TYPES.get(hardware, LINKTYPE_UNKNOWN)


def with_snaplen(program: Sequence[Instruction] | None, snaplen: int) -> list[Instruction]:
    """The program whose matches return `snaplen` (0: whole packets), which is how a socket is told to cut; None matches all."""
    keep = min(snaplen, MAX_SNAPLEN) if snaplen > 0 else MAX_SNAPLEN
    if not program:
        return [(_RETURN_K, 0, 0, keep)]
    return [(code, jt, jf, keep if code == _RETURN_K and k else k) for code, jt, jf, k in program]


def attach_filter(sock: socket.socket, program: Sequence[Instruction]) -> None:
    """Let the kernel drop what does not match. Raises CaptureError(bad_filter) with the kernel's words."""
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    request = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, request)
    except OSError as error:
        raise CaptureError("bad_filter", f"the kernel refuses the filter: {error.strerror}") from None


def refuse_everything(sock: socket.socket) -> None:
    """No packet comes in any more; those that did can still be read."""
    attach_filter(sock, [(_RETURN_K, 0, 0, 0)])


def bind_to_all(sock: socket.socket) -> None:
    """Bind to every interface there is and will be. `socket.bind` cannot: it wants a name. Raises OSError."""
    address = struct.pack("@HHiHBB8x", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).bind(sock.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_promiscuous(sock: socket.socket, interface_index: int, on: bool) -> None:
    """Join or leave promiscuous mode; the kernel counts the members. Raises OSError."""
    request = struct.pack("@iHH8s", interface_index, _PACKET_MR_PROMISC, 0, b"")
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP if on else PACKET_DROP_MEMBERSHIP, request)


def take_statistics(sock: socket.socket) -> tuple[int, int, int]:
    """(packets, drops among them, queue freezes) since the last call: the kernel starts again from 0."""
    packets, drops, freezes = struct.unpack("@III", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
    return packets, drops, freezes


def is_up(sock: socket.socket, interface_index: int) -> bool | None:
    """Is the interface up? None: there is none with this number."""
    import fcntl  # not on every system that imports this package

    try:
        name = socket.if_indextoname(interface_index)
        answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("@16sH22x", name.encode(), 0))
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.ENXIO):
            return None
        raise
    return bool(struct.unpack_from("@H", answer, 16)[0] & _IFF_UP)


def index_of(name: str) -> int | None:
    """Number of the interface with this name; None: there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None

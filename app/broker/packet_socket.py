"""Packet sockets for named interfaces. They are made with protocol 0, so nothing arrives before the sensor sets up its ring and binds."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

from app.model.errors import CaptureError

ANY: Final = "any"
_SIOCGIFFLAGS: Final = 0x8913
_SIOCGIFHWADDR: Final = 0x8927
_IFF_UP: Final = 1
_NAME_MAX: Final = 15  # IFNAMSIZ without its NUL

# ARPHRD_ numbers of <linux/if_arp.h>.
ETHERNET: Final = frozenset({1, 772})  # Ethernet; loopback, which has an Ethernet header of zeros
RAW_IP: Final = frozenset({512, 519, 768, 769, 776, 65534})  # PPP, RAWIP, TUNNEL, TUNNEL6, SIT, NONE (tun)
WIRELESS: Final = {801: 105, 802: 119, 803: 127}  # 802.11 bare, with Prism header, with radiotap → DLT_


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface as the kernel has it now; `index` 0 stands for all of them."""

    name: str
    index: int
    hardware: int  # ARPHRD_ number; -1 for `any`
    up: bool


def find_interface(name: str) -> Interface:
    """Raises CaptureError `no_such_interface` with the kernel's words."""
    if name == ANY:
        return Interface(ANY, 0, -1, True)
    if not name or len(name.encode()) > _NAME_MAX or not name.isprintable() or "/" in name:
        raise CaptureError("no_such_interface", f"{name[:40]!r} cannot be the name of an interface")
    request = struct.pack("16s24x", name.encode())
    try:
        index = socket.if_nametoindex(name)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            (flags,) = struct.unpack_from("H", fcntl.ioctl(probe, _SIOCGIFFLAGS, request), 16)
            (hardware,) = struct.unpack_from("H", fcntl.ioctl(probe, _SIOCGIFHWADDR, request), 16)
    except OSError as error:
        number = errno.ENODEV if error.errno in (None, errno.ENODEV, errno.ENXIO) else error.errno
        raise CaptureError("no_such_interface", f"{name}: {os.strerror(number)}") from None
    return Interface(name, index, hardware, bool(flags & _IFF_UP))


def interfaces() -> list[Interface]:
    """All interfaces there are; one that vanishes meanwhile is left out."""
    found = []
    for _, name in socket.if_nameindex():
        try:
            found.append(find_interface(name))
        except CaptureError:
            continue
    return found


def open_socket() -> socket.socket:
    """A packet socket that receives nothing yet. Raises CaptureError `not_permitted` or `not_supported`."""
    family = getattr(socket, "AF_PACKET", None)
    if family is None:
        raise CaptureError("not_supported", "this system has no packet sockets; set CAPTURE_BACKEND=scapy")
    try:
        return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except PermissionError as error:
        raise CaptureError("not_permitted", f"{error.strerror}: capturing needs the right CAP_NET_RAW") from None
    except OSError as error:
        raise CaptureError("failed", f"no packet socket: {error.strerror}") from None

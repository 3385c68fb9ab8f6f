"""Which interface to watch when nobody said: the default route's, else the first physical one that is up, else the first that is up."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_UP: Final = 1  # RTF_UP and IFF_UP
_REJECT: Final = 0x0200  # RTF_REJECT: the kernel's own "unreachable" routes, on lo
_NET: Final = Path("/sys/class/net")


def default_interface() -> str | None:
    """Its name; None where no interface but loopback is up."""
    routed = _of_route_v4() or _of_route_v6()
    if routed is not None:
        return routed
    up = [name for _, name in sorted(socket.if_nameindex()) if name != "lo" and _is_up(name)]
    physical = [name for name in up if (_NET / name / "device").exists()]
    return next(iter([*physical, *up]), None)


def _of_route_v4() -> str | None:
    """The route to 0.0.0.0/0 with the smallest metric: columns Iface, Destination, Gateway, Flags, RefCnt, Use, Metric, Mask."""
    found = []
    for line in _lines("/proc/net/route")[1:]:
        row = line.split()
        if len(row) >= 8 and row[1] == "00000000" and row[7] == "00000000" and int(row[3], 16) & _UP:
            found.append((int(row[6]), row[0]))
    return min(found)[1] if found else None


def _of_route_v6() -> str | None:
    """The same for ::/0: destination, prefix length (hex), source, its length, next hop, metric, counters, flags, name."""
    found = []
    for line in _lines("/proc/net/ipv6_route"):
        row = line.split()
        if len(row) == 10 and row[0] == "0" * 32 and row[1] == "00":
            flags = int(row[8], 16)
            if flags & _UP and not flags & _REJECT:
                found.append((int(row[5], 16), row[9]))
    return min(found)[1] if found else None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []  # not Linux, or no IPv6


def _is_up(name: str) -> bool:
    try:
        return bool(int((_NET / name / "flags").read_text(), 16) & _UP)
    except (OSError, ValueError):
        return not os.path.isdir(_NET)  # not Linux: nothing is known, so nothing is excluded

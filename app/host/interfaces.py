"""The network interfaces of this host: what they are, their counters, and which one to watch when nobody says.

Counters are the whole machine's, as the kernel keeps them; rates come from two readings.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

ANY: Final = "any"
_SYS: Final = Path("/sys/class/net")
_PROC: Final = Path("/proc/net")
_RTF_UP: Final = 0x1
_RTF_REJECT: Final = 0x200
# Elsewhere than on Linux the system does not say what is hardware; these prefixes are not.
_VIRTUAL: Final = (
    "lo", "utun", "tun", "tap", "gif", "stf", "awdl", "llw", "bridge", "br-", "virbr", "docker", "veth", "vmnet", "vboxnet", "ap", "anpi", "p2p",
    "pflog", "enc", "isatap", "teredo", "loopback", "vethernet",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface at one moment."""

    name: str
    is_up: bool
    is_physical: bool
    is_loopback: bool
    speed_mbps: int | None  # None: the driver does not say
    mtu: int | None
    mac: str | None
    addresses: tuple[str, ...]  # IPv4 and IPv6, without zone
    bytes_sent: int
    bytes_recv: int
    packets_sent: int
    packets_recv: int
    errors: int  # both directions
    drops: int
    read_at: float  # monotonic seconds


@dataclass(frozen=True, slots=True)
class Rates:
    """Bits per second between two readings."""

    upload_bps: float
    download_bps: float


def interfaces() -> list[Interface]:
    """All interfaces there are now: physical ones first, then those that are up, then by name."""
    now = time.monotonic()
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    addresses = psutil.net_if_addrs()
    found = []
    for name, stats in psutil.net_if_stats().items():
        count = counters.get(name)
        found.append(
            Interface(
                name=name,
                is_up=stats.isup,
                is_physical=_is_physical(name),
                is_loopback=_is_loopback(name, stats.flags),
                speed_mbps=stats.speed or None,
                mtu=stats.mtu or None,
                mac=_mac(addresses.get(name, ())),
                addresses=_ip_addresses(addresses.get(name, ())),
                bytes_sent=count.bytes_sent if count else 0,
                bytes_recv=count.bytes_recv if count else 0,
                packets_sent=count.packets_sent if count else 0,
                packets_recv=count.packets_recv if count else 0,
                errors=count.errin + count.errout if count else 0,
                drops=count.dropin + count.dropout if count else 0,
                read_at=now,
            )
        )
    return sorted(found, key=lambda one: (not one.is_physical, not one.is_up, one.is_loopback, one.name))


def statistics(one: Interface) -> dict[str, Any]:
    """One interface under the names that the REST answer uses; rates are added where two readings are kept."""
    return {
        "interface": one.name,
        "is_up": one.is_up,
        "is_physical": one.is_physical,
        "speed_mbps": one.speed_mbps,
        "mtu": one.mtu,
        "mac": one.mac,
        "addresses": list(one.addresses),
        "bytes_sent": one.bytes_sent,
        "bytes_recv": one.bytes_recv,
        "packets_sent": one.packets_sent,
        "packets_recv": one.packets_recv,
        "errors": one.errors,
        "drops": one.drops,
    }


def interface_statistics() -> list[dict[str, Any]]:
    """All interfaces as `statistics` names them, in the order of `interfaces`."""
    return [statistics(one) for one in interfaces()]


def rates(previous: Interface, current: Interface) -> Rates | None:
    """What passed between two readings; None: no time went by, or the counters started again."""
    seconds = current.read_at - previous.read_at
    sent = current.bytes_sent - previous.bytes_sent
    received = current.bytes_recv - previous.bytes_recv
    if seconds <= 0 or sent < 0 or received < 0:
        return None
    return Rates(upload_bps=8 * sent / seconds, download_bps=8 * received / seconds)


def default_interface(known: Iterable[Interface] | None = None) -> str | None:
    """The default route's interface, else the first physical one that is up, else the first that is up, else loopback; None: there is none."""
    found = list(interfaces() if known is None else known)
    names = {one.name for one in found}
    for name in _default_routes():
        if name in names:
            return name
    candidates = [one for one in found if one.is_up and not one.is_loopback]
    for one in sorted(candidates, key=lambda one: not one.is_physical):
        return one.name
    return next((one.name for one in found if one.is_loopback), None)


def choose(wanted: Iterable[str], known: Iterable[Interface] | None = None) -> list[str]:
    """The interfaces to capture on: those wanted, where "any" alone stands for all and none for the default one.

    Raises ValueError naming the ones that do not exist and those that do.
    """
    found = list(interfaces() if known is None else known)
    names = list(dict.fromkeys(wanted))
    if not names:
        default = default_interface(found)
        return [default] if default else []
    if names == [ANY]:
        return names
    missing = [name for name in names if name not in {one.name for one in found}]
    if missing:
        there = ", ".join(one.name for one in found) or "none"
        raise ValueError(f"there is no interface {', '.join(missing)}; there are {there}, or {ANY} alone for all")
    return names


def _is_physical(name: str) -> bool:
    if sys.platform == "linux":
        return (_SYS / name / "device").exists()
    return not name.lower().startswith(_VIRTUAL)


def _is_loopback(name: str, flags: str) -> bool:
    return "loopback" in flags.split(",") or name == "lo"


def _mac(addresses: Iterable[object]) -> str | None:
    for address in addresses:
        if getattr(address, "family", None) == psutil.AF_LINK:
            mac = str(getattr(address, "address", "")).lower().replace("-", ":")
            return mac if mac.strip("0:") else None
    return None


def _ip_addresses(addresses: Iterable[object]) -> tuple[str, ...]:
    found = []
    for address in addresses:
        family = getattr(getattr(address, "family", None), "name", "")
        if family in ("AF_INET", "AF_INET6"):
            found.append(str(getattr(address, "address", "")).partition("%")[0])
    return tuple(found)


def _default_routes() -> list[str]:
    """Names of the interfaces of default routes, best metric first, IPv4 before IPv6. Only on Linux."""
    if sys.platform != "linux":
        return []
    routes = [*_ipv4_defaults(_rows(_PROC / "route")[1:]), *_ipv6_defaults(_rows(_PROC / "ipv6_route"))]
    return [name for _, _, name in sorted(routes)]


def _rows(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text("ascii", "replace").splitlines()]
    except OSError:
        return []  # no /proc, or a kernel without this protocol


def _ipv4_defaults(rows: Iterable[list[str]]) -> list[tuple[int, int, str]]:
    """(4, metric, interface) of rows of /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask …"""
    found = []
    for row in rows:
        try:
            if (
                int(row[1], 16) == 0
                and int(row[7], 16) == 0
                and int(row[3], 16) & _RTF_UP
                and not int(row[3], 16) & _RTF_REJECT
            ):
                found.append((4, int(row[6]), row[0]))
        except (IndexError, ValueError):
            continue  # a row that is not as proc(5) says
    return found


def _ipv6_defaults(rows: Iterable[list[str]]) -> list[tuple[int, int, str]]:
    """(6, metric, interface) of rows of /proc/net/ipv6_route: destination, its prefix length, source, prefix length, gateway, metric, references,
    use, flags, interface."""
    found = []
    for row in rows:
        try:
            flags = int(row[8], 16)
            if (
                not int(row[0], 16)
                and not int(row[1], 16)
                and flags & _RTF_UP
                and not flags & _RTF_REJECT
                and row[9] != "lo"
            ):
                found.append((6, int(row[5], 16), row[9]))
        except (IndexError, ValueError):
            continue  # as above
    return found

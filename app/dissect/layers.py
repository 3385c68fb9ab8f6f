"""Which scapy layers are loaded, and which of them a link type begins with.

Only what is met on ordinary networks is imported: all of scapy takes about a second, this a quarter of one.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

_MODULES: Final = (
    "layers.l2",
    "layers.inet",
    "layers.inet6",
    "layers.dns",
    "layers.dhcp",
    "layers.dhcp6",
    "layers.ntp",
    "layers.http",
    "layers.dot11",
    "layers.ppp",
    "layers.ppi",
    "layers.eap",
    "layers.sctp",
    "layers.vxlan",
    "layers.llmnr",
    "layers.netbios",
    "layers.snmp",
    "layers.tftp",
    "layers.radius",
    "layers.hsrp",
    "layers.igmp",
    "layers.vrrp",
    "layers.l2tp",
    "layers.rip",
    "layers.isakmp",
    "contrib.mpls",
    "contrib.geneve",
    "contrib.gtp",
    "contrib.lldp",
    "contrib.cdp",
    "contrib.ospf",
    "contrib.pim",
    "contrib.chdlc",
    "contrib.modbus",
    "contrib.wireguard",
)

# LINKTYPE number → (module of scapy, class). Raw IP is decided by the version nibble.
_LINK_LAYERS: Final[dict[int, tuple[str, str]]] = {
    0: ("layers.l2", "Loopback"),
    1: ("layers.l2", "Ether"),
    9: ("layers.ppp", "PPP"),
    50: ("layers.ppp", "HDLC"),
    104: ("contrib.chdlc", "CHDLC"),
    105: ("layers.dot11", "Dot11"),
    108: ("layers.l2", "LoopbackOpenBSD"),
    113: ("layers.l2", "CookedLinux"),
    119: ("layers.dot11", "PrismHeader"),
    127: ("layers.dot11", "RadioTap"),
    192: ("layers.ppi", "PPI"),
    228: ("layers.inet", "IP"),
    229: ("layers.inet6", "IPv6"),
    276: ("layers.l2", "CookedLinuxV2"),
}
_RAW_IP: Final = (12, 14, 101)
_AF_INET6: Final = (24, 28, 30)  # NetBSD and OpenBSD, FreeBSD, macOS


def load() -> None:
    """Import the layers; they tie themselves to each other while they are imported."""
    for name in _MODULES:
        try:
            importlib.import_module(f"scapy.{name}")
        except ModuleNotFoundError:
            continue  # layers move in and out of scapy's releases; what is missing stays a payload
    importlib.import_module("app.dissect.tls_layers").bind()
    _bind_loopback()


def _bind_loopback() -> None:
    """IPv6 behind a loopback header has the number of the system that captured it; scapy ties only that of this system."""
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Loopback, LoopbackOpenBSD
    from scapy.packet import bind_layers

    for family in _AF_INET6:
        bind_layers(Loopback, IPv6, type=family)
        bind_layers(LoopbackOpenBSD, IPv6, type=family)


def first_layer(link_type: int, frame: bytes) -> Any:
    """The scapy class that a frame of this link type begins with; `Raw` where scapy knows none."""
    if link_type in _RAW_IP and frame:
        link_type = {4: 228, 6: 229}.get(frame[0] >> 4, -1)
    module, name = _LINK_LAYERS.get(link_type, ("packet", "Raw"))
    return getattr(importlib.import_module(f"scapy.{module}"), name)

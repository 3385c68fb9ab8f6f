"""One packet in words, from its PACKET_ROW: what every way of showing it shares."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from app.enrich.services import service_name
from app.model.layers import LAYER_BIT, protocol_name
from app.services.packet_info import packet_info
from app.wire.addresses import format_address
from app.wire.service_ports import NAMED_PORTS

FLAG_LETTERS: Final = "FSRPAUEC"  # from the lowest bit
_PORTED: Final = frozenset({6, 17, 33, 132, 136})
_NO_IP: Final = 255
_NAMES: Final = {"tcp": "TCP", "udp": "UDP", "icmp": "ICMP", "icmpv6": "ICMPv6", "igmp": "IGMP", "sctp": "SCTP"}

Row = dict[str, Any]  # the fields of a PACKET_ROW


@dataclass(slots=True)
class PacketWords:
    """Texts without colour. None: the packet has none."""

    time: str  # local, with milliseconds
    label: str
    src: str
    dst: str
    src_port: int | None
    dst_port: int | None
    service: str | None
    service_of_dst: bool
    flags: str
    size: int
    info: str


def flag_letters(bits: int) -> str:
    """`PA` for PSH and ACK."""
    return "".join(letter for bit, letter in enumerate(FLAG_LETTERS) if bits >> bit & 1)


def clock(ts_ns: int) -> str:
    """Local time of day, `14:32:15.421`."""
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    try:
        moment = time.localtime(seconds)
    except (OverflowError, ValueError, OSError):
        return "--:--:--.---"
    return f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}.{rest // 1_000_000:03}"


def service_at(protocol: str, src_port: int, dst_port: int) -> tuple[str | None, bool]:
    """(name, whether the destination's port has it). A well-known one before a registered one, the lower number before the higher."""
    ports = sorted({dst_port, src_port})
    for port in ports:
        if port in NAMED_PORTS and (name := service_name(protocol, port)):
            return name, port == dst_port
    for port in ports:
        if name := service_name(protocol, port):
            return name, port == dst_port
    return None, True


def label_of(row: Row) -> str:
    """TCP, UDP, ICMP, ARP, DNS …: what the colour goes by."""
    if row["layers"] & LAYER_BIT["dns"]:
        return "DNS"
    if row["layers"] & LAYER_BIT["arp"] and row["protocol"] == _NO_IP:
        return "ARP"
    if row["protocol"] == _NO_IP:
        return f"0x{row['ether_type']:04x}" if row["ether_type"] else "OTHER"
    name = protocol_name(row["protocol"])
    return _NAMES.get(name, name.upper())


def words(row: Row) -> PacketWords:
    """The texts of one packet."""
    label = label_of(row)
    version = row["ip_version"] or (4 if label == "ARP" else 0)
    src = format_address(row["src_hi"], row["src_lo"], version) or "?"
    dst = format_address(row["dst_hi"], row["dst_lo"], version) or "?"
    ported = row["protocol"] in _PORTED and not row["kind"] & 2 and not row["reason"]
    protocol = protocol_name(row["protocol"]) if row["protocol"] != _NO_IP else label.lower()
    service, of_dst = service_at(protocol, row["src_port"], row["dst_port"]) if ported else (None, True)
    return PacketWords(
        clock(row["ts"]),
        label,
        src,
        dst,
        row["src_port"] if ported else None,
        row["dst_port"] if ported else None,
        service,
        of_dst,
        flag_letters(row["tcp_flags"]) if row["protocol"] == 6 and ported else "",
        row["wire_len"],
        packet_info(row, protocol),
    )

"""One line about a packet, from its columns alone."""

from __future__ import annotations

from typing import Final

from app.model.layers import REASONS
from app.wire.addresses import format_address

FLAG_NAMES: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")

_ICMP: Final[dict[int, str]] = {
    0: "Echo reply",
    3: "Destination unreachable",
    4: "Source quench",
    5: "Redirect",
    8: "Echo request",
    9: "Router advertisement",
    10: "Router solicitation",
    11: "Time exceeded",
    12: "Parameter problem",
    13: "Timestamp",
    14: "Timestamp reply",
}
_ICMPV6: Final[dict[int, str]] = {
    1: "Destination unreachable",
    2: "Packet too big",
    3: "Time exceeded",
    4: "Parameter problem",
    128: "Echo request",
    129: "Echo reply",
    130: "Multicast listener query",
    131: "Multicast listener report",
    132: "Multicast listener done",
    133: "Router solicitation",
    134: "Router advertisement",
    135: "Neighbour solicitation",
    136: "Neighbour advertisement",
    137: "Redirect",
    143: "Multicast listener report v2",
}
_ARP: Final[dict[int, str]] = {1: "who has {dst}? tell {src}", 2: "{src} answers {dst}"}


def flag_text(bits: int) -> str:
    """`SYN, ACK`; empty without flags."""
    return ", ".join(name for i, name in enumerate(FLAG_NAMES) if bits >> i & 1)


def packet_info(row: dict[str, int], protocol: str) -> str:
    """What a packet list shows in its last column."""
    if row["reason"]:
        reason = REASONS[row["reason"]] if row["reason"] < len(REASONS) else "unknown"
        return f"not decoded: {reason.replace('_', ' ')}"
    length = row["payload_len"]
    if row["kind"] & 2:
        return f"later IP fragment, {length} bytes"
    if protocol == "tcp":
        flags = flag_text(row["tcp_flags"])
        ack = f" ack={row['ack']}" if row["tcp_flags"] & 16 else ""
        return f"{row['src_port']} → {row['dst_port']} [{flags}] seq={row['seq']}{ack} win={row['window']} len={length}"
    if protocol in ("udp", "udplite", "sctp", "dccp"):
        return f"{row['src_port']} → {row['dst_port']} len={length}"
    if protocol == "icmp":
        return _ICMP.get(row["src_port"], f"type {row['src_port']}")
    if protocol == "icmpv6":
        return _ICMPV6.get(row["src_port"], f"type {row['src_port']}")
    if protocol == "arp":
        src = format_address(row["src_hi"], row["src_lo"], row["ip_version"] or 4)
        dst = format_address(row["dst_hi"], row["dst_lo"], row["ip_version"] or 4)
        return _ARP.get(row["arp_operation"], "operation {op}").format(src=src, dst=dst, op=row["arp_operation"])
    if row["ether_type"]:
        return f"EtherType 0x{row['ether_type']:04x}, {row['wire_len']} bytes"
    return f"{length} bytes of payload" if length else f"{row['wire_len']} bytes"

"""Names of fields for people, where scapy's own are abbreviations."""

from __future__ import annotations

from typing import Final

_LABELS: Final[dict[str, str]] = {
    "src": "Source address",
    "dst": "Destination address",
    "sport": "Source port",
    "dport": "Destination port",
    "chksum": "Checksum",
    "cksum": "Checksum",
    "ihl": "Header length (32-bit words)",
    "dataofs": "Header length (32-bit words)",
    "tos": "Type of service",
    "tc": "Traffic class",
    "fl": "Flow label",
    "plen": "Payload length",
    "nh": "Next header",
    "hlim": "Hop limit",
    "len": "Length",
    "id": "Identification",
    "frag": "Fragment offset",
    "ttl": "Time to live",
    "proto": "Protocol",
    "seq": "Sequence number",
    "ack": "Acknowledgment number",
    "urgptr": "Urgent pointer",
    "prio": "Priority",
    "dei": "Drop eligible",
    "vlan": "VLAN",
    "hwtype": "Hardware type",
    "ptype": "Protocol type",
    "hwlen": "Hardware address length",
    "plen_arp": "Protocol address length",
    "op": "Operation",
    "hwsrc": "Sender hardware address",
    "psrc": "Sender protocol address",
    "hwdst": "Target hardware address",
    "pdst": "Target protocol address",
    "qr": "Response",
    "opcode": "Operation code",
    "aa": "Authoritative answer",
    "tc_dns": "Truncated",
    "rd": "Recursion desired",
    "ra": "Recursion available",
    "ad": "Authentic data",
    "cd": "Checking disabled",
    "rcode": "Response code",
    "qdcount": "Questions",
    "ancount": "Answers",
    "nscount": "Authority records",
    "arcount": "Additional records",
    "qd": "Questions",
    "an": "Answers",
    "ns": "Authority records",
    "ar": "Additional records",
    "qname": "Name",
    "qtype": "Type",
    "qclass": "Class",
    "rrname": "Name",
    "rclass": "Class",
    "rdlen": "Data length",
    "rdata": "Data",
    "load": "Data",
    "ciaddr": "Client address",
    "yiaddr": "Your address",
    "siaddr": "Server address",
    "giaddr": "Relay address",
    "chaddr": "Client hardware address",
    "xid": "Transaction id",
    "secs": "Seconds",
    "hops": "Hops",
    "sname": "Server name",
    "file": "Boot file",
}
_LAYERS: Final[dict[str, str]] = {
    "Raw": "Payload",
    "Padding": "Padding",
    "Ether": "Ethernet",
    "Dot3": "IEEE 802.3",
    "Dot1Q": "802.1Q VLAN",
    "Dot1AD": "802.1ad VLAN",
    "IP": "IPv4",
    "CookedLinux": "Linux cooked capture",
    "CookedLinuxV2": "Linux cooked capture v2",
}
_FLAGS: Final[dict[str, dict[str, str]]] = {
    "TCP": {"N": "NS", "C": "CWR", "E": "ECE", "U": "URG", "A": "ACK", "P": "PSH", "R": "RST", "S": "SYN", "F": "FIN"},
    "IP": {"evil": "Reserved", "DF": "Don't fragment", "MF": "More fragments"},
    "BOOTP": {"B": "Broadcast"},
}


def flag_label(layer: str, name: str) -> str:
    """The label of one bit of a flag field."""
    return _FLAGS.get(layer, {}).get(name, name)


def field_label(layer: str, name: str) -> str:
    """The label of a field of a layer (both scapy's names)."""
    name = {("ARP", "plen"): "plen_arp", ("DNS", "tc"): "tc_dns"}.get((layer, name), name)
    known = _LABELS.get(name)
    if known is not None:
        return known
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def layer_label(name: str, own: str) -> str:
    """The label of a layer by its class name; `own` is what the layer calls itself."""
    return _LAYERS.get(name, own)

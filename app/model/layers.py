"""Bits and codes used in the columns of `app.model.columns`, with their names outside."""

from __future__ import annotations

from typing import Final

# Bits of PACKET.layers: what the frame carries, at any depth. The names are those of tshark's frame.protocols.
LAYER_NAMES: Final[tuple[str, ...]] = (
    "eth",
    "vlan",
    "mpls",
    "arp",
    "ip",
    "ipv6",
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "igmp",
    "sctp",
    "gre",
    "vxlan",
    "geneve",
    "gtp",
    "teredo",
    "pppoe",
    "ppp",
    "wlan",
    "sll",
    "null",
    "raw",
    "esp",
    "ah",
    "ospf",
    "pim",
    "llc",
    "lldp",
    "eapol",
    "dns",
    "other",
)
LAYER_BIT: Final[dict[str, int]] = {name: 1 << i for i, name in enumerate(LAYER_NAMES)}

# Bits of PACKET.kind
KIND_FRAGMENT: Final = 1
KIND_LATER_FRAGMENT: Final = 2  # not the first fragment of its datagram
KIND_ONE_WAY: Final = 4  # an ICMP type without counterpart
KIND_CUT: Final = 8  # payload cut by the snap length
KIND_NO_FLOW: Final = 16  # no whole transport header: belongs to no flow
KIND_RETRANSMISSION: Final = 32
KIND_OUT_OF_ORDER: Final = 64
KIND_FIRST_OF_FLOW: Final = 128

# PACKET.reason: why a frame could not be decoded to its innermost header. 0 is "decoded".
REASONS: Final[tuple[str, ...]] = (
    "decoded",
    "truncated_link",
    "unknown_link_type",
    "unknown_ether_type",
    "truncated_ip",
    "bad_ip_header",
    "truncated_transport",
    "bad_transport_header",
    "encrypted_frame",
    "tunnel_too_deep",
    "later_fragment_unmatched",
    "unknown_payload",
)

# FLOW.conn_state: Zeek's codes (base/protocols/conn/main.zeek), "-" for flows that are not TCP and have no state.
CONN_STATES: Final[tuple[str, ...]] = (
    "OTH",
    "S0",
    "S1",
    "SF",
    "REJ",
    "S2",
    "S3",
    "RSTO",
    "RSTR",
    "RSTOS0",
    "RSTRH",
    "SH",
    "SHR",
)

# FLOW.ended: what ended the flow.
ENDINGS: Final[tuple[str | None, ...]] = (
    None,
    "closed",
    "idle",
    "port_reused",
    "evicted",
    "end_of_capture",
)

IP_PROTOCOLS: Final[dict[int, str]] = {
    1: "icmp",
    2: "igmp",
    4: "ipip",
    6: "tcp",
    17: "udp",
    33: "dccp",
    41: "ipv6",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    88: "eigrp",
    89: "ospf",
    103: "pim",
    112: "vrrp",
    132: "sctp",
    136: "udplite",
}


def protocol_name(number: int) -> str:
    """The field's name of an IP protocol number; numbers without one are shown as `ip-proto-N`."""
    return IP_PROTOCOLS.get(number, f"ip-proto-{number}")

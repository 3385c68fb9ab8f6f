"""Numbers of the wire as the decode kernels use them: EtherTypes, IP protocols, link types, and the kernels' own codes."""

from __future__ import annotations

from typing import Final

from app.model.layers import (
    KIND_CUT,
    KIND_FIRST_OF_FLOW,
    KIND_FRAGMENT,
    KIND_LATER_FRAGMENT,
    KIND_NO_FLOW,
    KIND_ONE_WAY,
    KIND_OUT_OF_ORDER,
    KIND_RETRANSMISSION,
    LAYER_BIT,
    REASONS,
)

# What comes next in a frame. EtherTypes stand for themselves; codes above 0xffff are our own.
IPV4: Final = 0x0800
ARP: Final = 0x0806
RARP: Final = 0x8035
VLAN: Final = 0x8100
QINQ: Final = 0x88A8
QINQ_OLD: Final = 0x9100
IPV6: Final = 0x86DD
MPLS: Final = 0x8847
MPLS_MULTICAST: Final = 0x8848
PPPOE_DISCOVERY: Final = 0x8863
PPPOE: Final = 0x8864
EAPOL: Final = 0x888E
PBB: Final = 0x88E7  # IEEE 802.1ah
VN_TAG: Final = 0x8926
CISCO_METADATA: Final = 0x8909
LLDP: Final = 0x88CC
ERSPAN_2: Final = 0x88BE
ERSPAN_3: Final = 0x22EB
BRIDGED: Final = 0x6558  # transparent Ethernet bridging
GRE_PPP: Final = 0x880B
CISCO_WCCP: Final = 0x883E
FABRIC_PATH: Final = 0x8903
NSH: Final = 0x894F
MACSEC: Final = 0x88E5
ARISTA: Final = 0xD28B

DONE: Final = 0x10000
ETHERNET: Final = 0x10001
LLC: Final = 0x10002
PPP: Final = 0x10003
RAW_IP: Final = 0x10004
WLAN: Final = 0x10005
MPLS_PAYLOAD: Final = 0x10006
TRANSPORT: Final = 0x10007

PROTOCOL_ICMP: Final = 1
PROTOCOL_IGMP: Final = 2
PROTOCOL_IPIP: Final = 4
PROTOCOL_TCP: Final = 6
PROTOCOL_UDP: Final = 17
PROTOCOL_IPV6: Final = 41
PROTOCOL_ROUTING: Final = 43
PROTOCOL_FRAGMENT: Final = 44
PROTOCOL_GRE: Final = 47
PROTOCOL_ESP: Final = 50
PROTOCOL_AH: Final = 51
PROTOCOL_ICMPV6: Final = 58
PROTOCOL_OSPF: Final = 89
PROTOCOL_PIM: Final = 103
PROTOCOL_ETHER_IP: Final = 97
PROTOCOL_ETHERNET: Final = 143  # RFC 8986
PROTOCOL_SCTP: Final = 132
PROTOCOL_MPLS: Final = 137
PROTOCOL_NONE: Final = 255

PORT_DNS: Final = 53
PORT_GTP_U: Final = 2152
PORT_TEREDO: Final = 3544
PORT_VXLAN: Final = 4789
PORT_VXLAN_GPE: Final = 4790
PORT_L2TP: Final = 1701
PORT_GENEVE: Final = 6081
PORT_CAPWAP: Final = 5247
PORT_MPLS: Final = 6635

MAX_DEPTH: Final = 8  # tunnels around the innermost header; deeper ones are left undecoded and counted
MAX_STEPS: Final = 40  # headers of one frame, of any kind
FRAGMENT_SLOTS: Final = 4096  # ports of first fragments kept, by a hash of addresses, protocol and identification

# Bits of PACKET.layers
B_ETH: Final = LAYER_BIT["eth"]
B_VLAN: Final = LAYER_BIT["vlan"]
B_MPLS: Final = LAYER_BIT["mpls"]
B_ARP: Final = LAYER_BIT["arp"]
B_IP: Final = LAYER_BIT["ip"]
B_IPV6: Final = LAYER_BIT["ipv6"]
B_TCP: Final = LAYER_BIT["tcp"]
B_UDP: Final = LAYER_BIT["udp"]
B_ICMP: Final = LAYER_BIT["icmp"]
B_ICMPV6: Final = LAYER_BIT["icmpv6"]
B_IGMP: Final = LAYER_BIT["igmp"]
B_SCTP: Final = LAYER_BIT["sctp"]
B_GRE: Final = LAYER_BIT["gre"]
B_VXLAN: Final = LAYER_BIT["vxlan"]
B_GENEVE: Final = LAYER_BIT["geneve"]
B_GTP: Final = LAYER_BIT["gtp"]
B_TEREDO: Final = LAYER_BIT["teredo"]
B_PPPOE: Final = LAYER_BIT["pppoe"]
B_PPP: Final = LAYER_BIT["ppp"]
B_WLAN: Final = LAYER_BIT["wlan"]
B_SLL: Final = LAYER_BIT["sll"]
B_NULL: Final = LAYER_BIT["null"]
B_RAW: Final = LAYER_BIT["raw"]
B_ESP: Final = LAYER_BIT["esp"]
B_AH: Final = LAYER_BIT["ah"]
B_OSPF: Final = LAYER_BIT["ospf"]
B_PIM: Final = LAYER_BIT["pim"]
B_LLC: Final = LAYER_BIT["llc"]
B_LLDP: Final = LAYER_BIT["lldp"]
B_EAPOL: Final = LAYER_BIT["eapol"]
B_DNS: Final = LAYER_BIT["dns"]
B_OTHER: Final = LAYER_BIT["other"]

# Values of PACKET.reason
R_LINK: Final = REASONS.index("truncated_link")
R_LINK_TYPE: Final = REASONS.index("unknown_link_type")
R_ETHER_TYPE: Final = REASONS.index("unknown_ether_type")
R_IP: Final = REASONS.index("truncated_ip")
R_BAD_IP: Final = REASONS.index("bad_ip_header")
R_TRANSPORT: Final = REASONS.index("truncated_transport")
R_BAD_TRANSPORT: Final = REASONS.index("bad_transport_header")
R_ENCRYPTED: Final = REASONS.index("encrypted_frame")
R_DEEP: Final = REASONS.index("tunnel_too_deep")
R_FRAGMENT: Final = REASONS.index("later_fragment_unmatched")

CARRIER_LINK_TYPE: Final = 0xFFFF  # marks the record of an outer datagram that carries a tunnel

__all__ = [
    "KIND_CUT",
    "KIND_FIRST_OF_FLOW",
    "KIND_FRAGMENT",
    "KIND_LATER_FRAGMENT",
    "KIND_NO_FLOW",
    "KIND_ONE_WAY",
    "KIND_OUT_OF_ORDER",
    "KIND_RETRANSMISSION",
]

"""Numbers of the wire as the decode kernels use them: EtherTypes, IP protocols, link types, and the kernels' own codes."""

from __future__ import annotations

from typing import Final

from app.model.layers import LAYER_BIT, REASONS

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

MAX_DEPTH: Final = 8  # tunnels around the innermost header; deeper ones are left undecoded and counted
MAX_STEPS: Final = 40  # headers of one frame, of any kind

BIT: Final = LAYER_BIT
REASON: Final = {name: i for i, name in enumerate(REASONS)}

CARRIER_LINK_TYPE: Final = 0xFFFF  # marks the record of an outer datagram that carries a tunnel

KIND_FRAGMENT: Final = 1
KIND_LATER_FRAGMENT: Final = 2
KIND_ONE_WAY: Final = 4
KIND_CUT: Final = 8
KIND_NO_FLOW: Final = 16
KIND_RETRANSMISSION: Final = 32
KIND_OUT_OF_ORDER: Final = 64
KIND_FIRST_OF_FLOW: Final = 128

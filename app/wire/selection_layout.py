"""The selections of packets that detectors may ask for, by their row in the lists that the kernel fills. A new one needs a name here and a line there.

`rare` is what is not the plain middle of a TCP or UDP flow, a small part of most traffic; the others are part of it unless their meaning says "any".
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "rare",
    "arp",
    "icmp",  # ICMP and ICMPv6 with a header of their own
    "icmpv6",
    "igmp",
    "udp",  # any UDP packet with its header
    "tcp_marked",  # TCP packets that are not the plain middle of a connection: SYN, FIN, RST, or no ACK at all
    "syn",
    "syn_ack",
    "rst",
    "tcp_odd",  # combinations of flags that no TCP sends in a connection
    "first",  # the first packet of each flow, with its responder as destination
    "first_tcp",
    "first_udp",
    "other_ip",  # IP that is not TCP, UDP, ICMP
    "fragments",
    "ip_options",  # rare ones and a sample of the others: IPv4 with options, IPv6 with extension headers, in plain or once tagged Ethernet or raw IP
    "dhcp",
    "dns",  # any packet with DNS
    "undecoded",  # any packet that could not be decoded
    "tcp_narrow",  # TCP packets in the middle of a connection, without payload, that let the other end send next to nothing
)
(
    RARE, ARP, ICMP, ICMPV6, IGMP, UDP, TCP_MARKED, SYN, SYN_ACK, RST, TCP_ODD, FIRST, FIRST_TCP, FIRST_UDP, OTHER_IP, FRAGMENTS, IP_OPTIONS,
    DHCP, DNS, UNDECODED, TCP_NARROW,
) = range(len(NAMES))  # fmt: skip
NARROW: Final = 64  # the window's field below which it is narrow; 8 KB with the usual scale of 2^7
EVERY: Final = 4  # one of so many plain packets is looked at for options
RAW_LINKS: Final = (101, 228, 229)
ETHERNET: Final = 1

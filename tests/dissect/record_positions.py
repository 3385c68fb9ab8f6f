"""Records what tshark says about the places of fields: `python tests/dissect/record_positions.py CAPTURE:FRAME… > positions.json`.

Run by hand when frames are added; the tests read only what it wrote. Fields are named as in the dissection tree.
"""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

# (layer, field) of the tree → (protocol, field) of tshark. Bit fields of the tree lie inside the bytes that tshark names.
FIELDS = {
    ("Ether", "dst"): ("eth", "eth.dst"),
    ("Ether", "src"): ("eth", "eth.src"),
    ("Ether", "type"): ("eth", "eth.type"),
    ("Dot1Q", "prio"): ("vlan", "vlan.priority"),
    ("Dot1Q", "vlan"): ("vlan", "vlan.id"),
    ("Dot1Q", "type"): ("vlan", "vlan.etype"),
    ("ARP", "hwtype"): ("arp", "arp.hw.type"),
    ("ARP", "op"): ("arp", "arp.opcode"),
    ("ARP", "hwsrc"): ("arp", "arp.src.hw_mac"),
    ("ARP", "psrc"): ("arp", "arp.src.proto_ipv4"),
    ("ARP", "hwdst"): ("arp", "arp.dst.hw_mac"),
    ("ARP", "pdst"): ("arp", "arp.dst.proto_ipv4"),
    ("IP", "version"): ("ip", "ip.version"),
    ("IP", "ihl"): ("ip", "ip.hdr_len"),
    ("IP", "tos"): ("ip", "ip.dsfield"),
    ("IP", "len"): ("ip", "ip.len"),
    ("IP", "id"): ("ip", "ip.id"),
    ("IP", "flags"): ("ip", "ip.flags"),
    ("IP", "frag"): ("ip", "ip.frag_offset"),
    ("IP", "ttl"): ("ip", "ip.ttl"),
    ("IP", "proto"): ("ip", "ip.proto"),
    ("IP", "chksum"): ("ip", "ip.checksum"),
    ("IP", "src"): ("ip", "ip.src"),
    ("IP", "dst"): ("ip", "ip.dst"),
    ("IPv6", "version"): ("ipv6", "ipv6.version"),
    ("IPv6", "fl"): ("ipv6", "ipv6.flow"),
    ("IPv6", "plen"): ("ipv6", "ipv6.plen"),
    ("IPv6", "nh"): ("ipv6", "ipv6.nxt"),
    ("IPv6", "hlim"): ("ipv6", "ipv6.hlim"),
    ("IPv6", "src"): ("ipv6", "ipv6.src"),
    ("IPv6", "dst"): ("ipv6", "ipv6.dst"),
    ("IPv6ExtHdrHopByHop", "nh"): ("ipv6.hopopts", "ipv6.hopopts.nxt"),
    ("IPv6ExtHdrHopByHop", "len"): ("ipv6.hopopts", "ipv6.hopopts.len"),
    ("IPv6ExtHdrRouting", "nh"): ("ipv6.routing", "ipv6.routing.nxt"),
    ("IPv6ExtHdrRouting", "type"): ("ipv6.routing", "ipv6.routing.type"),
    ("IPv6ExtHdrFragment", "nh"): ("ipv6.fraghdr", "ipv6.fraghdr.nxt"),
    ("IPv6ExtHdrFragment", "offset"): ("ipv6.fraghdr", "ipv6.fraghdr.offset"),
    ("IPv6ExtHdrFragment", "id"): ("ipv6.fraghdr", "ipv6.fraghdr.ident"),
    ("TCP", "sport"): ("tcp", "tcp.srcport"),
    ("TCP", "dport"): ("tcp", "tcp.dstport"),
    ("TCP", "seq"): ("tcp", "tcp.seq"),
    ("TCP", "ack"): ("tcp", "tcp.ack"),
    ("TCP", "dataofs"): ("tcp", "tcp.hdr_len"),
    ("TCP", "flags"): ("tcp", "tcp.flags"),
    ("TCP", "window"): ("tcp", "tcp.window_size_value"),
    ("TCP", "chksum"): ("tcp", "tcp.checksum"),
    ("TCP", "urgptr"): ("tcp", "tcp.urgent_pointer"),
    ("TCP", "options"): ("tcp", "tcp.options"),
    ("UDP", "sport"): ("udp", "udp.srcport"),
    ("UDP", "dport"): ("udp", "udp.dstport"),
    ("UDP", "len"): ("udp", "udp.length"),
    ("UDP", "chksum"): ("udp", "udp.checksum"),
    ("ICMP", "type"): ("icmp", "icmp.type"),
    ("ICMP", "code"): ("icmp", "icmp.code"),
    ("ICMP", "chksum"): ("icmp", "icmp.checksum"),
    ("ICMP", "id"): ("icmp", "icmp.ident"),
    ("ICMP", "seq"): ("icmp", "icmp.seq"),
    ("DNS", "id"): ("dns", "dns.id"),
    ("DNS", "rcode"): ("dns", "dns.flags.rcode"),
    ("DNS", "qr"): ("dns", "dns.flags.response"),
    ("DNS", "qdcount"): ("dns", "dns.count.queries"),
    ("DNS", "ancount"): ("dns", "dns.count.answers"),
    ("DNSQR", "qname"): ("dns", "dns.qry.name"),
    ("DNSQR", "qtype"): ("dns", "dns.qry.type"),
    ("DNSRR", "rrname"): ("dns", "dns.resp.name"),
    ("DNSRR", "type"): ("dns", "dns.resp.type"),
    ("DNSRR", "ttl"): ("dns", "dns.resp.ttl"),
    ("BOOTP", "op"): ("dhcp", "dhcp.type"),
    ("BOOTP", "xid"): ("dhcp", "dhcp.id"),
    ("BOOTP", "yiaddr"): ("dhcp", "dhcp.ip.your"),
    ("BOOTP", "sname"): ("dhcp", "dhcp.server"),
    ("BOOTP", "options"): ("dhcp", "dhcp.cookie"),
    ("NTPHeader", "stratum"): ("ntp", "ntp.stratum"),
    ("NTPHeader", "delay"): ("ntp", "ntp.rootdelay"),
    ("HTTPRequest", "Method"): ("http", "http.request.method"),
    ("HTTPRequest", "Path"): ("http", "http.request.uri"),
    ("HTTPResponse", "Status_Code"): ("http", "http.response.code"),
    ("VXLAN", "vni"): ("vxlan", "vxlan.vni"),
    ("GRE", "proto"): ("gre", "gre.proto"),
    ("MPLS", "label"): ("mpls", "mpls.label"),
    ("MPLS", "ttl"): ("mpls", "mpls.ttl"),
    ("CookedLinux", "proto"): ("sll", "sll.etype"),
    ("TLSRecord", "type"): ("tls", "tls.record.content_type"),
    ("TLSRecord", "version"): ("tls", "tls.record.version"),
    ("TLSRecord", "length"): ("tls", "tls.record.length"),
    ("TLSRecord", "handshake_type"): ("tls", "tls.handshake.type"),
    ("TLSRecord", "random"): ("tls", "tls.handshake.random"),
    ("PPPoE", "sessionid"): ("pppoes", "pppoe.session_id"),
    ("PPP", "proto"): ("ppp", "ppp.protocol"),
}
LINK_TYPES = {1: 1, 7: 101, 15: 0, 25: 113, 129: 228, 130: 229, 210: 276}  # of tshark's own numbers
PROTOCOLS = {  # layers whose whole extent tshark gives as the protocol's
    "Ether": "eth",
    "Dot1Q": "vlan",
    "ARP": "arp",
    "IP": "ip",
    "TCP": "tcp",
    "UDP": "udp",
    "VXLAN": "vxlan",
    "CookedLinux": "sll",
    "MPLS": "mpls",
}


def recorded(capture: Path, number: int) -> dict[str, object]:
    preferences = ("tcp.desegment_tcp_streams:FALSE", "ip.defragment:FALSE", "ipv6.defragment:FALSE")
    options = [part for preference in preferences for part in ("-o", preference)]
    root = ElementTree.fromstring(tshark(capture, number, "-T", "pdml", *options))
    tree: list[list[object]] = []
    wanted = {name: layer for layer, name in FIELDS.items()}
    for protocol in root.find("packet").findall("proto"):
        name = protocol.get("name")
        tree += [[layer, "", *place(protocol)] for layer, known in PROTOCOLS.items() if known == name]
        seen = set()
        for field in protocol.iter("field"):
            found = wanted.get((name, field.get("name")))
            if (
                found
                and field.get("hide") != "yes"
                and int(field.get("size"))
                and (found, field.get("pos")) not in seen
            ):
                seen.add((found, field.get("pos")))
                tree.append([*found, *place(field)])
    raw = json.loads(tshark(capture, number, "-T", "jsonraw"))
    encapsulation = int(tshark(capture, number, "-T", "fields", "-e", "frame.encap_type"))
    return {
        "source": capture.name,
        "number": number,
        "link_type": LINK_TYPES[encapsulation],
        "frame": raw[0]["_source"]["layers"]["frame_raw"][0],
        "fields": tree,
    }


def place(element: ElementTree.Element) -> tuple[int, int]:
    return int(element.get("pos")), int(element.get("size"))


def tshark(capture: Path, number: int, *options: str) -> bytes:
    command = ["tshark", "-r", str(capture), "-Y", f"frame.number=={number}", *options]
    return subprocess.run(command, capture_output=True, check=True).stdout


def main() -> None:
    records = []
    for argument in sys.argv[1:]:
        path, _, number = argument.rpartition(":")
        records.append(recorded(Path(path), int(number)))
    print("[\n" + ",\n".join(json.dumps(record, separators=(",", ":")) for record in records) + "\n]")


if __name__ == "__main__":
    main()

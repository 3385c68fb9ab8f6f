"""Headers that few networks have: access points' tunnels, signed links, switches' time stamps, Juniper's captures; DNS on any port."""

from __future__ import annotations

import struct

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrRouting
from scapy.layers.l2 import Ether

from app.model.layers import LAYER_NAMES, REASONS
from tests.frames import decode

MAC = bytes(12)
ETHER = MAC + b"\x08\x00"
INNER = bytes(IP(src="172.16.0.1", dst="172.16.0.2") / TCP(sport=10, dport=20) / b"inner")
LLC = b"\xaa\xaa\x03\0\0\0\x08\x00"
STATION = b"\0\0" + bytes(18) + b"\0\0"


def layers(packet) -> set[str]:
    return {name for k, name in enumerate(LAYER_NAMES) if int(packet["layers"]) >> k & 1}


def outer(protocol: int, payload: bytes) -> bytes:
    return ETHER + bytes(IP(src="10.0.0.1", dst="10.0.0.2", proto=protocol) / payload)


def datagram(source: int, destination: int, payload: bytes) -> bytes:
    return ETHER + bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=source, dport=destination) / payload)


def capwap(payload: bytes, native: int, last: int = 0) -> bytes:
    return bytes([0, 2 << 3, 1 << 1 | native, last, 0, 0, 0, 0]) + payload


def juniper(payload: bytes, flags: int = 0x80) -> bytes:
    return b"MGC" + bytes([flags]) + (b"\0\x04abcd" if flags & 0x80 else b"") + payload


CASES = {
    "capwap-ethernet": (1, datagram(9999, 5247, capwap(ETHER + INNER, 0))),
    "capwap-wlan": (1, datagram(5247, 9999, capwap(b"\x08\x01" + STATION + LLC + INNER, 1))),
    "capwap-wlan-swapped": (1, datagram(9999, 5247, capwap(b"\x01\x08" + STATION + LLC + INNER, 1))),
    "mpls-in-udp": (1, datagram(9999, 6635, b"\0\0\x11\x40" + INNER)),
    "pim-register": (1, outer(103, b"\x21\0\0\0\0\0\0\0" + INNER)),
    "ether-ip": (1, outer(97, b"\x30\0" + ETHER + INNER)),
    "srv6-ethernet": (1, MAC + b"\x86\xdd" + bytes(IPv6(nh=43) / IPv6ExtHdrRouting(nh=143) / (ETHER + INNER))),
    "macsec-signed": (1, MAC + b"\x88\xe5\x20\0\0\0\0\x01" + bytes(8) + b"\x08\x00" + INNER + bytes(16)),
    "macsec-short": (1, MAC + b"\x88\xe5\0\x22\0\0\0\x01\x08\x00" + INNER + bytes(16)),
    "arista-64": (1, MAC + b"\xd2\x8b\0\x01\0\x10" + bytes(8) + b"\x08\x00" + INNER),
    "arista-48": (1, MAC + b"\xd2\x8b\0\x01\0\x20" + bytes(6) + b"\x08\x00" + INNER),
    "ipv6-called-ipv4": (228, bytes(IPv6() / TCP(sport=10, dport=20) / b"inner")),
    "juniper-ethernet": (178, juniper(ETHER + INNER)),
    "juniper-ethernet-plain": (178, juniper(ETHER + INNER, 0)),
    "juniper-ppp": (179, juniper(b"\xff\x03\0\x21" + INNER)),
    "juniper-frame-relay": (180, juniper(b"\x18\x41\x03\xcc" + INNER)),
    "juniper-chdlc": (181, juniper(b"\x0f\0\x08\x00" + INNER)),
}


@pytest.mark.parametrize(("link_type", "frame"), CASES.values(), ids=CASES.keys())
def test_what_is_inside_is_found_and_any_cut_is_survived(link_type, frame):
    (p,) = decode(frame, link_type=link_type)
    assert (p["protocol"], p["src_port"], p["dst_port"], p["payload_len"]) == (6, 10, 20, 5)
    for size in range(len(frame)):
        decode(frame[:size], link_type=link_type)


NOTHING = {
    "capwap-fragment": (1, datagram(9999, 5247, capwap(ETHER + INNER, 0, 0x80))),
    "capwap-keep-alive": (1, datagram(9999, 5247, capwap(b"\0\x10" + bytes(40), 0, 0x08))),
    "capwap-dtls": (1, datagram(9999, 5247, b"\x01\0\0\0" + bytes(60))),
    "pim-null-register": (1, outer(103, b"\x21\0\0\0\x40\0\0\0" + INNER)),
    "pim-hello": (1, outer(103, b"\x20\0\0\0\0\x01\0\x02\0\x69" + bytes(30))),
    "macsec-encrypted": (1, MAC + b"\x88\xe5\x2c\0\0\0\0\x01" + bytes(8) + b"\x08\x00" + INNER),
    "arista-unknown": (1, MAC + b"\xd2\x8b\0\x02\0\x10" + bytes(8) + b"\x08\x00" + INNER),
    "juniper-without-link-header": (178, juniper(ETHER + INNER, 0x82)),
    "juniper-other-magic": (178, b"XGC\0" + ETHER + INNER),
}


@pytest.mark.parametrize(("link_type", "frame"), NOTHING.values(), ids=NOTHING.keys())
def test_what_holds_no_packet_gives_none(link_type, frame):
    (p,) = decode(frame, link_type=link_type)
    assert p["protocol"] != 6


def test_encrypted_links_say_so():
    (p,) = decode(NOTHING["macsec-encrypted"][1])
    assert REASONS[p["reason"]] == "encrypted_frame"


@pytest.mark.parametrize(("kind", "name"), [(0x0800, "ip"), (0x86DD, "ipv6")])
def test_a_damaged_ip_header_is_still_one(kind, name):
    (p,) = decode(MAC + struct.pack(">H", kind) + (b"\x42" if name == "ip" else b"\x60") * 12)
    assert name in layers(p)


QUERY = bytes(DNS(id=7, rd=1, qd=DNSQR(qname="example.org")))
ANSWER = bytes(DNS(id=7, qr=1, ra=1, qd=DNSQR(qname="example.org"), an=DNSRR(rrname="example.org", rdata="192.0.2.1")))
CERTIFICATE = bytes(DNS(id=7, rd=1, qd=DNSQR(qname="2.dnscrypt-cert.example.org", qtype="TXT")))


@pytest.mark.parametrize("ports", [(40000, 443), (5053, 40000), (40000, 8053)])
@pytest.mark.parametrize("message", [QUERY, ANSWER, CERTIFICATE])
def test_dns_is_told_by_its_content(ports, message):
    (p,) = decode(datagram(*ports, message))
    assert {"udp", "dns"} <= layers(p)


@pytest.mark.parametrize(
    "message",
    [
        QUERY[:20],
        QUERY[:2] + b"\x28" + QUERY[3:],  # an update
        QUERY[:6] + b"\0\x01" + QUERY[8:],  # a query with an answer
        QUERY[:12] + b"\x40" + QUERY[13:],
        QUERY[:14] + b"\x07" + QUERY[15:],
        QUERY[:-2] + b"\0\x09",
        QUERY[:12] + b"\0" + QUERY[13:],
        bytes(60),
        b"\x01" * 60,
        b"\0\0\0\0\0\x01" + bytes(60),
    ],
)
def test_other_datagrams_are_no_dns(message):
    (p,) = decode(datagram(40000, 8053, message))
    assert "dns" not in layers(p)


@pytest.mark.parametrize("port", [137, 5353, 5355])
def test_its_relatives_are_counted_as_themselves(port):
    (p,) = decode(datagram(40000, port, QUERY))
    assert "dns" not in layers(p)


def test_an_empty_datagram_on_port_53_is_no_dns():
    (p,) = decode(bytes(Ether() / IP() / UDP(sport=40000, dport=53)))
    assert "dns" not in layers(p)

"""Frames built by scapy come out of the decoder with the fields that scapy put in; hostile bytes come out with a reason."""

from __future__ import annotations

import ipaddress
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting
from scapy.layers.l2 import ARP, LLC, SNAP, CookedLinux, Dot1AD, Dot1Q, Dot3, Ether, Loopback
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN

from app.model.layers import LAYER_BIT, LAYER_NAMES, REASONS
from app.wire.addresses import format_address
from app.wire.decode import Decoder
from app.wire.records import FRAME_DTYPE
from tests.frames import block, decode

MAC = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
A, B = "10.1.2.3", "192.0.2.77"
A6, B6 = "2001:db8::1", "2001:db8:ffff::2"


def ether() -> Ether:
    return Ether(**MAC)


def src_dst(packet: np.void) -> tuple[str | None, str | None]:
    version = int(packet["ip_version"])
    return (
        format_address(int(packet["src_hi"]), int(packet["src_lo"]), version),
        format_address(int(packet["dst_hi"]), int(packet["dst_lo"]), version),
    )


def layers(packet: np.void) -> set[str]:
    return {name for name in LAYER_NAMES if packet["layers"] & LAYER_BIT[name]}


def reason(packet: np.void) -> str:
    return REASONS[packet["reason"]]


def test_tcp_over_ipv4():
    (p,) = decode(
        bytes(ether() / IP(src=A, dst=B) / TCP(sport=1234, dport=443, seq=7, ack=9, flags="PA", window=99) / b"hello")
    )
    assert src_dst(p) == (A, B)
    assert (p["src_port"], p["dst_port"], p["protocol"], p["ip_version"]) == (1234, 443, 6, 4)
    assert (p["seq"], p["ack"], p["window"], p["tcp_flags"]) == (7, 9, 99, 0x18)
    assert (p["payload_len"], p["payload_offset"]) == (5, 54)
    assert layers(p) == {"eth", "ip", "tcp"}
    assert reason(p) == "decoded"


def test_ethernet_padding_is_not_payload():
    (p,) = decode(bytes(ether() / IP(src=A, dst=B) / UDP(sport=5, dport=6) / b"x").ljust(60, b"\0"))
    assert (p["payload_len"], p["wire_len"]) == (1, 60)


def test_udp_over_ipv6_behind_extension_headers():
    frame = (
        ether()
        / IPv6(src=A6, dst=B6)
        / IPv6ExtHdrHopByHop()
        / IPv6ExtHdrRouting()
        / IPv6ExtHdrDestOpt()
        / UDP(sport=53, dport=4000)
        / b"abc"
    )
    (p,) = decode(bytes(frame))
    assert src_dst(p) == (A6, B6)
    assert (p["protocol"], p["src_port"], p["dst_port"], p["payload_len"]) == (17, 53, 4000, 3)
    assert "dns" in layers(p)


def test_ipv4_options_are_skipped():
    (p,) = decode(
        bytes(ether() / IP(src=A, dst=B, options=[IPOption_RR(routers=["1.2.3.4"])]) / TCP(sport=1, dport=2) / b"zz")
    )
    assert (p["src_port"], p["dst_port"], p["payload_len"]) == (1, 2, 2)


@pytest.mark.parametrize(
    "tag", [Dot1Q(vlan=77), Dot1AD(vlan=77) / Dot1Q(vlan=5), Dot1Q(vlan=77) / Dot1Q(vlan=5) / Dot1Q(vlan=9)]
)
def test_the_outermost_vlan_counts(tag):
    (p,) = decode(bytes(ether() / tag / IP(src=A, dst=B) / UDP(sport=1, dport=2)))
    assert (p["vlan"], p["src_port"]) == (77, 1)
    assert "vlan" in layers(p)


def test_a_tag_that_the_kernel_took_out_is_used():
    one = block([bytes(ether() / IP(src=A, dst=B) / UDP(sport=1, dport=2) / b"pay")])
    one.frames["vlan_tpid"], one.frames["vlan_tci"] = 0x8100, 0x2000 | 42
    one.frames["wire_len"] += 4
    (p,) = Decoder().decode(one.data, one.frames)
    assert (p["vlan"], p["payload_len"]) == (42, 3)


def test_later_fragments_get_the_ports_of_the_first():
    whole = bytes(UDP(sport=1111, dport=2222, len=3008) / (b"x" * 3000))
    parts = [
        bytes(ether() / IP(src=A, dst=B, id=99, flags="MF", frag=0, proto=17) / whole[:1480]),
        bytes(ether() / IP(src=A, dst=B, id=99, flags="MF", frag=185, proto=17) / whole[1480:2960]),
        bytes(ether() / IP(src=A, dst=B, id=99, frag=370, proto=17) / whole[2960:]),
        bytes(ether() / IP(src=A, dst=B, id=98, frag=370, proto=17) / whole[2960:]),
    ]
    packets = decode(*parts)
    assert packets["src_port"].tolist() == [1111, 1111, 1111, 0]
    assert packets["dst_port"].tolist() == [2222, 2222, 2222, 0]
    assert [reason(p) for p in packets] == ["decoded", "decoded", "decoded", "later_fragment_unmatched"]
    assert packets["kind"].tolist()[1] & 3 == 3


def test_ipv6_fragments():
    whole = bytes(UDP(sport=1111, dport=2222, len=2008) / (b"x" * 2000))
    packets = decode(
        bytes(ether() / IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment(id=5, m=1, offset=0, nh=17) / whole[:1000]),
        bytes(ether() / IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment(id=5, m=0, offset=125, nh=17) / whole[1000:]),
    )
    assert packets["dst_port"].tolist() == [2222, 2222]


def test_an_atomic_fragment_is_a_whole_packet():
    (p,) = decode(
        bytes(
            ether()
            / IPv6(src=A6, dst=B6)
            / IPv6ExtHdrFragment(id=5, m=0, offset=0, nh=17)
            / UDP(sport=3, dport=4)
            / b"q"
        )
    )
    assert (p["kind"] & 3, p["dst_port"], p["payload_len"]) == (0, 4, 1)


@pytest.mark.parametrize(
    ("icmp_type", "other", "one_way"), [(8, 0, False), (0, 8, False), (13, 14, False), (3, 7, True), (11, 7, True)]
)
def test_icmp_types_take_the_place_of_ports(icmp_type, other, one_way):
    (p,) = decode(bytes(ether() / IP(src=A, dst=B) / ICMP(type=icmp_type, code=7) / b"xxxx"))
    assert (p["src_port"], p["dst_port"], bool(p["kind"] & 4)) == (icmp_type, other, one_way)


def test_arp_names_sender_and_target():
    (p,) = decode(bytes(ether() / ARP(psrc=A, pdst=B)))
    assert (int(p["src_lo"]) & 0xFFFFFFFF, int(p["dst_lo"]) & 0xFFFFFFFF) == (
        int(ipaddress.ip_address(A)),
        int(ipaddress.ip_address(B)),
    )
    assert layers(p) == {"eth", "arp"}
    assert (p["ip_version"], p["protocol"]) == (0, 255)


INNER = IP(src="172.16.0.1", dst="172.16.0.2") / TCP(sport=10, dport=20) / b"inner"


@pytest.mark.parametrize(
    ("outer", "layer"),
    [
        (ether() / IP(src=A, dst=B) / GRE() / INNER, "gre"),
        (ether() / IP(src=A, dst=B) / GRE(chksum_present=1, key_present=1, seqnum_present=1) / INNER, "gre"),
        (ether() / IP(src=A, dst=B) / GRE(proto=0x6558) / ether() / INNER, "gre"),
        (ether() / IP(src=A, dst=B) / INNER, "ip"),
        (ether() / IPv6(src=A6, dst=B6) / INNER, "ipv6"),
        (ether() / IP(src=A, dst=B) / UDP(sport=999, dport=4789) / VXLAN(vni=5, flags=8) / ether() / INNER, "vxlan"),
        (ether() / IP(src=A, dst=B) / UDP(sport=999, dport=6081) / GENEVE(vni=5) / ether() / INNER, "geneve"),
        (ether() / IP(src=A, dst=B) / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7) / INNER, "gtp"),
        (ether() / MPLS(label=3, s=0) / MPLS(label=4, s=1) / INNER, "mpls"),
        (ether() / PPPoE(sessionid=9) / PPP() / INNER, "pppoe"),
        (Dot3(**MAC) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x0800) / INNER, "llc"),
    ],
    ids=["gre", "gre-options", "gre-bridged", "ip-in-ip", "4in6", "vxlan", "geneve", "gtp", "mpls", "pppoe", "snap"],
)
def test_tunnels_are_opened(outer, layer):
    (p,) = decode(bytes(outer))
    assert src_dst(p) == ("172.16.0.1", "172.16.0.2")
    assert (p["src_port"], p["dst_port"], p["payload_len"]) == (10, 20, 5)
    assert layer in layers(p)
    assert (p["depth"] > 0) == (layer not in ("mpls", "pppoe", "llc"))
    assert (p["tunnel"] != 0) == (p["depth"] > 0)


def test_both_directions_of_a_tunnel_have_one_id():
    there = ether() / IP(src=A, dst=B) / UDP(sport=999, dport=4789) / VXLAN(vni=5, flags=8) / ether() / INNER
    back = ether() / IP(src=B, dst=A) / UDP(sport=888, dport=4789) / VXLAN(vni=5, flags=8) / ether() / INNER
    other = ether() / IP(src=B, dst=A) / UDP(sport=888, dport=4789) / VXLAN(vni=6, flags=8) / ether() / INNER
    packets = decode(bytes(there), bytes(back), bytes(other))
    assert packets["tunnel"][0] == packets["tunnel"][1] != packets["tunnel"][2]


def test_a_udp_tunnel_also_gives_its_outer_datagram():
    one = block(
        [bytes(ether() / IP(src=A, dst=B) / UDP(sport=999, dport=4789) / VXLAN(vni=5, flags=8) / ether() / INNER)]
    )
    decoder = Decoder()
    decoder.decode(one.data, one.frames)
    (carrier,) = decoder.carriers
    assert src_dst(carrier) == (A, B)
    assert (carrier["src_port"], carrier["dst_port"], carrier["wire_len"]) == (999, 4789, one.frames["wire_len"][0])


def test_tunnels_have_a_limit():
    packet = INNER
    for _ in range(20):
        packet = IP(src=A, dst=B) / packet
    (p,) = decode(bytes(ether() / packet))
    assert reason(p) == "tunnel_too_deep"


def test_sctp_ports():
    (p,) = decode(bytes(ether() / IP(src=A, dst=B) / SCTP(sport=5, dport=6)))
    assert (p["protocol"], p["src_port"], p["dst_port"]) == (132, 5, 6)


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (101, bytes(INNER)),
        (228, bytes(INNER)),
        (113, bytes(CookedLinux(proto=0x0800) / INNER)),
        (0, bytes(Loopback(type=2) / INNER)),
        (0, struct.pack(">I", 2) + bytes(INNER)),
        (108, struct.pack(">I", 2) + bytes(INNER)),
        (276, struct.pack(">HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, b"\0" * 8) + bytes(INNER)),
        (9, b"\xff\x03\x00\x21" + bytes(INNER)),
        (50, b"\xff\x03\x00\x21" + bytes(INNER)),
        (104, b"\x0f\x00\x08\x00" + bytes(INNER)),
        (9, b"\x0f\x00\x08\x00" + bytes(INNER)),
        (
            127,
            b"\0\0\x08\0\0\0\0\0"
            + b"\x08\x00\0\0"
            + b"\x02" * 18
            + b"\0\0"
            + b"\xaa\xaa\x03\0\0\0\x08\x00"
            + bytes(INNER),
        ),
        (105, b"\x88\x00\0\0" + b"\x02" * 18 + b"\0\0\0\0" + b"\xaa\xaa\x03\0\0\0\x08\x00" + bytes(INNER)),
    ],
    ids=[
        "raw",
        "ipv4",
        "sll",
        "null-le",
        "null-be",
        "loop",
        "sll2",
        "ppp",
        "ppp-hdlc",
        "chdlc",
        "chdlc-on-ppp",
        "radiotap",
        "wlan-qos",
    ],
)
def test_link_types(link_type, frame):
    (p,) = decode(frame, link_type=link_type)
    assert src_dst(p) == ("172.16.0.1", "172.16.0.2")
    assert (p["src_port"], p["dst_port"], p["payload_len"]) == (10, 20, 5)


def test_what_cannot_be_decoded_has_a_reason():
    cases = {
        "truncated_link": (1, b"\0" * 10),
        "unknown_link_type": (147, b"\0" * 100),
        "unknown_ether_type": (1, b"\0" * 12 + b"\x12\x34" + b"\0" * 40),
        "truncated_ip": (1, bytes(ether() / IP(src=A, dst=B))[:30]),
        "bad_ip_header": (101, b"\x23" + b"\0" * 40),
        "truncated_transport": (1, bytes(ether() / IP(src=A, dst=B) / TCP())[:44]),
        "encrypted_frame": (105, b"\x08\x40\0\0" + b"\0" * 40),
    }
    for expected, (link_type, frame) in cases.items():
        (p,) = decode(frame, link_type=link_type)
        assert reason(p) == expected


def test_a_bad_tcp_header_length_keeps_the_ports():
    frame = bytearray(bytes(ether() / IP(src=A, dst=B) / TCP(sport=3, dport=4)))
    frame[46] = 0x10
    (p,) = decode(bytes(frame))
    assert (reason(p), p["src_port"], p["payload_len"]) == ("bad_transport_header", 3, 0)


def test_frames_without_a_time_get_that_of_the_one_before():
    one = block([b"\0" * 60] * 3, times=[-1, 5_000, -1])
    packets = Decoder().decode(one.data, one.frames)
    assert packets["ts"].tolist() == [0, 5_000, 5_000]


def test_a_record_that_points_outside_the_buffer_is_not_followed():
    one = block([bytes(ether() / INNER)])
    one.frames["cap_len"] += 1
    (p,) = Decoder().decode(one.data, one.frames)
    assert reason(p) == "truncated_link"


LINK_TYPES = [0, 1, 6, 8, 9, 10, 12, 50, 51, 100, 101, 104, 105, 107, 108, 109, 113, 117, 119, 123, 127, 129, 138, 163]
LINK_TYPES += [166, 192, 204, 219, 226, 228, 229, 239, 242, 258, 276, 65535]


def check_sane(packets: np.ndarray, frames: np.ndarray) -> None:
    assert (packets["payload_offset"] <= frames["cap_len"]).all()
    assert (packets["reason"] < len(REASONS)).all()
    assert set(packets["ip_version"].tolist()) <= {0, 4, 6}
    assert (packets["depth"] <= 9).all()
    assert (packets["payload_len"] <= np.maximum(frames["wire_len"], 1 << 20)).all()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(LINK_TYPES), st.binary(max_size=200)), min_size=1, max_size=40))
def test_any_bytes_decode_to_something(cases):
    one = block([frame for _, frame in cases])
    one.frames["link_type"] = [link_type for link_type, _ in cases]
    packets = Decoder().decode(one.data, one.frames)
    check_sane(packets, one.frames)


SEEDS = [
    bytes(ether() / IP(src=A, dst=B) / UDP(sport=999, dport=port) / inner / INNER)
    for port, inner in (
        (4789, VXLAN(vni=5, flags=8) / ether()),
        (6081, GENEVE(vni=5) / ether()),
        (2152, GTP_U_Header(teid=7)),
        (3544, b""),
        (1701, b"\0\2\0\1\0\1\xff\3\0\x21"),
    )
] + [
    bytes(ether() / IPv6(src=A6, dst=B6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(id=5, m=1) / UDP() / b"abc"),
    bytes(ether() / Dot1Q(vlan=4) / MPLS(label=3, s=1) / INNER),
    bytes(ether() / IP(src=A, dst=B) / GRE(chksum_present=1) / INNER),
    bytes(ether() / PPPoE(sessionid=9) / PPP() / INNER),
]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
    st.integers(0, 1 << 20),
)
def test_mutated_frames_decode_to_something(seed, changes, length, wire):
    frame = bytearray(seed)
    for place, value in changes:
        frame[place % len(frame)] = value
    one = block([bytes(frame[:length])])
    one.frames["wire_len"] = max(wire, len(frame[:length]))
    packets = Decoder().decode(one.data, one.frames)
    check_sane(packets, one.frames)
    # The same bytes at the end of a page-sized buffer give the same result: nothing behind a frame is read.
    room = np.full(len(one.data) + 4096, 0xAA, np.uint8)
    room[4096:] = one.data
    shifted = np.array(one.frames, FRAME_DTYPE)
    shifted["offset"] += 4096
    again = Decoder().decode(room, shifted)
    for name in ("src_lo", "dst_lo", "src_port", "dst_port", "protocol", "reason", "layers", "payload_len", "tunnel"):
        assert packets[name].tolist() == again[name].tolist()

"""Capture files to give away: nobody is named, checksums are right, and the analysis is the same but for names."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from app.export.pcap import export_parts
from app.export.shareable_frames import ShareableFrames, checksum

SECRET = b"4111111111111111 alice@example.com"
A, B, C, D = "192.0.2.10", "198.51.100.20", "2001:db8::10", "2001:db8:1::20"
MAC_A, MAC_B = "00:11:22:33:44:55", "66:77:88:99:aa:bb"


@dataclass
class Held:
    frame: bytes
    link_type: int = 1
    ts: int = 1_700_000_000_000_000_000
    interface: int = 0
    flow_id: int = 1
    hidden: tuple[int, ...] = ()

    @property
    def wire_len(self) -> int:
        return len(self.frame)


def ether(*layers: Any) -> bytes:
    packet = Ether(src=MAC_A, dst=MAC_B)
    for layer in layers:
        packet = packet / layer
    return bytes(packet)


FRAMES = {
    "tcp": ether(IP(src=A, dst=B), TCP(sport=40_000, dport=80, options=[("MSS", 1460), ("Timestamp", (123_456, 0)), ("WScale", 7)]), SECRET),
    "udp": ether(IP(src=A, dst=B), UDP(sport=40_000, dport=53), SECRET),
    "vlan": ether(Dot1Q(vlan=7), IP(src=B, dst=A), UDP(sport=53, dport=40_000), SECRET),
    "icmp": ether(IP(src=A, dst=B), ICMP(id=7, seq=9), SECRET),
    "tcp6": ether(IPv6(src=C, dst=D, fl=0xABCDE), TCP(sport=1, dport=2), SECRET),
    "icmp6": ether(IPv6(src=C, dst=D), ICMPv6EchoRequest(data=SECRET)),
    "arp": ether(ARP(hwsrc=MAC_A, psrc=A, hwdst=MAC_B, pdst=B)),
    "options": ether(IP(src=A, dst=B, options=b"\x07\x07\x04" + bytes([192, 0, 2, 10]) + b"\0"), UDP(), SECRET),
    "tunnel": ether(IP(src=A, dst=B, proto=4), IP(src=A, dst=B), UDP(), SECRET),
}  # fmt: skip


def shared(*frames: Held) -> tuple[list[Any], dict[str, Any]]:
    share = ShareableFrames()
    return list(share.frames(frames)), share.manifest()


@pytest.mark.parametrize("name", FRAMES)
def test_nothing_says_who(name: str) -> None:
    (found,), _ = shared(Held(FRAMES[name]))
    secrets = [SECRET[:8], bytes.fromhex(MAC_A.replace(":", "")), bytes.fromhex(MAC_B.replace(":", ""))]
    secrets += [
        bytes([192, 0, 2, 10]),
        bytes([198, 51, 100, 20]),
        IPv6(src=C).build()[8:24],
        b"\x0a\xbc\xde",
        struct.pack(">I", 123_456),
    ]
    for secret in secrets:
        assert secret not in found.frame
    assert found.wire_len == len(FRAMES[name])


@pytest.mark.parametrize("name", [name for name in FRAMES if name not in ("arp", "tunnel")])
def test_checksums_are_right_with_zeros_for_what_was_cut(name: str) -> None:
    (found,), _ = shared(Held(FRAMES[name]))
    packet = Ether(found.frame + bytes(len(FRAMES[name]) - len(found.frame)))
    again = packet.copy()
    for layer in (IP, TCP, UDP, ICMP, ICMPv6EchoRequest):
        if layer in again:
            for field in ("chksum", "cksum"):
                if hasattr(again[layer], field):
                    delattr(again[layer], field)
    assert bytes(again) == bytes(packet)


def test_the_same_address_has_the_same_pseudonym_and_networks_stay_together() -> None:
    near = ether(IP(src="192.0.2.11", dst=B), UDP(), b"")
    (one, two, three), manifest = shared(Held(FRAMES["udp"]), Held(FRAMES["tcp"]), Held(near))
    ends = [(Ether(found.frame)[IP].src, Ether(found.frame)[IP].dst) for found in (one, two, three)]
    assert ends[0] == ends[1]
    assert ends[0][1] == ends[2][1]
    assert ends[0][0] != ends[2][0]
    assert ends[0][0].rsplit(".", 1)[0] == ends[2][0].rsplit(".", 1)[0]
    assert (manifest["frames"], manifest["frames_left_out"]) == (3, 0)
    assert manifest["bytes_cut"] >= 2 * len(SECRET)


def test_what_is_not_known_is_left_out_and_counted() -> None:
    frames = [
        Held(FRAMES["udp"], link_type=127),
        Held(FRAMES["udp"][:20]),
        Held(ether(b"")[:12] + b"\x88\xcc" + SECRET),
    ]
    found, manifest = shared(*frames, Held(FRAMES["udp"][14:], link_type=101))
    assert len(found) == 1
    assert manifest["frames_left_out"] == 3


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([0, 1, 101, 108, 113, 228, 229, 276, 147]))
def test_any_bytes_are_shared_or_left_out(data: bytes, link_type: int) -> None:
    found, manifest = shared(Held(data, link_type=link_type))
    assert len(found) + manifest["frames_left_out"] == 1
    for one in found:
        assert len(one.frame) <= len(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FRAMES)), st.data())
def test_damaged_frames_tell_nothing(name: str, data: st.DataObject) -> None:
    frame = bytearray(FRAMES[name])
    for _ in range(data.draw(st.integers(0, 4))):
        frame[data.draw(st.integers(12, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    for one in shared(Held(cut))[0]:
        assert SECRET[:8] not in one.frame


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_tshark_reads_the_same_conversations(tmp_path: Path, kind: str) -> None:
    held = [Held(frame) for frame in FRAMES.values()]
    files = {"true": held, "shared": list(ShareableFrames().frames(held))}
    told = {}
    for name, frames in files.items():
        path = tmp_path / f"{name}.{kind}"
        path.write_bytes(b"".join(export_parts(frames, kind, ["eth0"], {1})))
        fields = [
            "frame.len",
            "frame.time_epoch",
            "ip.proto",
            "ipv6.nxt",
            "tcp.srcport",
            "udp.dstport",
            "vlan.id",
            "arp.opcode",
            "icmp.seq",
        ]
        command = [
            "tshark",
            "-r",
            str(path),
            "-o",
            "ip.check_checksum:TRUE",
            "-T",
            "fields",
            *(part for field in fields for part in ("-e", field)),
        ]
        told[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        bad = subprocess.run(
            ["tshark", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-Y", "ip.checksum.status==0"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert bad.stdout == ""
    # of a tunnel the inner packet is gone
    assert told["shared"][:-1] == told["true"][:-1]


def test_checksum_of_the_standard() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # RFC 1071, section 3

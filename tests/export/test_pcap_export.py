"""Held packets as capture files: read back with scapy's reader, several link types, masked card numbers with right checksums."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.export.card_free import card_free, checksummed
from app.export.pcap import PART_BYTES, export_parts
from app.model.errors import CommandError

NUMBER = b"4111111111111111"
MACS = b"\x02" * 12


@dataclass
class Held:
    ts: int
    frame: bytes
    wire_len: int
    link_type: int = 1
    interface: int = 0
    hidden: tuple[int, ...] = ()


def read_pcapng(data):
    """[(interface name, link type, ts, wire_len, frame)] by the format's own rules (draft-ietf-opsawg-pcapng)."""
    at, interfaces, found = 0, [], []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length
        body = data[at + 8 : at + length - 4]
        if kind == 1:
            link_type = struct.unpack_from("<H", body)[0]
            options, where = {}, 8
            while where + 4 <= len(body):
                code, size = struct.unpack_from("<HH", body, where)
                options[code] = body[where + 4 : where + 4 + size]
                where += 4 + size + (-size % 4)
            assert options[9] == b"\x09"
            interfaces.append((options.get(2, b"").decode(), link_type))
        elif kind == 6:
            interface, high, low, cap_len, wire_len = struct.unpack_from("<IIIII", body)
            found.append((*interfaces[interface], high << 32 | low, wire_len, body[20 : 20 + cap_len]))
        at += length
    return found


def test_pcapng_describes_each_interface_and_link_type_once():
    frames = [
        Held(1_700_000_000_123_456_789, b"a" * 61, 1500, 1, 0),
        Held(1_700_000_000_123_456_790, b"b" * 40, 40, 101, 1),
        Held(1_700_000_000_123_456_791, b"c" * 60, 60, 1, 0),
        Held(1_700_000_000_123_456_792, b"d" * 60, 60, 1, 9),
    ]
    data = b"".join(export_parts(frames, "pcapng", ["eth0", "tun0"], {1, 101}))
    assert data.count(b"eth0") == 1
    assert read_pcapng(data) == [
        ("eth0", 1, 1_700_000_000_123_456_789, 1500, b"a" * 61),
        ("tun0", 101, 1_700_000_000_123_456_790, 40, b"b" * 40),
        ("eth0", 1, 1_700_000_000_123_456_791, 60, b"c" * 60),
        ("", 1, 1_700_000_000_123_456_792, 60, b"d" * 60),
    ]


def test_pcap_keeps_nanoseconds_and_lengths():
    frames = [Held(1_700_000_000_000_000_001, b"a" * 61, 1500), Held(2, b"", 60), Held(3, b"other", 5, 101)]
    data = io.BytesIO(b"".join(export_parts(frames, "pcap", ["eth0"], {1})))
    header = struct.unpack("<IHHiIII", data.read(24))
    assert (header[0], header[1:3], header[6]) == (0xA1B23C4D, (2, 4), 1)
    assert struct.unpack("<IIII", data.read(16)) == (1_700_000_000, 1, 61, 1500)
    assert data.read(61) == b"a" * 61
    assert struct.unpack("<IIII", data.read(16)) == (0, 2, 0, 60)
    assert data.read() == b""


@pytest.mark.parametrize(
    ("file_format", "link_types", "code", "words"),
    [
        ("pcap", {1, 101}, "several_link_types", "export them as pcapng"),
        ("pcap", set(), "empty", "nothing to export"),
        ("pcapng", set(), "empty", "nothing to export"),
        ("csv", {1}, "bad_format", "allowed: pcap, pcapng"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_first_part(file_format, link_types, code, words):
    with pytest.raises(CommandError, match=words) as caught:
        export_parts([], file_format, [], link_types)
    assert caught.value.code == code


def test_parts_are_bounded():
    parts = list(export_parts((Held(1, b"x" * 1500, 1500) for _ in range(2000)), "pcapng", ["eth0"], {1}))
    assert len(parts) > 5
    assert max(map(len, parts)) <= PART_BYTES + 2000
    assert len(read_pcapng(b"".join(parts))) == 2000


def ones_complement(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def transport(protocol, payload, port=80):
    if protocol == 6:
        return struct.pack(">HHIIBBHHH", 40000, port, 1, 2, 0x50, 0x18, 100, 0, 0) + payload, 16
    if protocol == 17:
        return struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload, 6
    return struct.pack(">BBHHH", 8, 0, 0, 1, 1) + payload, 2


def packet(version, protocol, payload, port=80):
    """An IP packet with right checksums."""
    segment, at = transport(protocol, payload, port)
    if version == 4:
        addresses = b"\x0a\0\0\1\x0a\0\0\2"
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, protocol, 0) + addresses
    else:
        addresses = bytes(15) + b"\1" + bytes(15) + b"\2"
        header = struct.pack(">IHBB", 0x60000000, len(segment), protocol, 64) + addresses
    pseudo = b"" if protocol == 1 else addresses + struct.pack(">II", len(segment), protocol)
    checksum = 0xFFFF - ones_complement(pseudo + segment)
    if protocol == 17:
        checksum = checksum or 0xFFFF
    segment = segment[:at] + checksum.to_bytes(2, "big") + segment[at + 2 :]
    return header + segment, pseudo


def holds(version, data, pseudo):
    """Whether the transport checksum of a packet is right."""
    return ones_complement(pseudo + data[20 if version == 4 else 40 :]) == 0xFFFF


@given(
    st.sampled_from([4, 6]),
    st.sampled_from([6, 17, 1]),
    st.binary(max_size=40),
    st.sampled_from([NUMBER, b"4111 1111 1111 1111", b"3782-822463-10005"]),
)
def test_checksums_stay_right_when_numbers_are_masked(version, protocol, lead, number):
    data, pseudo = packet(version, protocol, lead + b"x" + number + b"y")
    if version == 6 and protocol == 1:
        return
    assert holds(version, data, pseudo)
    ether_type = b"\x08\x00" if version == 4 else b"\x86\xdd"
    for link_type, link in ((1, MACS + ether_type), (1, MACS + b"\x81\x00\x00\x07" + ether_type), (101, b"")):
        frame, masked = card_free(link + data, link_type)
        assert masked
        assert number not in frame
        assert len(frame) == len(link + data)
        assert holds(version, frame[len(link) :], pseudo)


def test_checksums_stay_right_through_tunnels():
    inner, pseudo = packet(4, 6, b"card " + NUMBER)
    outer, outer_pseudo = packet(4, 17, b"\x08\0\0\0\0\0\x01\0" + MACS + b"\x08\x00" + inner, 4789)
    frame, _ = card_free(MACS + b"\x08\x00" + outer, 1)
    assert holds(4, frame[14:], outer_pseudo)
    assert holds(4, frame[14 + 20 + 8 + 8 + 14 :], pseudo)
    six_in_four = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(inner), 1, 0, 64, 4, 0) + b"\x0a\0\0\1\x0a\0\0\2" + inner
    frame, _ = card_free(six_in_four, 101)
    assert holds(4, frame[20:], pseudo)


def test_a_wrong_checksum_is_no_better_afterwards_and_none_stays_none():
    data, pseudo = packet(4, 6, NUMBER)
    wrong = data[:36] + b"\x12\x34" + data[38:]
    assert not holds(4, card_free(wrong, 101)[0], pseudo)
    data, _ = packet(4, 17, NUMBER)
    without = data[:26] + b"\0\0" + data[28:]
    assert card_free(without, 101)[0][26:28] == b"\0\0"


def test_masking_can_be_turned_off():
    data, _ = packet(4, 6, NUMBER)
    frames = [Held(1, data, len(data), 101)]
    assert NUMBER not in b"".join(export_parts(frames, "pcap", [], {101}))
    assert NUMBER in b"".join(export_parts(frames, "pcap", [], {101}, unmasked=True))
    assert NUMBER not in b"".join(export_parts(frames, "pcapng", [], {101}))


@given(st.binary(max_size=120), st.sampled_from([0, 1, 101, 113, 276, 147]), st.integers(0, 120))
def test_hostile_frames_keep_their_length(around, link_type, place):
    frame = around[:place] + NUMBER + around[place:]
    masked, _ = card_free(frame, link_type)
    assert len(masked) == len(frame)
    for start, _, at, _ in checksummed(frame, link_type):
        assert 0 <= start <= at < len(frame)


def test_packets_carry_the_comment_of_their_flow() -> None:
    from types import SimpleNamespace

    frames = [
        SimpleNamespace(ts=1, frame=bytes(60), wire_len=60, link_type=1, interface=0, hidden=(), flow_id=flow)
        for flow in (1, 2)
    ]
    data = b"".join(export_parts(frames, "pcapng", ["eth0"], {1}, comments={1: "program=curl; pid=7"}))
    assert data.count(b"\x01\x00\x13\x00program=curl; pid=7\x00") == 1
    at, lengths = 0, []
    while at < len(data):  # every block says its length twice
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        assert data[at + length - 4 : at + length] == data[at + 4 : at + 8]
        lengths.append(length)
        at += length
    assert lengths[-2:] == [32 + 60 + 4 + 20 + 4, 32 + 60]

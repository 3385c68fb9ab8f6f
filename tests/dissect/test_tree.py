"""The dissection tree: bit fields, options, nested records, values as text, and hostile frames that stay bytes."""

from __future__ import annotations

import json
import logging
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

logging.getLogger("scapy").setLevel(logging.CRITICAL)
FRAMES = [
    (bytes.fromhex(record["frame"]), record["link_type"])
    for record in json.loads((Path(__file__).parent / "positions.json").read_text())
]
ETHERNET = bytes.fromhex("0200000000020200000000010800")


@pytest.fixture(scope="module")
def dissect():
    from app.dissect import layers, trace, tree

    layers.load()
    trace.install()
    return tree.dissect


def ipv4(protocol, payload):
    return (
        struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
        )
        + payload
    )


def tcp(payload, options=b"", port=9999, flags=0x18):
    return (
        struct.pack(">HHIIBBHHH", 40000, port, 1, 2, (5 + len(options) // 4) << 4, flags, 100, 0, 0) + options + payload
    )


def layer(found, name):
    return next(node for node in found["tree"] if node["name"] == name)


def field(node, name):
    return next(child for child in node["fields"] if child["name"] == name)


def every(nodes):
    for node in nodes:
        yield node
        yield from every(node.get("fields", []))


def test_bit_fields_share_a_byte_and_flags_are_single_bits(dissect):
    ip = layer(dissect(ETHERNET + ipv4(6, tcp(b"", flags=0x12)), 1), "IP")
    version, words = field(ip, "version"), field(ip, "ihl")
    assert (version["offset"], version["length"], version["bit_offset"], version["bit_length"]) == (14, 1, 0, 4)
    assert (words["offset"], words["length"], words["bit_offset"], words["bit_length"]) == (14, 1, 4, 4)
    fragment = field(ip, "frag")
    assert (fragment["offset"], fragment["length"], fragment["bit_offset"], fragment["bit_length"]) == (20, 2, 3, 13)
    flags = field(layer(dissect(ETHERNET + ipv4(6, tcp(b"", flags=0x12)), 1), "TCP"), "flags")["fields"]
    assert [flag["label"] for flag in flags if flag["value"] == "set"] == ["ACK", "SYN"]
    syn = next(flag for flag in flags if flag["label"] == "SYN")
    assert (syn["offset"], syn["bit_offset"], syn["bit_length"]) == (14 + 20 + 13, 6, 1)


def test_tcp_options_are_nodes_with_their_bytes(dissect):
    options = bytes.fromhex("020405b4 0402 080a0000000a0000000b 01 030307".replace(" ", ""))
    node = field(layer(dissect(ETHERNET + ipv4(6, tcp(b"", options)), 1), "TCP"), "options")
    assert [(o["label"], o["value"], o["offset"], o["length"]) for o in node["fields"]] == [
        ("Maximum segment size", "1460", 54, 4),
        ("SACK permitted", "", 58, 2),
        ("Timestamp", "10, 11", 60, 10),
        ("No operation", "", 70, 1),
        ("Window scale", "7", 71, 3),
    ]


def test_lying_options_stay_inside_the_header(dissect):
    for options in (b"\x02\xff\x00\x00", b"\x08\x00\x00\x00", b"\xfe\x01\x00\x00", b"\x01\x01\x01\x02"):
        node = field(layer(dissect(ETHERNET + ipv4(6, tcp(b"data", options)), 1), "TCP"), "options")
        assert all(o["offset"] >= 54 and o["offset"] + o["length"] <= 58 for o in node["fields"])


def test_http_headers_lie_where_their_text_is(dissect):
    request = b"GET /index.html HTTP/1.1\r\nHost: example.org\r\nUser-Agent: test/1\r\n\r\n"
    frame = ETHERNET + ipv4(6, tcp(request, port=80))
    node = layer(dissect(frame, 1), "HTTPRequest")
    for name, text in (
        ("Method", b"GET"),
        ("Path", b"/index.html"),
        ("Host", b"example.org"),
        ("User_Agent", b"test/1"),
    ):
        found = field(node, name)
        assert frame[found["offset"] : found["offset"] + found["length"]] == text
        assert found["value"] == text.decode()


def test_tls_records_follow_each_other(dissect):
    hello = b"\x01" + (76).to_bytes(3, "big") + b"\x03\x03" + b"r" * 32 + b"\x00" + b"c" * 41
    records = (
        b"\x16\x03\x01"
        + len(hello).to_bytes(2, "big")
        + hello
        + b"\x17\x03\x03\x00\x05abcde"
        + b"\x17\x03\x03\x00\xffcut"
    )
    found = [
        node for node in dissect(ETHERNET + ipv4(6, tcp(records, port=8443)), 1)["tree"] if node["name"] == "TLSRecord"
    ]
    assert [field(node, "type")["value"] for node in found] == [
        "handshake (22)",
        "application_data (23)",
        "application_data (23)",
    ]
    assert field(found[0], "handshake_type")["value"] == "client_hello (1)"
    assert field(found[0], "random")["length"] == 32
    assert found[0]["offset"] + found[0]["length"] == found[1]["offset"] == 54 + 5 + len(hello)


def test_unknown_link_types_are_a_payload(dissect):
    found = dissect(b"\x01\x02\x03", 147)
    assert [(node["name"], node["offset"], node["length"]) for node in found["tree"]] == [("Raw", 0, 3)]
    assert dissect(b"", 1)["tree"] == []


def test_values_are_printable_and_short(dissect):
    request = b"GET /\x1b[31m" + b"\xe2\x80\xae" + b"x" * 1000 + b" HTTP/1.1\r\nHost: a\x00b<script>\r\n\r\n"
    found = dissect(ETHERNET + ipv4(6, tcp(request, port=80)), 1)
    for node in every(found["tree"]):
        assert len(node.get("value", "")) <= 200
        assert node.get("value", "").isprintable()
        assert node["label"].isprintable()
    assert found["summary"].isprintable()
    assert found["info"].isprintable()


def test_places_are_inside_the_frame_and_show_the_value(dissect):
    for frame, link_type in FRAMES:
        for node in every(dissect(frame, link_type)["tree"]):
            if node["offset"] is not None:
                assert 0 <= node["offset"] <= node["offset"] + node["length"] <= len(frame)
            if node["name"] == "load" and node["offset"] is not None:
                shown = node["value"].rstrip("…")
                part = frame[node["offset"] : node["offset"] + node["length"]]
                assert part.hex().startswith(shown) or shown[:20].isprintable()


def test_a_frame_of_endless_layers_ends(dissect):
    tags = ETHERNET[:12] + b"\x81\x00\x00\x01" * 16000
    started = time.process_time()
    found = dissect(tags, 1)
    assert time.process_time() - started < 4
    assert len(list(every(found["tree"]))) <= 7000
    pointers = (
        struct.pack(">6H", 1, 0x8180, 0, 4000, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04abcd" * 3000
    )
    udp = struct.pack(">HHHH", 53, 4000, (8 + len(pointers)) & 0xFFFF, 0)
    started = time.process_time()
    dissect(ETHERNET + ipv4(17, udp + pointers[:60_000]), 1)
    assert time.process_time() - started < 4


@settings(max_examples=300, deadline=4000)
@given(data=st.data())
def test_mutated_frames_never_raise(dissect, data):
    frame, link_type = data.draw(st.sampled_from(FRAMES))
    changed = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(changed) - 1))
        changed[position] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xC0, 0xFF, data.draw(st.integers(0, 255))]))
    frame = bytes(changed[: data.draw(st.integers(0, len(changed)))]) + data.draw(st.binary(max_size=8))
    found = dissect(frame, link_type)
    json.dumps(found)
    for node in every(found["tree"]):
        assert node["offset"] is None or 0 <= node["offset"] <= node["offset"] + node["length"] <= len(frame)
        assert len(node.get("value", "")) <= 200


@settings(max_examples=100, deadline=4000)
@given(
    st.binary(max_size=400), st.sampled_from([0, 1, 9, 50, 101, 104, 105, 108, 113, 119, 127, 192, 228, 229, 276, 999])
)
def test_any_bytes_of_any_link_type_never_raise(dissect, frame, link_type):
    json.dumps(dissect(frame, link_type))

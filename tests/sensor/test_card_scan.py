"""Card numbers in streams: cut anywhere, out of order, sent again, in fragments, coded; and what must not be joined."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.l2 import Ether

from app.sensor.card_key import fingerprint, installation_key
from app.sensor.cards import Cards
from app.sensor.pipeline import Pipeline
from tests.frames import block

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
CLIENT, SERVER = "10.0.0.1", "192.0.2.80"
NUMBER = b"4111111111111111"


def segment(seq: int, data: bytes, back: bool = False, port: int = 7000) -> bytes:
    ends = (SERVER, CLIENT, port, 40000) if back else (CLIENT, SERVER, 40000, port)
    tcp = TCP(sport=ends[2], dport=ends[3], flags="PA", seq=seq & 0xFFFFFFFF, ack=1)
    return bytes(ETHER / IP(src=ends[0], dst=ends[1]) / tcp / data)


def datagram(data: bytes) -> bytes:
    return bytes(ETHER / IP(src=CLIENT, dst=SERVER) / UDP(sport=5000, dport=6000) / data)


def scanned(*blocks: list[bytes]) -> Cards:
    cards = Cards(b"k" * 32, patient=True)
    pipeline = Pipeline(64, cards=cards)
    for frames in blocks:
        pipeline.feed(block(frames))
    pipeline.finish()
    assert cards.coverage()["failures"] == 0
    return cards


def found(*blocks: list[bytes]) -> list[tuple[str, int]]:
    return [(finding.masked, finding.count) for finding in scanned(*blocks).findings.values()]


def test_a_finding_says_where_and_never_what() -> None:
    request = b"POST /pay HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    cards = scanned([segment(1, request + b'{"number":"' + NUMBER + b'","exp":"12/29"}', port=80)])
    (finding,) = cards.findings.values()
    assert finding.where == "HTTP request body, JSON"
    assert (finding.brand, finding.masked, finding.direction) == ("visa", "411111******1111", "originator")
    assert (finding.source, finding.destination) == ("10.0.0.1:40000", "192.0.2.80:80")
    assert finding.fingerprint == fingerprint(b"k" * 32, NUMBER)
    assert NUMBER.decode() not in repr(finding)


@pytest.mark.parametrize("separate_blocks", [False, True])
def test_cut_anywhere_in_order(separate_blocks: bool) -> None:
    text = b'"card":"4111 1111 1111 1111",'
    for cut in range(1, len(text)):
        frames = [segment(100, text[:cut]), segment(100 + cut, text[cut:])]
        assert found(*([[one] for one in frames] if separate_blocks else [frames])) == [("411111******1111", 1)], cut


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True), st.randoms(), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_any_cuts_any_order_sent_again(cuts: list[int], draw: random.Random, start: int) -> None:
    text = b'xyz "number":"4111111111111111","a":1 zyx'
    places = [0, *sorted(cuts), len(text)]
    parts = [(a, text[a:b]) for a, b in pairwise(places) if b > a]
    first, rest = parts[:1], parts[1:]
    draw.shuffle(rest)
    frames = [segment(start + at, data) for at, data in first + rest]
    again = draw.sample(frames, len(frames) // 2)
    assert found(frames + again) == [("411111******1111", 1)]


def test_what_comes_late_and_what_comes_again() -> None:
    parts = [(at, b"..4111111111111111.."[at : at + 5]) for at in range(0, 20, 5)]
    frames = [segment(1000, b"x" * 100), *(segment(1100 + at, data) for at, data in parts)]
    many = [segment(1120 + 10 * k, b"y" * 10) for k in range(40)]
    assert found(frames + frames[:2] + many) == [("411111******1111", 1)]
    assert found([*frames[:2], frames[0], *frames[2:], *many]) == [("411111******1111", 1)], "sent again in between"
    assert found([*frames[:2], *frames[3:], *many, frames[2]]) == [("411111******1111", 1)], "long after the others"
    assert found([many[0], *reversed(frames)]) == [("411111******1111", 1)], "the capture begins with the last"


def test_one_byte_at_a_time() -> None:
    text = b"PAN=4111111111111111\r\n"
    assert found([segment(50 + i, text[i : i + 1]) for i in range(len(text))]) == [("411111******1111", 1)]


def test_the_same_number_again_counts_up() -> None:
    text = b"card=4111111111111111;"
    assert found([segment(1, text), segment(1 + len(text), text), segment(1, text)]) == [("411111******1111", 2)]


def test_halves_that_do_not_belong_together() -> None:
    halves = b"code 41111111", b"11111111 end"
    assert found([segment(1, halves[0]), segment(1, halves[1], back=True)]) == []
    assert found([datagram(halves[0]), datagram(halves[1])]) == []
    assert found([segment(1, halves[0]), segment(1 + len(halves[0]) + 1, halves[1])]) == []
    assert found([segment(1, halves[0]), segment(1 + len(halves[0]), halves[1], port=7001)]) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_fragments_of_a_datagram(order: tuple[int, int]) -> None:
    packet = (
        IP(src=CLIENT, dst=SERVER, id=77)
        / UDP(sport=5000, dport=6000)
        / (b"a" * 990 + b" 4111111111111111 " + b"b" * 200)
    )
    parts = [bytes(ETHER / part) for part in fragment(packet, fragsize=1000)]
    assert len(parts) == 2
    cards = scanned([parts[i] for i in order])
    (finding,) = cards.findings.values()
    assert "IP fragments" in finding.where
    records = [
        {"packet_id": i + 1, "flow_id": finding.flow_id, "src_lo": 0, "src_port": 0, "seq": 0, "tcp_flags": 0}
        for i in range(2)
    ]
    hidden = [cards.places.hidden(record, 1500) for record in records] if cards.places else []
    assert sum(map(len, hidden)) == 6


def test_tls_is_skipped_and_counted() -> None:
    hello = b"\x16\x03\x01\x00\x05hello"
    data = b"\x17\x03\x03\x00\x20" + b" 4111111111111111 " * 2
    cards = scanned([segment(1, hello), segment(1 + len(hello), data), segment(1 + len(hello) + len(data), data)])
    assert not cards.findings
    assert cards.coverage()["bytes_encrypted"] == 2 * len(data)


def test_the_places_of_a_number_in_two_segments() -> None:
    cards = scanned([segment(1000, b"card=41111111"), segment(1013, b"11111111;")])
    (finding,) = cards.findings.values()
    assert cards.places is not None
    low = int.from_bytes(bytes([255, 255, 10, 0, 0, 1]), "big")
    record = {
        "packet_id": 1,
        "flow_id": finding.flow_id,
        "src_lo": low,
        "src_port": 40000,
        "seq": 1000,
        "tcp_flags": 24,
    }
    assert cards.places.hidden(record, 13) == [11, 12]
    assert cards.places.hidden({**record, "seq": 1013, "packet_id": 2}, 9) == [0, 1, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200), st.binary(max_size=80)), max_size=12))
@settings(max_examples=30, deadline=None)
def test_any_segments(parts: list[tuple[int, int, bytes]]) -> None:
    frames = [segment(seq, data, back=bool(kind & 1), port=25 if kind & 2 else 80) for kind, seq, data in parts if data]
    if frames:
        scanned(frames)


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    key = installation_key(tmp_path)
    assert installation_key(tmp_path) == key
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert installation_key(tmp_path / "other") != key

"""Nothing that leaves the sensor holds a whole card number: rows, dissection, capture files; also in two packets, and in coded bytes."""

import base64
import gzip

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from app.export.pcap import export_parts
from app.sensor.card_masking import CardMasking
from app.sensor.cards import Cards
from app.sensor.packet_store import SMALLEST_CAPACITY, PacketStore
from app.sensor.pipeline import Pipeline
from app.wire.filter import parse
from app.wire.filter_columns import packet_fields
from tests.frames import block
from tests.sensor.test_card_scan import datagram, segment

NUMBER = b"4111111111111111"
EVERYTHING = parse("", packet_fields(["eth0"]))


def stored(frames: list[bytes]) -> PacketStore:
    cards = Cards(b"k" * 32, patient=True)
    store = PacketStore(SMALLEST_CAPACITY, CardMasking(lambda: cards.places))
    pipeline = Pipeline(64, store, cards=cards)
    pipeline.feed(block(frames))
    pipeline.finish()
    assert cards.findings
    return store


def exported(store: PacketStore, hide: bool = True) -> list[bytes]:
    """The frames of the capture file."""
    data = b"".join(export_parts(store.iter_frames(EVERYTHING, hide=hide), "pcap", ["eth0"], {1}, unmasked=not hide))
    frames, at = [], 24
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return frames


def tcp_of(frame: bytes) -> TCP:
    return Ether(frame)[TCP]


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_number_in_two_segments(cut: int) -> None:
    store = stored([segment(1, b"card=" + NUMBER[:cut]), segment(6 + cut, NUMBER[cut:] + b";")])
    payload = b"".join(bytes(tcp_of(frame).payload) for frame in exported(store))
    assert payload == b"card=4111110000001111;"
    shown = b"".join(bytes(tcp_of(store.get(i).shown).payload) for i in (1, 2))
    assert shown == b"card=411111******1111;"
    rows = b"".join(store.get(i).row[0]["payload"].tobytes()[: store.get(i).row[0]["payload_kept"]] for i in (1, 2))
    assert rows == shown
    assert [int(store.get(i).row[0]["cards"]) for i in (1, 2)] == [2 if cut > 6 else 1, 2 if cut < 12 else 1]


def test_checksums_stay_right_and_frames_as_long() -> None:
    frames = [segment(1, b"card=41111111"), segment(14, b"11111111;")]
    for before, after in zip(frames, exported(stored(frames)), strict=True):
        assert len(before) == len(after)
        packet = Ether(after)
        found = packet[TCP].chksum, packet[IP].chksum
        del packet[TCP].chksum, packet[IP].chksum
        again = Ether(bytes(packet))
        assert (again[TCP].chksum, again[IP].chksum) == found


def test_unmasked_on_demand() -> None:
    store = stored([segment(1, b"card=" + NUMBER)])
    assert NUMBER in exported(store, hide=False)[0]
    assert NUMBER not in exported(store)[0]


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(b"my card " + NUMBER + b" ok"),
        ("card " + NUMBER.decode()).encode("utf-16-le"),
        b"number=" + b"".join(b"%%%02X" % digit for digit in NUMBER),
        b"n=4111%201111%201111%201111",
        ("card " + NUMBER.decode()).encode("cp037"),
        b"card " + NUMBER.hex().encode(),
    ],
)
def test_other_writings(text: bytes) -> None:
    (frame,) = exported(stored([datagram(text)]))
    assert len(frame) == 42 + len(text)
    assert text not in frame
    with pytest.raises(AssertionError):  # nothing is found in it any more
        stored([frame])


def test_a_compressed_body_is_hidden_whole() -> None:
    body = gzip.compress(b'{"number":"' + NUMBER + b'"}')
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    (frame,) = exported(stored([segment(1, head + body, port=80)]))
    assert body not in frame
    with pytest.raises(AssertionError):
        stored([frame])


def test_packets_without_say_so() -> None:
    store = stored([segment(1, b"card=" + NUMBER), segment(1, b"hello", port=7001)])
    assert [int(store.get(i).row[0]["cards"]) for i in (1, 2)] == [2, 1]
    assert int(PacketStore(SMALLEST_CAPACITY).newest(1)["cards"].sum()) == 0

"""Datagrams in IP fragments: what comes whole is read, in any order; what does not is forgotten."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from app.dpi.facts import DnsTransaction
from app.sensor import fragments
from app.sensor.fragments import FragmentJoiner, Piece, read_piece
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE

LONG = 3000


def query(number: int = 7) -> DNS:
    return DNS(id=number, rd=1, qd=DNSQR(qname="large.example.org", qtype="TXT")) / Raw(bytes(LONG))


def blocks(frames: list[bytes]) -> Block:
    stamps = np.zeros(len(frames), FRAME_DTYPE)
    sizes = [len(frame) for frame in frames]
    stamps["cap_len"] = stamps["wire_len"] = sizes
    stamps["offset"] = np.cumsum([0, *sizes[:-1]])
    stamps["link_type"] = 1
    stamps["ts"] = 1_700_000_000_000_000_000 + np.arange(len(frames)) * 1_000_000
    return Block(np.frombuffer(b"".join(frames), np.uint8).copy(), stamps)


def asked(frames: list[bytes]) -> list[str]:
    """Names of the queries that the pipeline sees."""
    found: list[str] = []
    insight = Insight(patient=True)
    pipeline = Pipeline(64, insight=insight)
    insight.on_fact = lambda fact: found.append(fact.query) if isinstance(fact, DnsTransaction) else None
    pipeline.feed(blocks(frames))
    pipeline.finish()
    return found


def ipv4(number: int) -> list[bytes]:
    whole = IP(src="10.0.0.1", dst="10.0.0.2", id=number) / UDP(sport=40_000 + number, dport=53) / query(number)
    return [bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / part) for part in fragment(whole, 1400)]


def ipv6() -> list[bytes]:
    whole = IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrFragment(id=9) / UDP(sport=40_009, dport=53) / query()
    return [bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / part) for part in fragment6(whole, 1400)]


def test_a_query_in_fragments_is_read_once() -> None:
    for frames in (ipv4(1), ipv6()):
        assert len(frames) == 3
        assert asked(frames) == ["large.example.org"]
        assert asked([frames[0], frames[2], frames[1]]) == ["large.example.org"]
        assert asked([frame for frame in frames for _ in range(2)]) == ["large.example.org"]
        assert asked(frames[:2]) == []
        assert asked([frames[0], frames[2]]) == []


def test_datagrams_between_each_other() -> None:
    frames = [frame for three in zip(ipv4(1), ipv4(2), strict=True) for frame in three]
    assert asked(frames) == ["large.example.org"] * 2


def test_overlapping_pieces_drop_the_datagram() -> None:
    joiner = FragmentJoiner()
    assert joiner.add(1, 0, Piece(b"ab", 0, True), bytes(100), 1) is None
    assert joiner.add(1, 0, Piece(b"ab", 100, False), bytes(50), 1) is None  # its payload begins at 92
    assert joiner.add(1, 0, Piece(b"ab", 108, False), bytes(50), 1) is None  # the first is gone


def test_an_identification_that_comes_again_is_another_datagram() -> None:
    joiner = FragmentJoiner()
    assert joiner.add(1, 0, Piece(b"ab", 0, True), b"a" * 100, 1) is None
    assert joiner.add(1, 0, Piece(b"ab", 108, False), b"b" * 50, 2 + fragments.APART_NS) is None


def test_what_is_held_is_bounded() -> None:
    joiner = FragmentJoiner()
    for number in range(20_000):
        joiner.add(number, 0, Piece(number.to_bytes(4, "big"), 0, True), bytes(1400), number)
    assert len(joiner._open) <= fragments.MAX_DATAGRAMS
    assert joiner._bytes <= fragments.MAX_BYTES
    for at in range(200):
        joiner.add(1, 0, Piece(b"many", at * 16, True), bytes(8), 1)
    assert all(len(one.pieces) <= fragments.MAX_PIECES for one in joiner._open.values())


@given(st.binary(min_size=1, max_size=4000), st.integers(8, 600), st.randoms(use_true_random=False))
def test_any_cut_in_any_order_gives_the_datagram(payload: bytes, size: int, chance: random.Random) -> None:
    size -= size % 8
    cuts = [(0, payload[:size])] + [(at + 8, payload[at : at + size]) for at in range(size, len(payload), size)]
    pieces = [(Piece(b"id", at, (at, part) != cuts[-1]), part) for at, part in cuts]
    chance.shuffle(pieces)
    joiner = FragmentJoiner()
    answers = [joiner.add(1, 0, piece, part, 5) for piece, part in pieces]
    assert answers[-1] == payload
    assert answers[:-1] == [None] * (len(pieces) - 1)
    assert joiner._bytes == 0


@given(st.binary(max_size=120), st.sampled_from((0, 1, 101, 113, 276)))
def test_no_frame_is_too_broken(frame: bytes, link_type: int) -> None:
    piece = read_piece(frame, link_type)
    assert piece is None or 0 <= piece.begin <= 65_535

"""DTLS: fragments in any order, repetitions, the cookie exchange."""

import random

import pytest

from app.dpi.dtls import DtlsInspector, recognize_dtls
from app.dpi.facts import TlsClientHello, TlsServerHello
from app.dpi.inspector import FlowContext
from tests.dpi.flows import C, Play, S, play
from tests.dpi.tls_messages import (
    client_hello_body,
    extension,
    fragment,
    numbers,
    server_hello_body,
    sni,
    u16,
    versions,
)

EXTENSIONS = sni(b"dtls.example") + numbers(10, 29) + extension(11, b"\x01\x00")
BODY = client_hello_body(version=0xFEFD, ciphers=(0xC02F,), extensions=EXTENSIONS, cookie=b"")
SECOND = client_hello_body(version=0xFEFD, ciphers=(0xC02F,), extensions=EXTENSIONS, cookie=bytes(20))
VERIFY = fragment(3, b"\xfe\xff" + b"\x14" + bytes(20), 0)


def dtls(*lines):
    return play(recognize_dtls, *lines, protocol=17)


def test_a_cookie_exchange_makes_two_hellos():
    answer = fragment(2, server_hello_body(version=0xFEFD), 1)
    flow = dtls(
        (C, fragment(1, BODY, 0)), (S, VERIFY), (C, fragment(1, SECOND, 1)), (S, answer), (S, fragment(14, b"", 3))
    )
    first, second = flow.of(TlsClientHello)
    assert first.transport == "dtls"
    assert first.version == "DTLS 1.2"
    assert (first.server_name, first.ja4, first.ja3) == (second.server_name, second.ja4, second.ja3)
    assert first.ja4.startswith("dd2d010300_")
    (told,) = flow.of(TlsServerHello)
    assert (told.version, told.latency_ns) == ("DTLS 1.2", 1_000_000)


@pytest.mark.parametrize("seed", range(8))
def test_fragments_in_any_order_overlapping_and_repeated(seed):
    rng = random.Random(seed)
    pieces = [(at, rng.randint(10, 40)) for at in range(0, len(BODY), 10)] + [(0, 30)]
    rng.shuffle(pieces)
    flow = dtls(*((C, fragment(1, BODY, 0, at, size)) for at, size in pieces))
    assert [hello.server_name for hello in flow.of(TlsClientHello)] == ["dtls.example"]


def test_one_datagram_holds_several_records():
    certificate_and_done = fragment(11, b"\0\0\0", 2) + fragment(14, b"", 3)
    flow = dtls(
        (C, fragment(1, BODY, 0)), (S, fragment(2, server_hello_body(version=0xFEFD), 1) + certificate_and_done)
    )
    assert len(flow.of(TlsServerHello)) == 1
    assert not flow.more


def test_dtls_13():
    offered = client_hello_body(version=0xFEFD, extensions=versions(0xFEFC, 0xFEFD), cookie=b"")
    chosen = server_hello_body(version=0xFEFD, cipher=0x1301, extensions=extension(43, u16(0xFEFC)))
    flow = dtls((C, fragment(1, offered, 0)), (S, fragment(2, chosen, 0)))
    assert flow.of(TlsClientHello)[0].version == "DTLS 1.3"
    assert flow.of(TlsClientHello)[0].ja4.startswith("dd3i")
    assert flow.of(TlsServerHello)[0].version == "DTLS 1.3"
    assert not flow.more


def test_encrypted_records_are_left_alone():
    flow = Play(recognize_dtls, protocol=17).say(C, fragment(1, BODY, 0)).say(C, fragment(1, BODY, 1, epoch=1))
    assert len(flow.of(TlsClientHello)) == 1


def test_a_flood_of_fragments_is_bounded():
    flow = Play(recognize_dtls, protocol=17).say(C, fragment(1, BODY, 0, 0, 5))
    for number in range(1, 60):
        flow.say(C, fragment(1, bytes(30_000), number, number, 1))
    inspector = flow.inspector
    assert isinstance(inspector, DtlsInspector)
    assert inspector._sides[C].held <= 64 << 10
    for _ in range(10):
        flow.say(C, fragment(1, BODY, 0, 0, 5))
    assert not flow.more


@pytest.mark.parametrize(
    "data",
    [
        b"",
        fragment(1, BODY, 0)[:40],
        fragment(1, BODY, 0, epoch=1),
        fragment(9, BODY, 0),
        fragment(1, BODY, 0, version=0x0303),
    ],
)
def test_others_are_not_recognised(data):
    assert recognize_dtls(FlowContext(1, 17, "192.0.2.1", 1, "192.0.2.2", 443, print), C, data) is None

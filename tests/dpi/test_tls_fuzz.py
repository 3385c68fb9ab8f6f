"""Hostile bytes: mutated hellos, records, fragments and packets never raise, never take long, never hold much."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.dtls import DtlsInspector, recognize_dtls
from app.dpi.inspector import FlowContext
from app.dpi.quic import QuicInspector, recognize_quic
from app.dpi.tls import TlsInspector, recognize_tls
from tests import pace
from tests.dpi.capture_streams import conversations
from tests.dpi.flows import C, S
from tests.dpi.tls_messages import client_hello, crypto, fragment, initial, record, server_hello, sni

ID = b"\x01" * 8
HELLO = client_hello(extensions=sni(b"a.example"))
SLOW = 250  # units of work for one conversation: far above what it takes, far below a hang
CAPTURES = ("tls-sslv2.pcap", "tls-expired-cert.pcap", "tls-dtls12.pcap", "tls-dtls13.pcap", "quic-retry.pcap")


def flow(protocol):
    return FlowContext(1, protocol, "192.0.2.1", 1, "192.0.2.2", 443, lambda fact: repr(fact))


def feed(inspector, lines):
    begin = time.thread_time()
    for direction, data in lines:
        if not inspector.data(direction, data, 1):
            break
    inspector.gap(C, 10)
    inspector.gap(S, 10)
    inspector.close(2)
    spent = time.thread_time() - begin
    assert spent < 0.001 * SLOW or spent < SLOW * pace.unit()


def mutated(rng, data):
    """Bytes changed, cut out, doubled, or lengths set to their extremes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        kind = rng.randrange(5)
        if kind == 0:
            changed[at] = rng.randrange(256)
        elif kind == 1:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del changed[at : at + rng.randint(1, 8)]
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.randint(1, 30)]
        else:
            changed[at : at + 2] = rng.choice((b"\0\0", b"\xff\xff", b"\x40\x00", b"\0\x01"))
    return bytes(changed)


MAKERS = {"tls": (6, TlsInspector), "dtls": (17, DtlsInspector), "quic": (17, QuicInspector)}


@pytest.mark.parametrize("capture", CAPTURES)
def test_mutated_captures(capture):
    rng = random.Random(capture)
    for (protocol, *_), lines in conversations(capture):
        whole = [(direction, data) for direction, data, _ in lines][:12]
        for _ in range(40):
            broken = [(direction, mutated(rng, data)) for direction, data in whole]
            for proto, make in MAKERS.values():
                if proto == protocol:
                    feed(make(flow(protocol)), broken)


@given(st.lists(st.tuples(st.sampled_from((C, S)), st.binary(max_size=400)), max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_bytes(lines):
    for protocol, make in MAKERS.values():
        feed(make(flow(protocol)), lines)
        for recognize in (recognize_tls, recognize_dtls, recognize_quic):
            for direction, data in lines:
                recognize(flow(protocol), direction, data)


@given(st.binary(max_size=300), st.sampled_from((1, 2, 4, 11, 12)))
@settings(max_examples=200, deadline=None)
def test_any_handshake_message(body, kind):
    whole = bytes((kind,)) + len(body).to_bytes(3, "big") + body
    start = [(C, record(HELLO)), (S, record(server_hello()))]
    feed(TlsInspector(flow(6)), [*start[: kind % 3], (S, record(whole)), (C, record(whole))])
    feed(DtlsInspector(flow(17)), [(C, fragment(kind, body, 0)), (S, fragment(kind, body, 0))])


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.integers(0, 2000))
@settings(max_examples=100, deadline=None)
def test_any_frames_behind_good_keys(payloads, offset):
    lines = [(C, initial(payload, ID, number=n, fill=20)) for n, payload in enumerate(payloads)]
    lines += [(C, initial(crypto(offset, payloads[0]), ID, number=9, fill=20))]
    lines += [(S, initial(payload, ID, number=n, fill=20, side=b"server in")) for n, payload in enumerate(payloads)]
    feed(QuicInspector(flow(17)), lines)


def test_random_payloads_and_other_protocols_are_not_recognised():
    rng = random.Random(7)
    texts = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
    ]
    for n in range(5000):
        data = texts[n % 3] if n < 3 else rng.randbytes(rng.choice((16, 64, 512, 1300)))
        for protocol, recognize in ((6, recognize_tls), (17, recognize_dtls), (17, recognize_quic)):
            assert recognize(flow(protocol), C, data) is None

"""TLS over TCP: hellos however they are cut, answers, certificates, and the end of the inspection."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.facts import TlsClientHello, TlsServerHello
from app.dpi.inspector import FlowContext
from app.dpi.tls import TlsInspector, recognize_tls
from app.dpi.tls_hello import RETRY_RANDOM
from tests.dpi.flows import C, Play, S, play
from tests.dpi.tls_messages import (
    alpn,
    certificate,
    client_hello,
    client_hello_body,
    extension,
    message,
    numbers,
    record,
    server_hello,
    short,
    sni,
    u16,
    versions,
)

GREASE = 0x3A3A
FULL = (
    extension(GREASE)
    + sni(b"Example.ORG")
    + numbers(10, GREASE, 29, 23)
    + extension(11, b"\x01\x00")
    + alpn(b"\x5a\x5a", b"h2", b"http/1.1")
    + numbers(13, 0x0403, 0x0804)
    + versions(GREASE, 0x0304, 0x0303)
    + extension(0xFE0D, bytes(40))
)
HELLO = record(client_hello(ciphers=(GREASE, 0x1301, 0xC02F), extensions=FULL, session=bytes(32)))
ANSWER = record(server_hello(cipher=0x1301, extensions=extension(43, u16(0x0304))))
CHANGE = record(b"\x01", kind=20)
SECRET = record(bytes(50), kind=23)


def tls(*lines):
    return play(recognize_tls, *lines)


def hellos(flow):
    return flow.of(TlsClientHello)


def answers(flow):
    return flow.of(TlsServerHello)


def test_a_client_hello_says_everything():
    (hello,) = hellos(tls((C, HELLO)))
    assert (hello.transport, hello.server_name, hello.version) == ("tls", "Example.ORG", "TLS 1.3")
    assert hello.alpn == ["h2", "http/1.1"]
    assert hello.ech
    assert hello.ja4.startswith("t13d0207h2_")
    assert hello.quic_version is None


def test_an_answer_of_tls_13_ends_the_inspection():
    flow = tls((C, HELLO), (S, ANSWER))
    (answer,) = answers(flow)
    assert (answer.version, answer.cipher, answer.alpn) == ("TLS 1.3", "TLS_AES_128_GCM_SHA256", None)
    assert answer.latency_ns == 1_000_000
    assert not flow.more


@given(st.lists(st.integers(1, 400), max_size=30), st.lists(st.integers(1, 60), max_size=12))
@settings(max_examples=60, deadline=None)
def test_cuts_of_segments_and_records_change_nothing(segments, records):
    body, stream, at = client_hello(ciphers=(0x1301,), extensions=FULL), b"", 0
    for size in [*records, 1 << 14]:
        stream += record(body[at : at + size]) if body[at : at + size] else b""
        at += size
    flow, at = Play(recognize_tls), 0
    for size in [*segments, len(stream)]:
        flow.say(C, stream[at : at + size])
        at += size
    assert [hello.server_name for hello in hellos(flow)] == ["Example.ORG"]


def test_an_answer_of_tls_12_waits_for_its_certificates():
    flow = tls((C, HELLO), (S, record(server_hello(extensions=alpn(b"h2")))))
    (answer,) = answers(flow)  # told by close()
    assert (answer.version, answer.cipher) == ("TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
    assert answer.alpn == "h2"
    flow = Play(recognize_tls).say(C, HELLO).say(S, record(server_hello()))
    assert not answers(flow)
    flow.say(S, record(certificate(b"no certificate")))
    assert answers(flow)[0].certificates == []
    assert not flow.more


@pytest.mark.parametrize("behind", [record(message(14, b"")), record(message(12, bytes(9))), CHANGE, SECRET])
def test_an_answer_without_certificates_is_told(behind):
    flow = Play(recognize_tls).say(C, HELLO).say(S, record(server_hello()) + behind)
    flow.close()
    assert len(answers(flow)) == 1


def test_a_retry_asks_for_a_second_hello():
    retry = record(server_hello(cipher=0x1302, random=RETRY_RANDOM, extensions=extension(43, u16(0x0304))))
    flow = tls((C, HELLO), (S, retry + CHANGE), (C, CHANGE + HELLO), (S, ANSWER))
    assert len(hellos(flow)) == 2
    (answer,) = answers(flow)
    assert (answer.cipher, answer.latency_ns) == ("TLS_AES_128_GCM_SHA256", 1_000_000)
    lone = tls((C, HELLO), (S, retry))
    assert [answer.cipher for answer in answers(lone)] == ["TLS_AES_256_GCM_SHA384"]


def test_early_data_may_stand_before_a_second_hello():
    retry = record(server_hello(random=RETRY_RANDOM, extensions=extension(43, u16(0x0304))))
    flow = tls((C, HELLO + CHANGE + SECRET), (S, retry), (C, HELLO), (S, ANSWER))
    assert len(hellos(flow)) == 2


def test_only_the_server_was_seen():
    flow = tls((S, ANSWER))
    (answer,) = answers(flow)
    assert answer.latency_ns is None


def test_a_gap_keeps_what_was_found():
    flow = Play(recognize_tls).say(C, HELLO).say(S, record(server_hello())).gap(S, 1000)
    assert len(answers(flow)) == 1
    assert not flow.more
    lost = Play(recognize_tls).say(C, HELLO[:60]).gap(C, 100).say(S, ANSWER).close()
    assert not hellos(lost)
    assert len(answers(lost)) == 1


@pytest.mark.parametrize(
    ("version", "name"),
    [(0x0300, "SSL 3.0"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1"), (0x0303, "TLS 1.2"), (0x0304, "TLS 1.3")],
)
def test_versions(version, name):
    (hello,) = hellos(tls((C, record(client_hello(version=version, extensions=None)))))
    assert (hello.version, hello.server_name, hello.alpn, hello.ech) == (name, None, [], False)


def test_experimental_versions():
    offered = record(client_hello(extensions=versions(0x0304, 0xFB1A, 0x7F1C)))
    assert hellos(tls((C, offered)))[0].version == "TLS 1.3"
    drafts = record(client_hello(extensions=versions(0x7F1C)))
    assert hellos(tls((C, drafts)))[0].version == "TLS 1.3 draft 28"
    chosen = tls((C, offered), (S, record(server_hello(cipher=0xFFFE, extensions=extension(43, u16(0x7F1C))))))
    assert (answers(chosen)[0].version, answers(chosen)[0].cipher) == ("TLS 1.3 draft 28", "0xfffe")


def test_hellos_in_the_form_of_ssl_2():
    kinds = bytes.fromhex("010080 0700c0 00002f")
    body = b"\x01\x03\x01" + u16(len(kinds), 0, 16) + kinds + bytes(16)
    old = (0x8000 | len(body)).to_bytes(2, "big") + body
    flow = tls((C, old[:9]), (C, old[9:]), (S, record(server_hello(version=0x0301)) + record(message(14, b""))))
    (hello,) = hellos(flow)
    assert (hello.version, hello.ja3, hello.ja4) == ("TLS 1.0", "", "t10i000000_000000000000_000000000000")
    assert answers(flow)[0].version == "TLS 1.0"
    body = b"\x04\x00\x01\x00\x02" + u16(4, 3, 16) + b"cert" + b"\x01\x00\x80" + bytes(16)
    older = old[:3] + b"\x00\x02" + old[5:]
    flow = tls((C, older), (S, (0x8000 | len(body)).to_bytes(2, "big") + body))
    assert (answers(flow)[0].version, answers(flow)[0].cipher) == ("SSL 2.0", "0x010080")


def test_names_are_text():
    (hello,) = hellos(tls((C, record(client_hello(extensions=sni(b"a\n<b>\xff") + alpn(b"\0h"))))))
    assert hello.server_name == "a\\x0a<b>\\xff"
    assert hello.alpn == ["\\x00h"]


def test_a_broken_extension_ends_the_list():
    (hello,) = hellos(tls((C, record(client_hello(extensions=sni(b"a.example") + u16(10, 999) + bytes(4))))))
    assert hello.server_name == "a.example"
    assert hello.ja3


@pytest.mark.parametrize(
    "name", [short(b"\0" + short(b"abc"))[:-1], short(b"\0\0\0"), b"", short(b"\x01" + short(b"abc"))]
)
def test_a_broken_server_name_is_none(name):
    (hello,) = hellos(tls((C, record(client_hello(extensions=extension(0, name))))))
    assert hello.server_name is None
    assert hello.ja4[3] == "i"


def test_what_is_held_is_bounded():
    flow = Play(recognize_tls)
    flow.say(C, record(b"\x01\x01\x00\x00\x03\x03" + bytes(100)))  # announces 65,536 bytes
    for _ in range(20):
        flow.say(C, record(bytes(15_990))[:-1] + b"\x16")
        held = sum(len(stream.records) + len(stream.messages) for stream in flow.inspector._streams)
        assert 0 <= held <= 64 << 10


def test_a_side_that_stays_silent_is_given_up():
    flow = Play(recognize_tls).say(S, ANSWER)
    for _ in range(10):
        flow.say(S, SECRET[:5] + bytes(16_000))
    assert not flow.more


def test_a_peer_cannot_fill_the_log():
    flow = Play(recognize_tls).say(C, record(client_hello(extensions=None) * 300))
    assert len(hellos(flow)) == 8
    assert not flow.more


def test_a_stream_without_end_is_given_up():
    flow = Play(recognize_tls).say(C, HELLO)
    for _ in range(40):
        flow.say(S, record(bytes(4) * 2000))
    flow.say(S, ANSWER)
    assert not answers(flow)


def test_started_in_the_middle():
    """Behind STARTTLS another inspector makes it."""
    facts = []
    inspector = TlsInspector(FlowContext(1, 6, "192.0.2.1", 1, "192.0.2.2", 25, facts.append))
    assert inspector.data(S, ANSWER[:7], 1)
    assert inspector.data(C, HELLO, 2)
    assert not inspector.data(S, ANSWER[7:], 3)
    assert [type(fact) for fact in facts] == [TlsClientHello, TlsServerHello]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01",
        b"\x16\x03\x01\x00\x00\x01",
        b"\x16\x03\x05\x01\x00\x01\x00\x00\xfc\x03\x03",
        b"\x16\x03\x01\x01\x00\x01\x00\x00\x05\x03\x03",
        SECRET,
        b"\x80\x2e\x01\x00\x02\x00\x16\x00\x00\x00\x10" + bytes(10),
    ],
)
def test_other_protocols_are_not_recognised(data):
    assert recognize_tls(FlowContext(1, 6, "192.0.2.1", 1, "192.0.2.2", 443, print), C, data) is None


def test_udp_is_not_recognised():
    assert recognize_tls(FlowContext(1, 17, "192.0.2.1", 1, "192.0.2.2", 443, print), C, HELLO) is None


def test_a_hello_of_many_values_is_bounded():
    ciphers = tuple(n for n in range(20_000) if n & 0x0F0F != 0x0A0A)
    many = b"".join(extension(n & 0xFFF) for n in range(5_000))
    body = client_hello_body(ciphers=ciphers, extensions=many)
    stream = message(1, body)
    flow = Play(recognize_tls)
    for at in range(0, len(stream), 16_000):
        flow.say(C, record(stream[at : at + 16_000]))
    assert hellos(flow)[0].ja4[4:8] == "9999"

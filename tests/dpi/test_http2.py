"""HTTP/2 without TLS: frames, header blocks, what is bounded."""

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.http1 import recognize_http1
from app.dpi.http2 import PREFACE, Http2Inspector, recognize_http2
from tests.dpi.flows import C, Play, S, play

REQUEST = [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "h:80"), ("user-agent", "t/1")]
RESPONSE = [(":status", "200"), ("content-type", "text/html"), ("content-length", "5"), ("server", "s")]


def frame(kind, stream, payload=b"", flags=0):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers(stream, fields, encoder=None, flags=4):
    return frame(1, stream, (encoder or Encoder()).encode(fields), flags)


def h2(*lines):
    return play((recognize_http2, recognize_http1), *lines)


def test_request_and_response():
    flow = h2(
        (C, PREFACE + frame(4, 0) + headers(1, REQUEST)),
        (S, frame(4, 0) + headers(1, RESPONSE) + frame(0, 1, b"hello", 1)),
    )
    (fact,) = flow.http
    assert (fact.method, fact.host, fact.uri, fact.version, fact.user_agent) == ("GET", "h:80", "/a", "2", "t/1")
    assert (fact.status, fact.content_type, fact.response_length, fact.server) == (200, "text/html", 5, "s")
    assert flow.recognized == {"http": {"version": "2"}}


@pytest.mark.parametrize("size", [1, 5, 13])
def test_any_cut_and_a_shared_table(size):
    requests, responses = Encoder(), Encoder()
    client = PREFACE + frame(4, 0) + b"".join(headers(number, REQUEST, requests) for number in (1, 3, 5))
    server = b"".join(headers(number, RESPONSE, responses) + frame(0, number, b"x" * 50) for number in (5, 1, 3))
    flow = Play(recognize_http2)
    for direction, text in ((C, client), (S, server)):
        for start in range(0, len(text), size):
            flow.say(direction, text[start : start + size])
    assert [(fact.uri, fact.status) for fact in flow.http] == [("/a", 200)] * 3


def test_continuation_padding_priority():
    block = Encoder().encode(REQUEST)
    client = frame(1, 1, b"\2" + b"\0\0\0\0\x10" + block[:7] + b"\0\0", 0x8 | 0x20) + frame(9, 1, block[7:], 4)
    assert [fact.uri for fact in h2((C, PREFACE + client)).http] == ["/a"]


def test_push_promise_informational_and_trailers():
    encoder = Encoder()
    server = (
        frame(5, 1, b"\0\0\0\2" + encoder.encode([*REQUEST[:2], (":path", "/pushed")]), 4)
        + headers(1, [(":status", "103")], encoder) + headers(1, RESPONSE, encoder) + headers(1, [("x-trailer", "1")], encoder)
        + headers(2, RESPONSE, encoder)
    )  # fmt: skip
    flow = h2((C, PREFACE + headers(1, REQUEST)), (S, server))
    assert [(fact.uri, fact.status) for fact in flow.http] == [("/a", 200), ("/pushed", 200)]


def test_gap_in_a_body_is_skipped_and_elsewhere_ends():
    flow = Play(recognize_http2).say(C, PREFACE + headers(1, REQUEST)).say(S, frame(0, 1, b"x" * 100)[:50])
    assert flow.gap(S, 40).more
    flow.say(S, b"x" * 19 + headers(1, RESPONSE))
    assert [fact.status for fact in flow.http] == [200]
    flow.say(C, headers(3, REQUEST)).gap(C, 10)
    assert not flow.more
    assert [fact.status for fact in flow.http] == [200, None]


def test_after_an_upgrade():
    flow = Play((recognize_http2, recognize_http1))
    flow.say(C, b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").say(
        S, b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n"
    )
    assert not flow.more
    assert recognize_http2(flow.flow, S, frame(4, 0)) is not None


def test_bombs_are_refused():
    big = bytes([0x40, 1, ord("a"), 0x7F, 0x81, 0x1E]) + b"v" * 4000  # one entry of 4 kB …
    flow = h2((C, PREFACE + frame(1, 1, big + b"\xbe" * 12_000, 4)))  # … and 12,000 references to it
    assert not flow.more
    endless = [frame(1, 1, b"\x82")] + [frame(9, 1, b"\x82" * 16_000)] * 6
    assert not h2((C, PREFACE + b"".join(endless))).more


def test_passwords_are_not_logged(caplog):
    caplog.set_level("DEBUG")
    flow = h2((C, PREFACE + headers(1, [*REQUEST, ("authorization", "Basic YW5uOnNlY3JldA==")])))
    assert flow.logins == [("http", "ann", None)]
    assert "YW5uOnNlY3JldA" not in caplog.text


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([C, S]),
            st.binary(max_size=60),
            st.integers(0, 12),
            st.integers(0, 3),
            st.integers(0, 255),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_nothing_raises(frames):
    flow = Play(lambda flow, direction, data: Http2Inspector(flow)).say(C, PREFACE)
    for direction, payload, kind, stream, flags, raw in frames:
        flow.say(direction, payload if raw else frame(kind, stream, payload, flags))
    flow.close()

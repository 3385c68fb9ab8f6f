"""HTTP/1.x: requests matched with responses, however the bytes arrive, and whatever is missing."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.facts import HttpMessage
from app.dpi.http1 import Http1Inspector, recognize_http1
from app.dpi.inspector import FlowContext
from tests.dpi.flows import C, Play, S, play

GET = b"GET /a HTTP/1.1\r\nHost: example.org\r\nUser-Agent: test/1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


def http(*lines):
    return play(recognize_http1, *lines)


def short(flow):
    return [(fact.method, fact.host, fact.uri, fact.status) for fact in flow.http]


def test_request_and_response():
    flow = http((C, GET), (S, OK))
    (fact,) = flow.http
    assert (fact.method, fact.host, fact.uri, fact.version) == ("GET", "example.org", "/a", "1.1")
    assert (fact.user_agent, fact.server, fact.content_type, fact.status, fact.response_length) == (
        "test/1",
        "s",
        "text/html",
        200,
        5,
    )
    assert fact.latency_ns == 1_000_000
    assert flow.recognized == {"http": {"version": "1.1"}}


def test_request_is_told_when_the_response_head_is_complete():
    flow = Play(recognize_http1).say(C, GET)
    assert flow.http == []
    flow.say(S, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    assert short(flow) == [("GET", "example.org", "/a", 200)]


def test_request_without_response_is_told_at_the_end():
    assert short(http((C, GET))) == [("GET", "example.org", "/a", None)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_any_cut_of_the_stream(size):
    requests, answers = GET * 3 + b"HEAD /h HTTP/1.0\r\n\r\n", OK * 3 + b"HTTP/1.0 404 No\r\nContent-Length: 99\r\n\r\n"
    flow = Play(recognize_http1)
    for direction, text in ((C, requests), (S, answers)):
        for start in range(0, len(text), size):
            flow.say(direction, text[start : start + size])
    assert short(flow) == [("GET", "example.org", "/a", 200)] * 3 + [("HEAD", None, "/h", 404)]


def test_pipelined_responses_are_matched_in_order():
    many = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(3))
    answers = b"".join(b"HTTP/1.1 20%d X\r\nContent-Length: 0\r\n\r\n" % number for number in range(3))
    assert [(fact.uri, fact.status) for fact in http((C, many), (S, answers)).http] == [
        ("/0", 200),
        ("/1", 201),
        ("/2", 202),
    ]


def test_chunked_with_extensions_and_trailer():
    answer = (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;name="v"\r\nHTTP/\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n'
        b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
    )
    assert [fact.status for fact in http((C, GET * 2), (S, answer)).http] == [200, 404]


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 204 N\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n"]
)
def test_statuses_without_body(head):
    assert [fact.status for fact in http((C, GET * 2), (S, head + OK)).http][1] == 200


def test_head_has_no_body():
    assert [fact.status for fact in http((C, b"HEAD / HTTP/1.1\r\n\r\n" + GET), (S, OK[:-5] + OK)).http] == [200, 200]


def test_continue_is_not_the_answer():
    request = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    flow = http(
        (C, request), (S, b"HTTP/1.1 100 Continue\r\n\r\n"), (C, b"abc" + GET), (S, OK.replace(b"200", b"201") + OK)
    )
    assert [(fact.uri, fact.status) for fact in flow.http] == [("/p", 201), ("/a", 200)]


def test_body_until_the_connection_closes():
    flow = http((C, GET), (S, b"HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 500 not a response\r\n\r\n"))
    assert short(flow) == [("GET", "example.org", "/a", 200)]


def test_connect_hands_the_connection_on():
    flow = Play(recognize_http1)
    flow.say(C, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n\x16\x03\x01").say(S, b"HTTP/1.1 200 OK\r\n\r\nmore")
    assert not flow.more
    assert flow.flow.notes == {"tunnel": True, "rest": {0: b"\x16\x03\x01", 1: b"more"}}
    assert short(flow) == [("CONNECT", "h:443", "h:443", 200)]


def test_refused_connect_stays_http():
    flow = http(
        (C, b"CONNECT h:443 HTTP/1.1\r\n\r\n"), (C, GET), (S, b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), (S, OK)
    )
    assert [(fact.method, fact.status) for fact in flow.http] == [("CONNECT", 407), ("GET", 200)]
    assert flow.flow.notes == {}


def test_upgrade_hands_the_connection_on():
    request = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    flow = http((C, request), (S, b"HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\n\r\n\x81\x01a"))
    assert not flow.more
    assert flow.flow.notes == {"upgrade": "websocket", "rest": {1: b"\x81\x01a"}}


def test_refused_upgrade_stays_http():
    request = b"GET /x HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"
    assert [fact.status for fact in http((C, request + GET), (S, OK + OK)).http] == [200, 200]


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", ("GET", "h", "http://h/x")),
        (b"GET /x HTTP/1.1\nHost: h\n\n", ("GET", "h", "/x")),
        (b"\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n", ("GET", "h", "/x")),
        (b"GET /x HTTP/1.1\r\nHost:\r\n folded\r\n\r\n", ("GET", "folded", "/x")),
        (b"GET /x HTTP/1.1\r\nHOST : h\r\nHost: second\r\n\r\n", ("GET", "h", "/x")),
        (b"GET /a b c HTTP/1.1\r\nHost: h\r\n\r\n", ("GET", "h", "/a b c")),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ("OPTIONS", "h", "*")),
        (b"GET /old\r\n", ("GET", None, "/old")),
        (b"GET /x HTTP/1.\nHost: h\n\n", ("GET", "h", "/x")),
        (b"X-ODD /x HTTP/1.1\r\n\r\n", ("X-ODD", None, "/x")),
        (b"GET /\xff\x01 HTTP/1.1\r\n\r\n", None),
        (b"GET /\xff HTTP/1.1\r\n\r\n", ("GET", None, "/\\xff")),
        (
            b"GET /p?n=4111111111111111&m=4111+1111+1111+1111 HTTP/1.1\r\n\r\n",
            ("GET", None, "/p?n=411111******1111&m=4111+11**+****+1111"),
        ),
        (b"GET /p?n=4111%201111%201111%201111 HTTP/1.1\r\n\r\n", ("GET", None, "/p?n=4111%2011**%20****%201111")),
    ],
)
def test_request_heads(request_bytes, expected):
    found = [(fact.method, fact.host, fact.uri) for fact in http((C, request_bytes)).http]
    assert found == ([expected] if expected else [])


def test_basic_authentication_gives_the_user_and_never_the_password():
    token = base64.b64encode(b"ann:se:cret")
    request = b"GET / HTTP/1.1\r\nAuthorization: Basic " + token + b"\r\n\r\n"
    refused, ok = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    flow = http((C, request), (S, refused), (C, request), (S, refused), (C, request), (S, ok), (C, request), (S, ok))
    assert flow.logins == [("http", "ann", False), ("http", "ann", False), ("http", "ann", True)]
    assert [fact.username for fact in flow.http] == ["ann"] * 4
    assert "se:cret" not in repr(flow.facts)
    assert token.decode() not in repr(flow.facts)


@pytest.mark.parametrize("token", [b"!!!", b"YQ", b"", b"\xff\xff"])
def test_broken_basic_authentication(token):
    assert http((C, b"GET / HTTP/1.1\r\nAuthorization: Basic " + token + b"\r\n\r\n")).logins == []


def test_endless_head_ends_with_what_is_known():
    flow = http((C, b"GET /x HTTP/1.1\r\nHost: h\r\n"), *[(C, b"X: " + b"y" * 5000 + b"\r\n")] * 20)
    assert not flow.more
    assert short(flow) == [("GET", "h", "/x", None)]


def test_gap_inside_a_body_is_skipped_by_length():
    flow = Play(recognize_http1).say(C, GET * 2).say(S, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 10)
    flow.gap(S, 80).say(S, b"x" * 10 + OK.replace(b"200", b"206"))
    assert [fact.status for fact in flow.http] == [200, 206]


def test_gap_beyond_a_body_finds_the_next_response():
    flow = Play(recognize_http1).say(C, GET).say(S, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    flow.say(C, GET.replace(b"/a", b"/b"))
    flow.gap(S, 4000).say(C, GET.replace(b"/a", b"/c")).say(S, b"tail of something\r\n" + OK.replace(b"200", b"404"))
    assert [(fact.uri, fact.status) for fact in flow.http] == [("/a", 200), ("/b", None), ("/c", 404)]


def test_small_hole_in_a_head_costs_one_field():
    flow = (
        Play(recognize_http1)
        .say(C, b"GET /x HTTP/1.1\r\nCookie: abc")
        .gap(C, 16)
        .say(C, b"def\r\nHost: h\r\n\r\n")
        .say(S, OK)
    )
    assert short(flow) == [("GET", "h", "/x", 200)]


def test_gap_in_a_request_head_tells_what_was_seen():
    flow = (
        Play(recognize_http1)
        .say(C, b"GET /x HTTP/1.1\r\nHost: h\r\nCoo")
        .gap(C, 4000)
        .say(C, b"rest\r\n\r\n" + GET)
        .close()
    )
    assert short(flow) == [("GET", "h", "/x", None), ("GET", "example.org", "/a", None)]


def test_response_first_when_the_request_was_held_up():
    inspector = Http1Inspector(FlowContext(1, 6, "a", 1, "b", 80, (facts := []).append))
    inspector.data(S, OK, 2000)
    inspector.data(C, GET, 1000)
    assert [(fact.status, fact.latency_ns) for fact in facts if hasattr(fact, "status")] == [(200, 1000)]


def test_capture_that_began_inside_a_response():
    flow = play(
        recognize_http1,
        (S, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (C, GET),
        (S, b"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n"),
    )
    assert [fact.status for fact in flow.http] == [404]


def test_body_hook_gets_bytes_without_framing_and_their_encoding():
    flow = Play(recognize_http1)
    seen = []
    flow.flow.notes["http.body"] = lambda direction, data, kind: seen.append(
        (direction, data, kind.content_type, kind.content_encoding)
    )
    flow.say(C, b"POST / HTTP/1.1\r\nContent-Type: t/x\r\nContent-Length: 3\r\n\r\nabc")
    flow.say(
        S,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n",
    )
    assert seen == [(C, b"abc", "t/x", ""), (S, b"de", "", "gzip"), (S, b"f", "", "gzip")]


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", b"DESCRIBE rtsp://h/ RTSP/1.0\r\n\r\n", b"RTSP/1.0 200 OK\r\n\r\n", b"SIP/2.0 200 OK\r\n",
        b"GET key\r\n", b"SSH-2.0-x\r\n", b"220 ftp\r\n", b"", b"\0" * 40, b"GET", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"USER ann\r\n",
    ],
)  # fmt: skip
def test_what_is_not_http(data):
    assert recognize_http1(Play(()).flow, C, data) is None


def test_udp_is_not_http():
    assert recognize_http1(Play((), protocol=17).flow, C, b"M-SEARCH * HTTP/1.1\r\n\r\n") is None


token = st.sampled_from([GET, OK, b"\r\n", b"\n", b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n", b"0\r\n\r\n", b"GET ", b"Upgrade: x\r\n",
                         b"CONNECT a:1 HTTP/1.0\r\n\r\n", b"Content-Length: 7\r\n\r\n", b"HTTP/1.1 101 x\r\n\r\n"]) | st.binary(max_size=40)  # fmt: skip
event = st.tuples(st.sampled_from([C, S]), token | st.integers(1, 400))


@settings(max_examples=300, deadline=None)
@given(st.lists(event, max_size=40))
def test_nothing_raises(events):
    flow = Play(lambda flow, direction, data: Http1Inspector(flow))
    for direction, what in events:
        if isinstance(what, int):
            flow.gap(direction, what)
        else:
            flow.say(direction, what)
    flow.close()
    for fact in flow.http:
        assert fact.uri.isprintable()


POST = b"POST /form HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5000\r\n\r\n"


def test_bodies_are_passed_over_at_once_where_nobody_hears_of_messages():
    flow = Play(recognize_http1)
    flow.flow.messages = False
    flow.say(C, POST)
    assert flow.inspector.skippable(C) == 5000
    flow.gap(C, 5000).say(S, b"HTTP/1.1 204 No Content\r\n\r\n").close()
    assert [(fact.method, fact.status) for fact in flow.http] == [("POST", 204)]
    assert not flow.of(HttpMessage)


def test_bodies_are_read_where_somebody_hears_of_messages():
    flow = Play(recognize_http1).say(C, POST)
    assert flow.inspector.skippable(C) == 0
    flow.say(C, b"x" * 4096)
    assert [len(fact.body) for fact in flow.of(HttpMessage)] == [4096]
    assert flow.inspector.skippable(C) == 904


@pytest.mark.parametrize("cuts", [(), (1,), (16,), (40, 41), (80,), (3, 30, 60, 90)])
def test_a_head_says_the_same_wherever_it_is_cut(cuts):
    sent = b"\r\nGET /a HTTP/1.1\nHost: a.example\r\nUser-Agent: one\r\n two\r\n\r\nGET /b HTTP/1.0\r\nHost: b.example\r\n\r\n"
    flow = Play(recognize_http1)
    for first, last in zip((0, *cuts), (*cuts, len(sent)), strict=True):
        flow.say(C, sent[first:last])
    flow.close()
    told = [(fact.uri, fact.host, fact.user_agent, fact.version) for fact in flow.http]
    assert told == [("/a", "a.example", "one two", "1.1"), ("/b", "b.example", None, "1.0")]

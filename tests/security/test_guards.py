"""Host, origin, headers, throttle and peer look-up, each by itself."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.security.headers import POLICY, SecurityHeaders
from app.security.host_guard import HostGuard, host_name
from app.security.peer import peer_uid
from app.security.same_origin import foreign_fetch, foreign_origin
from app.security.throttle import MAX_KEYS, Throttle


def status_of(application: Any, **environ: str) -> str:
    told: list[str] = []
    list(application(environ, lambda status, headers, exc_info=None: told.append(status)))
    return told[0]


def answer(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"inside"]


# -- host --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8080", "localhost"),
        ("localhost.:80", "localhost"),
        ("[::1]:8080", "::1"),
        ("[::1]", "::1"),
        ("127.0.0.1:", None),
        ("", None),
        (":80", None),
        ("[::1", None),
        ("[::1]x", None),
        ("::1", None),
        ("localhost:80:80", None),
        ("localhost:８０", None),
        ("a b", "a b"),
    ],
)
def test_names_in_host_headers(header: str, name: str | None) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:1", "box.lan:8080", "10.1.1.1", "BOX.LAN"])
def test_hosts_that_are_ours(host: str) -> None:
    assert status_of(HostGuard(answer, "10.1.1.1", ["box.lan"]), HTTP_HOST=host) == "200 OK"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.1.1.2",
        "localhost@evil",
        "127.0.0.2",
        "0.0.0.0",
    ],
)
def test_hosts_that_are_not(host: str) -> None:
    guard = HostGuard(answer, "10.1.1.1", ["box.lan"], lambda: frozenset({"10.1.1.2"}))
    assert status_of(guard, HTTP_HOST=host).startswith("421")


def test_listening_everywhere_answers_to_the_machines_own_addresses_only() -> None:
    guard = HostGuard(answer, "0.0.0.0", own_addresses=lambda: frozenset({"192.0.2.5", "2001:db8::5"}))
    assert status_of(guard, HTTP_HOST="192.0.2.5:80") == "200 OK"
    assert status_of(guard, HTTP_HOST="[2001:db8:0::5]") == "200 OK"
    assert status_of(guard, HTTP_HOST="192.0.2.6").startswith("421")
    assert status_of(guard, HTTP_HOST="0.0.0.0").startswith("421")


def test_a_request_without_a_host() -> None:
    assert status_of(HostGuard(answer, "127.0.0.1")).startswith("421")


@given(st.text(max_size=40))
def test_any_host_header_is_answered(header: str) -> None:
    assert status_of(HostGuard(answer, "127.0.0.1"), HTTP_HOST=header)[:3] in ("200", "421")


# -- origin ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "host", "foreign"),
    [
        (None, "localhost:8080", False),
        ("http://localhost:8080", "localhost:8080", False),
        ("HTTP://LOCALHOST:8080", "localhost:8080", False),
        ("http://localhost", "localhost:80", False),
        ("https://box.lan", "box.lan", False),
        ("http://[::1]:8080", "[::1]:8080", False),
        ("http://localhost:8081", "localhost:8080", True),
        ("http://localhost", "localhost:8080", True),
        ("http://evil.example", "localhost:8080", True),
        ("http://localhost:8080.evil.example", "localhost:8080", True),
        ("http://localhost:8080@evil.example", "localhost:8080", True),
        ("http://user@localhost:8080", "localhost:8080", True),
        ("http://localhost:8080/", "localhost:8080", True),
        ("null", "localhost:8080", True),
        ("", "localhost:8080", True),
        ("file://", "localhost:8080", True),
        ("ws://localhost:8080", "localhost:8080", True),
        ("http://[", "localhost:8080", True),
    ],
)
def test_origins(origin: str | None, host: str, foreign: bool) -> None:
    environ = {"HTTP_HOST": host} | ({"HTTP_ORIGIN": origin} if origin is not None else {})
    assert foreign_origin(environ) is foreign


@given(st.text(max_size=60))
def test_any_origin_is_judged(origin: str) -> None:
    assert isinstance(foreign_origin({"HTTP_HOST": "localhost", "HTTP_ORIGIN": origin}), bool)


def test_forwarded_hosts_are_not_believed() -> None:
    environ = {"HTTP_HOST": "localhost", "HTTP_ORIGIN": "http://evil.example", "HTTP_X_FORWARDED_HOST": "evil.example"}
    assert foreign_origin(environ)


@pytest.mark.parametrize(
    ("method", "site", "mode", "dest", "path", "foreign"),
    [
        ("POST", "same-origin", "cors", "empty", "/api/shutdown", False),
        ("POST", "none", "navigate", "document", "/api/shutdown", False),
        ("POST", "same-site", "cors", "empty", "/api/shutdown", True),
        ("POST", "cross-site", "navigate", "document", "/", True),
        ("DELETE", "cross-site", "cors", "empty", "/x", True),
        ("GET", "cross-site", "navigate", "document", "/", False),
        ("GET", "cross-site", "navigate", "iframe", "/", True),
        ("GET", "cross-site", "no-cors", "image", "/api/export/pcap", True),
        ("GET", "cross-site", "navigate", "document", "/api/export/pcap", True),
        ("GET", "cross-site", "websocket", "websocket", "/socket.io/", True),
        ("GET", "nonsense", "navigate", "image", "/", True),
        ("GET", "same-origin", "cors", "empty", "/api/stats", False),
    ],
)
def test_fetch_metadata(method: str, site: str, mode: str, dest: str, path: str, foreign: bool) -> None:
    environ = {
        "REQUEST_METHOD": method,
        "HTTP_SEC_FETCH_SITE": site,
        "HTTP_SEC_FETCH_MODE": mode,
        "HTTP_SEC_FETCH_DEST": dest,
        "PATH_INFO": path,
    }
    assert foreign_fetch(environ) is foreign


# -- headers -----------------------------------------------------------------------------------------------------------


def test_headers_replace_what_is_below() -> None:
    def loose(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("content-security-policy", "default-src *"), ("Server", "x/1"), ("ETag", "1")])
        return []

    told: dict[str, str] = {}
    SecurityHeaders(loose)({"PATH_INFO": "/"}, lambda status, headers, exc_info=None: told.update(headers))
    assert told["Content-Security-Policy"] == POLICY
    assert told["Cache-Control"] == "no-store"
    assert "Server" not in told
    assert told["ETag"] == "1"
    assert len([name for name in told if name.lower() == "content-security-policy"]) == 1


# -- throttle ----------------------------------------------------------------------------------------------------------


def test_a_bucket_empties_and_fills() -> None:
    now = [0.0]
    throttle = Throttle(3, 0.5, lambda: now[0])
    assert [throttle.take("a") for _ in range(4)] == [True, True, True, False]
    assert throttle.empty("a")
    assert not throttle.empty("b")
    assert throttle.wait_seconds("a") == 3
    now[0] = 2.0
    assert [throttle.take("a"), throttle.take("a")] == [True, False]
    now[0] = 1000
    assert [throttle.take("a") for _ in range(4)] == [True, True, True, False]


def test_buckets_are_bounded() -> None:
    throttle = Throttle(1, 1)
    for number in range(MAX_KEYS + 50):
        throttle.take(str(number))
    assert len(throttle._buckets) == MAX_KEYS


# -- peer --------------------------------------------------------------------------------------------------------------

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/net/tcp")


@linux
@pytest.mark.parametrize(
    ("bind", "target"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("0.0.0.0", "127.0.0.3")]
)
def test_the_uid_of_a_loopback_peer(bind: str, target: str) -> None:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family) as listener:
        if bind == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((bind, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection((target, port)) as client:
            accepted, _ = listener.accept()
            with accepted:
                peer, own = accepted.getpeername()[:2], accepted.getsockname()[:2]
                assert peer_uid(peer, own) == os.geteuid()
                assert peer_uid((peer[0], peer[1] ^ 1), own) is None
                client.close()
                # what is left of a closed socket belongs to nobody, not to root
                assert peer_uid(peer, own) is None


def test_addresses_that_are_none() -> None:
    assert peer_uid(("", 1), ("127.0.0.1", 2)) is None
    assert peer_uid(("evil", 1), ("127.0.0.1", 2)) is None


def test_other_systems_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peer_uid(("127.0.0.1", 1), ("127.0.0.1", 2)) is None

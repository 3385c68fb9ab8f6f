"""Who may enter: the right user of this machine, or the right token."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from app.security import caller
from app.security.caller import CallerGuard, CallerIdentity


def identity(**changes: Any) -> CallerIdentity:
    return CallerIdentity(**{"token": "right", "uids": [1000], "port": 8080, **changes})


def environ(**headers: Any) -> dict[str, Any]:
    return {
        "REMOTE_ADDR": "192.0.2.9",
        "REMOTE_PORT": "5",
        "QUERY_STRING": "",
        "PATH_INFO": "/",
        "REQUEST_METHOD": "GET",
        **headers,
    }


def local(**headers: Any) -> dict[str, Any]:
    return environ(REMOTE_ADDR="127.0.0.1", **headers)


@pytest.fixture
def uid(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the kernel tells of the peer."""
    told: list[int | None] = [4711]
    monkeypatch.setattr(caller, "peer_uid", lambda peer, own: told[0])
    return told


@pytest.mark.parametrize(
    "given",
    [
        {"HTTP_AUTHORIZATION": "Bearer right"},
        {"HTTP_AUTHORIZATION": "bearer  right "},
        {"QUERY_STRING": "token=right"},
        {"QUERY_STRING": "a=b&token=right"},
    ],
)
def test_the_right_token_enters(given: dict[str, str]) -> None:
    assert identity().identify(environ(**given)) == caller.Caller("token", True)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"HTTP_AUTHORIZATION": "Bearer wrong"},
        {"HTTP_AUTHORIZATION": "Bearer "},
        {"HTTP_AUTHORIZATION": "Basic right"},
        {"HTTP_AUTHORIZATION": "right"},
        {"HTTP_AUTHORIZATION": "Bearer rïght"},
        {"QUERY_STRING": "token="},
        {"QUERY_STRING": "token=wrong"},
        {"QUERY_STRING": "&".join("token=right" for _ in range(100))},
        {"HTTP_COOKIE": "netglass_8080=right"},
        {"HTTP_COOKIE": "netglass_8081=" + identity().cookie_header().split("=", 1)[1].split(";")[0]},
        {"HTTP_COOKIE": "\x00;;=;netglass_8080"},
    ],
)
def test_anything_else_from_afar_does_not(given: dict[str, str]) -> None:
    assert not identity().identify(environ(**given)).may_enter


def test_the_cookie_enters_and_is_not_the_token() -> None:
    subject = identity()
    header = subject.cookie_header()
    assert "HttpOnly" in header
    assert "SameSite=Strict" in header
    assert "right" not in header
    assert subject.identify(environ(HTTP_COOKIE=header.split(";")[0])).may_enter
    assert not identity(token="other").identify(environ(HTTP_COOKIE=header.split(";")[0])).may_enter


@pytest.mark.parametrize(
    ("told", "enters"), [(1000, True), (0, True), (os.geteuid(), True), (4711, False), (None, False)]
)
def test_local_users(uid: list[int | None], told: int | None, enters: bool) -> None:
    uid[0] = told
    found = identity().identify(local())
    assert found.may_enter is enters
    assert found.name == (f"uid:{told}" if told is not None else "unknown")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "::ffff:127.9.9.9"])
def test_loopback_addresses_are_looked_up(uid: list[int | None], address: str) -> None:
    uid[0] = 1000
    assert identity().identify(environ(REMOTE_ADDR=address)).may_enter


@pytest.mark.parametrize("address", ["192.0.2.9", "::2", "::ffff:192.0.2.9", "10.0.0.1", "", "x", "127.0.0.1.evil"])
def test_other_addresses_are_not(uid: list[int | None], address: str) -> None:
    uid[0] = 1000
    assert not identity().identify(environ(REMOTE_ADDR=address)).may_enter


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP"])
def test_what_a_proxy_passes_on_is_not_from_its_user(uid: list[int | None], header: str) -> None:
    uid[0] = 1000
    assert not identity().identify(local(**{header: "127.0.0.1"})).may_enter


def test_forwarded_headers_do_not_make_anybody_local(uid: list[int | None]) -> None:
    uid[0] = 1000
    assert not identity().identify(environ(HTTP_X_FORWARDED_FOR="127.0.0.1", HTTP_X_REAL_IP="127.0.0.1")).may_enter


def test_guessing_is_throttled_and_then_even_the_right_token_waits() -> None:
    subject = identity()
    for _ in range(10):
        assert not subject.identify(environ(HTTP_AUTHORIZATION="Bearer wrong")).may_enter
    assert not subject.identify(environ(HTTP_AUTHORIZATION="Bearer right")).may_enter
    assert (subject.throttled(environ()) or 0) > 0
    assert subject.identify({**environ(HTTP_AUTHORIZATION="Bearer right"), "REMOTE_ADDR": "192.0.2.10"}).may_enter


def test_without_a_token_setting_a_long_random_one_is_made() -> None:
    tokens = {identity(token=None).token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 43


class Recorder:
    """A WSGI application that says whether it was reached."""

    def __init__(self) -> None:
        self.reached = 0
        self.status = ""
        self.headers: dict[str, str] = {}

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.reached += 1
        start_response("200 OK", [])
        return []

    def start(self, status: str, headers: Any, exc_info: Any = None) -> None:
        self.status, self.headers = status, dict(headers)


@pytest.mark.parametrize(
    ("path", "reached"),
    [("/healthz", 1), ("/socket.io/", 1), ("/", 0), ("/api/stats", 0), ("/static/x.js", 0), ("/healthz/", 0)],
)
def test_what_strangers_reach(path: str, reached: int) -> None:
    inside = Recorder()
    list(CallerGuard(inside, identity())(environ(PATH_INFO=path), inside.start))
    assert inside.reached == reached
    assert inside.status.startswith("200" if reached else "401")


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address() -> None:
    inside = Recorder()
    list(CallerGuard(inside, identity())(environ(QUERY_STRING="view=map&token=right", PATH_INFO="/"), inside.start))
    assert inside.reached == 0
    assert inside.status.startswith("303")
    assert inside.headers["Location"] == "/?view=map"
    assert inside.headers["Set-Cookie"] == identity().cookie_header()


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "///evil.example/x", "/\r\nSet-Cookie: a=b"])
def test_the_exchange_never_leads_elsewhere(path: str) -> None:
    inside = Recorder()
    list(CallerGuard(inside, identity())(environ(QUERY_STRING="token=right", PATH_INFO=path), inside.start))
    location = inside.headers["Location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "\r" not in location


def test_a_local_user_gets_no_cookie_for_a_wrong_token(uid: list[int | None]) -> None:
    uid[0] = 1000
    inside = Recorder()
    list(CallerGuard(inside, identity())(local(QUERY_STRING="token=wrong"), inside.start))
    assert inside.status.startswith("303")
    assert "Set-Cookie" not in inside.headers


def test_throttled_strangers_are_told_to_wait() -> None:
    subject, inside = identity(), Recorder()
    for _ in range(11):
        list(CallerGuard(inside, subject)(environ(HTTP_AUTHORIZATION="Bearer wrong"), inside.start))
    assert inside.status.startswith("429")
    assert int(inside.headers["Retry-After"]) > 0


@pytest.mark.parametrize("token", [None, 5, "wrong", "", ["right"]])
def test_tokens_by_other_means(token: object) -> None:
    assert not identity().admits(token, environ())
    assert identity().admits("right", environ())


def test_the_owner_of_a_connection_is_asked_for_once(uid: list[int | None]) -> None:
    subject = identity()
    with socket.socket() as one, socket.socket() as other:
        first = local(**{"werkzeug.socket": one})
        uid[0] = None
        assert not subject.identify(first).may_enter
        uid[0] = 1000
        assert subject.identify(first).may_enter
        uid[0] = 4711
        assert subject.identify(first).may_enter  # the same connection: its owner cannot have changed
        assert not subject.identify(local(**{"werkzeug.socket": other})).may_enter
        assert not subject.identify({**first, "HTTP_X_FORWARDED_FOR": "203.0.113.1"}).may_enter

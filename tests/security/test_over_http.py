"""The guards over real HTTP, in both modes, on every route there is and on Socket.IO."""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.security.headers import POLICY
from tests.fakes.web import Server, running_server, running_site


@pytest.fixture(scope="module", params=["eventlet", "threading"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(
        request.param, tmp_path_factory.mktemp("guards"), "--flows", "50", "--interval", "0.2"
    ) as found:
        yield found


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """(method, path) of everything in the URL map, and Socket.IO's handshake."""
    found = [("GET", "/socket.io/?EIO=4&transport=polling"), ("POST", "/socket.io/?EIO=4&transport=polling&sid=x")]
    with running_site(tmp_path_factory.mktemp("routes"), autostart=False) as site:
        for rule in site.app.url_map.iter_rules():
            path = re.sub(r"<int:[^>]+>", "7", rule.rule)
            path = re.sub(r"<[^>]+>", "x", path)
            found += [(method, path) for method in sorted(rule.methods - {"HEAD"})]
    assert ("POST", "/api/shutdown") in found
    return found


def raw(
    server: Server, method: str, path: str, *headers: str, body: bytes = b"", host: str | None = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    """One request, written by hand; (status, headers in lower case, body)."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *headers]
    if not any(header.startswith("Connection:") for header in headers):
        lines.append("Connection: close")
    lines += [f"Content-Length: {len(body)}", "", ""]
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        answer = b""
        while not complete(answer) and (piece := connection.recv(65536)):
            answer += piece
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {n.lower(): v for n, _, v in (f.partition(": ") for f in fields)}, rest


def complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end and length) and len(body) >= int(length[1])


def check_headers(headers: dict[str, str]) -> None:
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers or "evil" not in headers["access-control-allow-origin"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", None])
def test_a_foreign_host_is_refused_everywhere(server: Server, routes: list[tuple[str, str]], host: str | None) -> None:
    for method, path in routes:
        status, headers, body = raw(server, method, path, host=host)
        assert status in ((421,) if host else (400, 421)), (method, path, status)
        if status == 421:
            check_headers(headers)
            assert headers["content-type"] == "application/problem+json"
            assert b'"status": 421' in body


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_origin_is_refused_everywhere(server: Server, routes: list[tuple[str, str]], origin: str) -> None:
    for method, path in routes:
        for extra in ([], [f"X-Forwarded-Host: {origin[7:]}", "X-Forwarded-Proto: http"]):
            status, headers, _ = raw(server, method, path, f"Origin: {origin}", *extra)
            assert status == 403, (method, path, status)
            check_headers(headers)


def test_another_site_changes_nothing(server: Server, routes: list[tuple[str, str]]) -> None:
    for method, path in routes:
        if method not in ("GET", "OPTIONS"):
            assert raw(server, method, path, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")[0] == 403
    assert raw(server, "GET", "/healthz")[0] == 200


def test_websocket_of_another_site_is_refused(server: Server) -> None:
    upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    path = "/socket.io/?EIO=4&transport=websocket"
    assert raw(server, "GET", path, *upgrade, "Origin: http://evil.example")[0] == 403
    assert raw(server, "GET", path, *upgrade, host="evil.example")[0] == 421


def test_every_answer_has_the_headers(server: Server, routes: list[tuple[str, str]]) -> None:
    for method, path in routes:
        if path in ("/api/shutdown", "/api/capture/stop"):
            continue
        status, headers, _ = raw(server, method, path)
        # without a sensor no packets, without a history no past: 503 with the reason
        assert status < 500 or path == "/api/export/pcap" or path.startswith("/api/history/"), (method, path, status)
        check_headers(headers)
        if path.startswith("/api/"):
            assert headers["cache-control"] == "no-store"
    for path in ("/nothing", "/static/nothing.js", "/../etc/passwd"):
        status, headers, _ = raw(server, "GET", path)
        assert status == 404
        check_headers(headers)


def test_what_is_malformed_is_answered_without_a_traceback(server: Server) -> None:
    for request in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert b"Traceback" not in answer
    assert raw(server, "GET", "/healthz")[0] == 200
    assert "Traceback" not in server.log.read_text()


# -- callers -----------------------------------------------------------------------------------------------------------


def test_the_servers_own_user_needs_no_token(server: Server) -> None:
    assert raw(server, "GET", "/api/stats")[0] == 200
    assert raw(server, "GET", "/api/stats", host="localhost")[0] == 200


def test_through_a_proxy_it_needs_one(server: Server) -> None:
    assert raw(server, "GET", "/api/stats", "X-Forwarded-For: 127.0.0.1")[0] == 401
    status, headers, _ = raw(server, "GET", "/", "Via: 1.1 proxy")
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="netglass"')
    assert raw(server, "GET", "/api/stats", "Via: 1.1 proxy", f"Authorization: Bearer {server.token}")[0] == 200


def test_the_token_becomes_a_cookie_that_holds(server: Server) -> None:
    proxied = "Via: 1.1 proxy"
    status, headers, _ = raw(server, "GET", f"/?token={server.token}", proxied)
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert cookie.startswith(f"netglass_{server.port}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert server.token not in cookie
    assert raw(server, "GET", "/api/stats", proxied, f"Cookie: {cookie.split(';')[0]}")[0] == 200
    assert raw(server, "GET", "/api/stats", proxied, f"Cookie: {cookie.split(';')[0]}x")[0] == 401


as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user")


@as_root
@pytest.mark.root
def test_another_user_of_the_machine_needs_the_token(server: Server) -> None:
    code = f"""
import socket, sys
def ask(*headers):
    with socket.create_connection(("127.0.0.1", {server.port}), 10) as c:
        c.sendall("\\r\\n".join(["GET /api/stats HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]).encode())
        return c.recv(100).split()[1].decode()
print(ask(), ask("Authorization: Bearer {server.token}"), ask("Authorization: Bearer wrong"))
"""
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", code],
        capture_output=True,
        text=True,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    if done.returncode != 0 and "python3" in done.stderr:
        pytest.skip(f"no interpreter that {nobody.pw_name} may run: {sys.executable}")
    assert done.stdout.split() == ["401", "200", "401"], done.stderr

"""A fake ipinfo and a fake name server on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dns.message
import dns.rrset


class FakeIpinfo:
    """`POST /batch`. `status`, `delay` and `body` are what a test sets; `asked` what came."""

    def __init__(self) -> None:
        self.token = "secret-token"
        self.status = 200
        self.delay = 0.0
        self.body: bytes | None = None
        self.records: dict[str, Any] = {}
        self.asked: list[list[str]] = []
        self.url = ""


@contextmanager
def fake_ipinfo() -> Iterator[FakeIpinfo]:
    fake = FakeIpinfo()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.asked.append(wanted)
            time.sleep(fake.delay)
            status = fake.status
            if self.headers["Authorization"] != f"Bearer {fake.token}":
                status = 403
            found = {address: fake.records.get(address, {"ip": address, "country": "CH"}) for address in wanted}
            body = fake.body if fake.body is not None else json.dumps(found).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", fake.url + "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


class FakeDns:
    """`records`: {("name.", "PTR"): [texts]}; `silent`: no answer at all."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.ttl = 300
        self.silent = False
        self.asked: list[tuple[str, str]] = []
        self.port = 0


@contextmanager
def fake_dns() -> Iterator[FakeDns]:
    fake = FakeDns()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.1)
    fake.port = sock.getsockname()[1]
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                data, peer = sock.recvfrom(2048)
            except TimeoutError:
                continue
            question = dns.message.from_wire(data)
            name, kind = question.question[0].name, dns.rdatatype.to_text(question.question[0].rdtype)
            fake.asked.append((name.to_text(), kind))
            if fake.silent:
                continue
            answer = dns.message.make_response(question)
            found = fake.records.get((name.to_text(), kind))
            if found:
                answer.answer.append(dns.rrset.from_text(name, fake.ttl, "IN", kind, *found))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            sock.sendto(answer.to_wire(), peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        done.set()
        thread.join()
        sock.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port

"""The ways out, each against a receiver of its own: what arrives, what is signed, and what happens when nobody listens."""

import hashlib
import hmac
import json
import re
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from app.services.alert_outputs import MAX_QUEUED, TRIES, Outbox
from app.services.output_eve import eve
from app.services.output_mail import Mail, mail
from app.services.output_syslog import Syslog, message
from app.services.output_webhook import Webhook

ALERT = {
    "id": "0123456789abcdef", "rule": "port_scan", "title": "Port scan\r\nBcc: x", "severity": "high", "confidence": 0.9,
    "reason": "It asked for 30 ports within 60 s; the limit is 20.\n\x1b[2J", "source": "10.0.0.1", "target": 'a"b]c\\d', "measured": 30,
    "threshold": 20, "count": 1, "first_seen": "2026-01-01T00:00:00.000000Z", "last_seen": "2026-01-01T00:00:01.000000Z", "mitre": "T1046",
    "app_name": None, "pid": None, "flow_ids": ["1"], "protocol": "tcp", "not_seen": {"kernel_drops": 3},
}  # fmt: skip


class Answering(BaseHTTPRequestHandler):
    statuses: ClassVar[list] = []
    got: ClassVar[list] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, dict(self.headers), body))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def web():
    Answering.statuses, Answering.got = [], []
    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook?a=1"
    server.shutdown()
    server.server_close()


def test_a_webhook_is_signed(web):
    Webhook(web, "secret").send(ALERT)
    path, headers, body = Answering.got[0]
    assert path == "/hook?a=1"
    assert json.loads(body)["alert"] == ALERT
    seconds, digest = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["X-Netglass-Signature"]).groups()
    assert digest == hmac.new(b"secret", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


def test_an_outbox_tries_again_with_longer_pauses(web):
    Answering.statuses = [500, 302, 200]
    pauses = []
    outbox = Outbox(Webhook(web, ""), "medium", pauses.append)
    outbox.take([ALERT, {**ALERT, "severity": "low"}])
    outbox.step()
    assert len(Answering.got) == 3
    assert pauses == [2.0, 4.0]
    assert outbox.state() | {"last_sent": None} == {
        "name": "webhook", "where": re.sub(r"/hook.*", "/…", web), "from_severity": "medium", "sent": 1, "waiting": 0, "lost": 0, "failures": 2,
        "last_error": None, "last_sent": None,
    }  # fmt: skip


def test_what_nobody_takes_is_given_up_and_counted():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    pauses = []
    outbox = Outbox(Webhook(url, ""), "low", pauses.append)
    outbox.take([ALERT])
    outbox.step()
    assert (outbox.lost, outbox.failures, len(pauses)) == (1, TRIES, TRIES - 1)
    assert "refused" in outbox.state()["last_error"]
    assert max(pauses) <= 300


def test_the_queue_is_bounded():
    outbox = Outbox(Webhook("http://127.0.0.1:1/", ""), "low")
    outbox.take([ALERT] * (MAX_QUEUED + 7))
    assert outbox.state()["waiting"] == MAX_QUEUED
    assert outbox.lost == 7


def test_a_syslog_message_is_one_line_with_nothing_broken_out():
    text = message(ALERT, "host name")
    assert text.startswith("<83>1 2026-01-01T00:00:01.000000Z hostname netglass - alert [netglass@32473 ")
    assert 'target="a\\"b\\]c\\\\d"' in text
    assert text.endswith("] \ufeffPort scan  Bcc: x: It asked for 30 ports within 60 s; the limit is 20.  [2J")
    assert "\n" not in text
    assert "\x1b" not in text


def test_syslog_over_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        Syslog(f"udp://127.0.0.1:{receiver.getsockname()[1]}").send(ALERT)
        assert receiver.recv(65535).startswith(b"<83>1 ")


def test_syslog_over_tcp_counts_octets():
    with socket.create_server(("127.0.0.1", 0)) as server:
        Syslog(f"tcp://127.0.0.1:{server.getsockname()[1]}").send(ALERT)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            data = b""
            while part := connection.recv(65535):
                data += part
    length, _, rest = data.partition(b" ")
    assert int(length) == len(rest)


class MailServer(socketserver.StreamRequestHandler):
    got: ClassVar[list] = []
    offers: ClassVar[list] = []

    def handle(self):
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            self.got.append(line)
            if word == b"EHLO":
                self.wfile.write(b"250-test\r\n" + b"".join(self.offers) + b"250 SIZE 100000\r\n")
            elif word == b"DATA":
                self.wfile.write(b"354 go\r\n")
                while (text := self.rfile.readline()) != b".\r\n":
                    self.got.append(text)
                self.wfile.write(b"250 taken\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 yes\r\n")


@pytest.fixture
def mail_server():
    MailServer.got = []
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_mail_arrives(mail_server):
    Mail(f"smtp://127.0.0.1:{mail_server}", "netglass@example.org", ("a@example.org", "b@example.org")).send(ALERT)
    said = b"".join(MailServer.got).decode()
    assert said.count("rcpt TO:") + said.count("RCPT TO:") == 2
    assert "Subject: [Netglass] high: Port scan  Bcc: x" in said
    assert "\r\nBcc:" not in said
    assert "the limit is 20" in said


def test_a_password_is_not_sent_without_encryption(mail_server):
    sender = Mail(f"smtp://user:secret@127.0.0.1:{mail_server}", "netglass@example.org", ("a@example.org",))
    with pytest.raises(OSError, match="no TLS"):
        sender.send(ALERT)
    assert "secret" not in sender.where
    assert not any(line.startswith((b"AUTH", b"auth")) for line in MailServer.got)


def test_the_mail_says_what_was_not_seen():
    assert "kernel_drops" in mail(ALERT, "a@b", ("c@d",)).get_content()


def test_eve_names():
    line = eve(ALERT)
    assert line["timestamp"] == "2026-01-01T00:00:01.000000+0000"
    assert line["alert"]["severity"] == 1
    assert (line["src_ip"], line["event_type"]) == ("10.0.0.1", "alert")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Webhook("ftp://x/", ""), "http"),
        (lambda: Syslog("http://x"), "udp://"),
        (lambda: Mail("imap://x", "a@b", ()), "smtp://"),
    ],
)
def test_addresses_that_are_none(make, words):
    with pytest.raises(ValueError, match=words):
        make()

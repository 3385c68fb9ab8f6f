"""Payload finds its inspector, facts find their way out, and what is left out is counted."""

from __future__ import annotations

import random
import time

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from app.dpi.facts import CleartextLogin, DnsTransaction, HttpTransaction, TlsClientHello, TlsServerHello
from app.dpi.inspector import DONE, MORE
from app.sensor.fact_documents import dns_document, http_document
from app.sensor.findings import Findings
from app.sensor.insight import LIVE_SECONDS_PER_TICK, Insight
from app.sensor.inspection import Inspection
from app.sensor.pipeline import Pipeline
from tests.frames import block

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
CLIENT, SERVER = "10.0.0.1", "192.0.2.80"


class Connection:
    """Frames of one TCP connection, with right sequence numbers."""

    def __init__(self, port: int = 80, client_port: int = 40_000) -> None:
        self.ports = (client_port, port)
        self.next = [1000, 5000]
        self.frames = [self._frame(0, b"", "S"), self._frame(1, b"", "SA"), self._frame(0, b"", "A")]

    def _frame(self, side: int, payload: bytes, flags: str = "PA") -> bytes:
        src, dst = ((CLIENT, SERVER), (SERVER, CLIENT))[side]
        sport, dport = self.ports if side == 0 else self.ports[::-1]
        tcp = TCP(sport=sport, dport=dport, flags=flags, seq=self.next[side], ack=self.next[1 - side])
        self.next[side] += len(payload) + ("S" in flags or "F" in flags)
        return bytes(ETHER / IP(src=src, dst=dst) / tcp / payload)

    def say(self, side: int, data: bytes, size: int = 1400) -> Connection:
        self.frames += [self._frame(side, data[i : i + size]) for i in range(0, len(data), size)]
        return self


def inspected(frames, limit=None) -> Insight:
    insight = Insight(patient=True, limit=limit)
    pipeline = Pipeline(64, insight=insight)
    pipeline.feed(block(frames))
    pipeline.finish()
    assert insight.inspection is not None
    assert insight.inspection.failures == 0
    return insight


REQUEST = b"GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\n\r\n"


def test_a_request_and_its_response():
    talk = (
        Connection()
        .say(0, REQUEST)
        .say(1, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
    )
    (told,) = inspected(talk.frames).findings.http
    assert (told.method, told.host, told.uri, told.status) == ("GET", "shop.example", "/a?b=1", 200)


@pytest.mark.parametrize("size", [1, 3, 50])
def test_any_cut_into_segments_tells_the_same(size):
    talk = Connection().say(0, REQUEST, size).say(1, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", size)
    (told,) = inspected(talk.frames).findings.http
    assert (told.host, told.status) == ("shop.example", 404)


def test_segments_out_of_order_and_again():
    talk = Connection().say(0, REQUEST, 10)
    head, rest = talk.frames[:3], talk.frames[3:]
    random.Random(7).shuffle(rest)
    talk.frames = head + rest + rest[:4]
    talk.say(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    (told,) = inspected(talk.frames).findings.http
    assert told.host == "shop.example"


def test_tls_behind_first_lines_that_nobody_knows():
    """As NoMachine and Gnutella begin it, without a word of STARTTLS."""
    hello = bytes.fromhex("16030100310100002d0303") + bytes(32) + bytes.fromhex("000006c02fc030009c0100")
    talk = Connection(4000).say(0, b"NXSH-8.10.1\n").say(1, b"NXD-8.10.1\n").say(0, hello)
    (told,) = inspected(talk.frames).findings.client_hellos
    assert told.ja3


def test_a_body_is_passed_over_and_what_follows_is_read():
    body = bytes(range(256)) * 1000
    talk = Connection().say(0, REQUEST)
    talk.say(1, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)).say(1, body)
    talk.say(0, REQUEST.replace(b"/a", b"/second")).say(1, b"HTTP/1.1 204 No\r\n\r\n")
    insight = inspected(talk.frames)
    assert [t.status for t in insight.findings.http] == [200, 204]
    assert insight.inspection is not None
    assert insight.inspection.bytes_read < 10_000
    assert insight.inspection.bytes_skipped > 240_000


def test_starttls_is_recognised_anew():
    hello = bytes.fromhex(
        "16030100470100004303030000000000000000000000000000000000000000000000000000000000000000"
        "000002c02f01000018000000140012" + "00000f" + b"mail.example.co".hex()
    )
    talk = Connection(port=25)
    talk.say(1, b"220 mail ESMTP\r\n").say(0, b"EHLO me\r\n").say(1, b"250-mail\r\n250 STARTTLS\r\n")
    talk.say(0, b"STARTTLS\r\n").say(1, b"220 go ahead\r\n").say(0, hello)
    found = inspected(talk.frames).findings
    assert [h.server_name for h in found.client_hellos] == ["mail.example.co"]


def test_a_login_in_clear_text_has_no_password():
    talk = Connection(port=21).say(1, b"220 FTP\r\n").say(0, b"USER anna\r\n").say(1, b"331 pass\r\n")
    talk.say(0, b"PASS verysecretword\r\n").say(1, b"230 ok\r\n")
    found = inspected(talk.frames).findings
    (login,) = found.logins
    assert (login.protocol, login.username, login.succeeded) == ("ftp", "anna", True)
    assert "verysecretword" not in repr(vars(found))


def test_dns_with_its_answer():
    query = (
        ETHER / IP(src=CLIENT, dst=SERVER) / UDP(sport=5353 + 1000, dport=53) / DNS(id=7, qd=DNSQR(qname="a.example"))
    )
    answer = (
        ETHER / IP(src=SERVER, dst=CLIENT) / UDP(sport=53, dport=6353)
        / DNS(id=7, qr=1, qd=DNSQR(qname="a.example"), an=DNSRR(rrname="a.example", rdata="192.0.2.7", ttl=60))
    )  # fmt: skip
    (told,) = inspected([bytes(query), bytes(answer)]).findings.dns
    document = dns_document(told)
    assert (document["query"], document["rcode"], document["answers"]) == ("a.example", "NOERROR", ["A 192.0.2.7"])
    assert document["latency_ms"] == pytest.approx(1.0)


def test_what_nobody_recognises_is_left_alone():
    talk = Connection(port=9999).say(0, random.Random(1).randbytes(200_000))
    insight = inspected(talk.frames)
    assert insight.inspection is not None
    assert insight.inspection.bytes_read < 8_000
    assert insight.inspection.active == 0


def test_card_numbers_in_a_target_are_masked():
    fact = HttpTransaction(1, 1, "GET", "h", "/pay?card=4111111111111111&x=1", "1.1")
    assert "4111111111111111" not in str(http_document(fact))


class Broken:
    def data(self, direction, data, ts):
        raise ZeroDivisionError

    def gap(self, direction, length):
        return DONE

    def close(self, ts):
        raise ZeroDivisionError


class Eager:
    """Wants everything, notes what it got."""

    def __init__(self, got):
        self.got = got

    def data(self, direction, data, ts):
        self.got.append((direction, data))
        return MORE

    def gap(self, direction, length):
        self.got.append((direction, length))
        return MORE

    def close(self, ts):
        self.got.append("closed")


def with_inspector(make, frames, **options):
    inspection = Inspection(lambda fact: None, [lambda flow, direction, data: make()], [], 64, **options)
    insight = Insight(patient=True)
    pipeline = Pipeline(64, insight=insight)
    insight.inspection = inspection
    pipeline.feed(block(frames))
    pipeline.finish()
    return inspection


def test_a_defect_of_an_inspector_is_counted_and_ends_only_its_flow():
    talk, other = Connection().say(0, b"x" * 10), Connection(client_port=40_001).say(0, b"y")
    inspection = with_inspector(Broken, talk.frames + other.frames)
    assert inspection.failures == 2
    assert inspection.active == 0


def test_a_hole_is_told_and_the_end_too():
    got: list = []
    talk = Connection().say(0, b"begin").say(0, b"lost").say(0, b"end")
    del talk.frames[4]
    with_inspector(lambda: Eager(got), talk.frames)
    assert got == [(0, b"begin"), (0, 4), (0, b"end"), "closed"]


def test_without_time_flows_are_passed_over_and_counted():
    inspection = with_inspector(lambda: Eager([]), Connection().say(0, b"data").frames, seconds_per_tick=-1.0)
    assert inspection.flows_passed_over == 1
    assert (inspection.active, inspection.bytes_read) == (0, 0)


def test_a_flow_that_begins_late_in_a_tick_is_looked_at_as_well():
    """The allowance of live capture is of work, not of the clock."""
    insight = Insight(patient=False, limit=10)
    pipeline = Pipeline(64, insight=insight)
    time.sleep(LIVE_SECONDS_PER_TICK + 0.05)
    pipeline.feed(block(Connection().say(0, REQUEST).frames))
    assert insight.inspection is not None
    assert insight.inspection.flows_passed_over == 0
    assert insight.inspection.bytes_read >= len(REQUEST)


def test_a_row_that_is_used_again_within_a_block():
    """The same ports again: the first connection is finished after the kernel has seen the second begin."""
    got: list = []
    first = Connection().say(0, b"one")
    second = Connection()
    second.next = [700_000, 900_000]
    second.frames = [second._frame(0, b"", "S"), second._frame(1, b"", "SA"), second._frame(0, b"", "A")]
    second.say(0, b"two")

    class Satisfied(Eager):
        def data(self, direction, data, ts):
            super().data(direction, data, ts)
            return DONE

    with_inspector(lambda: Satisfied(got), first.frames + second.frames)
    assert got == [(0, b"one"), (0, b"two")]


def test_findings_are_bounded():
    findings = Findings(limit=3)
    for i in range(10):
        findings.take(CleartextLogin(i, i, "ftp", "u"))
        findings.take(DnsTransaction(i, i, "c", "s", f"n{i}", "A", None))
    assert [fact.query for fact in findings.dns] == ["n7", "n8", "n9"]
    assert findings.forgotten == 14


def test_a_hello_waits_for_its_answer():
    def hello(flow_id):
        return TlsClientHello(flow_id, flow_id, "tls", f"{flow_id}.example", [], "TLS 1.2", "", "")

    def answer(flow_id):
        return TlsServerHello(flow_id, flow_id, "TLS 1.2", "c", None)

    findings = Findings(limit=10)
    findings.take(hello(1))
    findings.take(hello(2))
    findings.take(answer(2))
    assert findings.take_hellos(10) == [(hello(2), answer(2))]
    findings.take(answer(1))
    assert findings.take_hellos(10) == [(hello(1), answer(1))]
    findings.take(hello(3))
    assert [findings.take_hellos(10) for _ in range(4)] == [[], [], [], [(hello(3), None)]]
    for number in range(4, 9):
        findings.take(hello(number))
        findings.take(answer(number))
    assert [len(findings.take_hellos(2)) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("asked", "known"),
    [("192.0.2.7", None), ("192.0.2.7:8080", None), ("[2001:db8::1]:80", None), ("2001:db8::1", None), ("a.example:81", "a.example:81"), ("v2", "v2")],
)  # fmt: skip
def test_a_bare_address_is_no_server_name(asked, known):
    findings = Findings(limit=10)
    findings.take(HttpTransaction(1, 1, "GET", asked, "/", "1.1"))
    assert findings.flows[1].server_name == known


def test_the_flow_begun_first_is_let_go_for_another():
    got: list = []
    frames = [frame for i in range(3) for frame in Connection(client_port=41_000 + i).say(0, b"data").frames]
    inspection = with_inspector(lambda: Eager(got), frames, most_flows=2)
    assert inspection.flows_let_go == 1
    assert got.count("closed") == 3

"""Floods by what is said, probes that look like answers, fragments and amplifiers: at their limits, and beside what looks like them."""

from __future__ import annotations

import pytest

from app.detect.http_flood import HttpFlood
from app.detect.subdomain_flood import SubdomainFlood
from app.dpi.facts import DnsAnswer, DnsTransaction, HttpTransaction
from app.model.alert import Alert
from bench import cases_floods, cases_overload
from bench.case_frames import ACK, RST, SYN, Timed, connection, http, in_order, tcp, udp
from bench.cases import Case, alerts_of
from tests.detect.scene import Scene

BAD, VICTIM, CLIENT, SERVER = "10.1.1.66", "10.1.1.20", "192.168.7.23", "203.0.113.10"


def said_of(frames: list[Timed]) -> list[Alert]:
    return alerts_of(Case("", (), None, lambda: frames))


def rules(frames: list[Timed]) -> set[str]:
    return {alert.detection.rule for alert in said_of(frames)}


@pytest.mark.parametrize(("ports", "told"), [(9, False), (10, True)])
def test_resets_to_service_ports_are_a_scan_from_ten_ports_on(ports: int, told: bool) -> None:
    probes = [(i * 0.1, tcp(BAD, 45_000, VICTIM, 20 + i, RST)) for i in range(ports)]
    assert ("port_scan_stray" in rules(probes)) is told


def test_answers_to_a_forged_flood_are_no_scan() -> None:
    """Backscatter: from the service's port to ports that a forger chose."""
    scattered = [(i * 0.01, tcp(SERVER, 443, VICTIM, (i * 7919) % 64_000 + 1000, SYN | ACK)) for i in range(90)]
    refused = [(i * 0.01, tcp(SERVER, 7000, VICTIM, (i * 104_729) % 64_000 + 1, RST | ACK)) for i in range(90)]
    assert not {"port_scan_stray", "host_sweep_stray"} & (rules(scattered) | rules(refused))


def test_resets_of_connections_that_end_are_no_sweep() -> None:
    """A browser that closes what began before the capture: its servers lie apart."""
    ended = [(i * 0.01, tcp(CLIENT, 50_000 + i, f"{20 + i}.7.{i}.9", 443, RST)) for i in range(60)]
    assert "host_sweep_stray" not in rules(ended)


def request(path: str = "/", agent: str = "Mozilla/5.0", status: int | None = 200) -> HttpTransaction:
    return HttpTransaction(0, 0, "GET", "x.org", path, "1.1", agent, status=status)


@pytest.mark.parametrize(("number", "told"), [(199, 0), (200, 1), (399, 1), (400, 2)])
def test_an_http_flood_begins_at_its_limit_and_is_told_again_when_it_has_doubled(number: int, told: int) -> None:
    scene = Scene(HttpFlood)
    for _ in range(number):
        scene.flow().tell(request(), after=0.02)
    assert len(scene.said) == told


def test_many_requests_alone_are_no_http_flood() -> None:
    calls = Scene(HttpFlood)
    crawler = Scene(HttpFlood)
    slow = Scene(HttpFlood)
    for i in range(600):
        calls.tell(request("/rpc", "python-requests/2.31"), after=0.01)  # one connection, no browser's name
        crawler.flow().tell(request(f"/page/{i}"), after=0.01)
        slow.flow().tell(request(), after=0.1)
    assert (calls.said, crawler.said, slow.said) == ([], [], [])


def test_visitors_of_one_page_are_no_http_flood_but_clients_that_come_again_and_again_are() -> None:
    visitors, machines = Scene(HttpFlood), Scene(HttpFlood)
    for i in range(1500):
        visitors.flow(f"60.1.{i // 250}.{i % 250}").tell(request(), after=0.005)
        machines.flow(f"60.1.1.{i % 20}").tell(request(), after=0.005)
    assert visitors.said == []
    assert [(one.rule, one.source) for one in machines.said] == [("http_flood", None)]


def names(number: int, domain: str, found: int, label: str = "q7x{0:x}zk9") -> list[DnsTransaction]:
    answer = [DnsAnswer("x", "A", 60, "1.2.3.4")]
    return [
        DnsTransaction(0, 0, "10.0.0.5", "10.0.0.53", f"{label.format(i)}.{domain}", "A", *(("NOERROR", answer) if i < found else ("NXDOMAIN", [])))
        for i in range(number)
    ]  # fmt: skip


def test_made_up_names_and_lists_of_words_are_told_apart() -> None:
    flood, words = Scene(SubdomainFlood), Scene(SubdomainFlood)
    flood.tell(*names(150, "bank.com", 0), after=0.02)
    words.tell(*names(155, "shop.com", 5, "server{0}"), after=0.02)
    assert [one.rule for one in flood.said] == ["dns_subdomain_flood"]
    assert [one.rule for one in words.said] == ["dns_enumeration"]


@pytest.mark.parametrize(
    "asked",
    [
        names(149, "bank.com", 0),
        names(300, "cdn.net", 100),  # a third exists
        names(300, "2.0.192.in-addr.arpa", 0),
        names(300, "hashes.org", 0, "{0:032x}"),
        names(300, "zen.lists.org", 0, "4.3.2.{0}"),
        names(300, "home", 0),
    ],
    ids=["too few", "found", "reverse", "hashes", "block list", "local"],
)
def test_other_names_that_do_not_exist_are_no_flood(asked: list[DnsTransaction]) -> None:
    scene = Scene(SubdomainFlood)
    scene.tell(*asked, after=0.02)
    assert scene.said == []


def test_unfinished_requests_count_from_thirty_connections_and_not_when_they_are_answered() -> None:
    head, piece = b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-a: b\r\n"
    few = cases_overload.unfinished(head, piece, 29)
    many = cases_overload.unfinished(head, piece, 30)
    assert "slow_http_flood" not in rules(few)
    told = [one.detection for one in said_of(many) if one.detection.rule == "slow_http_flood"]
    assert [(one.target, one.source, one.measured) for one in told] == [(VICTIM, "60.0.0.9", 30)]
    answered = in_order(
        connection(i * 0.02, CLIENT, VICTIM, 80, [(0, head), (0, piece), (1, b"HTTP/1.1 408 Late\r\n\r\n")], gap=5.0)
        for i in range(60)
    )
    assert "slow_http_flood" not in rules(answered)


def test_a_form_that_is_sent_up_slowly_is_one_connection() -> None:
    upload = [(0, http("POST", "/up", VICTIM, bytes(9000)))] + [(0, bytes(1400))] * 30
    assert "slow_http_flood" not in rules(list(connection(0, CLIENT, VICTIM, 80, upload, gap=2.0)))


def test_fragments_of_real_datagrams_are_no_flood() -> None:
    assert "fragment_flood" not in rules(cases_floods.huge_pings(40, 20.0, 65_000))
    assert "fragment_flood" in rules(cases_floods.pieces(900, 600.0, 17, True))


@pytest.mark.parametrize(("ask", "reply", "told"), [(40, 440, True), (200, 440, False), (40, 120, False)])
def test_an_amplifier_answers_with_much_more_than_it_was_asked(ask: int, reply: int, told: bool) -> None:
    frames = []
    for i in range(200):
        frames += [
            (i / 100, udp("45.1.1.9", 2000 + i, VICTIM, 123, bytes(ask))),
            (i / 100 + 0.001, udp(VICTIM, 123, "45.1.1.9", 2000 + i, bytes(reply))),
        ]
    assert ("amplification_relay" in rules(frames)) is told


def test_a_flood_over_rising_ports_is_told_beside_the_scan_and_a_scan_alone_is_not_a_flood() -> None:
    assert "syn_flood" in rules(cases_floods.rising(4000, 2000.0, 0))
    assert "syn_flood" not in rules(cases_floods.rising(1000, 800.0, 45_000))
    assert "tcp_flood" not in rules([(i / 1000, tcp(BAD, 45_000, VICTIM, i + 1, ACK)) for i in range(1000)])

"""Passive names: the best statement wins, says why, grows old, and nothing is guessed."""

from __future__ import annotations

import pytest

from app.dpi.facts import DnsAnswer
from app.enrich.names import CHAIN, NS, PER_ADDRESS, STALE_NS, NameTable

HOST = "203.0.113.7"
ALICE, BOB = "192.0.2.1", "192.0.2.2"


def a(name, value=HOST, ttl=60):
    return DnsAnswer(name, "A", ttl, value)


def cname(name, value, ttl=60):
    return DnsAnswer(name, "CNAME", ttl, value)


def test_nothing_said_is_no_name():
    assert NameTable().name_of(HOST, ALICE, 0) is None


def test_an_address_at_the_end_of_a_chain_has_the_name_that_was_asked_for():
    table = NameTable()
    table.learn_dns(
        ALICE, "www.shop.example", [a("edge.cdn.example"), cname("WWW.shop.example", "edge.CDN.example", 20)], 0
    )
    name = table.name_of(HOST, ALICE, 10 * NS)
    assert (name.name, name.source, name.age_s, name.own, name.expired) == ("www.shop.example", "dns", 10, True, False)
    assert table.name_of(HOST, ALICE, 21 * NS).expired  # the chain's shortest TTL


def test_records_the_chain_does_not_lead_to_name_nobody():
    table = NameTable()
    table.learn_dns(ALICE, "www.example", [a("www.example", "203.0.113.1"), a("bank.example")], 0)
    assert table.name_of(HOST) is None
    assert table.name_of("203.0.113.1").name == "www.example"


def test_a_chain_in_circles_or_without_end_ends():
    table = NameTable()
    table.learn_dns(ALICE, "a", [cname("a", "b"), cname("b", "a"), a("b")], 0)
    assert table.name_of(HOST).name == "a"
    long = [cname(str(i), str(i + 1)) for i in range(CHAIN + 10)]
    table.learn_dns(ALICE, "0", [*long, a(str(CHAIN + 10), "203.0.113.9")], 0)
    assert table.name_of("203.0.113.9") is None


def test_addresses_of_other_types_do_not_count():
    table = NameTable()
    table.learn_dns(ALICE, "x.example", [DnsAnswer("x.example", "A", 60, "\\# 4 01020304")], 0)
    table.learn_dns(ALICE, "x.example", [DnsAnswer("x.example", "TXT", 60, HOST)], 0)
    assert len(table) == 0


def test_preference():
    table = NameTable()
    table.learn_dns(BOB, "bobs.example", [a("bobs.example")], 50 * NS)
    assert table.name_of(HOST, ALICE, 50 * NS)[:2] == ("bobs.example", "dns")
    table.learn_sni(HOST, "bobs-sni.example", 50 * NS, client=BOB)
    assert table.name_of(HOST, ALICE, 50 * NS)[:2] == ("bobs-sni.example", "sni")
    table.learn_host(HOST, "printer", "mdns", None, 50 * NS)
    assert table.name_of(HOST, ALICE, 50 * NS)[:2] == ("printer", "mdns")
    table.learn_dns(ALICE, "alices.example", [a("alices.example")], 10 * NS)
    assert table.name_of(HOST, ALICE, 50 * NS)[:2] == ("alices.example", "dns")
    table.learn_certificate(HOST, ["cert.example"], 10 * NS)
    assert table.name_of(HOST, ALICE, 50 * NS)[:2] == ("cert.example", "certificate")
    table.learn_http(HOST, "http.example:8080", 10 * NS, client=ALICE)
    assert table.name_of(HOST, ALICE, 50 * NS)[:2] == ("http.example", "http")
    table.learn_sni(HOST, "alices-sni.example", 10 * NS, client=ALICE)
    best = table.name_of(HOST, ALICE, 50 * NS)
    assert best[:4] == ("alices-sni.example", "sni", 40.0, True)
    assert table.name_of(HOST, BOB, 50 * NS).name == "bobs-sni.example"


def test_others_says_whether_the_address_has_more_names():
    table = NameTable()
    table.learn_sni(HOST, "www.example", 0)
    table.learn_dns(ALICE, "WWW.example.", [a("www.example.")], 0)
    assert not table.name_of(HOST, ALICE, 0).others
    table.learn_sni(HOST, "other.example", 0)
    assert table.name_of(HOST, ALICE, 0).others


def test_a_current_answer_is_better_than_an_expired_one_and_the_newest_is_best():
    table = NameTable()
    table.learn_dns(ALICE, "long.example", [a("long.example", ttl=3600)], 0)
    table.learn_dns(ALICE, "short.example", [a("short.example", ttl=5)], 10 * NS)
    assert table.name_of(HOST, ALICE, 12 * NS).name == "short.example"
    assert table.name_of(HOST, ALICE, 20 * NS).name == "long.example"


def test_what_is_very_old_names_nobody():
    table = NameTable()
    table.learn_sni(HOST, "old.example", 0)
    assert table.name_of(HOST, None, STALE_NS).name == "old.example"
    assert table.name_of(HOST, None, STALE_NS + 1) is None


@pytest.mark.parametrize("text", ["", ".", HOST, "198.51.100.1", "2001:db8::1", "[2001:db8::1]:80", "198.51.100.1:80"])
def test_what_is_no_name_names_nobody(text):
    table = NameTable()
    table.learn_http(HOST, text, 0)
    assert len(table) == 0


def test_a_certificate_for_many_does_not_say_which():
    table = NameTable()
    table.learn_certificate(HOST, ["a.example", "b.example"], 0)
    table.learn_certificate(HOST, ["*.example"], 0)
    assert table.name_of(HOST) is None
    table.learn_certificate(HOST, ["shop.example", "www.shop.example"], 0)
    assert table.name_of(HOST).name == "shop.example"


def test_hosts():
    table = NameTable()
    table.learn_host(HOST, "laptop", "dhcp", "02:00:00:00:00:01", 0)
    assert table.name_of(HOST).mac == "02:00:00:00:00:01"
    with pytest.raises(ValueError, match="source is 'guess'"):
        table.learn_host(HOST, "laptop", "guess", None, 0)


def test_bounded_in_addresses_and_statements():
    table = NameTable(capacity=100)
    for number in range(1000):
        table.learn_sni(f"10.0.{number >> 8}.{number & 255}", "a.example", number)
        table.learn_sni(HOST, f"n{number}.example", number)  # heard of all the time: stays
    assert len(table) == 100
    assert table.evicted == 901
    assert table.name_of(HOST).name == "n999.example"
    assert len(table._addresses[HOST]) == PER_ADDRESS
    with pytest.raises(ValueError, match="at least 1"):
        NameTable(0)

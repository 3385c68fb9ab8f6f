"""Reverse and forward look-ups against a fake name server."""

from __future__ import annotations

import time

import pytest

from app.probe import resolve as module
from app.probe.resolve import Resolver
from tests.probe.fakes import fake_dns


@pytest.fixture
def fake():
    with fake_dns() as server:
        yield server


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_names_and_addresses(fake) -> None:
    fake.records = {
        ("8.8.8.8.in-addr.arpa.", "PTR"): ["dns.google."],
        ("example.org.", "A"): ["93.184.216.34"],
        ("example.org.", "AAAA"): ["2606:2800:220:1::1"],
    }
    resolver = Resolver(["127.0.0.1"], fake.port)
    assert resolver.get_hostname("8.8.8.8") == "dns.google"
    assert resolver.get_hostname("8.8.4.4") is None
    assert resolver.resolve_domain("example.org") == ["93.184.216.34", "2606:2800:220:1::1"]
    assert resolver.problem is None


def test_answers_are_kept_as_long_as_their_ttl(fake) -> None:
    fake.records = {("1.0.0.10.in-addr.arpa.", "PTR"): ["printer.home."]}
    clock = Clock()
    resolver = Resolver(["127.0.0.1"], fake.port, clock)
    assert {resolver.get_hostname("10.0.0.1") for _ in range(5)} == {"printer.home"}
    assert resolver.get_hostname("10.0.0.2") is resolver.get_hostname("10.0.0.2") is None
    assert len(fake.asked) == 2
    clock.now += 299
    resolver.get_hostname("10.0.0.1")
    assert len(fake.asked) == 2
    clock.now += 2
    resolver.get_hostname("10.0.0.1")
    assert len(fake.asked) == 3


@pytest.mark.parametrize("address", ["224.0.0.251", "127.0.0.1", "fe80::1", "192.0.2.1", "no address", ""])
def test_addresses_that_are_nobodys_are_not_asked_for(fake, address) -> None:
    assert Resolver(["127.0.0.1"], fake.port).get_hostname(address) is None
    assert not fake.asked


@pytest.mark.parametrize("domain", ["a" * 64 + ".org", "..", "x." * 200, "\udc80.org", "-"])
def test_names_that_are_none(fake, domain) -> None:
    assert Resolver(["127.0.0.1"], fake.port).resolve_domain(domain) == []


def test_a_silent_server_is_given_up_and_said(fake) -> None:
    fake.silent = True
    resolver = Resolver(["127.0.0.1"], fake.port, lifetime=0.3)
    began = time.monotonic()
    assert resolver.get_hostname("8.8.8.8") is None
    assert time.monotonic() - began < 2
    assert resolver.document()["state"] == "failed"
    assert resolver.get_hostname("8.8.8.8") is None  # from memory
    assert resolver.asked == 1


def test_memory_is_bounded(fake, monkeypatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 3)
    resolver = Resolver(["127.0.0.1"], fake.port)
    for number in range(6):
        resolver.get_hostname(f"10.0.0.{number}")
    assert len(resolver._kept) == 3

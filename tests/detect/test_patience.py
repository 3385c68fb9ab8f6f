"""What takes its time: guessing minutes apart, questions like a clock; and communities of SNMP. At their limits, and beside what looks like them."""

from __future__ import annotations

import numpy as np
import pytest

from app.detect.community_guessing import CommunityGuessing
from app.detect.dns_beacon import DnsBeacon
from app.detect.form_guessing import FormGuessing
from app.detect.slow_guessing import SlowGuessing
from app.dpi.facts import Action, CleartextLogin, DnsAnswer, DnsTransaction, HttpMessage, HttpTransaction, Recognized
from app.wire.records import FLOW_DTYPE
from tests.detect.scene import Scene

NO_FLOWS = np.zeros(0, FLOW_DTYPE)


def refused(user: str = "root", succeeded: bool | None = False) -> CleartextLogin:
    return CleartextLogin(0, 0, "ftp", user, succeeded)


@pytest.mark.parametrize(("number", "apart", "told"), [(9, 60, 0), (10, 60, 1), (19, 60, 1), (20, 60, 2), (30, 5, 0), (30, 1000, 0)])  # fmt: skip
def test_refusals_minutes_apart(number: int, apart: float, told: int) -> None:
    scene = Scene(SlowGuessing)
    for _ in range(number):
        scene.flow(port=21).tell(refused(), after=apart)
    assert len(scene.said) == told


def test_one_user_is_told_as_low_and_several_as_more_and_a_login_ends_it() -> None:
    program, guesser, person = Scene(SlowGuessing), Scene(SlowGuessing), Scene(SlowGuessing)
    for i in range(12):
        program.flow(port=21).tell(refused(), after=300)
        guesser.flow(port=21).tell(refused(f"user{i % 4}"), after=300)
        person.flow(port=21).tell(refused(succeeded=i % 3 == 2), after=300)
    assert [one.severity for one in program.said] == ["low"]
    assert [one.severity for one in guesser.said] == ["medium"]
    assert person.said == []


def connections(number: int, software: str, sessions: int = 0) -> Scene:
    scene = Scene(SlowGuessing)
    rows = []
    for i in range(number):
        scene.flow(port=22).tell(Recognized(0, 0, "ssh", {"client_software": software}), after=60)
        row = np.zeros(1, FLOW_DTYPE)
        row["flow_id"], row["dst_payload"] = scene.flow_id, 20_000 if i < sessions else 2500
        rows.append(row)
    scene.detector.on_flows(np.concatenate(rows), NO_FLOWS)
    return scene


def test_encrypted_logins_count_as_connections_that_became_no_session() -> None:
    assert connections(11, "libssh_0.9.6").said == []
    assert [one.severity for one in connections(12, "libssh_0.9.6").said] == ["medium"]
    assert [one.severity for one in connections(12, "OpenSSH_9.2").said] == ["low"]
    assert connections(30, "libssh_0.9.6", sessions=1).said == []


def test_communities_count_and_repeats_of_few_do_not() -> None:
    guesser, inventory = Scene(CommunityGuessing), Scene(CommunityGuessing)
    for i in range(40):
        guesser.flow(port=161, protocol=17).tell(Action(0, 0, "snmp", "community", f"{i:08x}"))
        inventory.flow(port=161, protocol=17).tell(Action(0, 0, "snmp", "community", f"{i % 7:08x}"))
    assert [one.measured for one in guesser.said] == [8, 16, 32]
    assert inventory.said == []


def question(name: str, ttl: int = 3600) -> DnsTransaction:
    return DnsTransaction(0, 0, "10.0.0.5", "10.0.0.53", name, "A", "NOERROR", [DnsAnswer(name, "A", ttl, "1.2.3.4")])


def test_questions_like_a_clock_and_those_that_follow_from_the_answers() -> None:
    clock, people, cache, few = (Scene(DnsBeacon) for _ in range(4))
    gaps = [3, 400, 7, 90, 1200, 30, 5, 65, 15, 700, 8, 44, 300, 21, 9, 150, 60, 12, 2000, 4]
    for i in range(20):
        clock.tell(question("c2.evil.net"), after=30 + i % 3)
        people.tell(question("www.shop.com"), after=gaps[i])
        cache.tell(question("api.vendor.com", 60), after=61)
        if i < 15:
            few.tell(question("c2.evil.net"), after=30)
    assert [(one.rule, one.severity, one.source) for one in clock.said] == [("dns_beacon", "low", "10.0.0.5")]
    assert (people.said, cache.said, few.said) == ([], [], [])


def form(password: str) -> HttpMessage:
    asked = HttpTransaction(0, 0, "POST", "x.org", "/login", "1.1")
    return HttpMessage(0, 0, 0, asked, b"POST /login HTTP/1.1\r\n\r\n", b"user=bob&password=" + password.encode())


def test_forms_minutes_apart() -> None:
    guesser, program = Scene(FormGuessing), Scene(FormGuessing)
    for i in range(20):
        guesser.flow().tell(form(f"guess{i}"), after=45)
        program.flow().tell(form("same"), after=45)
    assert [(one.rule, one.severity) for one in guesser.said] == [("brute_force_form", "medium")]
    assert program.said == []

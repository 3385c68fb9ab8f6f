"""The DNS inspectors: queries find their answers, over datagrams, streams and groups; what is no DNS is not taken for it."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.dns import MAX_USELESS, DnsRecognizer, is_message, recognize_dns
from app.dpi.dns_match import MAX_PENDING
from app.dpi.facts import DnsTransaction, HostName
from app.dpi.inspector import DONE, MORE
from tests.dpi.dns_flows import CLIENT, MS, SECOND, SERVER, begin, flow, message, name, question, record

ADDRESS = record(b"\xc0\x0c", 1, b"\xc6\x33\x64\x07")
QUERY = message(7, question("www.example"))
ANSWER = message(7, question("WWW.example"), flags=0x8580, answers=[ADDRESS])
GROUP = "224.0.0.251"


def framed(*messages: bytes) -> bytes:
    return b"".join(len(wire).to_bytes(2, "big") + wire for wire in messages)


def half_ascii(text: str, suffix: int) -> bytes:
    """A NetBIOS name (RFC 1001 § 14.1)."""
    octets = text.ljust(15).encode() + bytes([suffix])
    return b"\x20" + bytes(0x41 + half for octet in octets for half in (octet >> 4, octet & 15)) + b"\0"


def test_a_query_and_its_answer():
    inspector, facts = begin(flow())
    assert inspector.data(0, QUERY, SECOND) is MORE
    assert facts == []
    assert inspector.data(1, ANSWER, SECOND + 5 * MS) is MORE
    (fact,) = facts
    assert (fact.client, fact.server, fact.query, fact.type) == (CLIENT, SERVER, "www.example", "A")
    assert (fact.rcode, fact.latency_ns, fact.authoritative, fact.transaction_id) == ("NOERROR", 5 * MS, True, 7)
    assert [(a.name, a.type, a.ttl, a.value) for a in fact.answers] == [("WWW.example", "A", 60, "198.51.100.7")]
    inspector.close(SECOND)
    assert len(facts) == 1


def test_unanswered_when_the_flow_ends_or_after_30_s():
    inspector, facts = begin(flow())
    inspector.data(0, QUERY, 0)
    inspector.data(0, message(8, question("b.example")), 31 * SECOND)
    assert [(fact.query, fact.rcode) for fact in facts] == [("www.example", None)]
    inspector.close(32 * SECOND)
    assert [(fact.query, fact.rcode) for fact in facts] == [("www.example", None), ("b.example", None)]


def test_sent_again_is_the_same_query_for_5_s():
    inspector, facts = begin(flow())
    inspector.data(0, QUERY, 0)
    inspector.data(0, QUERY, SECOND)
    inspector.data(0, QUERY, 6 * SECOND)
    inspector.data(1, ANSWER, 6 * SECOND + MS)
    inspector.data(1, ANSWER, 6 * SECOND + 2 * MS)
    inspector.close(0)
    assert [(fact.rcode, fact.latency_ns) for fact in facts] == [(None, None), ("NOERROR", MS)]


def test_the_same_number_and_name_after_the_answer_is_a_new_query():
    inspector, facts = begin(flow())
    for start in (0, SECOND):
        inspector.data(0, QUERY, start)
        inspector.data(1, ANSWER, start + MS)
    assert [fact.latency_ns for fact in facts] == [MS, MS]


def test_an_answer_alone_is_told_once_and_its_receiver_is_the_client():
    inspector, facts = begin(flow(src_ip=SERVER, src_port=53, dst_ip=CLIENT, dst_port=40000))
    inspector.data(0, ANSWER, 0)
    inspector.data(0, ANSWER, MS)
    (fact,) = facts
    assert (fact.client, fact.server, fact.latency_ns, fact.rcode) == (CLIENT, SERVER, None, "NOERROR")


def test_another_question_under_the_same_number_answers_nothing():
    inspector, facts = begin(flow())
    inspector.data(0, QUERY, 0)
    inspector.data(1, message(7, question("evil.example"), flags=0x8180), MS)
    inspector.close(0)
    assert [(fact.query, fact.rcode) for fact in facts] == [("evil.example", "NOERROR"), ("www.example", None)]


def test_an_error_without_a_question_belongs_to_its_number():
    inspector, facts = begin(flow())
    inspector.data(0, QUERY, 0)
    inspector.data(1, message(7, flags=0x8181), MS)
    assert [(fact.query, fact.rcode, fact.latency_ns) for fact in facts] == [("www.example", "FORMERR", MS)]


def test_a_clock_that_goes_back_gives_no_latency():
    inspector, facts = begin(flow())
    inspector.data(0, QUERY, SECOND)
    inspector.data(1, ANSWER, SECOND - MS)
    assert facts[0].latency_ns is None


def test_many_open_queries_are_bounded_and_none_is_lost():
    inspector, facts = begin(flow())
    for number in range(1000):
        inspector.data(0, message(number, question(f"h{number}.example")), number)
    assert len(facts) == 1000 - MAX_PENDING
    inspector.close(0)
    assert [fact.transaction_id for fact in facts] == list(range(1000))


def test_what_is_no_dns_on_its_port_is_left():
    inspector, facts = begin(flow())
    results = [inspector.data(0, b"\xff" * 40, 0) for _ in range(MAX_USELESS)]
    assert results == [MORE] * (MAX_USELESS - 1) + [DONE]
    assert facts == []


# Streams


@pytest.mark.parametrize("size", [1, 2, 3, 13, 1000])
def test_streams_are_cut_into_messages_wherever_they_are_split(size):
    queries = framed(*(message(number, question(f"n{number}.example")) for number in range(5)))
    answers = framed(
        *(message(number, question(f"n{number}.example"), flags=0x8180, answers=[ADDRESS]) for number in range(5))
    )
    inspector, facts = begin(flow(protocol=6), queries[:size])
    for direction, stream in enumerate((queries, answers)):
        for at in range(0, len(stream), size):
            assert inspector.data(direction, stream[at : at + size], direction * MS) is MORE
    assert [(fact.query, fact.latency_ns, fact.transport) for fact in facts] == [
        (f"n{number}.example", MS, "tcp") for number in range(5)
    ]


def test_a_gap_inside_a_message_costs_that_message_only():
    first, second, third = (framed(message(i, question(f"n{i}.example"))) for i in range(3))
    inspector, facts = begin(flow(protocol=6), first)
    inspector.data(0, first + second[:10], 0)
    inspector.gap(0, len(second) - 15)
    inspector.data(0, second[-5:] + third, 0)
    inspector.close(0)
    assert [fact.query for fact in facts] == ["n0.example", "n2.example"]


def test_a_longer_gap_needs_a_beginning_to_go_on():
    first, second, third = (framed(message(i, question(f"n{i}.example"))) for i in range(3))
    inspector, facts = begin(flow(protocol=6), first)
    inspector.data(0, first, 0)
    assert inspector.gap(0, 5000) is MORE
    assert inspector.data(0, second[7:], 0) is MORE
    assert inspector.data(0, third, 0) is MORE
    inspector.close(0)
    assert [fact.query for fact in facts] == ["n0.example", "n2.example"]


def test_a_stream_that_is_something_else_ends():
    assert recognize_dns(flow(protocol=6), 0, b"\x00\x05hello") is None
    assert recognize_dns(flow(protocol=6), 0, b"GET / HTTP/1.1\r\n\r\n") is None
    inspector, _ = begin(flow(protocol=6), framed(QUERY))
    assert inspector.data(0, framed(*[b"\xff" * 12] * MAX_USELESS), 0) is DONE


# Groups


def test_a_question_to_a_group_is_answered_in_another_flow():
    recognizer = DnsRecognizer()
    facts = []
    asker, _ = begin(flow(dst_ip="224.0.0.252", dst_port=5355, facts=facts), recognizer=recognizer)
    other, _ = begin(
        flow(src_ip="192.0.2.9", src_port=5355, dst_ip=CLIENT, dst_port=40000, facts=facts), recognizer=recognizer
    )
    asker.data(0, QUERY, 0)
    other.data(0, ANSWER, MS)
    asker.close(SECOND)
    (fact,) = facts
    assert (fact.kind, fact.client, fact.server, fact.latency_ns) == ("llmnr", CLIENT, "192.0.2.9", MS)


def test_multicast_dns():
    recognizer = DnsRecognizer()
    facts = []
    asker, _ = begin(flow(src_port=5353, dst_ip=GROUP, dst_port=5353, facts=facts), recognizer=recognizer)
    other, _ = begin(
        flow(src_ip="192.0.2.9", src_port=5353, dst_ip=GROUP, dst_port=5353, facts=facts), recognizer=recognizer
    )
    asked = [question("_ipp._tcp.local", 12, 0x8001), question("host.local", 255)]
    answers = [record(name("host.local"), 1, bytes([192, 0, 2, 9]), record_class=0x8001)]
    asker.data(0, message(0, *asked, flags=0), 0)
    other.data(0, message(0, flags=0x8400, answers=answers), MS)
    other.data(0, message(0, flags=0x8400, answers=answers), 2 * MS)  # now an announcement
    asker.close(SECOND)
    hosts = [fact for fact in facts if isinstance(fact, HostName)]
    records = [fact for fact in facts if isinstance(fact, DnsTransaction)]
    assert [(host.address, host.name, host.source) for host in hosts] == [("192.0.2.9", "host.local", "mdns")]
    assert [(fact.query, fact.type, fact.client, fact.server, fact.latency_ns) for fact in records] == [
        ("host.local", "ANY", CLIENT, "192.0.2.9", MS),
        ("host.local", "A", GROUP, "192.0.2.9", None),
        ("_ipp._tcp.local", "PTR", CLIENT, GROUP, None),
    ]


def test_a_host_that_claims_its_name_does_not_answer_itself():
    inspector, facts = begin(flow(src_port=5353, dst_ip=GROUP, dst_port=5353))
    inspector.data(0, message(0, question("host.local", 255), flags=0), 0)
    answers = [record(name("host.local"), 1, bytes([192, 0, 2, 200]))]
    inspector.data(0, message(0, flags=0x8400, answers=answers), MS)
    inspector.close(0)
    assert [fact.latency_ns for fact in facts] == [None, None]
    assert not any(isinstance(fact, HostName) for fact in facts)  # another's address


def test_netbios_names():
    recognizer = DnsRecognizer()
    facts = []
    asker, _ = begin(flow(src_port=137, dst_ip="192.0.2.255", dst_port=137, facts=facts), recognizer=recognizer)
    other, _ = begin(
        flow(src_ip="192.0.2.9", src_port=137, dst_ip=CLIENT, dst_port=137, facts=facts), recognizer=recognizer
    )
    asked = half_ascii("FILE SERVER", 0x20)
    asker.data(0, message(9, asked + struct.pack(">HH", 32, 1), flags=0x0110), 0)
    other.data(0, message(9, flags=0x8580, answers=[record(asked, 32, bytes([0, 0, 192, 0, 2, 9]))]), MS)
    (fact,) = facts
    assert (fact.kind, fact.query, fact.type, fact.latency_ns) == ("nbns", "FILE SERVER<20>", "NB", MS)
    assert [answer.value for answer in fact.answers] == ["192.0.2.9"]


def test_netbios_hosts_say_their_names():
    inspector, facts = begin(flow(src_port=137, dst_ip="192.0.2.255", dst_port=137))
    owner = half_ascii("DESK", 0)
    own = record(b"\xc0\x0c", 32, bytes([0, 0, 192, 0, 2, 1]), ttl=300)
    inspector.data(0, message(9, owner + struct.pack(">HH", 32, 1), flags=0x2910, additionals=[own]), 0)
    names = b"".join(
        text.ljust(15).encode() + bytes([0]) + struct.pack(">H", flags)
        for text, flags in (("LAN", 0x8400), ("DESK2", 0x400))
    )
    status = bytes([2]) + names + bytes.fromhex("020000000001") + bytes(40)
    inspector.data(0, message(10, flags=0x8400, answers=[record(half_ascii("*", 0), 33, status)]), 0)
    hosts = [(fact.address, fact.name, fact.mac) for fact in facts if isinstance(fact, HostName)]
    assert hosts == [(CLIENT, "DESK", None), (CLIENT, "DESK2", "02:00:00:00:00:01")]


# Other ports


def test_a_message_on_another_port_is_recognised():
    for wire in (QUERY, ANSWER):
        assert is_message(wire)
        assert recognize_dns(flow(dst_port=8053), 0, wire) is not None
        assert recognize_dns(flow(protocol=6, dst_port=8053), 0, framed(wire)) is not None
    assert not is_message(QUERY + b"\0")
    assert not is_message(QUERY[:-1])


def test_random_bytes_are_not_dns():
    dice = random.Random(3)
    for _ in range(100_000):
        assert not is_message(dice.randbytes(dice.randint(1, 120)))


def test_near_misses_are_not_dns():
    """Counts as a message has them, then noise."""
    dice = random.Random(4)
    for _ in range(20_000):
        wire = dice.randbytes(2) + b"\x01\0\0\x01\0\0\0\0\0\0" + dice.randbytes(dice.randint(5, 80))
        assert not is_message(wire)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80), st.integers(0, 40)), max_size=30),
    st.sampled_from([(17, 53), (17, 5353), (17, 5355), (17, 137), (6, 53)]),
)
def test_anything_may_come(pieces, where):
    protocol, port = where
    start = framed(QUERY) if protocol == 6 else QUERY
    inspector, facts = begin(flow(protocol=protocol, dst_port=port), start)
    inspector.data(0, start, 0)
    for direction, data, second in pieces:
        if second == 40:
            inspector.gap(direction, len(data))
        elif inspector.data(direction, start[: second * 2] + data, second * SECOND) is DONE:
            break
    inspector.close(50 * SECOND)
    assert all(isinstance(fact, (DnsTransaction, HostName)) for fact in facts)

"""The message parser: agrees with dnspython where both read, reads on where dnspython refuses, and stays within its time on anything."""

from __future__ import annotations

import random

import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.dns_message import MAX_ANSWERS, parse_message
from app.dpi.dns_text import CUT, escape_label
from tests import pace
from tests.dpi.dns_flows import message, name, question, record

RDATA = {
    "A": "192.0.2.7", "AAAA": "2001:db8::7", "NS": "ns.example", "CNAME": "a.b.example", "PTR": "host.example", "DNAME": "d.example",
    "SOA": "ns.example admin.example 2024 7200 3600 1209600 300", "MX": "10 mail.example", "TXT": '"v=spf1 -all" "a\\"b\\\\c\\009"',
    "SPF": '"v=spf1"', "SRV": "0 5 5060 sip.example", "HINFO": '"PC" "LINUX"', "RP": "a.example b.example", "AFSDB": "1 afs.example",
    "NAPTR": '10 100 "S" "SIP+D2U" "" _sip._udp.example', "KX": "1 kx.example", "RT": "1 rt.example", "CAA": '0 issue "ca.example; a=b"',
    "DS": "12345 8 2 " + "ab" * 32, "CDS": "12345 8 2 " + "ab" * 32, "SSHFP": "1 1 " + "cd" * 20, "TLSA": "3 1 1 " + "ef" * 32,
    "DNSKEY": "257 3 8 AQIDBAUG", "CDNSKEY": "257 3 8 AQIDBAUG",
    "RRSIG": "A 8 2 3600 20250101000000 20240101000000 12345 example AQIDBAUG", "NSEC": "next.example A AAAA RRSIG NSEC TYPE65280",
    "NSEC3": "1 0 10 aabbcc 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG", "NSEC3PARAM": "1 0 10 -", "OPENPGPKEY": "AQIDBAUG",
    "URI": '10 1 "https://example/"', "CSYNC": "66 3 A NS AAAA", "ZONEMD": "2018031500 1 1 " + "12" * 48,
    "HTTPS": '1 . alpn="h2,h3" port="8443" ipv4hint="192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1"', "SVCB": "0 svc.example",
}  # fmt: skip
LABELS = st.lists(st.binary(min_size=1, max_size=20), max_size=6)


def plain(text: str) -> str:
    """A value without final dots, chunk spaces and letter case, so that two notations of the same can be compared."""
    words = [word[:-1] if word.endswith(".") and len(word) > 1 else word for word in text.split(" ")]
    return "".join(words).lower()


@pytest.mark.parametrize("kind", sorted(RDATA))
def test_rdata_is_written_like_dnspython_does(kind):
    rdata = dns.rdata.from_text("IN", kind, RDATA[kind], origin=dns.name.root, relativize=False)
    wire = message(
        1, question("q.example"), flags=0x8180, answers=[record(name("q.example"), rdata.rdtype, rdata.to_wire())]
    )
    (answer,) = parse_message(wire).answers
    assert answer.type == kind
    assert plain(answer.value) == plain(rdata.to_text())


@settings(max_examples=300, deadline=None)
@given(
    labels=LABELS,
    records=st.lists(st.tuples(LABELS, st.sampled_from(sorted(RDATA)), st.integers(0, 2**31 - 1)), max_size=6),
    number=st.integers(0, 65535),
    flags=st.integers(0, 0x7F),
    edns=st.booleans(),
)
def test_messages_are_read_like_dnspython_does(labels, records, number, flags, edns):
    wire_message = dns.message.Message(id=number)
    wire_message.flags = flags << 4 | 0x8000
    wire_message.flags &= 0x87BF  # a query's operation
    asked = dns.name.Name([*labels, b""])
    wire_message.find_rrset(wire_message.question, asked, 1, 1, create=True, force_unique=True)
    for owner, kind, ttl in records:
        rdata = dns.rdata.from_text("IN", kind, RDATA[kind], origin=dns.name.root, relativize=False)
        rrset = wire_message.find_rrset(
            wire_message.answer, dns.name.Name([*owner, b""]), 1, rdata.rdtype, create=True, force_unique=True
        )
        rrset.add(rdata, ttl)
    if edns:
        wire_message.use_edns(0)
    wire = wire_message.to_wire()
    ours, theirs = parse_message(wire), dns.message.from_wire(wire, one_rr_per_rrset=True)
    assert ours.problem is None
    assert (ours.id, ours.response, ours.rcode, ours.edns) == (theirs.id, True, theirs.rcode(), theirs.edns >= 0)
    assert ours.size == len(wire)

    def text(their_name):
        return ".".join(map(escape_label, their_name.labels[:-1])) or "."

    assert [(q.name, q.type) for q in ours.questions] == [(text(q.name), "A") for q in theirs.question]
    assert [(a.name, a.type, a.ttl, plain(a.value)) for a in ours.answers] == [
        (text(r.name), dns.rdatatype.to_text(r.rdtype), r.ttl, plain(r[0].to_text())) for r in theirs.answer
    ]


def test_escapes():
    wire = message(1, b"\x05a.b\\\xff\x02 x\x00" + b"\0\x01\0\x01")
    assert parse_message(wire).questions[0].name == "a\\.b\\\\\\255.\\032x"


def test_root_and_unknown_type_and_class():
    parsed = parse_message(message(1, question(".", 65280, 3)))
    assert (parsed.questions[0].name, parsed.questions[0].type, parsed.questions[0].record_class) == (
        ".",
        "TYPE65280",
        3,
    )


def test_several_questions():
    parsed = parse_message(message(1, question("a.example"), question("b.example", 28)))
    assert [(q.name, q.type) for q in parsed.questions] == [("a.example", "A"), ("b.example", "AAAA")]


def test_address_of_another_class_is_no_address():
    wire = message(1, question("a"), answers=[record(name("a"), 1, b"\1\2\3\4", record_class=3)])
    assert parse_message(wire).answers[0].value == "\\# 4 01020304"


def test_rdata_that_does_not_fit_its_type_is_shown_as_bytes():
    wire = message(1, question("a"), answers=[record(name("a"), 15, b"\1"), record(name("a"), 28, b"\1" * 15)])
    assert [answer.value for answer in parse_message(wire).answers] == ["\\# 1 01", "\\# 15 " + "01" * 15]


def test_opt_is_no_answer_and_extends_the_response_code():
    opt = record(b"\0", 41, b"", ttl=1 << 24)
    parsed = parse_message(message(1, question("a"), flags=0x8000, additionals=[opt]))
    assert (parsed.edns, parsed.rcode, parsed.additional) == (True, 16, [])


def test_an_update_asks_for_its_zone_and_its_conditions_are_no_answers():
    wire = message(
        1, question("zone.example", 6), flags=5 << 11, answers=[record(name("x"), 255, b"", record_class=255)]
    )
    parsed = parse_message(wire)
    assert (parsed.questions[0].name, parsed.questions[0].type, parsed.answers) == ("zone.example", "SOA", [])


def test_a_cut_message_gives_what_is_there():
    answers = [record(b"\xc0\x0c", 1, bytes([192, 0, 2, i])) for i in range(4)]
    whole = message(1, question("cut.example"), flags=0x8180, answers=answers)
    for size in range(12, len(whole)):
        parsed = parse_message(whole[:size])
        assert parsed.problem.startswith("it ends inside")
        assert len(parsed.answers) == max(0, (size - 29) // 16)
    assert parse_message(whole).problem is None


def test_too_short_for_a_header():
    assert parse_message(b"\0" * 11) is None


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"\x01a\x40\x00\0\x01\0\x01", "label type 01"),
        (b"\x01a\x80\x00\0\x01\0\x01", "label type 10"),
        ((b"\x3f" + b"a" * 63) * 4 + b"\0\0\x01\0\x01", "longer than 255"),
    ],
)
def test_labels_that_are_none(wire, said):
    parsed = parse_message(message(1, wire))
    assert said in parsed.problem
    assert parsed.questions == []


def test_a_pointer_in_circles_is_left_and_reading_goes_on():
    parsed = parse_message(message(1, b"\x03abc\xc0\x0c\0\x01\0\x01", question("next.example")))
    assert parsed.questions[0].name.startswith("abc.abc.")
    assert parsed.questions[0].name.endswith(CUT)
    assert parsed.questions[1].name == "next.example"


def test_a_pointer_forward_is_followed():
    parsed = parse_message(message(1, b"\xc0\x12\0\x01\0\x01", question("later.example")))
    assert [q.name for q in parsed.questions] == ["later.example", "later.example"]


def test_multicast_classes_lose_their_upper_bit_and_names_are_unicode():
    owner = b"\x0cCaf\xc3\xa9 & Bar.\x05local\0"
    wire = message(0, flags=0x8400, answers=[record(owner, 1, b"\1\2\3\4", record_class=0x8001)])
    (answer,) = parse_message(wire, "mdns").answers
    assert (answer.name, answer.value) == ("Café & Bar\\..local", "1.2.3.4")


def test_more_answers_than_are_kept():
    answers = [record(b"\xc0\x0c", 1, b"\1\2\3\4")] * (MAX_ANSWERS + 50)
    opt = record(b"\0", 41, b"")
    parsed = parse_message(message(1, question("a"), answers=answers, additionals=[opt]))
    assert len(parsed.answers) == MAX_ANSWERS
    assert parsed.edns


def bombs():
    """Messages of up to 64 KiB made to cost as much as possible."""
    deep = b"\x01a" * 127
    yield "names", message(1, *[deep + b"\0\0\1\0\1"] * 64, answers=[record(deep + b"\0", 2, deep + b"\0")] * 120)
    chain = question("a") + b"".join(b"\1" + bytes([97 + i % 26]) + bytes([0xC0, 12 + i]) for i in range(60))
    yield "pointers", message(1, chain) + b"\xc0\x30\0\1\0\1" * 10000
    loop = b"\x3f" + b"x" * 63 + b"\xc0\x0c" + b"\0\1\0\1"
    yield "loop", message(1, loop, *[b"\xc0\x0c\0\1\0\1"] * 63, answers=[record(b"\xc0\x0c", 1, b"\1\2\3\4")] * 4000)
    yield "strings", message(1, question("a"), answers=[record(b"\xc0\x0c", 16, b"\1a" * 120)] * 256)
    yield "bytes", message(1, question("a"), answers=[record(b"\xc0\x0c", 16, (b"\xff" * 256) * 250)])
    yield (
        "types",
        message(1, question("a"), answers=[record(b"\xc0\x0c", 47, b"\0" + (b"\0\x20" + b"\xff" * 32) * 1800)]),
    )
    hints = b"\0\1\0" + b"\0\4\xff\xfc" + b"\1" * 0xFFFC
    yield "hints", message(1, question("a"), answers=[record(b"\xc0\x0c", 65, hints[:65000])])
    yield "skipped", message(1, question("a"), authorities=[record(b"\x01a" * 100 + b"\0", 1, b"")] * 300)
    yield "header", b"\0\1\x81\x80\0\x40\x0f\xff\x0f\xff\x0f\xff" + b"\xc0\x0c" * 32000


@pytest.mark.parametrize(("kind", "wire"), list(bombs()), ids=lambda value: value if isinstance(value, str) else "")
def test_hostile_messages_cost_little(kind, wire):
    def all_kinds():
        parse_message(wire[:65535])
        parse_message(wire[:65535], "mdns")
        parse_message(wire[:65535], "nbns")

    assert pace.within(60, all_kinds)  # 15 are usual


def test_mutated_messages_never_raise():
    dice = random.Random(5)
    seeds = [wire[:400] for _, wire in bombs()]
    for kind, text in RDATA.items():
        rdata = dns.rdata.from_text("IN", kind, text, origin=dns.name.root, relativize=False)
        seeds.append(message(1, question("q.example"), answers=[record(b"\xc0\x0c", rdata.rdtype, rdata.to_wire())]))
    for _ in range(5000):
        wire = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 8)):
            wire[dice.randrange(len(wire))] = dice.choice((0, 1, 12, 63, 64, 127, 192, 255, dice.randrange(256)))
        for kind in ("dns", "mdns", "nbns", "llmnr"):
            parse_message(bytes(wire[: dice.randint(0, len(wire))]), kind)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(("dns", "mdns", "nbns")))
def test_any_bytes(data, kind):
    parse_message(b"\0\1\x01\0\0\1\0\1\0\1\0\1" + data, kind)
    parse_message(data, kind)

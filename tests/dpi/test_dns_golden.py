"""The DNS facts of real captures are what tshark lists: queries, response codes, answers, latency."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from app.dpi.facts import DnsTransaction, HostName
from tests.dpi.dns_flows import CAPTURES, facts_of

GOLDEN = json.loads((Path(__file__).parent / "dns_golden.json").read_text())
RCODES = {"0": "NOERROR", "1": "FORMERR", "2": "SERVFAIL", "3": "NXDOMAIN", "5": "REFUSED"}


@pytest.fixture(scope="module", params=sorted(GOLDEN))
def capture(request):
    facts = facts_of(CAPTURES / request.param)
    return GOLDEN[request.param], [fact for fact in facts if isinstance(fact, DnsTransaction)]


def written(name: str) -> str:
    """tshark writes the root as <Root>."""
    return "." if name == "<Root>" else name


def test_every_query_is_a_record(capture):
    rows, records = capture
    asked = {
        (row["src"], written(name), kind)
        for row in rows
        if row["Q/R"] == "Q"
        for name, kind in zip(row["qname"], row["qtype"], strict=True)
    }
    assert asked <= {(record.client, record.query, record.type) for record in records}


def test_no_more_records_than_messages(capture):
    rows, records = capture
    messages = Counter({"Q": 0, "R": 0})
    for row in rows:
        messages[row["Q/R"]] += max(1, len(row["qname"]))
    assert len(records) <= messages["Q"] + messages["R"]


def test_answers_and_latency(capture):
    rows, records = capture
    for row in rows:
        if row["Q/R"] == "R" and row["latency_s"] and row["kind"] == "dns":
            latency = round(float(row["latency_s"]) * 1e9)
            found = [
                record
                for record in records
                if (record.client, record.server) == (row["dst"], row["src"])
                and (record.query, record.type) == (written(row["qname"][0]), row["qtype"][0])
                and record.latency_ns is not None
                and abs(record.latency_ns - latency) < max(2000, latency // 50)  # of fragments tshark takes the last
            ]
            assert found, row
            assert found[0].rcode == RCODES[row["rcode"][0]]
            ours = {f"{answer.type} {answer.value}" for answer in found[0].answers if answer.type in ("A", "AAAA")}
            theirs = {text for text in row["answers"] if text.startswith(("A ", "AAAA "))}
            assert ours <= theirs
            assert ours or not theirs or row["qtype"][0] not in ("A", "AAAA")


def test_hosts_say_their_names():
    facts = facts_of(CAPTURES / "dns-mdns.pcap")
    named = {(fact.address, fact.name) for fact in facts if isinstance(fact, HostName)}
    assert ("10.0.2.7", "johanna-QEMU-Virtual-Machine.local") in named


def test_llmnr_over_tcp():
    (record,) = facts_of(CAPTURES / "dns-llmnr-tcp.pcap")
    assert (record.kind, record.transport, record.query) == ("llmnr", "tcp", "workstation")
    assert [answer.value for answer in record.answers] == ["192.168.1.100"]


def test_a_port_that_is_not_dns():
    (record,) = facts_of(CAPTURES / "dns-port8053-nonstandard.pcap")
    assert record.rcode == "NOERROR"

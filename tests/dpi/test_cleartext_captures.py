"""Captures of other projects, through decoder, reassembly and recognisers: HTTP requests and SSH banners as tshark sees them,
logins and names as a reader of the capture sees them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from app.dpi.cleartext_protocols import RECOGNIZERS
from app.dpi.facts import CleartextLogin, HostName, HttpTransaction, Recognized
from tests.dpi.conversations import CAPTURES, facts_of

GOLDEN = json.loads((Path(__file__).parent / "cleartext_golden.json").read_text())


def of(name, kind):
    return [fact for _, fact in facts_of(CAPTURES / name, RECOGNIZERS) if isinstance(fact, kind)]


@pytest.mark.parametrize("name", sorted(GOLDEN["http"]))
def test_http_requests_are_those_of_tshark(name):
    found = Counter(
        (fact.method, fact.host or "", fact.uri) for fact in of(name, HttpTransaction) if fact.version != "2"
    )
    assert found == Counter(tuple(row) for row in GOLDEN["http"][name])


@pytest.mark.parametrize("name", sorted(GOLDEN["ssh"]))
def test_ssh_banners_are_those_of_tshark(name):
    found = Counter(
        value
        for fact in of(name, Recognized)
        for side, value in fact.details.items()
        if side in ("client", "server") and fact.protocol == "ssh"
    )
    assert found == Counter(GOLDEN["ssh"][name])


@pytest.mark.parametrize(
    ("name", "logins"),
    [
        ("app-mysql.pcap", [("mysql", "tfoerste", True)]),
        ("app-postgresql.pcap", [("postgresql", "zeek", True)]),
        ("app-smtp.pcap", [("smtp", "gurpartap@patriots.in", True)]),
        ("app-ftp-ipv4.pcap", [("ftp", "anonymous", True)]),
    ],
)
def test_logins(name, logins):
    assert [(fact.protocol, fact.username, fact.succeeded) for fact in of(name, CleartextLogin)] == logins


@pytest.mark.parametrize(
    ("name", "protocols"),
    [
        ("http-connect-smtp.pcap", {"http", "smtp"}),
        ("app-socks5.pcap", {"socks", "http"}),
        ("app-ssh-on-port-80.pcap", {"ssh"}),
        ("app-snmp.pcap", {"snmp"}),
        ("http-h2-nghttp2.pcap", {"http"}),
        ("app-mqtt.pcap", {"mqtt"}),
    ],
)
def test_protocols(name, protocols):
    assert {fact.protocol for fact in of(name, Recognized)} == protocols


def test_http2_requests():
    found = of("http-h2-nghttp2.pcap", HttpTransaction)
    assert {fact.version for fact in found} == {"2"}
    assert {fact.host for fact in found} == {"nghttp2.org"}
    assert {fact.status for fact in found} == {200}


def test_dhcp_names():
    assert ("btest.is.cool", "128.2.6.189", "90:b1:1c:99:49:29") in [
        (fact.name, fact.address, fact.mac) for fact in of("app-dhcp.pcap", HostName)
    ]


def test_statuses_of_pipelined_requests():
    assert [fact.status for fact in of("http-pipelined.pcap", HttpTransaction)] == [200] * 5

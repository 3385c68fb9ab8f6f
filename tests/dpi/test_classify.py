"""Applications without nDPI, and which of two answers counts."""

import pytest

from app.dpi.application import Application
from app.dpi.classify import application, best, engine_name, protocol_of
from app.dpi.facts import DnsTransaction, HttpTransaction, Recognized, TlsClientHello, TlsServerHello
from app.enrich.services import service_name


@pytest.mark.parametrize(
    ("recognised", "name", "category"),
    [
        ("tls", "TLS", "Web"),
        ("dns", "DNS", "Network"),
        ("ssh", "SSH", "RemoteAccess"),
        ("ftp", "FTP_CONTROL", "Download"),
        ("MySQL", "MySQL", "Database"),
        ("redis", "RESP", "Database"),
        ("gopher+", "gopher+", None),
    ],
)
def test_content_goes_before_the_port(recognised, name, category):
    assert application(6, 80, recognised) == Application(name, category, "content", "content")


@pytest.mark.parametrize(
    ("protocol", "port", "name", "category", "source"),
    [
        (6, 443, "HTTPS", "Web", "port"),
        (6, 8080, "HTTP-Proxy", "Web", "port"),
        (17, 53, "DNS", "Network", "port"),
        (6, 22, "SSH", "RemoteAccess", "port"),
        (6, 993, "imaps", "Email", "port"),
        (6, 27017, "MongoDB", "Database", "port"),
        (6, 70, "gopher", None, "port"),
        (132, 2905, "SCTP", "Network", "protocol"),
        (1, 8, "ICMP", "Network", "protocol"),
        (58, 128, "ICMPV6", "Network", "protocol"),
        (89, 0, "OSPF", "Network", "protocol"),
        (88, 0, "eigrp", "Network", "protocol"),
    ],
)
def test_ports_and_protocols(protocol, port, name, category, source):
    found = application(protocol, port, port_name=service_name)
    assert (found.name, found.category, found.source, found.reason) == (name, category, source, None)
    assert found.is_certain == (source == "protocol")


def test_the_small_table_serves_where_no_larger_is_given():
    assert application(6, 443).name == "HTTPS"
    assert application(17, 51820).name == "wireguard"
    assert application(6, 70).name is None


def test_no_name_has_a_reason():
    assert application(6, 49999, port_name=service_name) == Application(None, reason="not recognised")
    assert application(255, 0) == Application(None, reason="an IP protocol without a name")


PORT = Application("HTTPS", "Web", "port", "port")
CONTENT = Application("SSH", "RemoteAccess", "content", "content")
NDPI = Application("TLS.Google", "Web", "ndpi", "content", "www.google.com", "Google", ("tls_missing_sni",))
NDPI_GUESS = Application("HTTPS", "Web", "ndpi", "port", None, "Google")


@pytest.mark.parametrize(
    ("by_ndpi", "by_us", "name", "source"),
    [
        (None, PORT, "HTTPS", "port"),
        (NDPI, PORT, "TLS.Google", "ndpi"),
        (NDPI, CONTENT, "TLS.Google", "ndpi"),
        (NDPI_GUESS, PORT, "HTTPS", "ndpi"),
        (NDPI_GUESS, CONTENT, "SSH", "content"),
        (Application(None, reason="not recognised"), CONTENT, "SSH", "content"),
        (Application(None, reason="engine restarted"), PORT, "HTTPS", "port"),
    ],
)
def test_the_answer_that_rests_on_more(by_ndpi, by_us, name, source):
    found = best(by_ndpi, by_us)
    assert (found.name, found.source, found.reason) == (name, source, None)


def test_what_ndpi_knows_beside_a_name_is_kept():
    found = best(NDPI_GUESS, CONTENT)
    assert (found.name, found.address_owner) == ("SSH", "Google")


def test_the_engine_s_reason_where_nobody_has_a_name():
    found = best(Application(None, reason="engine restarted"), application(6, 49999))
    assert (found.name, found.reason) == (None, "engine restarted")


def test_facts_name_the_protocol():
    hello = TlsClientHello(1, 0, "quic", None, [], "TLS 1.3", "", "")
    assert protocol_of([]) is None
    assert protocol_of([Recognized(1, 0, "smtp")]) == "smtp"
    assert protocol_of([hello]) == "quic"
    assert protocol_of([TlsServerHello(1, 0, "DTLS 1.2", "x", None)]) == "dtls"
    assert protocol_of([DnsTransaction(1, 0, "a", "b", "q", "A", None, kind="mdns")]) == "mdns"
    assert protocol_of([HttpTransaction(1, 0, "GET", None, "/", "1.1")]) == "http"
    assert protocol_of([HttpTransaction(1, 0, "GET", None, "/", "2")]) == "http2"


def test_the_page_can_say_what_is_in_use():
    assert engine_name("5.0.0") == "nDPI 5.0.0"
    assert engine_name(None, "nDPI is not installed") == "Netglass's own recognition and ports (nDPI is not installed)"

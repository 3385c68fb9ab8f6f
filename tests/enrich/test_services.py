"""Names of services by port: the eighteen, the registry, and what the query language knows."""

import pytest

from app.enrich.services import service_name
from app.wire import service_ports

EIGHTEEN = {
    20: "FTP-DATA", 21: "FTP", 22: "SSH", 23: "Telnet", 25: "SMTP", 53: "DNS", 80: "HTTP", 110: "POP3", 143: "IMAP",
    443: "HTTPS", 445: "SMB", 3306: "MySQL", 3389: "RDP", 5432: "PostgreSQL", 6379: "Redis", 8080: "HTTP-Proxy",
    8443: "HTTPS-Alt", 27017: "MongoDB",
}  # fmt: skip


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_the_eighteen(protocol):
    assert {port: service_name(protocol, port) for port in EIGHTEEN} == EIGHTEEN
    assert service_ports.NAMED_PORTS == EIGHTEEN


@pytest.mark.parametrize(
    ("protocol", "port", "name"),
    [
        ("tcp", 993, "imaps"),
        ("tcp", 514, "shell"),
        ("udp", 514, "syslog"),
        ("udp", 67, "bootps"),
        ("udp", 123, "ntp"),
        ("udp", 5353, "mdns"),
        ("tcp", 1883, "mqtt"),
        ("udp", 4789, "vxlan"),
        ("sctp", 2905, "m3ua"),
        ("udplite", 123, "ntp"),
        ("udp", 51820, "wireguard"),  # not in the registry
        ("tcp", 25565, "minecraft"),
    ],
)
def test_the_registry(protocol, port, name):
    assert service_name(protocol, port) == name


@pytest.mark.parametrize(
    ("protocol", "port"), [("tcp", 0), ("tcp", 4), ("tcp", 49999), ("udp", 65535), ("icmp", 8), ("", 80), ("tcp", -1)]
)
def test_ports_that_say_nothing(protocol, port):
    assert service_name(protocol, port) is None


def test_the_registry_is_whole():
    names = [service_name("tcp", port) for port in range(65536)]
    assert sum(name is not None for name in names) > 5500
    assert all(name is None or (name.isascii() and name.isprintable() and " " not in name and name) for name in names)


def test_what_is_shown_for_a_known_port_can_be_asked_for():
    asked = service_ports.ports_by_service()
    assert all(name == name.lower() for name in asked)
    for port, name in service_ports.SERVICE_PORTS.items():
        assert port in asked[name]
        for protocol in ("tcp", "udp"):
            shown = service_name(protocol, port)
            assert shown is None or port in asked[shown.lower()], (protocol, port, shown)
    assert asked["http-alt"] == (8080,)
    assert asked["http-proxy"] == (3128, 8080)

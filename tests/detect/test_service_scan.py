"""Many protocols at one port are a scan of versions; those that share ports in earnest are not."""

from __future__ import annotations

from app.detect.service_scan import ServiceScan
from app.dpi.facts import HttpTransaction, Recognized
from tests.detect.scene import Scene


def spoken(*protocols: str, port: int = 9000) -> Scene:
    scene = Scene(ServiceScan)
    for protocol in protocols:
        scene.flow(port=port).tell(Recognized(0, 0, protocol), after=5)
    return scene


def test_three_protocols_at_one_port_and_two() -> None:
    assert [one.rule for one in spoken("http", "rdp", "smb", "ldap").said] == ["service_scan"]
    assert spoken("http", "rdp", "smb").said == []


def test_proxies_and_repeats_are_no_scan() -> None:
    assert spoken("http", "tls", "socks", "http2", "websocket", "ssh", "ssh", "smtp").said == []


def test_protocols_at_ports_of_their_own_are_no_scan() -> None:
    scene = Scene(ServiceScan)
    for port, protocol in ((22, "ssh"), (25, "smtp"), (389, "ldap"), (445, "smb"), (3389, "rdp")):
        scene.flow(port=port).tell(Recognized(0, 0, protocol))
    assert scene.said == []


def test_what_only_nmap_asks_for() -> None:
    scene = Scene(ServiceScan)
    for _ in range(3):
        scene.flow().tell(HttpTransaction(0, 0, "GET", None, "/nice%20ports%2C/Tri%6Eity.txt%2ebak", "1.0"))
    assert [one.rule for one in scene.said] == ["service_scan"]

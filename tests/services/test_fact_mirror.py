"""Facts reach the mirror whole or not at all, stay bounded, name flows and addresses, and end with their capture."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import fact_mirror, flow_facts
from app.services.connections import Rows, connections
from app.services.flow_facts import known_flow
from app.services.mirror import Mirror
from tests.fakes.rows import NOON, flow, flows

TIME = "2025-10-09T08:53:20.000000Z"


def apply(mirror: Mirror, started: int = 5, **parts: Any) -> None:
    capture = {"state": "running", "source": "live", "started_ns": started, "interfaces": [], "file": None}
    mirror.apply({"type": "snapshot", "capture": capture, "now_ns": NOON, "wall_ns": NOON, **parts})


def rows(mirror: Mirror) -> dict[int, dict[str, Any]]:
    return {row["flow_id"]: row for row in connections(Rows.all(mirror.flow_view()))}


def known(flow_id: int, **values: str) -> list[Any]:
    names = ("app", "category", "app_source", "server_name", "server_name_source", "ja3", "ja4", "tls_version", "alpn")
    return [flow_id, *(values.get(name) for name in (*names, "protocol"))]


def dns(**values: Any) -> dict[str, Any]:
    said = {"timestamp": TIME, "flow_id": "7", "client": "10.0.0.1", "server": "10.0.0.53", "query": "a.example"}
    return {**said, "type": "A", "rcode": "NOERROR", "answers": [], "kind": "dns", **values}


def test_a_flow_gets_its_application_and_server_name() -> None:
    mirror = Mirror()
    tls = known(
        1,
        app="TLS.Google",
        category="Web",
        app_source="ndpi",
        server_name="www.google.com",
        server_name_source="tls",
        ja4="t13d",
        alpn="h2",
        tls_version="TLS 1.3",
        protocol="tls",
    )
    apply(mirror, flows=flows(flow(1), flow(2)).tobytes(), known=[tls])
    first, second = rows(mirror)[1], rows(mirror)[2]
    assert (first["application"], first["detailed_protocol"], first["category"]) == ("Google", "TLS.Google", "Web")
    assert (first["hostname"], first["hostname_source"]) == ("www.google.com", "tls")
    assert (first["ja4"], first["alpn"], first["tls_version"]) == ("t13d", "h2", "TLS 1.3")
    assert first["app_name"] is None
    assert (second["application"], second["server_name"]) == (None, None)
    assert (second["hostname"], second["hostname_source"]) == (
        "www.google.com",
        "sni",
    )  # the same address, said by another


def test_a_port_is_no_proof_of_what_is_spoken() -> None:
    assert known_flow(known(1, app="HTTP", app_source="port", protocol="ssh")[1:]).spoken == "ssh"


@pytest.mark.parametrize(("app", "protocol"), [("DNS", "dns"), ("DNS.Google", "dns"), ("MDNS", None), (None, "nbns")])
def test_a_name_that_was_looked_up_is_not_the_servers(app: str | None, protocol: str | None) -> None:
    row = known(1, server_name="looked.up.example", server_name_source="ndpi")[1:]
    row[0], row[-1] = app, protocol
    assert known_flow(row).server_name is None


def test_answers_name_addresses_for_flows_that_come_later() -> None:
    mirror = Mirror()
    apply(mirror, dns=[dns(resolved=[["192.0.2.1", 60]], answers=["CNAME b.example", "A 192.0.2.1"])])
    apply(mirror, flows=flow(3).tobytes())
    assert (rows(mirror)[3]["hostname"], rows(mirror)[3]["hostname_source"]) == ("a.example", "dns")
    assert mirror.newest_facts("dns")[0].document["resolved_ips"] == ["192.0.2.1"]


def test_addresses_that_the_answer_does_not_lead_to_are_not_named() -> None:
    mirror = Mirror()
    apply(mirror, flows=flow(3).tobytes(), dns=[dns(resolved=[], answers=["A 192.0.2.1"])])
    assert rows(mirror)[3]["hostname"] is None


def test_a_new_name_moves_the_versions_of_the_flows_it_names() -> None:
    mirror = Mirror()
    apply(mirror, flows=flows(flow(1), flow(2, dst="192.0.2.9:22")).tobytes())
    before = mirror.flow_view()
    apply(mirror, dns=[dns(resolved=[["192.0.2.9", 60]])])
    after = mirror.flow_view()
    moved = after.flows["flow_id"][after.derived["version"] > before.version]
    assert moved.tolist() == [2]
    assert rows(mirror)[2]["hostname"] == "a.example"


def test_names_wait_for_the_row_of_their_flow() -> None:
    mirror = Mirror()
    apply(mirror, known=[known(1, server_name="late.example:8080", server_name_source="http")])
    apply(mirror, flows=flows(flow(1), flow(2)).tobytes())
    assert rows(mirror)[1]["hostname"] == "late.example"
    assert (rows(mirror)[2]["hostname"], rows(mirror)[2]["hostname_source"]) == ("late.example", "http")


def test_a_certificate_for_one_name_names_its_server() -> None:
    mirror = Mirror()
    tls = {"timestamp": TIME, "flow_id": "1", "names": ["only.example"]}
    apply(mirror, flows=flows(flow(1), flow(2)).tobytes(), tls=[tls])
    assert (rows(mirror)[2]["hostname"], rows(mirror)[2]["hostname_source"]) == ("only.example", "certificate")


def test_hosts_that_say_their_own_name() -> None:
    mirror = Mirror()
    name = {"timestamp": TIME, "address": "192.0.2.1", "name": "printer", "source": "mdns", "mac": None}
    apply(mirror, flows=flow(1).tobytes(), names=[name])
    assert (rows(mirror)[1]["hostname"], rows(mirror)[1]["hostname_source"]) == ("printer", "mdns")


@pytest.mark.parametrize(
    "parts",
    [
        {"dns": {}},
        {"dns": [5]},
        {"dns": [dns(query=5)]},
        {"dns": [dns(latency_ms="soon")]},
        {"dns": [dns(latency_ms=float("nan"))]},
        {"dns": [dns(latency_ms=float("inf"))]},
        {"dns": [dns(answers="A 1.2.3.4")]},
        {"dns": [dns(answers=[None])]},
        {"dns": [dns(timestamp=None)]},
        {"dns": [dns(timestamp="yesterday")]},
        {"tls": [{"timestamp": TIME, "names": [5]}]},
        {"http": [{"timestamp": TIME, "status": True}]},
        {"logins": [{"timestamp": TIME, "succeeded": "yes"}]},
        {"names": [5]},
        {"names": [{"timestamp": TIME, "address": "192.0.2.1", "name": "x", "source": "rumour", "mac": None}]},
        {"known": "all of them"},
        {"known": [5]},
        {"known": [[]]},
        {"known": [["1", "TLS"]]},
        {"known": [known(0)]},
        {"known": [[1, *([7] * 10)]]},
    ],
)
def test_what_makes_no_sense_is_left_out_and_counted(parts: dict[str, Any]) -> None:
    mirror = Mirror()
    apply(mirror, flows=flow(1).tobytes(), **parts)
    assert mirror.facts.malformed == 1
    assert not any(mirror.newest_facts(kind) for kind in ("dns", "tls", "http", "logins"))
    assert rows(mirror)[1]["hostname"] is None


@pytest.mark.parametrize(
    "resolved", [5, [5], [[]], [["192.0.2.1"]], [[5, 5]], [["no address", 5]], [["192.0.2.1", "x"]]]
)
def test_hostile_resolutions_name_nothing(resolved: Any) -> None:
    mirror = Mirror()
    apply(mirror, flows=flow(1).tobytes(), dns=[dns(resolved=resolved)])
    assert rows(mirror)[1]["hostname"] is None


def test_lists_are_bounded_and_numbers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fact_mirror.KEPT, "dns", 3)
    mirror = Mirror()
    apply(mirror, dns=[dns(query=f"n{i}.example") for i in range(5)])
    assert [fact.number for fact in mirror.newest_facts("dns")] == [5, 4, 3]
    assert mirror.facts.counts["dns"] == 5


def test_known_flows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_facts, "MAX_KNOWN", 2)
    mirror = Mirror()
    apply(mirror, known=[known(i, app="DNS") for i in (1, 2, 3)])
    assert sorted(mirror.facts.facts.flows) == [2, 3]


def test_a_new_capture_knows_nothing_and_the_old_view_keeps_what_it_knew() -> None:
    mirror = Mirror()
    apply(mirror, flows=flow(1).tobytes(), known=[known(1, app="DNS")], dns=[dns(resolved=[["192.0.2.1", 5]])])
    old = mirror.flow_view()
    apply(mirror, started=6, flows=flow(1).tobytes())
    assert (rows(mirror)[1]["application"], rows(mirror)[1]["hostname"]) == (None, None)
    assert mirror.newest_facts("dns") == []
    assert mirror.facts.counts["dns"] == 0
    assert connections(Rows.all(old))[0]["application"] == "DNS"

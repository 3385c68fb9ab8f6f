"""Latency and loss by host, network and interface: what is summed, what is not known, how it is ordered and asked for."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.fact_documents import Fact
from app.services.flow_mirror import FlowMirror, FlowView
from app.services.latency import LatencyRequest, latency_page, parse_latency_sort
from app.services.query_errors import BadRequest
from tests.fakes.rows import flow, flows

NEAR, FAR, UDP = "192.0.2.1:443", "198.51.100.7:443", "192.0.2.53:53"


def view() -> FlowView:
    mirror = FlowMirror()
    tcp: dict[str, Any] = {"src_packets": 60, "dst_packets": 40}
    mirror.apply(
        flows(
            flow(1, dst=NEAR, src_rtt_ms=10, src_rtt_min_ms=8, rtt_ns=9_000_000, **tcp),
            flow(2, dst=NEAR, src_rtt_ms=20, src_rtt_min_ms=5, src_retransmissions=3, dst_out_of_order=1, **tcp),
            flow(3, dst=NEAR, **tcp),
            flow(4, dst=FAR, src_rtt_ms=100, src_rtt_min_ms=90, interface=1, **tcp),
            flow(5, dst=UDP, protocol=17, interface=1, src_packets=5),
        )
    )
    return mirror.view()


def dns(flow_id: int, server: str, latency: float | None) -> Fact:
    return Fact(flow_id, 0, {"flow_id": flow_id, "server": server, "latency_ms": latency})


DNS = [dns(5, "192.0.2.53", 4.0), dns(5, "192.0.2.53", 8.0), dns(5, "192.0.2.53", None), dns(9, "203.0.113.9", 1.0)]


def page(by: str, **options: Any) -> list[dict[str, Any]]:
    return latency_page(view(), DNS, ["eth0", "wlan0"], LatencyRequest(by, **options), 0)[0]


def test_by_host() -> None:
    near, far, server = sorted(page("host"), key=lambda row: (-row["flows"], row["key"] != "198.51.100.7"))
    assert (near["key"], near["flows"], near["measured"]) == ("192.0.2.1", 3, 2)
    assert (near["rtt_median_ms"], near["rtt_p95_ms"], near["rtt_least_ms"]) == (15.0, 19.5, 5.0)
    assert near["handshake_median_ms"] == 9.0
    assert (near["retransmission_percent"], near["out_of_order_percent"]) == (1.0, 0.333)
    assert (near["dns_median_ms"], near["dns_answers"]) == (None, 0)
    assert (far["key"], far["rtt_median_ms"]) == ("198.51.100.7", 100.0)
    assert (server["dns_median_ms"], server["dns_answers"]) == (6.0, 2)
    assert (server["rtt_median_ms"], server["retransmission_percent"]) == (None, None)


def test_by_network_and_interface() -> None:
    found = {row["key"]: row for row in page("network")}
    assert {key: row["flows"] for key, row in found.items()} == {"192.0.2.0/24": 4, "198.51.100.0/24": 1}
    assert found["192.0.2.0/24"]["dns_answers"] == 2
    found = {row["key"]: row for row in page("interface")}
    assert {key: row["measured"] for key, row in found.items()} == {"eth0": 2, "wlan0": 1}
    assert (found["wlan0"]["dns_median_ms"], found["eth0"]["dns_median_ms"]) == (6.0, None)


def test_the_network_of_an_ipv6_host() -> None:
    mirror = FlowMirror()
    mirror.apply(flow(1, src="[2001:db8::1]:5", dst="[2001:db8:5:6::7]:443"))
    found, total = latency_page(mirror.view(), [], [], LatencyRequest("network"), 0)
    assert ([row["key"] for row in found], total) == (["2001:db8:5::/48"], 1)


def test_nothing_held_is_an_empty_list() -> None:
    for by in ("host", "network", "interface"):
        assert latency_page(FlowMirror().view(), DNS, [], LatencyRequest(by), 0) == ([], 0)


def test_order_and_queries() -> None:
    keys = [row["key"] for row in page("host", sort=parse_latency_sort("-rtt_median_ms"))]
    assert keys == ["198.51.100.7", "192.0.2.1", "192.0.2.53"]  # what is not known comes last
    assert [row["key"] for row in page("host", q="rtt_median_ms:>50")] == ["198.51.100.7"]
    assert [row["key"] for row in page("host", q="key:192.0.2*", sort=(("key", False),))] == ["192.0.2.1", "192.0.2.53"]
    assert [row["key"] for row in page("host", limit=1, offset=1, sort=(("key", False),))] == ["192.0.2.53"]
    with pytest.raises(BadRequest):
        parse_latency_sort("colour")


def test_the_local_end_decides_whose_round_trip_it_is() -> None:
    mirror = FlowMirror()
    mirror.own_addresses([(0, 0xFFFFC0000201)])  # 192.0.2.1, which was called
    mirror.apply(flow(1, dst=NEAR, src_rtt_ms=10, dst_rtt_ms=70))
    found, _ = latency_page(mirror.view(), [], [], LatencyRequest("host"), 0)
    assert [(row["key"], row["rtt_median_ms"]) for row in found] == [("10.0.0.1", 70.0)]

"""Hosts summed from the flows: the same numbers as adding them up by hand, asked for in every way, fast."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from app.services.connection_rows import Rows
from app.services.connections import connections
from app.services.flow_facts import HardwareAddress
from app.services.host_sums import host_sums
from app.services.hosts import HostRequest, host_detail, host_page, parse_host_query, parse_host_sort
from app.services.mirror import Mirror
from app.services.places import Places
from app.services.query_errors import BadRequest, NotThere
from app.services.world import world
from app.wire.addresses import parse_address
from app.wire.records import FLOW_DTYPE
from tests import pace
from tests.fakes.rows import NOON, SECOND, flow, flows

OWN = frozenset({parse_address("10.0.0.1")[1:]})


def random_flows(count: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = np.zeros(count, FLOW_DTYPE)
    rows["flow_id"] = np.arange(1, count + 1)
    local = (0x0A000001 + random.integers(0, 20, count)).astype(np.uint64)
    remote = random.integers(1 << 24, 224 << 24, count).astype(np.uint64)
    remote[: count // 2] = random.choice(remote[:200], count // 2)
    rows["src_lo"], rows["dst_lo"] = local | np.uint64(0xFFFF << 32), remote | np.uint64(0xFFFF << 32)
    turned = random.random(count) < 0.2
    rows["src_lo"][turned], rows["dst_lo"][turned] = rows["dst_lo"][turned], rows["src_lo"][turned]
    rows["ip_version"], rows["protocol"] = 4, np.where(random.random(count) < 0.7, 6, 17)
    rows["src_port"], rows["dst_port"] = (
        random.integers(1024, 65535, count),
        random.choice([53, 80, 443, 8443, 22], count),
    )
    for name in ("src_bytes", "dst_bytes"):
        rows[name] = random.integers(60, 100_000, count)
    rows["src_packets"] = rows["dst_packets"] = 3
    rows["start"] = NOON + random.integers(0, 1000, count) * SECOND
    rows["end"] = rows["start"] + SECOND
    rows["rtt_ns"], rows["conn_state"], rows["dst_flags"] = -1, 2, 0x12
    rows["ended"] = random.random(count) < 0.3
    return rows


def filled(rows: np.ndarray) -> Mirror:
    mirror = Mirror()
    mirror.flows.own_addresses(sorted(OWN))
    mirror.flows.apply(rows)
    places = Places(mirror)
    places.open()
    while places.look_up_some():
        pass
    return mirror


def page(mirror: Mirror, q: str = "", sort: str = "", limit: int = 200) -> list[dict]:
    return host_page(mirror.flow_view(), HostRequest(limit, 0, parse_host_sort(sort), q), OWN, 0)[0]


def test_the_sums_are_those_made_by_hand() -> None:
    mirror = filled(
        np.concatenate([random_flows(3000), flow(9001, "10.0.0.3:1", "10.0.0.3:2", src_bytes=7, dst_bytes=5)])
    )
    by_hand: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in connections(Rows.all(mirror.flow_view())):
        ends = [(row["local_address"], "sent", "recv"), (row["remote_address"], "recv", "sent")]
        addresses = [text.rpartition(":")[0] for text, _, _ in ends]
        for address, (_, sent, received) in zip(addresses, ends, strict=True):
            by_hand[address][0] += row[f"bytes_{sent}"]
            by_hand[address][1] += row[f"bytes_{received}"]
            by_hand[address][2] += 1 if addresses[0] != addresses[1] else 0
        if addresses[0] == addresses[1]:
            by_hand[addresses[0]][2] += 1
    found = {
        host["address"]: [host["bytes_sent"], host["bytes_recv"], host["flows"]] for host in page(mirror, limit=100_000)
    }
    assert found == dict(by_hand)


def test_one_host_with_everything() -> None:
    rows = [
        flow(1, "10.0.0.1:1000", "8.8.8.8:53", protocol=17, src_bytes=100, dst_bytes=300, src_packets=1, dst_packets=1),
        flow(2, "10.0.0.7:2000", "10.0.0.1:22", src_bytes=10, dst_bytes=20, dst_flags=0x12),
        flow(3, "10.0.0.7:2001", "10.0.0.1:23", src_bytes=10, dst_bytes=0, dst_flags=0x14, conn_state=4),
        flow(4, "10.0.0.1:1001", "224.0.0.251:5353", protocol=17, src_bytes=50),
    ]
    mirror = filled(flows(*rows))
    mirror.facts.facts.macs[parse_address("10.0.0.7")[1:]] = HardwareAddress("02:42:0a:00:00:07", "arp")
    mirror.facts.facts.names.learn_host("10.0.0.7", "laptop", "dhcp", None, NOON)
    mirror.facts.facts.now_ns = NOON
    hosts = {host["address"]: host for host in page(mirror)}
    assert [hosts[address]["kind"] for address in ("10.0.0.1", "10.0.0.7", "8.8.8.8", "224.0.0.251")] == [
        "own", "local", "remote", "group",
    ]  # fmt: skip
    assert (hosts["8.8.8.8"]["country"], hosts["8.8.8.8"]["organization"]) == ("US", "Google LLC")
    laptop = hosts["10.0.0.7"]
    assert (laptop["name"], laptop["name_source"], laptop["mac"], laptop["mac_is_made_up"], laptop["vendor"]) == (
        "laptop", "dhcp", "02:42:0a:00:00:07", True, None,
    )  # fmt: skip
    assert hosts["10.0.0.1"]["open_ports"] == [{"protocol": "tcp", "port": 22, "service": "SSH"}]
    assert hosts["8.8.8.8"]["open_ports"] == [{"protocol": "udp", "port": 53, "service": "DNS"}]
    assert laptop["open_ports"] == []
    assert hosts["8.8.8.8"]["first_seen"] < hosts["8.8.8.8"]["last_seen"]

    detail = host_detail(mirror.flow_view(), "10.0.0.1", OWN, NOON)
    assert detail["host"] == hosts["10.0.0.1"]
    assert [(port["port"], port["open"], port["flows"]) for port in detail["ports"]] == [(22, True, 1), (23, False, 1)]
    assert [peer["address"] for peer in detail["peers"]] == ["8.8.8.8", "224.0.0.251", "10.0.0.7"]
    assert detail["countries"] == [{"name": "US", "bytes": 400, "flows": 1}]
    assert host_detail(mirror.flow_view(), "10.0.0.7", OWN, NOON)["names"][0]["name"] == "laptop"


def test_hosts_are_asked_for_and_sorted() -> None:
    mirror = filled(flows(flow(1, dst="8.8.8.8:53", src_bytes=5), flow(2, dst="193.99.144.80:443", src_bytes=9)))
    addresses = lambda *how: [host["address"] for host in page(mirror, *how)]  # noqa: E731
    assert addresses() == ["10.0.0.1", "193.99.144.80", "8.8.8.8"]
    assert addresses("kind:remote", "bytes") == ["8.8.8.8", "193.99.144.80"]
    assert addresses("country:de") == addresses("germany") == addresses("ip:193.99.0.0/16") == ["193.99.144.80"]
    assert addresses("google") == addresses("asn:15169") == addresses("organization:google") == ["8.8.8.8"]
    assert addresses("bytes_recv:>8 kind:remote") == ["193.99.144.80"]
    assert addresses("kind:remote", "country") == ["193.99.144.80", "8.8.8.8"]
    assert addresses("kind:remote sort:-country") == ["8.8.8.8", "193.99.144.80"]
    assert addresses("", "ip")[0] == "8.8.8.8"
    assert addresses("10.0.0.1", "-name") == ["10.0.0.1"]


@pytest.mark.parametrize(
    "name", parse_host_query("").fields.names if hasattr(parse_host_query(""), "fields") else ["ip"]
)
def test_every_field_sorts(name) -> None:
    mirror = filled(random_flows(300))
    for sort in (name, f"-{name}"):
        assert len(page(mirror, "", sort)) == 200


def test_wrong_questions_are_named() -> None:
    mirror = filled(random_flows(3))
    with pytest.raises(BadRequest):
        parse_host_query("colour:red")
    with pytest.raises(BadRequest):
        parse_host_sort("colour")
    with pytest.raises(BadRequest):
        host_detail(mirror.flow_view(), "example.org", OWN, 0)
    with pytest.raises(NotThere):
        host_detail(mirror.flow_view(), "9.9.9.9", OWN, 0)


def test_no_flows_no_hosts() -> None:
    mirror = Mirror()
    assert page(mirror) == []
    assert world(mirror.flow_view()) == {"countries": [], "elsewhere": []}


def test_the_world_adds_up() -> None:
    mirror = filled(flows(*(flow(number, dst=dst, src_bytes=number, dst_bytes=10) for number, dst in enumerate(
        ["8.8.8.8:53", "8.8.4.4:53", "193.99.144.80:443", "10.0.0.9:22", "224.0.0.251:5353"], 1))))  # fmt: skip
    found = world(mirror.flow_view())
    assert [(one["country"], one["name"], one["bytes_sent"], one["bytes_recv"], one["flows"], one["hosts"]) for one in found["countries"]] == [
        ("US", "United States", 3, 20, 2, 2), ("DE", "Germany", 3, 10, 1, 1),
    ]  # fmt: skip
    assert {one["scope"]: one["bytes"] for one in found["elsewhere"]} == {"private": 14, "multicast": 15}


@pytest.mark.slow
def test_fifty_thousand_flows_are_summed_in_milliseconds() -> None:
    mirror = filled(random_flows(50_000))
    view = mirror.flow_view()

    def first_page() -> None:
        host_sums.cache_clear()
        host_page(view, HostRequest(200), OWN, 0)

    assert pace.within(100, first_page)  # about 40 are usual

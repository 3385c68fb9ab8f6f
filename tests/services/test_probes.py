"""The probing process and what the web process does with its answers, against local fakes."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from app.services.connection_rows import Rows
from app.services.connections import connections
from app.services.mirror import Mirror
from app.services.places import Places
from app.services.probes import Probes
from config import Settings
from tests.fakes.rows import flow, flows
from tests.probe.fakes import fake_dns, fake_ipinfo, free_port


def made(tmp_path: Path, options=None, **settings) -> tuple[Mirror, Probes]:
    mirror = Mirror()
    mirror.flows.apply(
        flows(flow(1, dst="8.8.8.8:443"), flow(2, dst="10.0.0.9:443"), flow(3, "10.0.0.1:1", "127.0.0.1:443"))
    )
    places = Places(mirror)
    places.open()
    places.look_up_some()
    return mirror, Probes(Settings(data_dir=tmp_path, **settings), mirror, places, options)


def until(probes: Probes, done, seconds=30.0) -> None:
    if probes._sock is None:
        assert probes._start()
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, probes.document()
        probes.step()
        time.sleep(0.05)


def rows(mirror: Mirror) -> dict[int, dict]:
    return {row["flow_id"]: row for row in connections(Rows.all(mirror.flow_view()))}


def test_nothing_is_started_that_nobody_wants(tmp_path) -> None:
    _, probes = made(tmp_path)
    probes.run()  # returns
    assert probes._process is None
    assert {one["state"] for one in probes.document().values()} == {"off"}


def test_places_and_names_arrive_in_connections(tmp_path) -> None:
    with fake_ipinfo() as ipinfo, fake_dns() as dns:
        ipinfo.records = {"8.8.8.8": {"city": "Mountain View", "country": "US", "privacy": {"vpn": True}}}
        dns.records = {
            ("9.0.0.10.in-addr.arpa.", "PTR"): ["printer.home."],
            ("8.8.8.8.in-addr.arpa.", "PTR"): ["dns.google."],
        }
        options = {"url": ipinfo.url, "nameservers": ["127.0.0.1"], "port": dns.port}
        mirror, probes = made(tmp_path, options, ipinfo_token=ipinfo.token, resolve_hostnames=True)
        try:
            until(
                probes, lambda: rows(mirror)[1]["city"] and rows(mirror)[2]["hostname"] and rows(mirror)[1]["hostname"]
            )
        finally:
            probes.close()
        found = rows(mirror)
        assert (found[1]["city"], found[1]["is_anonymous"], found[1]["asn"]) == ("Mountain View", True, 15169)
        assert (found[2]["hostname"], found[2]["hostname_source"], found[2]["city"]) == ("printer.home", "ptr", None)
        assert ipinfo.asked == [["8.8.8.8"]]
        assert probes.document()["ipinfo"]["state"] == probes.document()["names"]["state"] == "ready"
        assert probes.document()["latency"]["state"] == "off"


def test_what_the_traffic_says_goes_before_reverse_dns(tmp_path) -> None:
    mirror, probes = made(tmp_path)
    mirror.facts.facts.names.learn_dns("10.0.0.1", "www.example.org", [("8.8.8.8", 60)], mirror.now_ns)
    probes.take({"kind": "hostname", "of": "8.8.8.8", "name": "dns.google"})
    assert rows(mirror)[1]["hostname"] == "www.example.org"


def test_with_the_network_cut_nothing_waits(tmp_path) -> None:
    options = {"url": f"http://127.0.0.1:{free_port()}", "nameservers": ["127.0.0.1"], "port": free_port()}
    mirror, probes = made(tmp_path, options, ipinfo_token="t", resolve_hostnames=True, measure_latency=True)
    try:
        assert probes._start()
        probes._process.send_signal(signal.SIGSTOP)  # whoever waited for an answer now would wait for ever
        for _ in range(20):
            probes.step()
            assert rows(mirror)[1]["country"] == "US"
        assert {probes.document()[name]["state"] for name in ("ipinfo", "names")} == {"ready"}
        probes._process.send_signal(signal.SIGCONT)
        until(probes, lambda: probes.document()["ipinfo"]["state"] == "unreachable")
        until(probes, lambda: probes.document()["names"]["state"] == "failed")
    finally:
        probes.close()


def test_a_wrong_token_is_a_status(tmp_path) -> None:
    with fake_ipinfo() as ipinfo:
        _, probes = made(tmp_path, {"url": ipinfo.url}, ipinfo_token="wrong")
        try:
            until(probes, lambda: probes.document()["ipinfo"]["state"] == "refused")
            for _ in range(5):
                probes.step()
        finally:
            probes.close()
        assert len(ipinfo.asked) == 1
        assert "wrong" not in str(probes.document())


def test_a_prober_that_ends_is_said_and_started_again(tmp_path) -> None:
    _, probes = made(tmp_path, {"nameservers": ["127.0.0.1"], "port": free_port()}, resolve_hostnames=True)
    try:
        assert probes._start()
        probes._process.kill()
        deadline = time.monotonic() + 30
        while probes._sock is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert probes.document()["names"]["state"] == "failed"
        assert probes._start()
    finally:
        probes.close()


def test_pings_fill_in_latency_where_the_traffic_does_not_tell(tmp_path) -> None:
    mirror, probes = made(tmp_path, measure_latency=True)
    mirror.flows.apply(flow(4, dst="8.8.4.4:443", rtt_ns=5_000_000))
    probes._note_hosts()
    probes.take({"kind": "ping", "of": "8.8.8.8", "ms": 12.5})
    probes.take({"kind": "ping", "of": "8.8.4.4", "ms": 80.0})
    probes.take({"kind": "ping", "of": "10.0.0.9", "ms": None})
    found = rows(mirror)
    assert [found[number]["latency_ms"] for number in (1, 2, 4)] == [12.5, None, 5.0]


@pytest.mark.parametrize("kind", ["hostname", "ping", "ipinfo"])
def test_a_full_queue_is_no_loss_of_count(tmp_path, kind) -> None:
    _, probes = made(tmp_path, ipinfo_token="t")
    probes._out[kind] = 1
    probes.take({"kind": kind, "of": ["8.8.8.8"] if kind == "ipinfo" else "8.8.8.8", "busy": True})
    assert probes._out[kind] == 0

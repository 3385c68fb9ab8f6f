"""The child process nDPI lives in: batches, death, hanging, nonsense, absence."""

import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from app import privileges
from app.dpi import ndpi, ndpi_client
from app.dpi.application import BY_PORT, RESTARTED, Application, from_row, to_row
from app.dpi.ndpi_client import NdpiClient
from app.wire.records import FLOW_DTYPE
from tests.dpi.capture_flows import batches

needs_ndpi = pytest.mark.skipif(not ndpi.installed(), reason="nDPI (requirements-ndpi.txt) is not installed")


@pytest.fixture
def client():
    one = NdpiClient()
    yield one
    one.close()


def show(client, name):
    """Feed a capture; returns (ids of its flows, clock)."""
    ids, clock = set(), 0
    for packets, flow_ids, heads, data, clock in batches(name):
        client.feed(packets, flow_ids, heads, data, clock, wait=True)
        ids |= set(flow_ids[flow_ids > 0].tolist())
    return ids, clock


def decided(client, name):
    ids, clock = show(client, name)
    client.end(np.array(sorted(ids), np.uint64), clock)
    return dict(client.drain())


@needs_ndpi
def test_batches_go_out_and_names_come_back(client):
    found = decided(client, "app-mysql.pcap")
    assert [a.name for a in found.values()] == ["MySQL"]
    assert not client.busy
    assert client.version.startswith("5.")
    statistics = client.statistics
    assert 0 < statistics.packets_shown <= 10
    assert (statistics.flows_named, statistics.live_flows, statistics.restarts) == (1, 0, 0)
    assert 5e6 < statistics.memory_bytes < 2e8


@needs_ndpi
def test_a_flow_without_payload_is_named_by_its_port_at_its_end(client):
    record = np.zeros(2, FLOW_DTYPE)
    record["flow_id"], record["protocol"], record["ip_version"], record["src_flags"] = (7, 8), 6, 4, 2
    record["src_lo"], record["dst_lo"] = 0xFFFF_C0000201, 0xFFFF_C0000202
    record["src_port"], record["dst_port"], record["start"] = 40_000, 22, 1_000_000_000
    record["src_payload"] = (0, 9)  # the second one was shown while it lived
    client.show_silent(record, 2_000_000_000, wait=True)
    client.end(record["flow_id"], 2_000_000_000)
    ((flow_id, found),) = client.drain()
    assert (flow_id, found.name, found.confidence) == (7, "SSH", BY_PORT)


@needs_ndpi
def test_a_flow_that_is_passed_over_is_not_shown(client):
    for packets, flow_ids, heads, data, clock in batches("app-mysql.pcap"):
        for slot, flow_id in zip(packets["flow"].tolist(), flow_ids.tolist(), strict=True):
            client.pass_over(slot, flow_id)
        assert client.feed(packets, flow_ids, heads, data, clock, wait=True) == 0


@needs_ndpi
def test_the_child_holds_nothing(client):
    show(client, "app-mysql.pcap")
    client.drain()
    pid = client._process.pid
    report = privileges.report(str(pid))
    assert report.permitted == report.effective == 0
    assert report.no_new_privs
    names = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert sorted(name.split(":")[0] for name in names) == ["/dev/null", "/dev/null", "socket"]


@needs_ndpi
def test_a_killed_child_is_replaced_and_its_flows_are_lost(client, monkeypatch):
    monkeypatch.setattr(ndpi_client, "_LONGEST_PAUSE", 0.0)
    ids, _ = show(client, "app-ftp-ipv4.pcap")
    inside = set(client._inside)
    first = client._process
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    lost = {}
    end = time.monotonic() + 30
    while not client.statistics.restarts and time.monotonic() < end:
        lost.update(client.poll())
    assert inside == set(lost) <= ids
    assert {a.reason for a in lost.values()} == {RESTARTED}
    assert {a.name for a in lost.values()} == {None}
    assert (client.statistics.restarts, client.statistics.flows_lost) == (1, len(inside))


@needs_ndpi
def test_names_again_after_a_death(client, monkeypatch):
    monkeypatch.setattr(ndpi_client, "_LONGEST_PAUSE", 0.0)
    show(client, "app-mqtt.pcap")
    client.drain()
    os.kill(client._process.pid, signal.SIGSEGV)
    end = time.monotonic() + 30
    while not client.statistics.restarts and time.monotonic() < end:
        client.poll()
    # flow ids go on in one run of the sensor
    for packets, flow_ids, heads, data, clock in batches("app-mysql.pcap"):
        ids = flow_ids + np.uint64(1000)
        client.feed(packets, ids, heads, data, clock, wait=True)
        client.end(np.unique(ids), clock)
    assert [a.name for a in dict(client.drain()).values()] == ["MySQL"]
    assert client.statistics.restarts == 1


@needs_ndpi
def test_a_child_that_dies_again_and_again_is_given_a_rest(client, monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(ndpi_client, "time", SimpleNamespace(monotonic=lambda: now))  # all of it within a moment
    for expected in (1, 2, 3):
        show(client, "app-mqtt.pcap")
        if client._process is not None:
            client._process.kill()
            client._process.wait()
        client._budget = type(client._budget)(10)
        end = time.monotonic() + 30
        while client.statistics.restarts < expected and client._process and time.monotonic() < end:
            client.poll()
    assert client.statistics.restarts == 2
    assert client.statistics.packets_skipped > 0  # the third start was not due yet
    assert client.fileno() is None


@needs_ndpi
def test_a_child_that_hangs_is_killed(client, monkeypatch):
    show(client, "app-mqtt.pcap")
    client.drain()
    os.kill(client._process.pid, signal.SIGSTOP)
    client.tick(10**18)
    client._inside[77] = 1
    client.tick(10**18)
    assert client.busy
    monkeypatch.setattr(ndpi_client, "_DEADLINE", 0.0)
    time.sleep(0.01)
    assert (77, Application(None, reason=RESTARTED)) in client.poll()
    assert client.fileno() is None


@needs_ndpi
@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff" * 64,
        b"\0\0\0\x01\xc0",
        b"\0\0\0\x05\x94\x01\x02\x03\x90",
        b"\0\0\0\x01\x90",
        b"\0\0\0\x01\x80",
        b"\0\0\0\x03\x91\xa1x",
    ],
)
def test_a_child_that_talks_nonsense_is_ended(client, nonsense):
    show(client, "app-mqtt.pcap")
    client.drain()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client._sock.close()
    client._sock = ours
    client._inside[5] = 0
    theirs.sendall(nonsense)
    assert client.poll() == [(5, Application(None, reason=RESTARTED))]
    theirs.close()


@needs_ndpi
def test_what_a_slow_child_cannot_take_is_counted(client, monkeypatch):
    show(client, "app-mqtt.pcap")
    client.drain()
    monkeypatch.setattr(ndpi_client, "MAX_WAITING", -1)
    for packets, flow_ids, heads, data, clock in batches("app-mysql.pcap"):
        assert client.feed(packets, flow_ids, heads, data, clock) == 0
    assert client.statistics.packets_skipped > 0


def test_without_the_module_nothing_is_started(monkeypatch):
    monkeypatch.setattr(ndpi, "installed", lambda: False)
    client = NdpiClient()
    assert (client.available, client.why_not) == (False, "nDPI is not installed")
    assert decided(client, "app-mysql.pcap") == {}
    assert client.fileno() is None
    assert client.statistics.packets_skipped == 0


@needs_ndpi
def test_nothing_of_the_framework_is_imported():
    code = "import sys; from app.dpi import ndpi; ndpi.Engine().close(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"nfstream", "pandas", "numpy", "psutil", "dpkt"} & set(done.stdout.split())


def test_rows_are_checked():
    application = Application(
        "TLS.Google", "Web", "ndpi", "content", "example.org", "Google", ("tls_missing_sni",), None
    )
    assert from_row(to_row(application)) == application
    good = to_row(application)
    for place, bad in [(0, 5), (1, b"Web"), (4, "x" * 300), (6, "abc"), (6, [1]), (6, ["x"] * 65), (7, {})]:
        row = list(good)
        row[place] = bad
        with pytest.raises(ValueError, match="application"):
            from_row(row)
    with pytest.raises(ValueError, match="application of 7 fields"):
        from_row(good[1:])

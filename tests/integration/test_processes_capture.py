"""The real broker and the real sensor under a web end of the test's: they capture, with interfaces that come and go."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from tests.integration import process_tree
from tests.integration.process_tree import KERNELS_SECONDS, NEEDED, PATIENCE, needs_root

pytestmark = NEEDED
# The fixtures
place = process_tree.place
user_python = process_tree.user_python
run = process_tree.run
as_user = process_tree.as_user


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("interface", ["lo", "any"])
def test_capture_sees_what_passes_the_filter(as_user, interface):
    as_user.start()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target,
    ):
        target.bind(("127.0.0.1", 0))
        port = target.getsockname()[1]
        as_user.send(type="start", id=1, interfaces=[interface], bpf_filter=f"udp dst port {port}")
        assert as_user.wait("message", KERNELS_SECONDS, type="reply", id=1)["ok"]
        snapshot = as_user.wait("message", KERNELS_SECONDS, type="snapshot")
        while snapshot["capture"]["state"] != "running":
            snapshot = as_user.wait("message", KERNELS_SECONDS, type="snapshot")
        for _ in range(10):
            sender.sendto(b"x" * 100, ("127.0.0.1", port))
        deadline = time.monotonic() + 30
        while snapshot["totals"]["packets"] < 10 and time.monotonic() < deadline:
            snapshot = as_user.wait("message", type="snapshot")
        assert snapshot["totals"]["packets"] == 10
        assert snapshot["losses"]["kernel_drops"] == 0
    as_user.send(type="stop", id=2)
    assert as_user.wait("message", type="reply", id=2)["ok"]
    as_user.send(type="packets", id=3, limit=5)
    assert as_user.wait("message", type="reply", id=3)["result"]["next_before_id"] == 6
    as_user.send(type="dissect", id=4, packet_id=1)
    assert "UDP" in json.dumps(as_user.wait("message", type="reply", id=4)["result"])
    as_user.send(type="export", id=5, format="pcapng", q="udp")
    sizes = []
    while (part := as_user.wait("message", type="reply", id=5))["more"]:
        sizes.append(part["result"]["data"])
    assert sum(sizes) > 10 * 142
    as_user.send(type="export", id=6, q="tcp")
    assert as_user.wait("message", type="reply", id=6)["error"]["code"] == "empty"
    as_user.send(type="export", id=7, q="port:none")
    assert as_user.wait("message", type="reply", id=7)["error"]["code"] == "bad_query"
    assert as_user.wait("message", type="snapshot")["capture"]["state"] == "stopped"


@pytest.fixture
def namespace():
    """A network namespace with a veth pair t0–t1 of its own."""
    if shutil.which("ip") is None:
        pytest.skip("needs iproute2")
    name = f"netglass-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield ("ip", "netns", "exec", name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def add_pair(namespace):
    for words in ("add t0 type veth peer name t1", "set t0 up", "set t1 up"):
        subprocess.run([*namespace, "ip", "link", *words.split()], check=True)


@pytest.mark.root
@needs_root
def test_an_interface_that_goes_down_away_and_comes_back(run, namespace):
    add_pair(namespace)
    tree = run(*namespace, sys.executable)
    tree.start()
    tree.send(type="start", id=1, interfaces=["t0"], bpf_filter="icmp6 or arp or vlan")
    assert tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["ok"]
    subprocess.run([*namespace, "ip", "link", "set", "t0", "down"], check=True)
    assert "t0 went down" in tree.wait("message", type="notice")["text"]
    shown = (tree.wait("message", type="snapshot")["capture"]["interfaces"][0]["up"] for _ in range(3))
    assert not all(shown)  # a snapshot from before may have waited for room in the link
    subprocess.run([*namespace, "ip", "link", "set", "t0", "up"], check=True)
    assert "t0 is up" in tree.wait("message", type="notice")["text"]
    subprocess.run([*namespace, "ip", "link", "delete", "t0"], check=True)
    assert "t0 was removed" in tree.wait("message", type="notice")["text"]
    add_pair(namespace)
    before = tree.wait("message", type="snapshot")["totals"]["packets"]
    assert "t0 is up" in tree.wait("message", type="notice")["text"]
    # a new interface announces itself by IPv6, so there is something to see
    subprocess.run([*namespace, "ip", "link", "set", "t1", "down"], check=True)
    subprocess.run([*namespace, "ip", "link", "set", "t1", "up"], check=True)
    deadline = time.monotonic() + PATIENCE
    snapshot = tree.wait("message", type="snapshot")
    while snapshot["totals"]["packets"] <= before and time.monotonic() < deadline:
        snapshot = tree.wait("message", type="snapshot")
    assert snapshot["totals"]["packets"] > before
    assert snapshot["capture"]["state"] == "running"


FRAME = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("t1", 0))
ethernet = b"\\x02" * 6 + b"\\x04" * 6
for tag in (b"\\x81\\x00\\x00\\x05", b"\\x81\\x00\\x00\\x06", b""):
    for _ in range(4):
        sock.send(ethernet + tag + b"\\x88\\xb5" + bytes(50))
"""


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("interface", ["t0", "any"])
def test_a_filter_on_tags_that_the_kernel_takes_out(run, namespace, interface):
    add_pair(namespace)
    tree = run(*namespace, sys.executable)
    tree.start()
    tree.send(type="start", id=1, interfaces=[interface], bpf_filter="inbound and vlan 5")
    assert tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["ok"]
    subprocess.run([*namespace, sys.executable, "-c", FRAME], check=True)
    deadline = time.monotonic() + PATIENCE
    while tree.wait("message", type="snapshot")["totals"]["packets"] < 4 and time.monotonic() < deadline:
        """They are in the ring, or on their way to it."""
    snapshot = tree.wait("message", type="snapshot")
    assert snapshot["totals"]["packets"] == 4
    assert {row[0]: row[1] for row in snapshot["layers"]}["vlan"] == 4

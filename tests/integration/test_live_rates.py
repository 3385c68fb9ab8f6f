"""Live capture between two namespaces: every packet that was sent is either counted or counted as dropped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import netns
from bench.live import Receiver
from bench.netns import RECEIVER_END, SENDER_END, Pair
from bench.profiles import imix
from bench.traffic import Facts, write

PACKETS = 40_000
RATE = 10_000  # packets a second: nothing of note for either program
TOOLS = [tool for tool in ("ip", "tcpreplay", "tcpdump", "taskset") if shutil.which(tool) is None]

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's"),
    pytest.mark.skipif(sys.platform.startswith("linux") and os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(bool(TOOLS), reason=f"not installed: {', '.join(TOOLS)}"),
]


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    path = tmp_path_factory.mktemp("traffic") / "mix.pcap"
    return path, write(imix(PACKETS), path)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with netns.pair() as made:
        yield made


def receiver(pair: Pair, ring_mb: int = 64) -> Receiver:
    command = [sys.executable, "-m", "bench.receive_ours", RECEIVER_END, str(ring_mb)]
    return Receiver("netglass", command, pair)


def replay(pair: Pair, file: Path, *rate: str) -> int:
    """Sends a file once with tcpreplay; how many packets it says it sent."""
    command = ["tcpreplay", "-i", SENDER_END, "--preload-pcap", *rate, str(file)]
    done = subprocess.run(pair.inside(pair.sender, command), check=True, capture_output=True, text=True)
    found = re.search(r"Successful packets:\s+(\d+)", done.stdout)
    assert found is not None, done.stdout
    return int(found.group(1))


def recorded(path: Path) -> tuple[int, int]:
    """Packets and bytes on the wire in a pcap file."""
    data = path.read_bytes()
    packets = octets = 0
    position = 24
    while position < len(data):
        captured, wire = struct.unpack_from("<II", data, position + 8)
        position += 16 + captured
        packets += 1
        octets += wire
    return packets, octets


@pytest.fixture
def tcpdump(pair: Pair, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """tcpdump beside us on the same interface, with room enough never to drop."""
    path = tmp_path / "tcpdump.pcap"
    command = ["tcpdump", "-i", RECEIVER_END, "-B", "131072", "-Z", "root", "-w", str(path)]
    process = subprocess.Popen(pair.inside(pair.receiver, command), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("listening on" in line for line in process.stderr)
    yield process, path
    process.kill()
    process.communicate()


def test_live_counts_are_those_of_tcpdump(
    pair: Pair, tcpdump: tuple[subprocess.Popen[str], Path], traffic: tuple[Path, Facts]
) -> None:
    """At a modest rate: nothing dropped, packets, bytes and layers as tcpdump wrote them and the generator made them."""
    process, path = tcpdump
    file, facts = traffic
    ours = receiver(pair)
    try:
        ours.wait_ready()
        sent = replay(pair, file, f"--pps={RATE}")
        time.sleep(0.5)
        counted: dict[str, Any] = ours.stop()
    finally:
        ours.kill()
    process.send_signal(signal.SIGINT)
    assert "0 packets dropped by kernel" in process.communicate(timeout=20)[1]
    assert sent == facts.packets
    assert (counted["captured"], counted["dropped"]) == (sent, 0)
    assert (counted["packets"], counted["bytes"]) == recorded(path) == (facts.packets, facts.frame_bytes)
    assert counted["flows"] == facts.flows
    layers = {name: packets for name, packets, _ in counted["layers"]}
    for name in ("vlan", "arp", "ip", "ipv6", "tcp", "icmp", "icmpv6", "dns"):
        assert layers.get(name, 0) == facts.protocols[name], name


def test_what_does_not_fit_is_counted(pair: Pair, traffic: tuple[Path, Facts]) -> None:
    """A ring far too small and a receiver that sleeps: captured + dropped is what was sent, to the packet."""
    file, facts = traffic
    ours = receiver(pair, ring_mb=1)
    try:
        ours.wait_ready()
        ours.signal(signal.SIGSTOP)
        sent = replay(pair, file, "--topspeed")
        ours.signal(signal.SIGCONT)
        time.sleep(0.5)
        sent += replay(pair, file, f"--pps={RATE}")
        time.sleep(0.5)
        counted = ours.stop()
    finally:
        ours.kill()
    assert sent == 2 * facts.packets
    assert counted["captured"] + counted["dropped"] == sent
    assert 0 < counted["dropped"] < facts.packets
    assert counted["packets"] == counted["captured"]


def test_namespaces_are_gone_after_an_error() -> None:
    def broken() -> None:
        with netns.pair() as made:
            assert made.sender in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    left = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert f"-{os.getpid()}" not in left

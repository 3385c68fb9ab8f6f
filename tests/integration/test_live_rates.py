"""Live capture between two namespaces: every packet that was sent is either counted or counted as dropped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import netns
from bench.live import Receiver
from bench.netns import RECEIVER_END, Pair
from bench.profiles import imix
from bench.traffic import Facts, write
from tests.integration.replayed import replay, tcpdump

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


def test_live_counts_are_those_of_tcpdump(pair: Pair, tmp_path: Path, traffic: tuple[Path, Facts]) -> None:
    """At a modest rate: nothing dropped, packets, bytes and layers as tcpdump wrote them and the generator made them."""
    file, facts = traffic
    with tcpdump(pair, tmp_path / "tcpdump.pcap") as recording:
        ours = receiver(pair)
        try:
            ours.wait_ready()
            sent = replay(pair, file, f"--pps={RATE}")
            counted: dict[str, Any] = ours.stop()
        finally:
            ours.kill()
        recorded = recording.end(sent)
    assert sent == facts.packets
    assert (counted["captured"], counted["dropped"]) == (sent, 0)
    assert (counted["packets"], counted["bytes"]) == recorded == (facts.packets, facts.frame_bytes)
    assert counted["flows"] == facts.flows
    layers = {name: packets for name, packets, _ in counted["layers"]}
    for name in ("vlan", "arp", "ip", "ipv6", "tcp", "icmp", "icmpv6", "dns"):
        assert layers.get(name, 0) == facts.protocols[name], name


def test_what_does_not_fit_is_counted(pair: Pair, traffic: tuple[Path, Facts]) -> None:
    """A ring far too small and a receiver that sleeps: captured + dropped is what was sent, to the packet; and it goes on afterwards."""
    file, facts = traffic
    ring_mb = 1
    ours = receiver(pair, ring_mb)
    try:
        ours.wait_ready()
        ours.signal(signal.SIGSTOP)
        sent = replay(pair, file, "--topspeed")
        ours.signal(signal.SIGCONT)
        sent += replay(pair, file, f"--pps={RATE}")
        counted = ours.stop()
    finally:
        ours.kill()
    assert sent == 2 * facts.packets
    assert counted["captured"] + counted["dropped"] == sent
    assert counted["dropped"] > 0
    assert counted["bytes"] > ring_mb << 20  # more than what the ring kept while nobody read
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

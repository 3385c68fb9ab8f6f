"""The whole program on one end of a veth pair: what its API says is what was sent, to the packet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import netns
from bench.netns import RECEIVER_END, Pair
from bench.profiles import imix
from bench.traffic import Facts, write
from tests import compiled_kernels
from tests.integration.replayed import replay, tcpdump

PROJECT = Path(__file__).resolve().parents[2]
PACKETS = 40_000
RATE = 5_000  # packets a second: nothing of note for either program
PORT = 8080  # in a namespace of its own: always free
START_SECONDS = 120.0  # with kernels compiled, on a slow machine
SETTLE_SECONDS = 60.0
TOOLS = [tool for tool in ("ip", "tcpreplay", "tcpdump") if shutil.which(tool) is None]
ASK = f"import sys, urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{PORT}' + sys.argv[1]).read().decode())"

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's"),
    pytest.mark.skipif(sys.platform.startswith("linux") and os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(bool(TOOLS), reason=f"not installed: {', '.join(TOOLS)}"),
]


class Program:
    """`wsgi.py` inside the receiver's namespace, asked from inside it."""

    def __init__(self, pair: Pair, place: Path) -> None:
        self.pair = pair
        settings = {
            "DATA_DIR": f"{place}/data",
            "EXPORT_DIR": f"{place}/exports",
            "INTERFACE": RECEIVER_END,
            "RING_MB": "256",
        }
        self.log = (place / "log").open("w+")
        self.process = subprocess.Popen(
            pair.inside(pair.receiver, [sys.executable, str(PROJECT / "wsgi.py")]),
            cwd="/",
            env={**os.environ, "PORT": str(PORT), **settings},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def get(self, path: str) -> dict[str, Any]:
        """The answer, or {} where nobody answers yet."""
        command = self.pair.inside(self.pair.receiver, [sys.executable, "-I", "-c", ASK, path])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        answer: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return answer

    def wait(self, seconds: float, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def counted(self) -> tuple[int, int]:
        """Packets captured, and packets the kernel dropped."""
        stats = self.get("/api/stats")
        return stats["totals"]["packets"], stats["losses"]["kernel_drops"]

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    path = tmp_path_factory.mktemp("traffic") / "mix.pcap"
    return path, write(imix(PACKETS), path)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with netns.pair() as made:
        yield made


@pytest.fixture
def program(pair: Pair) -> Iterator[Program]:
    place = Path(tempfile.mkdtemp(prefix="netglass-test-"))
    place.chmod(0o755)
    compiled_kernels.give(place / "data")
    running = Program(pair, place)
    try:
        running.wait(START_SECONDS, lambda: running.get("/api/capture").get("state") == "running")
        yield running
    finally:
        running.end()
        shutil.rmtree(place)


def test_the_api_counts_what_tcpdump_wrote_and_what_was_sent(
    pair: Pair, program: Program, tmp_path: Path, traffic: tuple[Path, Facts]
) -> None:
    """At a modest rate nothing is lost, and at top speed what is lost is counted."""
    file, facts = traffic
    with tcpdump(pair, tmp_path / "tcpdump.pcap") as recording:
        sent = replay(pair, file, f"--pps={RATE}")
        program.wait(SETTLE_SECONDS, lambda: sum(program.counted()) >= sent)
        recorded = recording.end(sent)
    stats = program.get("/api/stats")
    assert stats["losses"]["kernel_drops"] == 0
    assert sent == facts.packets
    assert (stats["totals"]["packets"], stats["totals"]["bytes"]) == recorded == (sent, facts.frame_bytes)
    assert stats["totals"]["flows"] == facts.flows

    sent += replay(pair, file, "--topspeed")
    program.wait(SETTLE_SECONDS, lambda: sum(program.counted()) >= sent)
    time.sleep(1.5)  # a packet counted twice would show by now
    captured, dropped = program.counted()
    assert captured + dropped == sent

"""Live capture at the generator's limit: what was sent, what arrived, what was dropped and counted, what it cost.

Two namespaces joined by a veth pair; the generator on one core, the receiver on the other. Nothing may be lost unseen:
captured + dropped = sent.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from bench import netns
from bench.netns import RECEIVER_END, SENDER_END, Pair
from bench.peers import HERE, ROOT, compiled
from bench.profiles import imix, small
from bench.traffic import DATA_DIR, cached

Say = Callable[[str], None]

PRELOADED: Final = 200_000  # packets of the file that the generator repeats
SCAPY_RATES: Final = (2_000, 4_000, 6_000, 10_000, 20_000)
_SETTLE_S: Final = 0.5
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Outcome:
    """One receiver under one load."""

    receiver: str
    traffic: str
    sent: int
    offered_pps: float
    captured: int
    dropped: int  # counted by the kernel for the receiver's socket
    cpu_percent: float  # of one core, while packets were sent
    details: dict[str, Any]

    @property
    def lost_unseen(self) -> int:
        """Packets that nobody accounts for. Must be 0."""
        return self.sent - self.captured - self.dropped

    def as_dict(self) -> dict[str, Any]:
        """For the results file."""
        return {**asdict(self), "lost_unseen": self.lost_unseen}


class Generator(Protocol):
    """Sends for some seconds from the sender's namespace; returns (packets sent, seconds)."""

    def __call__(self, pair: Pair, file: Path, seconds: float, pps: int) -> tuple[int, float]: ...


def _blast(pair: Pair, file: Path, seconds: float, pps: int) -> tuple[int, float]:
    command = [str(DATA_DIR / "blast"), SENDER_END, str(file), str(seconds), str(pps)]
    done = subprocess.run(pair.inside(pair.sender, command, 0), check=True, stdout=subprocess.PIPE, text=True)
    sent, _, took, _ = done.stdout.split()
    return int(sent), float(took)


def _tcpreplay(pair: Pair, file: Path, seconds: float, pps: int) -> tuple[int, float]:
    rate = [f"--pps={pps}"] if pps else ["--topspeed"]
    command = [
        "tcpreplay",
        "-i",
        SENDER_END,
        "--preload-pcap",
        "--loop=0",
        f"--duration={max(1, round(seconds))}",
        *rate,
    ]
    done = subprocess.run(
        pair.inside(pair.sender, [*command, str(file)], 0), check=True, capture_output=True, text=True
    )
    found = re.search(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds", done.stdout)
    if found is None:
        raise RuntimeError(f"tcpreplay does not say what it sent: {done.stdout[-200:]}")
    return int(found.group(1)), float(found.group(2))


def find_generator() -> tuple[str, Generator] | None:
    """The faster generator of those that work here."""
    if compiled("blast.c", DATA_DIR / "blast") is None:
        return "blast (sendmmsg)", _blast
    if shutil.which("tcpreplay"):
        return "tcpreplay", _tcpreplay
    return None


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Receiver:
    """A program that captures. It says when it is ready, is told to stop, and says what it counted."""

    def __init__(self, name: str, command: list[str], pair: Pair) -> None:
        self.name = name
        self._tcpdump = command[0] == "tcpdump"
        self._process = subprocess.Popen(
            pair.inside(pair.receiver, command, 1),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if self._tcpdump else None,
            text=True,
        )

    def wait_ready(self) -> None:
        """Raises RuntimeError where it does not come up."""
        stream = self._process.stderr if self._tcpdump else self._process.stdout
        assert stream is not None
        for line in stream:
            if "ready" in line or "listening on" in line:
                return
        raise RuntimeError(f"{self.name} ended before it was ready")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return _cpu_s(self._process.pid)

    def stop(self) -> dict[str, Any]:
        """What it counted: at least `captured` and `dropped`."""
        if self._tcpdump:
            self._process.send_signal(signal.SIGINT)
            said = self._process.communicate(timeout=60)[1]
            counted = {
                word: int(number) for number, word in re.findall(r"(\d+) packets (captured|dropped by kernel)", said)
            }
            return {"captured": counted["captured"], "dropped": counted["dropped by kernel"]}
        said = self._process.communicate("stop\n", timeout=120)[0]
        found: dict[str, Any] = json.loads(said)
        return found

    def kill(self) -> None:
        """Make sure that it ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def measure(
    pair: Pair, receiver: Receiver, send: Generator, file: Path, traffic: str, seconds: float, pps: int = 0
) -> Outcome:
    """One receiver while the generator sends; the receiver is ended."""
    try:
        receiver.wait_ready()
        time.sleep(_SETTLE_S)
        left, reached = pair.counters()
        cpu = receiver.cpu_s()
        sent, took = send(pair, file, seconds, pps)
        used = receiver.cpu_s() - cpu
        time.sleep(_SETTLE_S)
        left, reached = (now - before for now, before in zip(pair.counters(), (left, reached), strict=True))
        counted = receiver.stop()
    finally:
        receiver.kill()
    captured, dropped = counted.pop("captured"), counted.pop("dropped")
    details = {**counted, "left_sender": left, "reached_interface": reached, "pps_asked": pps}
    return Outcome(receiver.name, traffic, sent, sent / took, captured, dropped, 100 * used / took, details)


def run(seconds: float, say: Say) -> list[dict[str, Any]]:
    """All receivers. Raises RuntimeError with the reason where it cannot be done here."""
    reason = netns.why_not()
    generator = find_generator()
    if reason or generator is None:
        raise RuntimeError(reason or "needs a C compiler or tcpreplay: apt-get install gcc libc6-dev")
    name, send = generator
    files = {"64-byte packets": cached(small(PRELOADED))[0], "mix": cached(imix(PRELOADED))[0]}
    ours = [sys.executable, "-m", "bench.receive_ours", RECEIVER_END]
    tcpdump = ["tcpdump", "-i", RECEIVER_END, "-w", "/dev/null", "-Z", "root"]
    outcomes: list[Outcome] = []

    def one(receiver: str, command: list[str], traffic: str, pps: int = 0) -> None:
        label = traffic if not pps else f"{traffic} at {pps:,}/s"
        outcome = measure(pair, Receiver(receiver, command, pair), send, files[traffic], label, seconds, pps)
        outcomes.append(outcome)
        say(
            f"live, {name}: {receiver}, {label}: sent {outcome.sent:,} at {outcome.offered_pps:,.0f}/s, captured "
            f"{outcome.captured:,}, dropped {outcome.dropped:,}, unaccounted {outcome.lost_unseen:,}, CPU {outcome.cpu_percent:.0f} %"
        )

    with netns.pair() as pair:
        for traffic in files:
            one("netglass", ours, traffic)
            if shutil.which("tcpdump"):
                one("tcpdump -w /dev/null", tcpdump, traffic)
        for pps in SCAPY_RATES:
            one("scapy AsyncSniffer", [sys.executable, str(HERE / "receive_scapy.py"), RECEIVER_END], "mix", pps)
    return [outcome.as_dict() for outcome in outcomes]

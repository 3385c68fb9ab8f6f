"""How long the web process keeps others waiting while history is written at full rate: `python -m bench.hub [--mode eventlet] [--seconds 60]`.

The real web process over a sensor in a process of its own, which tells of RATE flows that begin and end in each snapshot. Every 20 ms an HTTP request for `/healthz` is due, and an
echo from a bare process that does nothing else: what the second one waits is the machine's own doing. Both times are taken from the moment at which the request was due, so a stall
delays all that were due in it. Phases: nothing to write; history switched off; history written; written while pages of it are asked for all the time.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from bench.dashboard import percentile
from bench.history import processor_seconds
from tests.fakes.sensor import FakeSensor
from tests.fakes.traffic import Traffic

ROOT: Final = Path(__file__).resolve().parents[1]
RATE: Final = 20_000  # flows in each snapshot: as many as one may hold
INTERVAL: Final = 0.95  # seconds between snapshots, so that more than RATE come in a second
MAX_KNOWN: Final = 10_000  # flows of which a snapshot tells more than their packets
PROBE_SECONDS: Final = 0.02
SETTLE_SECONDS: Final = 8.0
GOAL_MS: Final = 50.0
PAGES: Final = (
    "api/connections?history=1&limit=200",
    "api/connections?history=1&limit=200&q=port:443%20sort:-bytes",
    "api/history/summary?from={hour}",
    "api/connections?history=1&limit=1000&q=server_name:google",
    "api/dns_queries?history=1&limit=200",
    "api/history/top?by=app",
    "api/alerts?history=1&limit=200",
)


class BriefTraffic(Traffic):
    """Flows that begin and end between two snapshots."""

    def first(self, now: int) -> np.ndarray:
        return self.advance(now)

    def advance(self, now: int) -> np.ndarray:
        fresh = self._begin(self.target, now, 900_000_000)
        self._grow(fresh, now)
        fresh["ended"] = 1
        self._count(np.zeros(0, fresh.dtype), fresh)
        self.new, self.flows = len(fresh), fresh[:MAX_KNOWN]
        return fresh


class BriefSensor(FakeSensor):
    """Tells more of MAX_KNOWN flows at most, as the real one does."""

    new_traffic = BriefTraffic


# -- the processes beside this one -----------------------------------------------------------------------------------------


def feed(descriptor: int, rate: int) -> None:
    """The sensor's process."""
    from app.link.channel import Channel
    from app.link.messages import COMMANDS

    BriefSensor(Channel(socket.socket(fileno=descriptor), COMMANDS), rate, INTERVAL).run()


def echo(descriptor: int) -> None:
    """Sends back what comes."""
    end = socket.socket(fileno=descriptor)
    while data := end.recv(64):
        end.sendall(data)


def serve(descriptor: int, mode: str, history: bool, directory: Path) -> None:
    """The web process: prints the port that it listens on."""
    from app import concurrency

    concurrency.patch(mode)

    import logging

    from app import create_app
    from app.link.channel import Channel
    from app.server import listen
    from app.server import serve as serve_app
    from config import Settings
    from tests.fakes.interfaces import fake_interfaces

    class OneLink:
        """The one sensor that there is."""

        ended = False

        def __init__(self) -> None:
            self.link: Channel | None = Channel(socket.socket(fileno=descriptor))

        def next_link(self, timeout: float) -> Channel | None:
            link, self.link = self.link, None
            if link is None:
                time.sleep(timeout)
            return link

        def why_gone(self) -> str | None:
            return None

        def quit(self) -> None:
            self.ended = True

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = Settings(port=0, data_dir=directory, async_mode=mode, history=history)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    app = create_app(settings, OneLink(), port=port, read_interfaces=fake_interfaces)
    print(port, flush=True)
    serve_app(app, listener)


class Server:
    """A web process with its sensor; `history`: whether it keeps one."""

    def __init__(self, mode: str, history: bool, rate: int, directory: Path) -> None:
        ours, theirs = socket.socketpair()
        self.children = [
            _child(theirs, "serve", mode, "1" if history else "0", str(directory)),
            _child(ours, "feed", str(rate)),
        ]
        stdout = self.children[0].stdout
        assert stdout is not None
        self.port = int(stdout.readline())

    @property
    def pid(self) -> int:
        return self.children[0].pid

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def measure(self, name: str) -> float:
        found = re.search(rf"^netglass_{name}(?:{{.*}})? (\S+)$", self.get("metrics").decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def accept(self) -> None:
        """The legal notice, once the server answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/api/legal", b'{"accepted": true}', {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def stop(self) -> None:
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.kill()
            child.wait()


def _child(end: socket.socket, role: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that has one end of a socket pair; it is closed here."""
    command = [sys.executable, "-m", "bench.hub", f"--{role}", str(end.fileno()), *arguments]
    child = subprocess.Popen(command, cwd=ROOT, pass_fds=[end.fileno()], stdout=subprocess.PIPE)
    end.close()
    return child


# -- measuring -------------------------------------------------------------------------------------------------------------


class Probe:
    """Calls `ask` every PROBE_SECONDS in a thread; how long after each was due its answer came, in ms."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.waits: list[float] = []
        self._ask, self._on = ask, True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while self._on:
            due += PROBE_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            self._ask()
            self.waits.append((time.monotonic() - due) * 1e3)

    def stop(self) -> list[float]:
        self._on = False
        self._thread.join()
        return self.waits


def health(port: int) -> Callable[[], None]:
    """Asks for `/healthz` on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask() -> None:
        connection.request("GET", "/healthz")
        connection.getresponse().read()

    return ask


def echoed() -> tuple[Callable[[], None], subprocess.Popen[bytes]]:
    """Asks a bare process."""
    ours, theirs = socket.socketpair()
    child = _child(theirs, "echo")

    def ask() -> None:
        ours.sendall(b"x")
        ours.recv(64)

    ask()  # it has started
    return ask, child


def phase(name: str, server: Server, seconds: float, while_asked: Iterator[str] | None = None) -> None:
    """Prints what both probes waited in that time."""
    ask, child = echoed()
    rows, spent, begun = server.measure("history_rows_total"), processor_seconds(server.pid), time.monotonic()
    flows = server.measure("flows_total")
    probes = Probe(health(server.port)), Probe(ask)
    times = []
    while (left := begun + seconds - time.monotonic()) > 0:
        if while_asked is None:
            time.sleep(left)
            continue
        before = time.monotonic()
        server.get(next(while_asked))
        times.append(time.monotonic() - before)
    waits = [probe.stop() for probe in probes]
    lasted = time.monotonic() - begun
    child.kill()
    child.wait()
    print(
        f"{name}: {(server.measure('flows_total') - flows) / lasted:,.0f} flows/s seen, "
        f"{(server.measure('history_rows_total') - rows) / lasted:,.0f} rows/s written, {server.measure('history_queue_rows'):,.0f} wait, "
        f"{server.measure('history_lost_total'):,.0f} lost, web process {100 * (processor_seconds(server.pid) - spent) / lasted:.0f} % of a core, "
        f"load {os.getloadavg()[0]:.1f}" + (f", {len(times)} pages, median {statistics.median(times) * 1e3:.0f} ms" if times else "")
    )  # fmt: skip
    for what, values in zip(("web process", "bare echo"), waits, strict=True):
        late = sum(value > GOAL_MS for value in values)
        print(
            f"   {what:12} median {statistics.median(values):6.1f}  p99 {percentile(values, 0.99):6.1f}  max {max(values):6.1f} ms; "
            f"{late} of {len(values)} above {GOAL_MS:g} ms",
            flush=True,
        )


def pages() -> Iterator[str]:
    """What the pages of history ask, one after the other."""
    while True:
        for page in PAGES:
            yield page.format(hour=int(time.time()) - 3600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", default="eventlet", choices=("eventlet", "threading"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=RATE)
    for role in ("serve", "feed", "echo"):
        parser.add_argument(f"--{role}", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.echo:
        echo(int(arguments.echo[0]))
    elif arguments.feed:
        feed(int(arguments.feed[0]), int(arguments.feed[1]))
    elif arguments.serve:
        descriptor, mode, history, directory = arguments.serve
        serve(int(descriptor), mode, history == "1", Path(directory))
    else:
        measure(arguments.mode, arguments.seconds, arguments.rate)


def measure(mode: str, seconds: float, rate: int) -> None:
    """All phases, each with a server of its own but the last two."""
    runs: tuple[tuple[bool, int, tuple[tuple[str, Iterator[str] | None], ...]], ...] = (
        (True, 10, (("10 flows a snapshot", None),)),
        (False, rate, (("history off", None),)),
        (True, rate, (("history written", None), ("written and asked", pages()))),
    )
    for history, flows, phases in runs:
        with tempfile.TemporaryDirectory(prefix="netglass-hub-") as directory:
            server = Server(mode, history, flows, Path(directory))
            try:
                server.accept()
                time.sleep(SETTLE_SECONDS)
                for name, asked in phases:
                    phase(f"{mode}, {name}", server, seconds, asked)
            finally:
                server.stop()


if __name__ == "__main__":
    main()

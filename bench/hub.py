"""How long the web process keeps others waiting while history is written at full rate: `python -m bench.hub [--mode eventlet] [--seconds 60]`.

The real web process over a sensor in a process of its own, which tells of RATE flows that begin and end in each snapshot. Every 20 ms an HTTP request for `/healthz` is due, and an
echo from a bare process that does nothing else: what the second one waits is the machine's own doing. Both times are taken from the moment at which the request was due, so a stall
delays all that were due in it. Phases: nothing to write; history switched off; history written; written while pages of it are asked for all the time.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.dashboard import percentile
from bench.history import processor_seconds
from bench.web_process import Server, child

RATE: Final = 20_000  # flows in each snapshot: as many as one may hold
INTERVAL: Final = 0.8  # seconds between snapshots, so that more than RATE come in a second
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
    bare = child(theirs, "echo")

    def ask() -> None:
        ours.sendall(b"x")
        ours.recv(64)

    ask()  # it has started
    return ask, bare


def phase(name: str, server: Server, seconds: float, while_asked: Iterator[str] | None = None) -> None:
    """Prints what both probes waited in that time."""
    ask, bare = echoed()
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
    bare.kill()
    bare.wait()
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
    arguments = parser.parse_args()
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
            server = Server(mode, history, "brief", flows, INTERVAL, Path(directory))
            try:
                time.sleep(SETTLE_SECONDS)
                for name, asked in phases:
                    phase(f"{mode}, {name}", server, seconds, asked)
            finally:
                server.stop()


if __name__ == "__main__":
    main()

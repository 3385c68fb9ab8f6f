"""What is asked of the outside, where the settings want it: hands hosts to the probing process and takes its answers in.

The probes run in a process of their own (`app.probe`): a name server that is silent, a network that is cut, a library that hangs cost the dashboard
nothing. Bounded in every direction; each probe has a status for the page.
"""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app.allocation import FRUGAL
from app.concurrency import spawn
from app.enrich.country import Place
from app.enrich.scope import SCOPES
from app.services.connection_rows import Rows
from app.services.host_table import NO_HOSTS, HostTable
from app.services.mirror import Mirror
from app.services.places import Places
from app.wire.addresses import format_address, parse_address

if TYPE_CHECKING:
    from config import Settings

SECONDS: Final = 1.0
RESTART_SECONDS: Final = 10.0
WAITING: Final = 20_000  # hosts that wait for a probe; more are left out until there is room
OUTSTANDING: Final = {"hostname": 64, "ping": 64}
PING_AGAIN: Final = 60.0  # seconds
_GLOBAL: Final = SCOPES.index("global")
_NAMED: Final = np.isin(np.arange(256), [SCOPES.index(name) for name in ("global", "private", "shared")])
_ROOT: Final = Path(__file__).resolve().parents[2]
_OFF: Final = {
    "ipinfo": "IPINFO_TOKEN is not set: no address is told to anybody.",
    "names": "RESOLVE_HOSTNAMES is 0: names come from the traffic alone.",
    "latency": "MEASURE_LATENCY is 0: latency comes from the traffic alone.",
}
_STATUS_OF: Final = {"ipinfo": "ipinfo", "hostname": "names", "domain": "names", "ping": "latency"}

_log = logging.getLogger(__name__)


class Probes:
    """`run` is for a background thread; it returns at once where no probe is wanted."""

    def __init__(
        self, settings: Settings, mirror: Mirror, places: Places, options: dict[str, Any] | None = None
    ) -> None:
        self._mirror = mirror
        self._places = places
        self._options: dict[str, Any] = {
            "token": settings.ipinfo_token,
            "cache": str(settings.data_dir / "ipinfo.jsonl"),
            "resolve": settings.resolve_hostnames,
            "ping": settings.measure_latency,
            **(options or {}),
        }
        self._on = {
            "ipinfo": settings.ipinfo_token is not None,
            "names": settings.resolve_hostnames,
            "latency": settings.measure_latency,
        }
        self._status: dict[str, dict[str, Any]] = {
            name: {"state": "ready" if on else "off", "text": "Nothing was asked yet." if on else _OFF[name]}
            for name, on in self._on.items()
        }
        self._sock: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._table: HostTable = NO_HOSTS
        self._next = 1
        self._ask_ipinfo: deque[str] = deque(maxlen=WAITING)
        self._ask_names: deque[str] = deque(maxlen=WAITING)
        self._pinged: dict[int, float] = {}
        self._out = {"ipinfo": 0, "hostname": 0, "ping": 0}
        self._ipinfo_not_before = 0.0

    @property
    def wanted(self) -> bool:
        return any(self._on.values())

    def document(self) -> dict[str, dict[str, Any]]:
        """`{ipinfo, names, latency}`: `{state, text, …}` each; state off, ready, refused, quota, unreachable or failed."""
        return {name: dict(status) for name, status in self._status.items()}

    def run(self) -> None:
        """Hands out questions once a second, for the life of the mirror; starts the prober again where it ends."""
        while self.wanted and not self._mirror.ended:
            if self._sock is None and not self._start():
                time.sleep(RESTART_SECONDS)
                continue
            self.step()
            time.sleep(SECONDS)

    def close(self) -> None:
        """Ends the prober."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def step(self) -> None:
        """Notes new hosts, and asks as much as may be asked now."""
        self._note_hosts()
        now = time.monotonic()
        if self._ask_ipinfo and not self._out["ipinfo"] and now >= self._ipinfo_not_before:
            some = [self._ask_ipinfo.popleft() for _ in range(min(len(self._ask_ipinfo), 100))]
            self._send("ipinfo", some)
        while self._ask_names and self._out["hostname"] < OUTSTANDING["hostname"]:
            self._send("hostname", self._ask_names.popleft())
        if self._on["latency"]:
            self._ping_some(now)

    def _start(self) -> bool:
        self._forget()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.probe"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**FRUGAL, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"},
            )
        except OSError as error:
            ours.close()
            self._say_all("failed", f"The probing process could not be started: {error.strerror}.")
            return False
        finally:
            theirs.close()
        self._sock = ours
        self._write(self._options)
        spawn(self._receive, ours, name="probe-answers")
        return True

    def _send(self, kind: str, of: Any) -> None:
        self._out[kind] += 1
        self._write({kind: of})

    def _write(self, message: dict[str, Any]) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            with self._lock:
                sock.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._ended(sock)

    def _receive(self, sock: socket.socket) -> None:
        buffer = bytearray()
        while True:
            try:
                data = sock.recv(64 * 1024)
            except OSError:
                data = b""
            if not data:
                self._ended(sock)
                return
            buffer += data
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                self.take(json.loads(line))

    def _ended(self, sock: socket.socket) -> None:
        if self._sock is sock:
            self.close()
            self._say_all("failed", "The probing process ended; it is started again.")
            _log.warning("the probing process ended")

    def _say_all(self, state: str, text: str) -> None:
        for name, on in self._on.items():
            if on:
                self._status[name].update(state=state, text=text)

    def take(self, answer: dict[str, Any]) -> None:
        """One answer of the prober."""
        kind, of = answer["kind"], answer["of"]
        if kind in self._out:
            self._out[kind] -= 1
        if "status" in answer:
            self._status[_STATUS_OF[kind]] = answer["status"]
        if kind == "ipinfo":
            self._ipinfo_not_before = time.monotonic() + float(answer.get("wait", 60.0))
            places = {address: Place(*values) for address, values in answer.get("places", {}).items()}
            self._ask_ipinfo.extend(address for address in of if address not in places)
            self._places.learn(places)
        elif kind == "hostname" and answer.get("name"):
            self._mirror.learn_names({of: answer["name"]})
        elif kind == "ping":
            number = self._table.number(*parse_address(of)[1:])
            if number and answer.get("ms") is not None:
                self._mirror.learn_pings(self._table, {number: float(answer["ms"])})

    def _note_hosts(self) -> None:
        hosts = self._mirror.flows.hosts
        if hosts is not self._table:
            self._table, self._next, self._pinged = hosts, 1, {}
            self._ask_ipinfo.clear()
            self._ask_names.clear()
        last = min(
            hosts.looked_up, self._next + WAITING - len(self._ask_names), self._next + WAITING - len(self._ask_ipinfo)
        )
        if last <= self._next:
            return
        fresh = hosts.rows[self._next : last]
        self._next = last
        for row in fresh[_NAMED[fresh["scope"]]]:
            address = format_address(int(row["hi"]), int(row["lo"]), int(row["version"]))
            if address is None:
                continue
            if self._on["ipinfo"] and row["scope"] == _GLOBAL:
                self._ask_ipinfo.append(address)
            if self._on["names"]:
                self._ask_names.append(address)

    def _ping_some(self, now: float) -> None:
        """Remote ends of flows that are active, each once a minute."""
        room = OUTSTANDING["ping"] - self._out["ping"]
        view = self._mirror.flow_view()
        if room <= 0 or view.hosts is not self._table:
            return
        rows = Rows.all(view)
        remote = np.unique(rows.remote_hosts[view.flows["ended"] == 0])
        for number in remote[_NAMED[view.hosts.known(remote, "scope")]].tolist():
            if self._pinged.get(number, -PING_AGAIN) + PING_AGAIN > now:
                continue
            row = view.hosts.rows[number]
            address = format_address(int(row["hi"]), int(row["lo"]), int(row["version"]))
            self._pinged[number] = now
            if address is not None:
                self._send("ping", address)
                room -= 1
            if room <= 0:
                return

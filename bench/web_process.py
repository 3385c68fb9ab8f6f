"""The real web process over a sensor in a process of its own, for what is measured from outside: `Server`.

`python -m bench.web_process serve|feed|echo …` are its parts; each has one end of a socket pair as its first argument.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from tests.fakes.sensor import FakeSensor
from tests.fakes.traffic import Traffic

ROOT: Final = Path(__file__).resolve().parents[1]
MAX_KNOWN: Final = 10_000  # flows of which a snapshot tells more than their packets


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


# -- the processes -----------------------------------------------------------------------------------------------------------


def feed(descriptor: int, kind: str, flows: int, interval: float) -> None:
    """The sensor's process: `brief` flows, or as many that go on as the fake sensor of the tests makes."""
    from app.link.channel import Channel
    from app.link.messages import COMMANDS

    sensor = BriefSensor if kind == "brief" else FakeSensor
    sensor(Channel(socket.socket(fileno=descriptor), COMMANDS), flows, interval).run()


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

    def __init__(self, mode: str, history: bool, kind: str, flows: int, interval: float, directory: Path) -> None:
        ours, theirs = socket.socketpair()
        self._children = [
            child(theirs, "serve", mode, "1" if history else "0", str(directory)),
            child(ours, "feed", kind, str(flows), str(interval)),
        ]
        stdout = self._children[0].stdout
        assert stdout is not None
        self.port = int(stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/"
        self.accept()

    @property
    def pid(self) -> int:
        return self._children[0].pid

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def rss_mb(self) -> float:
        """Resident memory of the web process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def measure(self, name: str) -> float:
        found = re.search(rf"^netglass_{name}(?:{{.*}})? (\S+)$", self.get("metrics").decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def accept(self) -> None:
        """The legal notice, once the server answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/api/legal", json.dumps({"accepted": True}), {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def stop(self) -> None:
        for one in self._children:
            one.terminate()
        for one in self._children:
            one.kill()
            one.wait()


def child(end: socket.socket, role: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that has one end of a socket pair; it is closed here."""
    command = [sys.executable, "-m", "bench.web_process", role, str(end.fileno()), *arguments]
    started = subprocess.Popen(command, cwd=ROOT, pass_fds=[end.fileno()], stdout=subprocess.PIPE)
    end.close()
    return started


if __name__ == "__main__":
    role, end, *rest = sys.argv[1:]
    if role == "serve":
        serve(int(end), rest[0], rest[1] == "1", Path(rest[2]))
    elif role == "feed":
        feed(int(end), rest[0], int(rest[1]), float(rest[2]))
    else:
        echo(int(end))

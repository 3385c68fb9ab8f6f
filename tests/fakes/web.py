"""The web application over a fake sensor, for tests: in this process (threading mode), or as a real server in either mode."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import create_app
from app.api.context import EXTENSION
from app.server import start_background
from app.services.house import House
from app.services.places import Places
from config import Settings
from tests.fakes.interfaces import fake_interfaces
from tests.fakes.sensor import FakeBroker

PROJECT = Path(__file__).resolve().parents[2]
AS_OWNER = {"REMOTE_ADDR": "192.0.2.77", "HTTP_AUTHORIZATION": "Bearer right", "HTTP_HOST": "localhost"}


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `condition` gives as soon as it is true; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@dataclass
class Site:
    """The application in this process, its services, a broker, and a client that has the token."""

    app: Any
    house: House
    broker: FakeBroker

    @property
    def client(self) -> Any:
        client = self.app.test_client()
        client.environ_base.update(AS_OWNER)
        return client

    def wait_for_flows(self) -> None:
        until(lambda: len(self.house.mirror.flows))

    def hold_still(self) -> None:
        """Stops the capture; then nothing moves any more, as all that came before has been taken."""
        self.house.captures.stop()
        until(lambda: self.house.mirror.part("capture").get("state") == "stopped")


_ended: list[
    Any
] = []  # kept: what its sockets and processes say when they are forgotten would be held against another test


_places: list[
    Places
] = []  # the first one that opened the tables of places, which take time and memory: others share them


@contextmanager
def no_collection() -> Iterator[None]:
    """Routes are compiled by `ast`, whose depth is counted for the whole interpreter: garbage collected in its middle may let another thread's
    compile in, and CPython 3.11 then says "AST constructor recursion depth mismatch" (python/cpython#106905). A program builds one application, before its threads.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def running_site(
    data_dir: Path,
    flows: int = 200,
    interval: float = 0.1,
    broker: FakeBroker | None = None,
    new_sensor: Any = None,
    **changes: Any,
) -> Iterator[Site]:
    broker = broker or FakeBroker(flows, interval)
    settings = Settings(data_dir=data_dir, auth_token="right", **{"history": False, **changes})
    with no_collection():
        app = create_app(
            settings,
            broker,
            read_interfaces=fake_interfaces,
            new_sensor=new_sensor or (lambda _: FakeBroker(50, interval)),
        )
    places = app.extensions[EXTENSION].places
    if settings.geoip_db is None:
        if _places:
            places.share(_places[0])
        else:
            _places.append(places)
    start_background(app)
    try:
        yield Site(app, app.extensions[EXTENSION], broker)
    finally:
        broker.quit()
        app.extensions[EXTENSION].mirror.end()
        _ended.append(app)
        sessions = app.extensions[EXTENSION].sessions
        for one in sessions.documents()[1:]:
            sessions.close(one["id"])


@dataclass
class Server:
    """A real server process."""

    port: int
    token: str
    process: subprocess.Popen[str]
    log: Path
    data_dir: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_server(mode: str, directory: Path, *options: str) -> Iterator[Server]:
    """`python -m tests.fakes.serve` on a free port; its standard error is in `log`."""
    log = directory / f"server-{mode}.log"
    data = directory / f"data-{mode}"
    data.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "tests.fakes.serve",
        "--port",
        "0",
        "--mode",
        mode,
        "--data-dir",
        str(data),
        *options,
    ]
    with log.open("w") as errors:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"http://[^:]+:(\d+)/\s+token: (\S+)", line)
            assert found, f"the server did not start: {line!r}\n{log.read_text()}"
            yield Server(int(found[1]), found[2], process, log, data)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

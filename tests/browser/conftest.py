"""A real browser on the real web process over a fake sensor. One server serves most tests; tests that end or break one start their own."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
LONGEST_SECONDS = 30  # until what must happen has happened, on a machine that has much else to do
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# What the browser itself reports when the server refuses something on purpose.
REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent not in Path(item.fspath).parents:
            continue
        if "browser" not in getattr(item, "fixturenames", ()):
            continue
        item.add_marker(pytest.mark.browser)
        if not CHROMIUM.exists():
            item.add_marker(pytest.mark.skip(reason=f"no browser: {CHROMIUM} is not installed (apt install chromium)"))


class Server:
    """A web process with a fake sensor, in a process of its own."""

    def __init__(self, data: Path, *options: str, port: int | None = None) -> None:
        self.data = data
        self.options = options
        self.port = port or _free_port()
        command = [
            sys.executable,
            "-m",
            "tests.fakes.serve",
            "--port",
            str(self.port),
            "--data-dir",
            str(data),
            *options,
        ]
        self.log = (data / "server.log").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log)
        self._wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        pytest.fail("the server did not start:\n" + (self.data / "server.log").read_text()[-2000:])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves 10,000 flows; the legal notice is accepted."""
    import requests

    running = Server(tmp_path_factory.mktemp("shared"), "--flows", "10000")
    answer = requests.post(f"{running.url}api/legal", json={"accepted": True}, timeout=LONGEST_SECONDS)
    assert answer.ok, answer.text
    yield running
    running.stop()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers that belong to one test."""
    started: list[Server] = []

    def start(*options: str, port: int | None = None) -> Server:
        started.append(Server(tmp_path, "--flows", "50", *options, port=port))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LONGEST_SECONDS * 1000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=BROWSER_ARGUMENTS)
        yield running
        running.close()


class Complaints(list[str]):
    """What the page wrote to its console as an error, threw, or was refused by its own policy."""

    def expect_refusals(self) -> None:
        """Forgets that the server refused something: the test made it."""
        self[:] = [text for text in self if not REFUSAL.search(text)]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def open_page(browser, complaints: Complaints) -> Iterator[Callable[..., object]]:
    """Opens pages in contexts of their own; at the end none may have complained."""
    contexts = []

    def open_(width: int = 1440, height: int = 900, **options: object) -> object:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LONGEST_SECONDS * 1000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Callable[..., object]) -> object:
    return open_page()


def poll(page, expression: str, wanted: Callable[[object], bool], seconds: float = LONGEST_SECONDS) -> object:
    """Evaluates until `wanted` is met: the page's policy allows no `wait_for_function`."""
    end = time.monotonic() + seconds
    while True:
        value = page.evaluate(expression)
        if wanted(value):
            return value
        assert time.monotonic() < end, f"{expression} stayed {value!r}"
        time.sleep(0.1)

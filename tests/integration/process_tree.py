"""The real broker and the real sensor under a web end of the test's: how they are started, listened to, and ended."""

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests import compiled_kernels

PROJECT = Path(__file__).resolve().parents[2]
WEB_END = PROJECT / "tests" / "fakes" / "web_end.py"
USER = 54321  # nobody's
KERNELS_SECONDS = 120  # compiling them all, on a slow machine
PATIENCE = 60  # with whatever else, on a slow machine; usual is a tenth of a second

NEEDED = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are read from /proc"),
]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up rights")


def runs_as(python, uid):
    """Can this user run this interpreter with our packages?"""
    try:
        done = subprocess.run(
            [python, "-I", "-c", "import ctypes, json, msgpack, numba"],
            user=uid,
            group=uid,
            extra_groups=[],
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def place():
    """A directory that every user can enter, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="netglass-test-"))
    directory.chmod(0o755)
    compiled_kernels.give(directory / "data")
    if os.geteuid() == 0:
        compiled_kernels.give(directory / "data", USER)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def user_python(place):
    """An interpreter the ordinary user can run: this one, or the system's with this one's packages."""
    if runs_as(sys.executable, USER):
        return sys.executable
    system = Path("/usr/bin/python3")
    packages = next((path for path in sys.path if path.endswith("site-packages")), "")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if system.exists():
        environment = place / "venv"
        subprocess.run([system, "-m", "venv", "--without-pip", environment], check=True)
        library = environment / "lib" / f"python{version}" / "site-packages"
        if library.is_dir():
            (library / "ours.pth").write_text(packages + "\n")
            if runs_as(str(environment / "bin" / "python"), USER):
                return str(environment / "bin" / "python")
    pytest.skip("no interpreter here that an ordinary user can run with the packages of this one")


def read_status(pid):
    rows = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        rows[name] = value.split()
    return rows


def alive(pid):
    try:
        os.kill(pid, 0)
        return read_status(pid)["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


class Tree:
    """A running web end with what it said."""

    def __init__(self, command, place, **env):
        settings = {"DATA_DIR": str(place / "data"), "EXPORT_DIR": str(place / "exports"), "ELEVATE": "0"}
        self.process = subprocess.Popen(
            [*command, WEB_END],
            cwd=PROJECT,
            env={"PATH": "/usr/bin:/bin", **settings, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.events = queue.Queue()
        self.errors = []
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def _read_errors(self):
        self.errors += self.process.stderr

    def wait(self, event, seconds=PATIENCE, **fields):
        """The next event of this kind; others are thrown away."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self.events.get(timeout=0.2)
            except queue.Empty:
                if time.monotonic() < deadline and self.process.poll() is None:
                    continue
                pytest.fail(f"no {event} {fields} within {seconds} s: {''.join(self.errors)}")
            if found["event"] == event and all(found.get(name) == value for name, value in fields.items()):
                return found

    def send(self, **message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def start(self):
        launched = self.wait("launched")
        self.broker = launched["broker"]
        self.wait("link")
        self.sensor = self.wait("message", type="hello")["pid"]
        return launched

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


@pytest.fixture
def run(place):
    trees = []

    def start(*command, **env):
        trees.append(Tree(command or (sys.executable,), place, **env))
        return trees[-1]

    yield start
    for tree in trees:
        tree.close()


@pytest.fixture
def as_user(run, user_python):
    return run(user_python, SUDO_UID=str(USER), SUDO_GID=str(USER))


@pytest.fixture
def tree(run):
    """As whoever runs the tests."""
    tree = run()
    tree.start()
    return tree

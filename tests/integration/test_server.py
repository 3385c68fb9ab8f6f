"""`python wsgi.py` as a user starts it: port, signals, Quit, replay, in both server modes."""

import contextlib
import csv
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
import requests
from scapy.utils import PcapReader

from app import kernel_cache
from tests import compiled_kernels
from tests.fakes.web import until

PROJECT = Path(__file__).resolve().parents[2]
KERNELS_SECONDS = 300
END_SECONDS = 60  # long enough for a slow machine; usual are 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are read from /proc"),
]


@pytest.fixture(scope="module")
def place():
    directory = Path(tempfile.mkdtemp(prefix="netglass-test-"))
    directory.chmod(0o755)
    compiled_kernels.give(directory / "data")
    yield directory
    shutil.rmtree(directory)


class Server:
    """A running wsgi.py and its address."""

    def __init__(self, place, **env):
        settings = {"DATA_DIR": str(place / "data"), "EXPORT_DIR": str(place / "exports"), "ELEVATE": "0", "PORT": "0"}
        self.process = subprocess.Popen(
            [sys.executable, PROJECT / "wsgi.py"],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "AUTOSTART": "0", **settings, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors = []
        self._reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr))
        self._reader.start()
        self.port = 0

    def address(self):
        """Wait for the line that says where it is."""
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line + "".join(self.errors)
        self.port = int(found[1])
        return line

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = json.loads(answer.read())
        connection.close()
        return answer.status, data

    def wait_for(self, condition, seconds=KERNELS_SECONDS):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            _, state = self.call("GET", "/api/capture")
            if condition(state):
                return state
            time.sleep(0.1)
        pytest.fail(f"{state} after {seconds} s: {''.join(self.errors)}")

    def children(self):
        """Process ids of broker and sensor, of the history's store and of the janitor of the kernel's tracing, as far as they run."""
        found = []
        parents = {self.process.pid}
        for _ in range(2):
            parents = {int(entry) for entry in os.listdir("/proc") if entry.isdigit() and parent_of(entry) in parents}
            found += parents
        return found

    def roles(self):
        """The packages that the children run."""
        words = set()
        for pid in self.children():
            with contextlib.suppress(OSError):
                words |= set(Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
        return {word for word in words if word.startswith("app.")}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(END_SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()


def parent_of(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def runs(pid):
    """Whether a process has not ended; nobody may have asked yet how it did."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def run(place):
    servers = []

    def start(**env):
        servers.append(Server(place, **env))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_serves_and_ends_with_quit(run, mode):
    server = run(ASYNC_MODE=mode)
    server.address()
    assert server.call("GET", "/healthz")[0] == 200
    state = server.wait_for(lambda state: state["can_capture"] is not None)
    assert state["can_capture"] == (os.geteuid() == 0)
    children = server.children()
    assert server.roles() >= {"app.broker", "app.sensor"}
    assert server.call("POST", "/api/shutdown")[0] < 300
    assert server.process.wait(END_SECONDS) == 0
    until(lambda: not [pid for pid in children if runs(pid)])


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_under_load(run, mode, number):
    # Under load the signal finds a green thread running, whose bottom would swallow an exception
    server = run(ASYNC_MODE=mode)
    server.address()
    stop = threading.Event()

    def load():
        while not stop.is_set():
            try:
                server.call("GET", "/api/stats")
            except (OSError, http.client.HTTPException, ValueError):
                return

    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    time.sleep(0.5)
    children = server.children()
    server.process.send_signal(number)
    try:
        assert server.process.wait(END_SECONDS) == 0
    finally:
        stop.set()
        for client in clients:
            client.join(END_SECONDS)
    until(lambda: not [pid for pid in children if runs(pid)])


def test_busy_port_takes_the_next_and_says_so(run):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        server = run(PORT=str(busy))
        server.address()
        assert busy < server.port < busy + 10
        server.process.terminate()
        assert server.process.wait(END_SECONDS) == 0
    server._reader.join(END_SECONDS)
    assert any(f"port {busy} is busy" in line and str(server.port) in line for line in server.errors)


def test_bad_setting_ends_with_status_2_and_one_line(run):
    server = run(SNAPLEN="lots")
    assert server.process.wait(END_SECONDS) == 2
    server._reader.join(END_SECONDS)
    assert len(server.errors) == 1
    assert "SNAPLEN='lots'" in server.errors[0]


def test_address_that_is_not_ours(run):
    server = run(HOST="192.0.2.77", PORT="8080")
    assert server.process.wait(END_SECONDS) == 1
    server._reader.join(END_SECONDS)
    assert any("192.0.2.77" in line for line in server.errors)
    assert not any("Traceback" in line for line in server.errors)


def test_replay_of_files_that_are_none(run, place):
    empty = place / "empty.pcap"
    empty.write_bytes(b"")
    server = run(PCAP=str(empty), AUTOSTART="1")
    server.address()
    deadline = time.monotonic() + KERNELS_SECONDS
    while not any("Traceback" in line for line in server.errors) and time.monotonic() < deadline:
        _, state = server.call("GET", "/api/capture")
        if state["can_capture"] is not None and state["state"] != "starting":
            break
        time.sleep(0.1)
    assert state["state"] in ("stopped", "failed")
    assert not any("Traceback" in line for line in server.errors)


ENDS = ("src_ip", "dst_ip")
SHOWN = ("protocol", "src_port", "dst_port", "src_packets", "dst_packets", "src_bytes", "dst_bytes")


def _exports_are_what_was_shown(server, session, whole, place):
    """Files read again: the capture file by the analysis, rows by strict readers, and a file to give away differs in names alone."""
    export = f"http://127.0.0.1:{server.port}/api/export"
    shown = requests.get(f"{export}/json?what=flows&session={session}", timeout=30).json()
    assert _sorted(_analyzed(place, whole), *ENDS) == _sorted(shown, *ENDS)
    archive = requests.get(f"{export}/pcap?shareable=1&session={session}", timeout=30).content
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        shared, manifest = opened.read("netglass-packets.pcap"), json.loads(opened.read("manifest.json"))
    given = _analyzed(place, shared)
    assert _sorted(given) == _sorted(shown)
    true = {flow[end] for flow in shown for end in ENDS}
    assert not {flow[end] for flow in given for end in ENDS} & true
    assert manifest["frames_left_out"] == 0
    assert manifest["frames"] == sum(flow["src_packets"] + flow["dst_packets"] for flow in shown)
    rows = list(csv.reader(io.StringIO(requests.get(f"{export}?session={session}", timeout=30).text), strict=True))
    assert len(rows) == len(shown) + 1
    assert {len(row) for row in rows} == {len(rows[0])}


def _analyzed(place, capture):
    path = place / "again.pcap"
    path.write_bytes(capture)
    kernels = kernel_cache.directory_of(place / "data", os.geteuid())
    done = subprocess.run(
        [sys.executable, "-m", "app", "analyze", "--json", path],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", kernel_cache.VARIABLE: str(kernels)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["flows"]


def _sorted(flows, *more):
    return sorted(tuple(flow[key] for key in (*SHOWN, *more)) for flow in flows)


def test_a_file_beside_the_live_capture(run, place):
    """A sensor of its own reads it to the last packet; all of its processes end with the program."""
    capture = (PROJECT / "tests/data/captures/http-pipelined.pcap").read_bytes()
    server = run()
    server.address()
    server.wait_for(lambda state: state["can_capture"] is not None)
    answer = requests.post(
        f"http://127.0.0.1:{server.port}/api/sessions", files={"file": ("trace.pcap", capture)}, timeout=KERNELS_SECONDS
    )
    assert answer.status_code == 201, answer.text
    session = answer.json()["id"]
    deadline = time.monotonic() + KERNELS_SECONDS
    while (found := server.call("GET", f"/api/sessions/{session}")[1])["state"] != "finished":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    frames = PcapReader(io.BytesIO(capture)).read_all()
    assert (found["packets"], found["bytes"], found["message"]) == (
        len(frames),
        sum(frame.wirelen for frame in frames),
        None,
    )
    assert server.call("GET", f"/api/http?session={session}")[1]
    assert server.call("GET", "/api/http")[1] == []
    assert server.call("GET", "/api/stats")[1]["capture"]["file"] is None
    whole = requests.get(f"http://127.0.0.1:{server.port}/api/export/pcap?session={session}", timeout=30).content
    assert [bytes(frame) for frame in PcapReader(io.BytesIO(whole))] == [bytes(frame) for frame in frames]
    _exports_are_what_was_shown(server, session, whole, place)
    refused = requests.post(
        f"http://127.0.0.1:{server.port}/api/sessions", files={"file": ("a.txt", b"words")}, timeout=KERNELS_SECONDS
    )
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_file")
    children = server.children()
    server.process.terminate()
    assert server.process.wait(END_SECONDS) == 0
    until(lambda: not [pid for pid in children if runs(pid)])

"""The real broker and the real sensor under a web end of the test's: rights, deaths, ends."""

import json
import os
import queue
import shutil
import signal
import socket
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

pytestmark = [
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


@pytest.mark.root
@needs_root
def test_rights_when_started_through_sudo(as_user):
    launched = as_user.start()
    assert launched["uid"] == launched["started_by"] == USER
    assert launched["warning"] is None
    kept = 1 << 13 | 1 << 19 | 1 << 2  # NET_RAW, SYS_PTRACE, DAC_READ_SEARCH
    none = ["0" * 16]
    for pid, allowed in ((as_user.broker, kept), (as_user.sensor, 0), (as_user.pid, 0)):
        status = read_status(pid)
        assert status["Uid"] == status["Gid"] == [str(USER)] * 4
        assert status["Groups"] == []
        assert int(status["CapPrm"][0], 16) & ~allowed == 0
        assert int(status["CapEff"][0], 16) & ~allowed == 0
        assert status["CapInh"] == status["CapAmb"] == status["CapBnd"] == none
        assert status["NoNewPrivs"] == ["1"]
    assert int(launched["capabilities"], 16) == int(read_status(as_user.broker)["CapEff"][0], 16)


@pytest.mark.root
@needs_root
def test_no_thread_of_the_sensor_has_rights(as_user):
    as_user.start()
    as_user.wait("message", KERNELS_SECONDS, type="snapshot")
    for task in os.listdir(f"/proc/{as_user.sensor}/task"):
        status = read_status(f"{as_user.sensor}/task/{task}")
        assert status["CapEff"] == status["CapPrm"] == ["0" * 16]
        assert status["NoNewPrivs"] == ["1"]


@pytest.mark.root
@needs_root
def test_started_by_root_itself(run):
    tree = run(RUN_AS="")
    launched = tree.wait("launched")
    if launched["uid"] != 0:
        pytest.skip("the project directory belongs to an ordinary user, who is taken")
    assert "root itself" in launched["warning"]
    tree.wait("link")
    sensor = tree.wait("message", type="hello")["pid"]
    for pid in (sensor, tree.pid):
        status = read_status(pid)
        assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == ["0" * 16]
        assert status["NoNewPrivs"] == ["1"]


@pytest.mark.root
@needs_root
def test_a_user_that_cannot_read_the_program_is_refused(place, run):
    if runs_as(sys.executable, USER):
        pytest.skip("every user can run this interpreter")
    tree = run(SUDO_UID=str(USER), SUDO_GID=str(USER))
    assert tree.process.wait(PATIENCE) == 1
    assert "cannot read" in "".join(tree.errors)


@pytest.mark.root
@needs_root
def test_an_unknown_run_as_is_refused(run):
    tree = run(RUN_AS="no-such-user")
    assert tree.process.wait(PATIENCE) == 1
    assert "no-such-user" in "".join(tree.errors)


@pytest.fixture
def own_place(place):
    """Directories of the ordinary user's."""
    directory = place / "own"
    directory.mkdir(exist_ok=True)
    compiled_kernels.give(directory / "data", USER)
    for path in (directory, directory / "data", directory / "data" / "cache"):
        os.chown(path, USER, USER)
    return directory


@pytest.mark.root
@needs_root
def test_without_rights_it_says_how_to_get_them(run, user_python, own_place):
    tree = run(
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", user_python,
        DATA_DIR=str(own_place / "data"), EXPORT_DIR=str(own_place / "exports"),
    )  # fmt: skip
    launched = tree.start()
    assert not launched["can_capture"]
    assert "sudo make run" in launched["why_not"]
    assert int(launched["capabilities"], 16) == 0
    tree.send(type="start", id=1, interfaces=["lo"])
    error = tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["error"]
    assert error["code"] == "not_permitted"
    assert "sudo make run" in error["message"]
    tree.send(type="start", id=2, interfaces=["lo"], bpf_filter="tcp prot 80")
    assert tree.wait("message", type="reply", id=2)["error"]["code"] == "bad_filter"
    capture = tree.wait("message", KERNELS_SECONDS, type="snapshot")["capture"]
    assert capture["can_capture"] is False
    assert "sudo make run" in capture["why_not"]


@pytest.mark.root
@needs_root
def test_kernel_cache_that_is_not_the_users_is_refused(run, user_python, place):
    data = place / "foreign"
    (data / "cache").mkdir(parents=True)
    (data / "cache" / f"kernels-{USER}").symlink_to("/tmp")
    tree = run(user_python, SUDO_UID=str(USER), SUDO_GID=str(USER), DATA_DIR=str(data))
    assert tree.process.wait(PATIENCE) == 1
    assert f"kernels-{USER}" in "".join(tree.errors)


@pytest.fixture
def tree(run):
    """As whoever runs the tests."""
    tree = run()
    tree.start()
    return tree


def test_killed_sensor_is_started_again(tree):
    os.kill(tree.sensor, signal.SIGKILL)
    tree.wait("gone")
    assert tree.wait("link")["restart"] == 1
    second = tree.wait("message", type="hello")["pid"]
    assert second != tree.sensor
    os.kill(second, signal.SIGKILL)
    assert "signal 9 (SIGKILL)" in tree.wait("gone")["why"]


def test_a_sensor_that_dies_too_often_is_given_up(tree):
    for _ in range(6):
        os.kill(tree.sensor, signal.SIGKILL)
        found = next(iter(wait_for_any(tree, ("hello", "ended"), PATIENCE)))
        if found["event"] == "ended":
            break
        tree.sensor = found["pid"]
    assert found["event"] == "ended"
    assert "not started again" in found["why"], "".join(tree.errors)
    assert "SIGKILL" in found["why"]


def wait_for_any(tree, kinds, seconds):
    """The next event, or message of a type, among `kinds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = tree.events.get(timeout=0.5)
        except queue.Empty:
            continue
        if found["event"] in kinds or (found["event"] == "message" and found["type"] in kinds):
            yield found
            return
    pytest.fail(f"none of {kinds} within {seconds} s")


def test_killed_web_process_takes_the_others_with_it(tree):
    tree.process.kill()
    assert wait_until(lambda: not alive(tree.sensor) and not alive(tree.broker), PATIENCE)


def test_killed_broker_takes_the_sensor_with_it(tree):
    os.kill(tree.broker, signal.SIGKILL)
    assert wait_until(lambda: not alive(tree.sensor), PATIENCE)
    assert "broker" in tree.wait("ended")["why"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_all_three(tree, number):
    tree.process.send_signal(number)
    assert tree.process.wait(PATIENCE) == 0
    assert tree.wait("finished")["clean"]
    assert wait_until(lambda: not alive(tree.sensor) and not alive(tree.broker), PATIENCE)


def test_signals_end_all_three_while_kernels_compile(run, place):
    tree = run(DATA_DIR=str(place / "cold"))
    tree.start()
    tree.process.send_signal(signal.SIGTERM)
    assert tree.process.wait(PATIENCE) == 0
    assert wait_until(lambda: not alive(tree.sensor), PATIENCE)


def test_children_leave_a_terminals_interrupt_to_the_web_process(tree):
    os.kill(tree.sensor, signal.SIGINT)
    os.kill(tree.broker, signal.SIGINT)
    time.sleep(0.3)
    assert alive(tree.sensor)
    assert alive(tree.broker)


def test_stopped_sensor_does_not_delay_the_end(tree):
    # A sensor that hangs is killed by the broker
    os.kill(tree.sensor, signal.SIGSTOP)
    tree.process.terminate()
    assert tree.process.wait(PATIENCE) == 0
    assert wait_until(lambda: not alive(tree.sensor), 1)


def test_commands_of_wrong_shape_are_refused(tree):
    tree.send(type="packets", id="x" * 10)  # no number, no answer
    tree.send(type="no such command", id=1)
    tree.send(type="packets", id=2, limit="many")
    error = tree.wait("message", KERNELS_SECONDS, type="reply", id=2)["error"]
    assert error["code"] == "bad_command"
    assert "limit" in error["message"]


@pytest.mark.root
@needs_root
def test_refusals_carry_the_words_of_kernel_and_libpcap(tree):
    tree.send(type="start", id=1, interfaces=["nosuch0"])
    error = tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["error"]
    assert error["code"] == "no_such_interface"
    assert "No such device" in error["message"]
    tree.send(type="start", id=2, interfaces=["lo"], bpf_filter="tcp prot 80")
    error = tree.wait("message", type="reply", id=2)["error"]
    assert error["code"] == "bad_filter"
    assert "syntax error" in error["message"]


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("interface", ["lo", "any"])
def test_capture_sees_what_passes_the_filter(as_user, interface):
    as_user.start()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target,
    ):
        target.bind(("127.0.0.1", 0))
        port = target.getsockname()[1]
        as_user.send(type="start", id=1, interfaces=[interface], bpf_filter=f"udp dst port {port}")
        assert as_user.wait("message", KERNELS_SECONDS, type="reply", id=1)["ok"]
        snapshot = as_user.wait("message", KERNELS_SECONDS, type="snapshot")
        while snapshot["capture"]["state"] != "running":
            snapshot = as_user.wait("message", KERNELS_SECONDS, type="snapshot")
        for _ in range(10):
            sender.sendto(b"x" * 100, ("127.0.0.1", port))
        deadline = time.monotonic() + 30
        while snapshot["totals"]["packets"] < 10 and time.monotonic() < deadline:
            snapshot = as_user.wait("message", type="snapshot")
        assert snapshot["totals"]["packets"] == 10
        assert snapshot["losses"]["kernel_drops"] == 0
    as_user.send(type="stop", id=2)
    assert as_user.wait("message", type="reply", id=2)["ok"]
    as_user.send(type="packets", id=3, limit=5)
    assert as_user.wait("message", type="reply", id=3)["result"]["next_before_id"] == 6
    as_user.send(type="dissect", id=4, packet_id=1)
    assert "UDP" in json.dumps(as_user.wait("message", type="reply", id=4)["result"])
    as_user.send(type="export", id=5, format="pcapng", q="udp")
    sizes = []
    while (part := as_user.wait("message", type="reply", id=5))["more"]:
        sizes.append(part["result"]["data"])
    assert sum(sizes) > 10 * 142
    as_user.send(type="export", id=6, q="tcp")
    assert as_user.wait("message", type="reply", id=6)["error"]["code"] == "empty"
    as_user.send(type="export", id=7, q="port:none")
    assert as_user.wait("message", type="reply", id=7)["error"]["code"] == "bad_query"
    assert as_user.wait("message", type="snapshot")["capture"]["state"] == "stopped"


@pytest.fixture
def namespace():
    """A network namespace with a veth pair t0–t1 of its own."""
    if shutil.which("ip") is None:
        pytest.skip("needs iproute2")
    name = f"netglass-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield ("ip", "netns", "exec", name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def add_pair(namespace):
    for words in ("add t0 type veth peer name t1", "set t0 up", "set t1 up"):
        subprocess.run([*namespace, "ip", "link", *words.split()], check=True)


@pytest.mark.root
@needs_root
def test_an_interface_that_goes_down_away_and_comes_back(run, namespace):
    add_pair(namespace)
    tree = run(*namespace, sys.executable)
    tree.start()
    tree.send(type="start", id=1, interfaces=["t0"], bpf_filter="icmp6 or arp or vlan")
    assert tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["ok"]
    subprocess.run([*namespace, "ip", "link", "set", "t0", "down"], check=True)
    assert "t0 went down" in tree.wait("message", type="notice")["text"]
    assert tree.wait("message", type="snapshot")["capture"]["interfaces"][0]["up"] is False
    subprocess.run([*namespace, "ip", "link", "set", "t0", "up"], check=True)
    assert "t0 is up" in tree.wait("message", type="notice")["text"]
    subprocess.run([*namespace, "ip", "link", "delete", "t0"], check=True)
    assert "t0 was removed" in tree.wait("message", type="notice")["text"]
    add_pair(namespace)
    before = tree.wait("message", type="snapshot")["totals"]["packets"]
    assert "t0 is up" in tree.wait("message", type="notice")["text"]
    # a new interface announces itself by IPv6, so there is something to see
    subprocess.run([*namespace, "ip", "link", "set", "t1", "down"], check=True)
    subprocess.run([*namespace, "ip", "link", "set", "t1", "up"], check=True)
    deadline = time.monotonic() + PATIENCE
    snapshot = tree.wait("message", type="snapshot")
    while snapshot["totals"]["packets"] <= before and time.monotonic() < deadline:
        snapshot = tree.wait("message", type="snapshot")
    assert snapshot["totals"]["packets"] > before
    assert snapshot["capture"]["state"] == "running"


FRAME = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("t1", 0))
ethernet = b"\\x02" * 6 + b"\\x04" * 6
for tag in (b"\\x81\\x00\\x00\\x05", b"\\x81\\x00\\x00\\x06", b""):
    for _ in range(4):
        sock.send(ethernet + tag + b"\\x88\\xb5" + bytes(50))
"""


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("interface", ["t0", "any"])
def test_a_filter_on_tags_that_the_kernel_takes_out(run, namespace, interface):
    add_pair(namespace)
    tree = run(*namespace, sys.executable)
    tree.start()
    tree.send(type="start", id=1, interfaces=[interface], bpf_filter="inbound and vlan 5")
    assert tree.wait("message", KERNELS_SECONDS, type="reply", id=1)["ok"]
    subprocess.run([*namespace, sys.executable, "-c", FRAME], check=True)
    deadline = time.monotonic() + PATIENCE
    while tree.wait("message", type="snapshot")["totals"]["packets"] < 4 and time.monotonic() < deadline:
        """They are in the ring, or on their way to it."""
    snapshot = tree.wait("message", type="snapshot")
    assert snapshot["totals"]["packets"] == 4
    assert {row[0]: row[1] for row in snapshot["layers"]}["vlan"] == 4

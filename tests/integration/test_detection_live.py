"""Attacks against the whole program: the alert is in the API, its packets open in tshark, and they raise it again.

How long it took is printed (`pytest -s`), not judged: a machine that is busy with other things is slower with all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests import compiled_kernels
from tests.integration.attackers import ATTACKER, LINK, ROUTER, SPOOFER_MAC, VICTIM, VICTIM_MAC

PROJECT = Path(__file__).resolve().parents[2]
ONE, TWO = f"ng-alerts-{os.getpid()}-a", f"ng-alerts-{os.getpid()}-b"
PORT = 8080  # in a namespace of its own: always free
START_SECONDS = 120.0  # with kernels to compile, on a slow machine
PATIENCE = 60.0
ASK = (
    "import sys, urllib.request as u\n"
    f"r = u.Request('http://127.0.0.1:{PORT}' + sys.argv[1], data=sys.stdin.buffer.read() or None, method=sys.argv[2])\n"
    "r.add_header('Content-Type', sys.argv[3])\n"
    "sys.stdout.buffer.write(u.urlopen(r, timeout=60).read())\n"
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root and Linux"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="not installed: ip (iproute2)"),
]
needs_nmap = pytest.mark.skipif(shutil.which("nmap") is None, reason="not installed: nmap")
needs_hping = pytest.mark.skipif(shutil.which("hping3") is None, reason="not installed: hping3")

Alert = dict[str, Any]


def inside(namespace: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, *words]


class Program:
    """`wsgi.py` in the attacked namespace, asked from inside it."""

    def __init__(self, place: Path) -> None:
        self.log = (place / "log").open("w+")
        self.process = subprocess.Popen(
            inside(TWO, sys.executable, str(PROJECT / "wsgi.py")),
            cwd="/",
            env={**os.environ, "PORT": str(PORT), "DATA_DIR": f"{place}/data", "EXPORT_DIR": f"{place}/exports", "INTERFACE": "vb"},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def ask(self, path: str, method: str = "GET", body: bytes = b"", kind: str = "application/json") -> bytes | None:
        """The answer, or None where there is none."""
        command = inside(TWO, sys.executable, "-I", "-c", ASK, path, method, kind)
        done = subprocess.run(command, input=body, capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def insist(self, path: str, method: str = "GET") -> bytes:
        """The answer, asked for until there is one: files are cut once a second, and one caller may export once in two seconds."""
        end = time.monotonic() + PATIENCE
        while (answer := self.ask(path, method)) is None:
            assert time.monotonic() < end, f"no answer from {path}"
            time.sleep(1)
        return answer

    def state(self) -> str:
        return str(json.loads(self.ask("/api/capture") or b"{}").get("state"))

    def alerts(self) -> list[Alert]:
        found: list[Alert] = json.loads(self.ask("/api/alerts?limit=1000") or b"[]")
        return found

    def hear(self, rule: str, source: str | None, target: str | None) -> Alert:
        """An alert, waited for."""
        end = time.monotonic() + PATIENCE
        while True:
            alerts = self.alerts()
            for one in alerts:
                if (
                    one["rule"] == rule
                    and source in (None, one["source"])
                    and (target is None or target in one["target"])
                ):
                    return one
            if time.monotonic() > end:
                said = [(one["rule"], one["source"], one["target"]) for one in alerts]
                pytest.fail(f"no {rule} by {source} against {target} within {PATIENCE} s; heard {said}")
            time.sleep(0.1)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


@pytest.fixture(scope="module")
def namespaces() -> Iterator[None]:
    """Two, joined by a veth pair; the attacked one has addresses .100 to .111."""
    try:
        for words in (
            ("netns", "add", ONE),
            ("netns", "add", TWO),
            ("link", "add", LINK, "netns", ONE, "type", "veth", "peer", "name", "vb", "netns", TWO),
            ("-n", TWO, "link", "set", "vb", "address", VICTIM_MAC.hex(":")),
            *(("-n", name, "link", "set", link, "up") for name in (ONE, TWO) for link in ("lo", LINK if name == ONE else "vb")),
            ("-n", ONE, "addr", "add", f"{ATTACKER}/24", "dev", LINK),
            *(("-n", TWO, "addr", "add", f"10.9.1.{host}/24", "dev", "vb") for host in range(100, 112)),
        ):  # fmt: skip
            subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)
        yield
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not possible here: {error.stderr.decode()}")
    finally:
        for name in (ONE, TWO):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def servers(namespaces: None) -> Iterator[None]:
    command = inside(TWO, sys.executable, "-m", "tests.integration.attackers", "serve")
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def program(servers: None) -> Iterator[Program]:
    """Running and capturing."""
    place = Path(tempfile.mkdtemp(prefix="netglass-test-"))
    place.chmod(0o755)
    compiled_kernels.give(place / "data")
    running = Program(place)
    try:
        end = time.monotonic() + START_SECONDS
        while running.state() != "running":
            assert running.process.poll() is None, (place / "log").read_text()
            assert time.monotonic() < end, (place / "log").read_text()
            time.sleep(0.2)
        yield running
    finally:
        running.end()
        shutil.rmtree(place)


@contextlib.contextmanager
def attack(*words: str) -> Iterator[None]:
    """A program that runs in the other namespace meanwhile."""
    with subprocess.Popen(
        inside(ONE, *words), cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        yield
        one.wait(PATIENCE)


def by_hand(kind: str) -> contextlib.AbstractContextManager[None]:
    return attack(sys.executable, "-m", "tests.integration.attackers", kind)


def moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def heard(program: Program, rule: str, source: str | None, target: str | None) -> Alert:
    """The alert of an attack that has just begun."""
    alert = program.hear(rule, source, target)
    late = time.time() - moment(alert["time_of_detection"])
    print(f"{rule} {alert['source']} {alert['target']}: in the API {late:.1f} s after the packet that passed the limit")
    return alert


def stamps(file: bytes, place: Path) -> set[int]:
    """Times of the packets in it as tshark reads them, in microseconds."""
    place.write_bytes(file)
    command = ["tshark", "-r", str(place), "-T", "fields", "-e", "frame.time_epoch"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {round(float(line) * 1e6) for line in done.stdout.split()}


def proved(program: Program, alert: Alert, tmp_path: Path) -> None:
    """The file of the alert's packets opens and holds those that it names; and they raise it again."""
    path = f"/api/alerts/{alert['id']}"
    end = time.monotonic() + PATIENCE
    while not alert["evidence_packets"] and time.monotonic() < end:  # its file is being made
        time.sleep(0.2)
        alert = json.loads(program.insist(path))
    assert alert["evidence_packets"]
    named = {round(moment(one["timestamp"]) * 1e6) for one in alert["evidence_packets"]}
    if shutil.which("tshark") is not None:
        times = stamps(program.insist(f"{path}/pcap"), tmp_path / "evidence.pcapng")
        assert times
        assert all({one - 1, one, one + 1} & times for one in named), named - times
    again = json.loads(program.insist(f"{path}/reproduce", "POST"))
    print("raised again", again["reproduced"], again["differences"])
    assert again["reproduced"], again
    assert "severity" not in again["differences"], again["differences"]
    assert again["alert"]["id"] == again["wanted"]["id"], again["differences"]


@needs_nmap
@pytest.mark.parametrize(
    ("options", "host", "word"),
    [
        (("-sS", "-p", "1-120"), 101, "SYN"),
        (("-sT", "-p", "1-120"), 102, "SYN"),
        (("-sU", "--min-rate", "50", "-p", "1-40"), 103, "UDP"),
    ],
)
def test_nmap_port_scans(program: Program, tmp_path: Path, options: tuple[str, ...], host: int, word: str) -> None:
    with attack("nmap", *options, "-n", "-Pn", "-T4", "--max-retries", "0", f"10.9.1.{host}"):
        alert = heard(program, "port_scan", ATTACKER, f"10.9.1.{host}")
    assert word in alert["title"]
    proved(program, alert, tmp_path)


@needs_nmap
def test_nmap_host_discovery(program: Program, tmp_path: Path) -> None:
    with attack("nmap", "-sn", "-n", "-T4", "--max-retries", "0", "10.9.1.150-220"):
        alert = heard(program, "host_sweep_arp", ATTACKER, None)
    proved(program, alert, tmp_path)


@pytest.mark.parametrize(
    ("kind", "rule", "source", "target"),
    [
        ("syn_scan", "port_scan", ATTACKER, VICTIM),
        ("dns_tunnel", "dns_tunnel", ATTACKER, VICTIM),
        ("ssh", "brute_force_sessions", ATTACKER, VICTIM),
        ("arp_spoof", "arp_spoof", SPOOFER_MAC.hex(":"), ROUTER),
        ("syn_flood", "syn_flood", None, VICTIM),
    ],
)
def test_attacks_by_hand(
    program: Program, tmp_path: Path, kind: str, rule: str, source: str | None, target: str
) -> None:
    with by_hand(kind):
        alert = heard(program, rule, source, target)
    proved(program, alert, tmp_path)


@needs_hping
def test_hping_flood(program: Program, tmp_path: Path) -> None:
    """As fast as it goes, for three seconds: the sender takes the processor from the sensor, which works off its ring afterwards. So after the others."""
    flood = ["hping3", "-q", "-S", "-p", "443", "--flood", "--rand-source", "10.9.1.107"]
    with attack("timeout", "-s", "INT", "3", *flood):
        alert = heard(program, "syn_flood", None, "10.9.1.107")
    proved(program, alert, tmp_path)


def beacon() -> bytes:
    """A capture of two hours: a connection every minute, give or take a fifth, to a web server without a name."""
    chance = random.Random(6)
    frames: list[tuple[float, bytes]] = []
    at = 0.0
    for number in range(120):
        frames += [(at + 0.02 * i, frame) for i, frame in enumerate(_report(40_000 + number, chance))]
        at += 60 * chance.uniform(0.8, 1.2)
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for when, frame in frames:
        seconds = 1_780_000_000 + when
        out += struct.pack("<IIII", int(seconds), int(seconds % 1 * 1e6), len(frame), len(frame)) + frame
    return out


def _report(port: int, chance: random.Random) -> Iterator[bytes]:
    """Handshake, 90 bytes there, 40 back, goodbye."""
    here, there = socket.inet_aton("192.168.7.20"), socket.inet_aton("203.0.113.77")
    up, down = chance.randbytes(90), chance.randbytes(40)
    for away, flags, sequence, acknowledged, data in (
        (True, 0x02, 100, 0, b""),
        (False, 0x12, 500, 101, b""),
        (True, 0x10, 101, 501, b""),
        (True, 0x18, 101, 501, up),
        (False, 0x18, 501, 191, down),
        (True, 0x11, 191, 541, b""),
        (False, 0x11, 541, 192, b""),
        (True, 0x10, 192, 542, b""),
    ):
        ends = struct.pack(">HH", port, 8443) if away else struct.pack(">HH", 8443, port)
        tcp = ends + struct.pack(">IIBBHHH", sequence, acknowledged, 0x50, flags, 8192, 0, 0) + data
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
        macs = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" if away else b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
        yield macs + b"\x08\x00" + head + (here + there if away else there + here) + tcp


def test_jittered_beacon_of_two_hours_replayed(program: Program, tmp_path: Path) -> None:
    """Last of all, as it ends the live capture."""
    border = b"netglass-test"
    head = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="beacon.pcap"\r\n\r\n' % border
    body = head + beacon() + b"\r\n--%b--\r\n" % border
    sent = program.ask("/api/capture/replay", "POST", body, f"multipart/form-data; boundary={border.decode()}")
    assert sent is not None
    alert = program.hear("beacon", "192.168.7.20", "203.0.113.77")
    proved(program, alert, tmp_path)

"""Real scanners and floods in network namespaces: the alert is there within five seconds (of the capture's clock) of the limit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ONE, TWO = f"ng-detect-{os.getpid()}-a", f"ng-detect-{os.getpid()}-b"
IN_TIME = 5.0
PATIENCE = 60.0

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root and Linux"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip (iproute2)"),
]
needs_nmap = pytest.mark.skipif(shutil.which("nmap") is None, reason="nmap is not installed")
needs_hping = pytest.mark.skipif(shutil.which("hping3") is None, reason="hping3 is not installed")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


class Watch:
    """The watcher's lines, as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._descriptor = process.stdout.fileno()
        os.set_blocking(self._descriptor, False)
        self._text = b""
        self.alerts: list[dict[str, Any]] = []

    def read(self) -> None:
        try:
            self._text += os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return
        *lines, self._text = self._text.split(b"\n")
        self.alerts += [json.loads(line) for line in lines if line.startswith(b"{")]

    def hear(self, rule: str, target: str | None) -> dict[str, Any]:
        """The alert of a rule, waited for, and told in time."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.read()
            for alert in self.alerts:
                if alert.get("rule") == rule and (target is None or alert.get("target") == target):
                    assert alert["late"] < IN_TIME
                    return alert
            time.sleep(0.05)
        pytest.fail(f"no {rule} for {target} within {PATIENCE} s; heard {[a.get('rule') for a in self.alerts]}")


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    try:
        ip("netns", "add", ONE)
        ip("netns", "add", TWO)
        ip("link", "add", "va", "netns", ONE, "type", "veth", "peer", "name", "vb", "netns", TWO)
    except (subprocess.CalledProcessError, OSError) as error:
        for name in (ONE, TWO):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        pytest.skip(f"network namespaces are not possible here: {error}")
    process = None
    try:
        for name, link, first in ((ONE, "va", 1), (TWO, "vb", 100)):
            ip("-n", name, "link", "set", link, "up")
            ip("-n", name, "link", "set", "lo", "up")
            for host in range(first, first + (1 if first == 1 else 12)):
                ip("-n", name, "addr", "add", f"10.9.0.{host}/24", "dev", link)
        command = ["ip", "netns", "exec", TWO, sys.executable, "-m", "tests.detect.watch", "vb"]
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield Watch(process)
    finally:
        if process is not None:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
        for name in (ONE, TWO):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def attack(*words: str) -> None:
    """Run a tool in the other namespace."""
    subprocess.run(["ip", "netns", "exec", ONE, *words], capture_output=True, timeout=120)


@needs_nmap
@pytest.mark.parametrize(
    ("option", "host", "word"),
    [("-sS", 100, "SYN"), ("-sF", 101, "FIN"), ("-sN", 102, "NULL"), ("-sX", 103, "Xmas"), ("-sT", 104, "SYN"), ("-sA", 106, "ACK")],
)  # fmt: skip
def test_nmap_port_scans(watch: Watch, option: str, host: int, word: str) -> None:
    target = f"10.9.0.{host}"
    attack("nmap", option, "-n", "-Pn", "-T4", "--max-retries", "0", "-p", "1-120", target)
    alert = watch.hear("port_scan", target)
    assert alert["source"] == "10.9.0.1"
    assert word in alert["title"]


@needs_nmap
def test_nmap_udp_scan(watch: Watch) -> None:
    attack("nmap", "-sU", "-n", "-Pn", "--max-retries", "0", "--min-rate", "50", "-p", "1-60", "10.9.0.105")
    assert "UDP" in watch.hear("port_scan", "10.9.0.105")["title"]


@needs_nmap
def test_nmap_host_discovery(watch: Watch) -> None:
    attack("nmap", "-sn", "-n", "-T4", "--max-retries", "0", "10.9.0.150-220")
    assert watch.hear("host_sweep_arp", None)["source"] == "10.9.0.1"


@needs_hping
@pytest.mark.parametrize(
    ("rule", "host", "options"),
    [
        ("syn_flood", 107, ("-S", "-p", "80", "-i", "u500", "-c", "3000", "--rand-source")),
        ("udp_flood", 108, ("--udp", "-p", "7", "-i", "u400", "-c", "4000", "--rand-source")),
        ("icmp_flood", 109, ("-1", "-i", "u500", "-c", "3000")),
    ],
)
def test_hping_floods(watch: Watch, rule: str, host: int, options: tuple[str, ...]) -> None:
    attack("hping3", "-q", *options, f"10.9.0.{host}")
    watch.hear(rule, f"10.9.0.{host}")

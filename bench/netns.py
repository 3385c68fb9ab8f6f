"""Two network namespaces joined by a veth pair, quiet (no IPv6, no ARP), removed at the end whatever happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SENDER_END: Final = "tx0"
RECEIVER_END: Final = "rx0"


@dataclass(frozen=True)
class Pair:
    """Names of the two namespaces; SENDER_END is in the first, RECEIVER_END in the second."""

    sender: str
    receiver: str

    def inside(self, namespace: str, command: Sequence[str], core: int | None = None) -> list[str]:
        """The command that runs `command` in a namespace, on one core. The process id stays the same."""
        pin = [] if core is None else ["taskset", "-c", str(core)]
        return ["ip", "netns", "exec", namespace, *pin, *command]

    def counters(self) -> tuple[int, int]:
        """Packets that left the sender's end, and that reached the receiver's end."""
        return _counter(self.sender, SENDER_END, "tx"), _counter(self.receiver, RECEIVER_END, "rx")


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def _counter(namespace: str, interface: str, direction: str) -> int:
    shown: list[dict[str, Any]] = json.loads(_ip("-n", namespace, "-s", "-j", "link", "show", "dev", interface))
    return int(shown[0]["stats64"][direction]["packets"])


def why_not() -> str | None:
    """Why namespaces cannot be made here, or None."""
    if os.geteuid() != 0:
        return "needs root: sudo make bench"
    if subprocess.run(["which", "ip"], capture_output=True, check=False).returncode:
        return "needs ip: apt-get install iproute2"
    return None


def _remove_left_over() -> None:
    """Namespaces of benchmarks that were killed."""
    for name in re.findall(r"^bench-[tr]x-\d+", _ip("netns", "list"), re.MULTILINE):
        if not Path(f"/proc/{name.rpartition('-')[2]}").exists():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def pair() -> Iterator[Pair]:
    """Made on entry, removed on exit, also on Ctrl+C. Raises CalledProcessError where the kernel refuses."""
    _remove_left_over()
    made = Pair(f"bench-tx-{os.getpid()}", f"bench-rx-{os.getpid()}")
    try:
        for namespace in (made.sender, made.receiver):
            _ip("netns", "add", namespace)
            quiet = "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done 2>/dev/null; true"
            subprocess.run(made.inside(namespace, ["sh", "-c", quiet]), check=True)
            _ip("-n", namespace, "link", "set", "lo", "up")
        ends = ["name", SENDER_END, "netns", made.sender], ["name", RECEIVER_END, "netns", made.receiver]
        _ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        for namespace, end in ((made.sender, SENDER_END), (made.receiver, RECEIVER_END)):
            _ip("-n", namespace, "link", "set", end, "arp", "off", "up")
        yield made
    finally:
        for namespace in (made.sender, made.receiver):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

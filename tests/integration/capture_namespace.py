"""A network namespace with a veth pair of its own, for tests of live capture: sources in it, captures sent through it, and what came."""

from __future__ import annotations

import ctypes
import io
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
PROJECT = Path(__file__).parents[2]
TOOLS = ("ip", "tcpreplay", "tcpdump")
NEEDED = [
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
    pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"),
]
Frame = tuple[bytes, int]


def inside(namespace: str, *command: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *command], check=True, capture_output=True, timeout=60, **options
    )


def make_link(namespace: str, left: str, right: str) -> None:
    inside(namespace, "ip", "link", "add", left, "type", "veth", "peer", "name", right)
    for name in (left, right):
        inside(namespace, "ip", "link", "set", name, "arp", "off")
        inside(namespace, "ip", "link", "set", name, "up")


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace without IPv6, so that nobody speaks unasked, with a pair va–vb."""
    name = f"ngcapture{os.getpid()}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted here: {error.stderr.decode().strip()}")
    try:
        for scope in ("all", "default"):
            inside(name, "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        inside(name, "ip", "link", "set", "lo", "up")
        make_link(name, "va", "vb")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def entered(namespace: str, work: Callable[[], Any]) -> Any:
    """`work` in a thread that is in the namespace; the process stays where it is."""
    result: list[Any] = []

    def run() -> None:
        handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(handle, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)
        try:
            result.append((True, work()))
        except BaseException as error:  # carried to the caller's thread
            result.append((False, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    done, value = result[0]
    if not done:
        raise value
    return value


def packet_socket() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


def compiled(name: str, text: str) -> Any:
    from app.broker.filter_program import compile_program
    from app.broker.packet_socket import find_interface, interfaces

    return compile_program(find_interface(name), interfaces(), text, 0, True) if text else None


def open_source(names: list[str], text: str = "", **options: Any) -> Any:
    from app.capture.af_packet import OpenedSocket, open_ring

    return open_ring([OpenedSocket(name, packet_socket(), compiled(name, text)) for name in names], **options)


def replay(namespace: str, *files: Path | str, device: str = "va", loop: int = 1, speed: str = "--topspeed") -> int:
    """Send captures; the number of frames sent."""
    out = inside(namespace, "tcpreplay", speed, "-K", "-l", str(loop), "-i", device, *files).stdout.decode()
    return int(out.split("Actual: ")[1].split()[0])


def frames_in(path: Path | io.BytesIO) -> list[Frame]:
    from app.capture.pcap_file import open_file

    source = open_file(path)
    found = []
    while not source.finished:
        block = source.read()
        for frame in block.frames if block else ():
            at = int(frame["offset"])
            found.append((block.data[at : at + int(frame["cap_len"])].tobytes(), int(frame["wire_len"])))
    source.close()
    return found


class Collector:
    """Reads a source into a pcap in memory, and counts frames by interface."""

    def __init__(self, source: Any) -> None:
        from app.capture.pcap_writer import PcapWriter

        self.source = source
        self.file = io.BytesIO()
        self.writer = PcapWriter(self.file.write)
        self.by_interface: dict[str, int] = {}

    def take(self) -> None:
        while (block := self.source.read()) is not None:
            self.writer.write(block)
            for index in block.frames["interface"].tolist():
                name = self.source.interfaces[index].name
                self.by_interface[name] = self.by_interface.get(name, 0) + 1
            self.source.release(block)

    def until(self, packets: int) -> None:
        """Read until so many came; then a little longer, to see any that are too many."""
        end = time.monotonic() + 30.0
        while sum(self.by_interface.values()) < packets and time.monotonic() < end:
            select.select([self.source.fileno()], [], [], 0.1)
            self.take()
        time.sleep(0.15)
        self.take()

    def frames(self) -> list[Frame]:
        self.writer.finish()
        return frames_in(io.BytesIO(self.file.getvalue()))


VLAN_FILES = [CAPTURES / name for name in ("encap-vlan.pcap", "encap-qinq.pcap", "app-bgp.pcap")]


def sent_frames(files: list[Path]) -> list[Frame]:
    """What tcpreplay sends of them: frames as captured, with no memory of a longer original."""
    return [(data, len(data)) for path in files for data, _ in frames_in(path)]

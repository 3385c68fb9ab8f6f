"""Traffic that tcpreplay sends over a pair of namespaces, and what a tcpdump beside us writes of it."""

from __future__ import annotations

import re
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.netns import RECEIVER_END, SENDER_END, Pair
from tests.fakes.web import until


def replay(pair: Pair, file: Path, *rate: str) -> int:
    """Sends a file once with tcpreplay; how many packets it says it sent."""
    command = ["tcpreplay", "-i", SENDER_END, "--preload-pcap", *rate, str(file)]
    done = subprocess.run(pair.inside(pair.sender, command), check=True, capture_output=True, text=True)
    found = re.search(r"Successful packets:\s+(\d+)", done.stdout)
    assert found is not None, done.stdout
    return int(found.group(1))


def recorded(path: Path) -> tuple[int, int]:
    """Packets, and bytes on the wire, that are whole in a capture file by now."""
    data, packets, octets, position = path.read_bytes(), 0, 0, 24
    while position + 16 <= len(data):
        captured, wire = struct.unpack_from("<II", data, position + 8)
        position += 16 + captured
        if position > len(data):
            break  # it is being written
        packets, octets = packets + 1, octets + wire
    return packets, octets


class Recording:
    """A running tcpdump and its file."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self.process, self.path = process, path

    def end(self, packets: int) -> tuple[int, int]:
        """What is in the file after it was ended. tcpdump leaves what is in its ring then, so these packets are waited for."""
        until(lambda: recorded(self.path)[0] >= packets, 60)
        self.process.send_signal(signal.SIGINT)
        assert "0 packets dropped by kernel" in self.process.communicate(timeout=30)[1]
        return recorded(self.path)


@contextmanager
def tcpdump(pair: Pair, path: Path) -> Iterator[Recording]:
    """On the receiver's end, with room enough never to drop; it writes each packet at once."""
    command = ["tcpdump", "-U", "-i", RECEIVER_END, "-B", "131072", "-Z", "root", "-w", str(path)]
    process = subprocess.Popen(pair.inside(pair.receiver, command), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("listening on" in line for line in process.stderr)
    try:
        yield Recording(process, path)
    finally:
        process.kill()
        process.communicate()

"""`app capture` in a network namespace of its own: what it writes, when it ends, and what it says of what it cannot do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import capture_namespace
from tests.integration.capture_namespace import CAPTURES, NEEDED, PROJECT, VLAN_FILES, frames_in, replay, sent_frames

pytestmark = NEEDED
namespace = capture_namespace.namespace  # the fixture


def run_command(namespace: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """`app capture`, ready to capture."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "app", "capture", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("capturing on ")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_the_command_writes_what_was_sent_and_ends_by_a_signal(
    namespace: str, tmp_path: Path, number: signal.Signals, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    process = run_command(namespace, "-i", "vb", "-w", out)
    try:
        replay(namespace, *VLAN_FILES)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert frames_in(out) == sent_frames(VLAN_FILES)
    assert "107 packets" in err
    assert "0 dropped by the kernel" in err
    capabilities = int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)
    assert capabilities & ~(1 << 1) == 0  # nothing but writing files as root


def test_the_command_stops_at_the_count_and_filters(namespace: str, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    process = run_command(namespace, "-i", "va,vb", "-w", out, "-f", "tcp port 179", "-c", "50", "-s", "60")
    replay(namespace, CAPTURES / "app-bgp.pcap")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    frames = frames_in(out)
    assert len(frames) == 50
    assert max(len(data) for data, _ in frames) == 60


def test_the_command_stops_after_the_time_with_an_empty_file_that_is_one(namespace: str, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    process = run_command(namespace, "-i", "any", "-w", out, "-d", "0.3")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert frames_in(out) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-i", "nosuch0", "-w", "/dev/null"), "there are lo, vb, va and any"),
        (("-i", "vb", "-w", "/dev/null", "-f", "tcp prot 80"), "syntax error"),
        (("-i", "vb", "-w", "/nosuch/out.pcap"), "/nosuch/out.pcap cannot be written: No such file or directory"),
        (("-i", "vb", "-w", "/dev/full"), "writing /dev/full failed: No space left on device"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(namespace: str, arguments: tuple[str, ...], words: str) -> None:
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "app", "capture", *arguments]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("capturing on")]
    assert len(lines) == 1
    assert words in lines[0]

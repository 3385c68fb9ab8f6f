"""`python -m app capture` as far as it goes without rights."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def capture(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", "capture", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-i", "lo"),
        ("-w", "x.pcap"),
        ("-i", "any,lo", "-w", "x.pcap"),
        ("-i", "lo", "-w", "x", "-c", "0"),
        ("-i", "lo", "-w", "x", "-s", "-1"),
        ("-i", "lo", "-w", "-", "-C", "1"),
        ("-i", "lo", "-w", "x", "-W", "2"),
        ("-i", "lo", "-w", "x", "-C", "0"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    ended = capture(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert re.search(r"-[iWC]\b", ended.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's packet sockets")
def test_an_interface_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    ended = capture("-i", "nosuch0", "-w", str(tmp_path / "x.pcap"))
    assert ended.returncode == 1
    assert "nosuch0" in ended.stderr
    assert "lo" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "x.pcap").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's packet sockets")
def test_without_rights_one_line_says_what_to_do() -> None:
    def nobody() -> None:
        # Close to an ordinary user, and works where the interpreter is readable for root alone: no capability is left.
        from app import privileges

        privileges.seal()

    ended = capture("-i", "lo", "-w", os.devnull, preexec_fn=nobody)
    assert ended.returncode == 1
    assert "CAP_NET_RAW; run it with sudo" in ended.stderr
    assert ended.stderr.count("\n") == 1

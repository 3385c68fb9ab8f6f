"""The whole program names the makers of real connections: in and out, both protocols and versions, forks, threads, namespaces. And it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.attribution import tracefs
from bench import attribution
from bench.attribution import Score, cells, matrix
from tests import compiled_kernels

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's"),
    pytest.mark.skipif(sys.platform.startswith("linux") and os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="not installed: ip"),
]


def traced() -> str | None:
    """Why the kernel's events cannot be had here; None where they can. In a process of its own, because of the forked janitor."""
    code = (
        "from app.attribution.tracefs import open_instance, TraceUnavailable\n"
        "try:\n    open_instance().close()\nexcept TraceUnavailable as error:\n    print(error)\n"
    )
    return (
        subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True).stdout.strip() or None
    )


def instances() -> list[str]:
    """Tracing instances of ours, seen through a tracefs of the test's own."""
    root = tracefs._tracefs()
    try:
        directory = os.open("instances", os.O_RDONLY, dir_fd=root)
        try:
            return [name for name in os.listdir(directory) if name.startswith(tracefs.PREFIX)]
        finally:
            os.close(directory)
    finally:
        os.close(root)


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory."""
    with tempfile.TemporaryDirectory(prefix="netglass-attribution-") as directory:
        compiled_kernels.give(Path(directory))
        yield Path(directory)


def test_every_kind_of_connection_gets_its_program(data: Path) -> None:
    why_not = traced()
    chosen = [cell for cell in cells(holds=(0, 50)) if why_not is None or cell.hold_ms >= 50]
    before = instances() if why_not is None else []
    found = matrix(chosen, 3, "1", data, port=8199)
    scores: dict[str, Score] = found["scores"]
    assert {name: one.wrong for name, one in scores.items() if one.wrong} == {}
    if why_not is None:
        missed = {
            name: (one.unknown, one.missing, one.reasons) for name, one in scores.items() if one.right < one.total
        }
        assert sum(one.right for one in scores.values()) >= 0.97 * found["connections"], missed
        assert set(instances()) <= set(before)


def test_no_tracing_is_left_after_the_broker_was_killed() -> None:
    if (why_not := traced()) is not None:
        pytest.skip(why_not)
    before = set(instances())
    code = "import sys\nfrom app.attribution.tracefs import open_instance\nopen_instance()\nprint('up', flush=True)\nsys.stdin.read()\n"
    killed = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    assert killed.stdin is not None
    assert killed.stdout.readline() == "up\n"
    assert set(instances()) > before
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdin.close()
    killed.stdout.close()
    deadline = time.monotonic() + 30
    while set(instances()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(instances()) <= before


def test_the_table_of_results_is_markdown() -> None:
    score = Score(right=2, unknown=1)
    lines = attribution.table({"with tracing": {"scores": {"tcp": score}}})
    assert lines[2] == "| tcp | 2 / 1 / 0 |"
    assert "66.7 % of 3 right, 0 wrong" in lines[-1]

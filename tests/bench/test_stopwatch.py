"""The stopwatch and what the runner makes of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.peers import Program
from bench.run import floor_mb, timed

CORE = min(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="benchmarks are for Linux")


def python(code: str, counted: str | None = None) -> Program:
    return Program("python", "", (sys.executable, "-I", "-S", "-c", code, "{file}"), counted=counted)


def test_wall_cpu_and_memory_are_those_of_the_child(tmp_path: Path) -> None:
    code = "import time; end = time.process_time() + 0.2; block = b'x' * (60 << 20)\nwhile time.process_time() < end: pass\ntime.sleep(0.3)"
    run = timed(python(code), tmp_path, 10, CORE)
    assert run.error is None
    assert 0.2 <= run.cpu_s <= run.wall_s
    assert run.wall_s >= 0.5
    assert 60 < run.rss_kb / 1024 < 120


def test_a_child_does_not_inherit_our_memory() -> None:
    held = bytearray(b"x" * (300 << 20))
    assert floor_mb(CORE) < 40
    assert len(held) > 0


def test_the_child_runs_on_its_core(tmp_path: Path) -> None:
    code = "import os; print(sorted(os.sched_getaffinity(0)), '7 packets')"
    assert timed(python(code, rf"^\[{CORE}\] (\d+) packets"), tmp_path, 7, CORE).error is None


def test_runs_that_do_not_count(tmp_path: Path) -> None:
    packets = r"(\d+) packets"
    assert "exit status 3" in str(timed(python("raise SystemExit(3)"), tmp_path, 1, CORE).error)
    assert "96 packets" in str(timed(python("print('96 packets')", packets), tmp_path, 100, CORE).error)
    assert timed(python("print('97 packets')", packets), tmp_path, 100, CORE).error is None
    assert "does not say" in str(timed(python("pass", packets), tmp_path, 100, CORE).error)
    assert "127" in str(timed(Program("none", "", ("/no/such/program",)), tmp_path, 1, CORE).error)
    assert "stopped" in str(timed(python("import time; time.sleep(60)"), tmp_path, 1, CORE, limit_s=0.3).error)

"""Hostile payload through nDPI's C code, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.dpi import ndpi


@pytest.mark.skipif(not ndpi.installed(), reason="nDPI (requirements-ndpi.txt) is not installed")
@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_captures_do_not_crash_it(seed):
    command = [sys.executable, "-m", "tests.dpi.ndpi_fuzz", str(seed), "20000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "20" in done.stdout

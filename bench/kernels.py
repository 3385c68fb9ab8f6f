"""How long the compiled kernels take to be there: compiled for the first time, and loaded from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any, Final

from bench.peers import ROOT

COLD_GOAL_S: Final = 15.0
CACHED_GOAL_S: Final = 0.5

# Signatures are explicit: importing a module compiles its kernels or loads them.
_PROBE: Final = """
import importlib, json, sys, time
begin = time.perf_counter()
import numpy, numba
ready = time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({"imports_s": ready - begin, "kernels_s": time.perf_counter() - ready}))
"""


def modules() -> list[str]:
    """Every module with kernels, by its name."""
    return sorted(f"app.{path.parent.name}.{path.stem}" for path in (ROOT / "app").glob("*/*_kernels.py"))


def _probe(cache: str, core: int) -> dict[str, float]:
    """One process that imports numpy and numba, then all kernels."""
    command = ["taskset", "-c", str(core), sys.executable, "-c", _PROBE, *modules()]
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def measure(core: int) -> dict[str, Any]:
    """Seconds with an empty cache, and the middle of three with a full one."""
    with tempfile.TemporaryDirectory(prefix="bench-kernels-") as cache:
        cold = _probe(cache, core)
        cached = [_probe(cache, core)["kernels_s"] for _ in range(3)]
    return {
        "modules": len(modules()),
        "cold_s": cold["kernels_s"],
        "cached_s": sorted(cached)[1],
        "imports_s": cold["imports_s"],
    }

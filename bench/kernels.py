"""How long the compiled kernels take to be there: compiled for the first time, and loaded from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Final

from bench.peers import ROOT

COLD_GOAL_S: Final = 15.0
CACHED_GOAL_S: Final = 0.5

_PROBE: Final = """
import json, time
from app.sensor.kernels_warm import compile_all
begin = time.perf_counter()
import numpy
ready = time.perf_counter()
compile_all(lambda done, total, text: None)
print(json.dumps({"imports_s": ready - begin, "kernels_s": time.perf_counter() - ready}))
"""


def _probe(cache: str, core: int | None = None) -> dict[str, float]:
    """One process that imports numpy, then compiles or loads all kernels of the sensor; on one core, or on all that there are."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = [*pinned, sys.executable, "-c", _PROBE]
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def measure(core: int) -> dict[str, float]:
    """Seconds with an empty cache, and the middle of three with a full one."""
    with tempfile.TemporaryDirectory(prefix="bench-kernels-") as cache:
        cold = _probe(cache)  # as `make run` compiles: two builds side by side
        cached = [_probe(cache, core)["kernels_s"] for _ in range(3)]
    return {"cold_s": cold["kernels_s"], "cached_s": sorted(cached)[1], "imports_s": cold["imports_s"]}

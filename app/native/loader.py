"""`kernel(name)`: the compiled kernels of this process, from objects where there are any, else built first, else through numba.

Loading happens once, at the first call or by `load_all`, which tells how far it is.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from app import kernel_cache
from app.model.errors import KernelError
from app.native import objects
from app.native.call import Kernel
from app.native.registry import KERNELS

Progress = Callable[[int, int, str], None]

NAMES: Final = [entry.name for entry in KERNELS]
_BUILDS: Final = 2  # side by side: each imports numba
_ELF: Final = os.name == "posix" and sys.platform != "darwin" and sys.byteorder == "little"
# Isolated from the caller's surroundings, but with the same packages.
_START: Final = (
    "import runpy, sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "runpy.run_module('app.native.build', run_name='__main__', alter_sys=True)"
)
_log = logging.getLogger(__name__)
_lock: Final = threading.Lock()
_loaded: dict[str, Kernel] = {}


def kernel(name: str) -> Kernel:
    """A kernel by its name in the registry. Raises KernelError where kernels can neither be loaded nor compiled."""
    if name not in _loaded:
        load_all()
    return _loaded[name]


def load_all(progress: Progress | None = None, *, native: bool = _ELF) -> None:
    """Load all kernels; progress(done, total, text) before each that is compiled, and once at the end. `native` False: through numba."""
    report = progress or (lambda done, total, text: None)
    with _lock:
        if not _loaded:
            report(0, len(KERNELS), "kernels")
            _loaded.update(load(kernel_cache.use(), report, native=native))
        report(len(KERNELS), len(KERNELS), "ready")


def load(cache: Path, progress: Progress, *, native: bool = True) -> Mapping[str, Kernel]:
    """All kernels, from below the directory `cache` or built into it. Raises KernelError."""
    if native:
        try:
            return _native(cache, progress)
        except _NotBuilt as error:
            _log.warning("kernels are compiled in this process, which needs more memory: %s", error)
    return _through_numba(progress)


class _NotBuilt(Exception):
    """Objects cannot be made or used here."""


def _native(cache: Path, progress: Progress) -> Mapping[str, Kernel]:
    from app.native import machine  # LLVM, which the web process does not need

    key = machine.key(kernel_cache.digest())
    directory = cache / f"objects-{os.geteuid()}-{key}"
    stored = objects.read(directory, key, NAMES)
    if stored is None:
        stored = _built(directory, key, progress)
    try:
        return machine.load(stored)
    except OSError as error:
        raise _NotBuilt(str(error)) from None


def _built(directory: Path, key: str, progress: Progress) -> list[objects.StoredKernel]:
    """Build into the directory, or where it cannot be written into one for this process alone."""
    try:
        objects.make_directory(directory)
    except OSError as error:
        _log.warning("compiled kernels cannot be kept: %s", error)
        with tempfile.TemporaryDirectory(prefix="netglass-") as own:
            return _built_in(Path(own), key, progress)
    return _built_in(directory, key, progress)


def _built_in(directory: Path, key: str, progress: Progress) -> list[objects.StoredKernel]:
    """Each build has a directory of its own; what they wrote goes into the one directory in one step."""
    built: dict[str, objects.StoredKernel] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="build-", dir=directory) as below:
            places = [Path(below) / str(number) for number in range(min(_BUILDS, os.cpu_count() or 1))]
            for place in places:
                place.mkdir(mode=0o700)
            said = _run_builds(places, key, progress)
            for place in places:
                built.update({kernel.name: kernel for kernel in objects.read(place, key) or ()})
        if built.keys() != set(NAMES):
            raise _NotBuilt(f"the build ended with {said}")
        kernels = [built[name] for name in NAMES]
        objects.write(directory, key, kernels)
    except (OSError, ValueError, KeyError) as error:
        raise _NotBuilt(f"the build could not be run: {error}") from None
    return kernels


def _run_builds(places: list[Path], key: str, progress: Progress) -> str:
    """Run one build for each place, all at once, to their ends. How they ended, in words."""
    command = [sys.executable, "-I", "-c", _START, json.dumps([os.path.abspath(p) for p in sys.path])]
    started = 0
    last = "no word why"
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8", errors="replace") as lines, _queue(len(KERNELS)) as waiting:
        try:
            processes = [
                subprocess.Popen(
                    [*command, str(place), key, str(os.getpid())], stdin=waiting, stdout=writing, stderr=writing
                )
                for place in places
            ]
        finally:
            os.close(writing)
        for line in lines:
            if line.startswith("{"):
                started += 1
                progress(max(0, started - len(places)), len(KERNELS), str(json.loads(line)["text"]))
            elif line.strip():
                last = line.strip()
    statuses = [process.wait() for process in processes]
    return f"status {max(statuses, key=abs)}: {last}"


def _queue(count: int) -> BinaryIO:
    """A pipe with the numbers below `count`, a byte each, and its end."""
    reading, writing = os.pipe()
    os.write(writing, bytes(range(count)))
    os.close(writing)
    return open(reading, "rb", buffering=0)


def _through_numba(progress: Progress) -> Mapping[str, Kernel]:
    try:
        from app.native.compiling import in_process
    except ImportError as error:
        raise KernelError(f"the kernels cannot be compiled: {error}") from None
    kernels = {}
    for done, entry in enumerate(KERNELS):
        progress(done, len(KERNELS), entry.text)
        kernels[entry.name] = in_process(entry)
    return kernels

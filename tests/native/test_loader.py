"""Where kernels come from: objects without numba, a build, or numba itself; and what is said when there is no way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import kernel_cache
from app.model.errors import KernelError
from app.native import loader
from app.native.call import NativeKernel, NumbaKernel

PROJECT = Path(__file__).resolve().parents[2]
CAPTURE = PROJECT / "tests" / "data" / "captures" / "app-bgp.pcap"
ANALYZE = f"""
import sys
from app import kernel_cache
kernel_cache.use()
import app.__main__
status = app.__main__.main(["analyze", {str(CAPTURE)!r}])
print(sorted(name for name in ("numba", "llvmlite") if name in sys.modules), status)
"""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    loader.load_all()


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, "PYTHONPATH": str(PROJECT), **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PROJECT, env=surroundings, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_analyze_does_not_import_numba() -> None:
    done = run(ANALYZE)
    assert done.stdout.endswith("['llvmlite'] 0\n"), done.stderr
    assert "91 of 91 packets decoded" in done.stdout


@pytest.mark.parametrize("module", ["app.sensor.assembly", "app.sensor.__main__", "app.capture.command"])
def test_no_process_imports_a_compiler(module: str) -> None:
    done = run(f"import sys, {module}; print([n for n in sys.modules if n.split('.')[0] in ('numba', 'llvmlite')])")
    assert done.stdout == "[]\n", done.stderr


def test_without_objects_numba_does_the_same() -> None:
    through = "from app.native import loader; loader.load_all(native=False)\n"
    native, numba = run(ANALYZE), run(through + ANALYZE)
    assert numba.stdout.endswith("['llvmlite', 'numba'] 0\n"), numba.stderr
    assert numba.stdout.splitlines()[:-1] == native.stdout.splitlines()[:-1]


def test_progress_ends_with_all() -> None:
    said: list[tuple[int, int, str]] = []
    loader.load_all(lambda *one: said.append(one))
    total = len(loader.KERNELS)
    assert said == [(total, total, "ready")]


def test_builds_take_each_kernel_once() -> None:
    taken: list[int] = []
    with loader._queue(25) as waiting:
        command = [sys.executable, "-c", "import os\nwhile one := os.read(0, 1): print(one[0])"]
        builds = [subprocess.Popen(command, stdin=waiting, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for build in builds:
            taken += map(int, build.communicate(timeout=30)[0].split())
    assert sorted(taken) == list(range(25))


def test_what_cannot_be_built_goes_through_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loader, "_START", "import sys; print('something is broken', file=sys.stderr); sys.exit(3)")
    kernels = loader.load(tmp_path, lambda done, total, text: None)
    assert all(isinstance(kernel, NumbaKernel) for kernel in kernels.values())
    assert "status 3: something is broken" in caplog.text


def test_a_directory_that_is_not_ours_is_said_in_one_line(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    base = run("from app import kernel_cache; print(kernel_cache.use())", NUMBA_CACHE_DIR=str(cache)).stdout.strip()
    from app.native import machine

    directory = Path(base) / f"objects-{os.geteuid()}-{machine.key(kernel_cache.digest())}"
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    done = run(ANALYZE, NUMBA_CACHE_DIR=str(cache))
    assert done.stderr == f"netglass: {directory} can be written by others: remove it and start again\n"
    assert done.stdout.endswith(" 1\n")


def test_a_place_that_cannot_be_written_costs_only_the_keeping(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from app.native import machine, objects

    own = kernel_cache.use() / f"objects-{os.geteuid()}-{machine.key(kernel_cache.digest())}"
    stored = objects.read(own, machine.key(kernel_cache.digest()), loader.NAMES)
    assert stored is not None
    places: list[Path] = []

    def build(place: Path, key: str, progress: loader.Progress) -> list[objects.StoredKernel]:
        places.append(place)
        return stored

    monkeypatch.setattr(loader, "_built_in", build)
    kernels = loader.load(Path("/proc/self"), lambda done, total, text: None)
    assert all(isinstance(kernel, NativeKernel) for kernel in kernels.values())
    assert "cannot be kept" in caplog.text
    assert not places[0].exists()


def test_without_numba_there_is_a_clear_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app.native.compiling", None)
    with pytest.raises(KernelError, match="the kernels cannot be compiled"):
        loader.load(Path(), lambda done, total, text: None, native=False)

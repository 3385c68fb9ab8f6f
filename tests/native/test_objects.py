"""Compiled objects on disk: who may have written them, what is in them, when they are built again."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app import kernel_cache
from app.model.errors import KernelError
from app.native import loader, objects
from app.native.arguments import ArrayArgument, NumberArgument, Shape, shape_from_json
from app.native.objects import StoredKernel

KEY = "the-key"
SHAPE = Shape((NumberArgument("int64"), ArrayArgument(np.dtype([("a", "<u2"), ("b", "<i8")]), 1, True)), 1)


def elf(*undefined: str) -> bytes:
    """A relocatable ELF64 object with nothing in it but a symbol table."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in undefined)
    symbols, place = bytes(24), 1
    for name in undefined:
        symbols += struct.pack("<IBBHQQ", place, 0x10, 0, 0, 0, 0)
        place += len(name) + 1
    body = 64
    sections = [bytes(64)]
    sections.append(struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, body, len(symbols), 2, 1, 8, 24))
    sections.append(struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, body + len(symbols), len(strings), 0, 0, 1, 0))
    at = body + len(symbols) + len(strings)
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 1, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, 3, 0)
    return head + symbols + strings + b"".join(sections)


def stored(code: bytes = b"") -> StoredKernel:
    return StoredKernel("walk_pcap", "netglass_walk_pcap", code or elf("memcpy"), SHAPE)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "objects"
    objects.make_directory(path)
    objects.write(path, KEY, [stored()])
    return path


def test_what_was_written_is_read(directory: Path) -> None:
    assert objects.read(directory, KEY, ["walk_pcap"]) == [stored()]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert objects.read(directory / "none", KEY, ["walk_pcap"]) is None


def test_another_build_is_not_read(directory: Path) -> None:
    assert objects.read(directory, "another key", ["walk_pcap"]) is None
    assert objects.read(directory, KEY, ["walk_pcap", "a new kernel"]) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"format":1,"key":"the-key","kernels":{"walk_pcap":{}}}']
)
def test_a_damaged_manifest_is_not_read(directory: Path, content: bytes) -> None:
    (directory / objects.MANIFEST).write_bytes(content)
    assert objects.read(directory, KEY, ["walk_pcap"]) is None


def test_a_damaged_object_is_not_read(directory: Path) -> None:
    (path,) = directory.glob("*.o")
    content = bytearray(path.read_bytes())
    content[70] ^= 1
    path.write_bytes(content)
    assert objects.read(directory, KEY, ["walk_pcap"]) is None
    path.unlink()
    assert objects.read(directory, KEY, ["walk_pcap"]) is None


def test_no_file_outside_the_directory_is_read(directory: Path) -> None:
    outside = directory.parent / "outside.o"
    outside.write_bytes(elf("memcpy"))
    manifest = json.loads((directory / objects.MANIFEST).read_text())
    for name in ("../outside.o", str(outside)):
        manifest["kernels"]["walk_pcap"]["file"] = name
        (directory / objects.MANIFEST).write_text(json.dumps(manifest))
        assert objects.read(directory, KEY, ["walk_pcap"]) is None
    (directory / "link.o").symlink_to(outside)
    manifest["kernels"]["walk_pcap"]["file"] = "link.o"
    (directory / objects.MANIFEST).write_text(json.dumps(manifest))
    assert objects.read(directory, KEY, ["walk_pcap"]) is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_directory_that_others_may_write_is_refused(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    with pytest.raises(KernelError, match="can be written by others"):
        objects.read(directory, KEY, ["walk_pcap"])
    with pytest.raises(KernelError, match="can be written by others"):
        objects.make_directory(directory)
    with pytest.raises(KernelError, match="can be written by others"):
        objects.write(directory, KEY, [stored()])


def test_a_file_that_others_may_write_is_refused(directory: Path) -> None:
    (path,) = directory.glob("*.o")
    path.chmod(0o660)
    with pytest.raises(KernelError, match="can be written by others"):
        objects.read(directory, KEY, ["walk_pcap"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_belongs_to_another_user_is_refused(directory: Path) -> None:
    (path,) = directory.glob("*.o")
    os.chown(path, 54321, 54321)
    with pytest.raises(KernelError, match="another user"):
        objects.read(directory, KEY, ["walk_pcap"])
    os.chown(directory, 54321, 54321)
    with pytest.raises(KernelError, match=r"objects belongs to another user"):
        objects.make_directory(directory)


def test_a_link_in_the_directorys_place_is_refused(directory: Path) -> None:
    link = directory.parent / "link"
    link.symlink_to(directory)
    with pytest.raises(KernelError, match="not a directory"):
        objects.read(link, KEY, ["walk_pcap"])


def test_symbols_that_a_kernel_must_not_need() -> None:
    assert objects.undefined_symbols(elf("memcpy", "memset")) == {"memcpy", "memset"}
    objects.check("walk", elf("memcpy", "memmove", "memset"))
    with pytest.raises(KernelError, match="walk needs NRT_decref, system, which"):
        objects.check("walk", elf("memcpy", "system", "NRT_decref"))


def test_an_object_with_a_foreign_symbol_is_neither_written_nor_read(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KernelError, match="system"):
        objects.write(directory, KEY, [stored(elf("system"))])
    with monkeypatch.context() as patch:
        patch.setattr(objects, "check", lambda name, code: None)
        objects.write(directory, KEY, [stored(elf("system"))])
    with pytest.raises(KernelError, match="system"):
        objects.read(directory, KEY, ["walk_pcap"])


@pytest.mark.parametrize("cut", [0, 3, 20, 63, 64, 100, 200])
def test_what_is_no_object_is_refused(cut: int) -> None:
    with pytest.raises(KernelError):
        objects.undefined_symbols(elf("memcpy")[:cut])
    with pytest.raises(KernelError):
        objects.undefined_symbols(b"MZ" + elf("memcpy")[2:])


def test_shapes_survive_json() -> None:
    shape = Shape((NumberArgument("uint64"), ArrayArgument(np.dtype("<f8"), 2, False), *SHAPE.arguments), 3)
    assert shape_from_json(json.loads(json.dumps(shape.to_json()))) == shape


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory with objects in it: this process's own, or new ones."""
    cache = tmp_path_factory.mktemp("cache")
    own = kernel_cache.use()
    found = list(own.glob("objects-*")) if own.is_dir() else []
    for path in found:
        shutil.copytree(path, cache / path.name)
        (cache / path.name).chmod(0o700)
    loader.load(cache, lambda done, total, text: None)
    return cache


def run(cache: Path, code: str) -> subprocess.CompletedProcess[str]:
    project = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=300,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(project)},
    )  # fmt: skip


def test_a_damaged_object_is_built_again(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(built, cache)
    (directory,) = cache.glob("objects-*")
    directory.chmod(0o700)
    path = next(directory.glob("walk_pcap-*.o"))
    path.write_bytes(bytes(len(path.read_bytes())))
    said: list[str] = []
    calls = []

    def rebuild(place: Path, key: str, progress: loader.Progress) -> list[StoredKernel]:
        calls.append(place)
        (source,) = built.glob("objects-*")
        kernels = objects.read(source, key, loader.NAMES)
        assert kernels is not None
        objects.write(place, key, kernels)
        progress(0, 1, "again")
        return kernels

    monkeypatch.setattr(loader, "_built_in", rebuild)
    assert set(loader.load(cache, lambda done, total, text: said.append(text))) == set(loader.NAMES)
    assert (calls, said) == ([directory], ["again"])
    assert set(loader.load(cache, lambda done, total, text: said.append(text))) == set(loader.NAMES)
    assert len(calls) == 1


def test_other_sources_are_built_anew(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def rebuild(place: Path, key: str, progress: loader.Progress) -> list[StoredKernel]:
        calls.append(place)
        (source,) = (path for path in built.glob("objects-*") if path != place)
        return [StoredKernel(k.name, k.symbol, k.code, k.shape) for k in _read(source)]

    def _read(source: Path) -> list[StoredKernel]:
        key = json.loads((source / objects.MANIFEST).read_text())["key"]
        return objects.read(source, key, loader.NAMES) or []

    monkeypatch.setattr(kernel_cache, "digest", lambda: "of other sources")
    monkeypatch.setattr(loader, "_built_in", rebuild)
    loader.load(built, lambda done, total, text: None)
    assert len(calls) == 1


def test_everything_that_the_build_imports_of_ours_is_in_the_digest() -> None:
    """Or is named here, because no byte of it gets into an object."""
    code = (
        "import sys, importlib; from app.native.registry import KERNELS\n"
        "for entry in KERNELS: importlib.import_module(entry.module)\n"
        "import app.native.build\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('app') and m.__file__))"
    )
    done = run(Path(os.environ.get("NUMBA_CACHE_DIR", "")), code)
    assert done.returncode == 0, done.stderr
    app = Path(kernel_cache.__file__).parent
    imported = {Path(name).relative_to(app).as_posix() for name in done.stdout.split()}
    covered = {path.relative_to(app).as_posix() for pattern in kernel_cache._PATTERNS for path in app.glob(pattern)}
    known = {"privileges.py", "kernel_cache.py"} | {name for name in imported if name.endswith("__init__.py")}
    assert imported - covered <= known

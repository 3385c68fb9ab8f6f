"""The directory of compiled objects: who may have written it, what must be in it, and what an object may ask of the process.

Whoever can write these files runs code in the sensor, so the directory and the files must be this user's and nobody else's to write. LLVM ends the
process when it cannot resolve a symbol, so the symbols of every object are read here first.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.model.errors import KernelError
from app.native.arguments import Shape, shape_from_json

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
MAX_FILE: Final = 16 << 20
ALLOWED_SYMBOLS: Final = frozenset(
    {"memcpy", "memmove", "memset"}
)  # what LLVM makes of loops; every C library has them

_ELF_HEADER: Final = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_SYMBOL_TABLE: Final = 2  # SHT_SYMTAB
_RELOCATABLE: Final = 1  # ET_REL


@dataclass(frozen=True, slots=True)
class StoredKernel:
    """One kernel as built: the object's bytes, the function in it, its arguments."""

    name: str
    symbol: str
    code: bytes
    shape: Shape


def undefined_symbols(code: bytes) -> set[str]:
    """Names that an ELF64 object (little-endian, relocatable) needs from elsewhere. Raises KernelError where it is none."""
    try:
        return _undefined(code)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError):
        raise KernelError("a compiled kernel is damaged") from None


def _undefined(code: bytes) -> set[str]:
    header = _ELF_HEADER.unpack_from(code)
    if header[:3] != (b"\x7fELF", 2, 1) or header[5] != _RELOCATABLE:
        raise KernelError("a compiled kernel is no 64-bit ELF object")
    start, size, count = header[10], header[15], header[16]
    sections = [_SECTION.unpack_from(code, start + size * k) for k in range(count)]
    if start == 0 or size != _SECTION.size:
        raise ValueError
    names: set[str] = set()
    for section in sections:
        if section[1] != _SYMBOL_TABLE:
            continue
        strings = sections[section[6]]
        table = code[strings[4] : strings[4] + strings[5]]
        for place in range(section[4], section[4] + section[5], _SYMBOL.size):
            name, _, _, where, _, _ = _SYMBOL.unpack_from(code, place)
            if where == 0 and name:
                names.add(table[name : table.index(b"\0", name)].decode())
    return names


def check(name: str, code: bytes) -> None:
    """Raises KernelError where an object needs anything that is not allowed."""
    foreign = undefined_symbols(code) - ALLOWED_SYMBOLS
    if foreign:
        raise KernelError(f"the compiled kernel {name} needs {', '.join(sorted(foreign))}, which it must not")


def make_directory(path: Path) -> None:
    """The directory, with parents, this user's alone. Raises KernelError where it is somebody else's; OSError where it cannot be made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    os.close(_open(path))


def write(directory: Path, key: str, kernels: list[StoredKernel]) -> None:
    """Objects first, the manifest last, each in one step: a reader sees all or nothing. Raises KernelError, OSError."""
    descriptor = _open(directory)
    try:
        entries = {}
        for kernel in kernels:
            check(kernel.name, kernel.code)
            digest = hashlib.sha256(kernel.code).hexdigest()
            file = f"{kernel.name}-{digest[:16]}.o"
            _write(descriptor, file, kernel.code)
            entries[kernel.name] = {
                "file": file,
                "sha256": digest,
                "symbol": kernel.symbol,
                "shape": kernel.shape.to_json(),
            }
        document = {"format": FORMAT, "key": key, "kernels": entries}
        _write(descriptor, MANIFEST, json.dumps(document, separators=(",", ":")).encode())
    finally:
        os.close(descriptor)


def read(directory: Path, key: str, names: list[str] | None = None) -> list[StoredKernel] | None:
    """All kernels of these names, or all that are there; None where there are none yet, or something is damaged or of another build.

    Raises KernelError where the directory or a file in it could have been written by somebody else.
    """
    try:
        descriptor = _open(directory)
    except OSError:
        return None
    try:
        document = json.loads(_read(descriptor, directory, MANIFEST))
        if document["format"] != FORMAT or document["key"] != key:
            return None
        kernels = document["kernels"]
        return [_kernel(descriptor, directory, name, kernels[name]) for name in names or kernels]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        os.close(descriptor)


def _kernel(descriptor: int, directory: Path, name: str, entry: dict[str, Any]) -> StoredKernel:
    code = _read(descriptor, directory, entry["file"])
    if hashlib.sha256(code).hexdigest() != entry["sha256"]:
        raise ValueError(f"{entry['file']} is damaged")
    check(name, code)
    return StoredKernel(name, str(entry["symbol"]), code, shape_from_json(entry["shape"]))


def _open(directory: Path) -> int:
    """A descriptor of the directory itself: what is checked is what is read."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError:  # also a symbolic link
        raise KernelError(f"{directory} is not a directory: remove it and start again") from None
    try:
        _must_be_ours(descriptor, directory)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _must_be_ours(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise KernelError(f"{path} belongs to another user: remove it and start again")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KernelError(f"{path} can be written by others: remove it and start again")


def _read(directory: int, path: Path, name: str) -> bytes:
    if "/" in name:
        raise ValueError(f"{name} is no file name")
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    with open(descriptor, "rb") as stream:
        _must_be_ours(descriptor, path / name)
        return stream.read(MAX_FILE)


def _write(directory: int, name: str, content: bytes) -> None:
    part = f"{name}.{os.getpid()}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    with open(descriptor, "wb") as stream:
        stream.write(content)
    os.replace(part, name, src_dir_fd=directory, dst_dir_fd=directory)

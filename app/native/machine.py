"""LLVM without numba: the machine that objects are for, and the engine that puts them into memory."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import mmap
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from app.native.arguments import Shape
from app.native.call import NativeKernel
from app.native.objects import StoredKernel

_engines: Final[list[Any]] = []  # code lives as long as its engine, and kernels as long as the process


def key(sources: str) -> str:
    """Of everything that a build depends on: the kernels' sources, the compiler, the processor and what it can do."""
    parts = (
        sources,
        llvmlite.__version__,
        np.__version__,
        _numba_version(),
        sys.implementation.cache_tag,
        llvm.get_default_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _numba_version() -> str:
    """What identifies the installed numba, found without importing it; "" where there is none."""
    found = find_spec("numba")
    if found is None or found.origin is None:
        return ""
    version = Path(found.origin).with_name("_version.py")
    return version.read_text() if version.exists() else found.origin


def load(kernels: list[StoredKernel]) -> dict[str, NativeKernel]:
    """Into memory. The caller has checked the objects: LLVM ends the process over a symbol that it cannot resolve. Raises OSError where
    the system forbids code in memory."""
    with contextlib.suppress(AttributeError, RuntimeError):  # needed, or forbidden, or gone: by the version
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.check_jit_execution()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), jit=True
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    for kernel in kernels:
        engine.add_object_file(llvm.ObjectFileRef.from_data(kernel.code))
    engine.finalize_object()
    _engines.append(engine)
    _let_go_of_llvm()
    return {kernel.name: _loaded(engine, kernel.name, kernel.symbol, kernel.shape) for kernel in kernels}


def _loaded(engine: Any, name: str, symbol: str, shape: Shape) -> NativeKernel:
    return NativeKernel(name, engine.get_function_address(symbol), shape)


def _let_go_of_llvm() -> None:
    """Give back the pages of LLVM's code: it is not needed again, and 30 MB. They are pages of a file, read again where it is."""
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    maps = Path("/proc/self/maps")
    if advise is None or not maps.exists():
        return
    for line in maps.read_text().splitlines():
        where, rights, *_ = line.split()
        # Executable and not writable: never changed since it was mapped, so nothing is lost.
        if rights == "r-xp" and "libllvmlite" in line:
            start, end = (int(address, 16) for address in where.split("-"))
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)

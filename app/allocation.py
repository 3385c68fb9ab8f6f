"""Settings of the C library and of NumPy's linear algebra that decide how much memory a process of ours keeps, and nothing else.

glibc gives each thread that allocates an arena of its own, and each time a large block is freed it raises the size up to 32 MiB from which blocks are
mapped, and so go back when they are freed: a second of many flows then leaves a heap that never shrinks. Fixed limits keep both away. OpenBLAS
reserves buffers per core for products of matrices, which nothing here computes. Standard library only; without glibc nothing happens.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

_MAPPED_FROM: Final = 1 << 20  # bytes: rarer than once a block of packets, so that mapping costs nothing that shows
_KEPT_ON_TOP: Final = 1 << 20  # free bytes at the heap's end that are not given back
_ARENAS: Final = 2
GIVE_BACK_SECONDS: Final = 10.0  # how often a process that lives long calls `give_back`

# For `env=` of our child processes.
FRUGAL: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": str(_ARENAS),
    "MALLOC_MMAP_THRESHOLD_": str(_MAPPED_FROM),
    "MALLOC_TRIM_THRESHOLD_": str(_KEPT_ON_TOP),
}

# <malloc.h>
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_PARAMETERS: Final = {
    "MALLOC_ARENA_MAX": _M_ARENA_MAX,
    "MALLOC_MMAP_THRESHOLD_": _M_MMAP_THRESHOLD,
    "MALLOC_TRIM_THRESHOLD_": _M_TRIM_THRESHOLD,
}


def be_frugal(environment: MutableMapping[str, str]) -> None:
    """The same for this process, which was started by somebody else, and in its environment. What the user set stays.

    Before threads are started and NumPy is imported.
    """
    for name, value in FRUGAL.items():
        environment.setdefault(name, value)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return
    for name, parameter in _PARAMETERS.items():
        if environment[name].isdecimal():
            set_option(ctypes.c_int(parameter), ctypes.c_int(min(int(environment[name]), (1 << 31) - 1)))


def give_back() -> None:
    """Give back the pages of the heap that hold nothing: what was freed in its middle stays otherwise. Some milliseconds; other threads of Python go on."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(_KEPT_ON_TOP))


def let_go_of_file(name: str) -> None:
    """Give back the resident pages of mapped files with `name` in their path that are as they are on disk; they are read again where they are needed."""
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    maps = Path("/proc/self/smaps")
    if advise is None or not maps.exists():
        return
    for start, end in unchanged(maps.read_text(errors="replace"), name):
        advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def unchanged(smaps: str, name: str) -> list[tuple[int, int]]:
    """(start, end) of the mappings of such files that cannot be written and never were – the linker writes into some –, by the text of smaps."""
    found: list[tuple[int, int]] = []
    mapping: tuple[int, int] | None = None
    for line in smaps.splitlines():
        head, *rest = line.split()
        if not head.endswith(":"):
            start, end = (int(address, 16) for address in head.split("-"))
            mapping = (start, end) if len(rest) > 4 and name in rest[4] and "w" not in rest[0] else None
        elif head == "Anonymous:" and mapping is not None and rest[0] == "0":
            found.append(mapping)  # no page of it is a copy of our own
    return found

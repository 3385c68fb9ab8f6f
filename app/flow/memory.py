"""Zeroed arrays at page boundaries, in huge pages where the system gives them.

A row of 128 bytes that starts at a cache line costs two lines; NumPy's own arrays start 16 bytes into a page, which makes it three. Pages are taken
from the kernel only when they are touched: an empty table of any capacity costs next to nothing.
"""

from __future__ import annotations

import mmap
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


def page_aligned(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """A C-contiguous array of zeros. Its memory goes back when the last view of it is gone."""
    size = max(prod(shape) * np.dtype(dtype).itemsize, mmap.PAGESIZE)
    area = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            area.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # a kernel without transparent huge pages
            pass
    array: NDArray[Any] = np.frombuffer(area, dtype, prod(shape)).reshape(shape)
    return array

"""Quantiles of many small groups at once, without a loop over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grouped_quantiles(
    groups: NDArray[np.intp], values: NDArray[np.float64], size: int, wanted: tuple[float, ...]
) -> tuple[list[NDArray[np.float64]], NDArray[np.intp]]:
    """(the value at each wanted share (0..1) of each of `size` groups, how many values each has). `groups[i]` is the group of `values[i]`; NaN
    values are left out; a group without values has NaN. Between two ranks the value is interpolated, as `numpy.quantile` does."""
    known = np.isfinite(values)
    groups, values = groups[known], values[known]
    ordered = values[np.lexsort((values, groups))]
    counts = np.bincount(groups, minlength=size)
    if not len(ordered):
        return [np.full(size, np.nan) for _ in wanted], counts
    starts = np.cumsum(counts) - counts
    found = []
    for share in wanted:
        rank = share * np.maximum(counts - 1, 0)
        below = np.floor(rank).astype(np.intp)
        low = ordered[np.minimum(starts + below, len(ordered) - 1)]
        high = ordered[np.minimum(starts + np.minimum(below + 1, np.maximum(counts - 1, 0)), len(ordered) - 1)]
        found.append(np.where(counts > 0, low + (high - low) * (rank - below), np.nan))
    return found, counts

"""How much work something is, in a measure that is the same on a slow machine: how often a known piece of work would have been done meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

ATTEMPTS = 5


def within(units: float, work: Callable[[], object]) -> bool:
    """Whether `work` is done within so many units, in the best of some attempts. A unit is about a millisecond of a core of 2024, adding
    numbers in Python. Time of the processor for this thread alone, so that neither a busy machine nor what runs beside is counted."""
    least = float("inf")
    for _ in range(ATTEMPTS):
        now = unit()
        least = min(least, _seconds(work) / now)
        if least < units:
            return True
    print(f"{least:.1f} units of work, {units:g} are allowed")
    return False


def unit() -> float:
    """What a unit takes here and now, in seconds of `time.thread_time`."""
    return min(_seconds(_known) for _ in range(3))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def _known() -> int:
    total = 0
    for number in range(25_000):
        total += number & 7
    return total

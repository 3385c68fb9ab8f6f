"""Token buckets: how often somebody may fail to prove who they are, upload, or export."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_KEYS: Final = 1_024


class Throttle:
    """`burst` at once, `per_second` again after that, for each key. The longest unused keys are forgotten beyond MAX_KEYS."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._rate = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> bool:
        """Takes one token; False when there is none."""
        with self._lock:
            left = self._left(key)
            allowed = left >= 1
            self._buckets[key] = (left - 1 if allowed else left, self._clock())
            self._buckets.move_to_end(key)
            while len(self._buckets) > MAX_KEYS:
                self._buckets.popitem(last=False)
        return allowed

    def empty(self, key: str) -> bool:
        """Whether `take` would say no."""
        with self._lock:
            return self._left(key) < 1

    def wait_seconds(self, key: str) -> int:
        """Whole seconds until there is a token again, for `Retry-After`."""
        with self._lock:
            missing = max(1 - self._left(key), 0.0)
        return int(missing / self._rate) + 1

    def _left(self, key: str) -> float:
        left, then = self._buckets.get(key, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - then) * self._rate)

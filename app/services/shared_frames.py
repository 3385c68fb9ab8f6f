"""What several clients are sent at once is made once: frames of the newest state, by what was asked for.

Fifty browsers that look at the same table would otherwise each have 50,000 flows searched and their rows written, every second. Frames are handed to several
clients and must not be changed. Kept are those of one state alone, so the memory is that of one round.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

MOST: Final = 256  # different ones of one state; further ones are made without being kept
HELD_SECONDS: Final = 3.0  # as long as serving all clients once may take on a busy machine
T = TypeVar("T")


class SharedFrames:
    """Thread-safe; two threads that ask for the same at once may both make it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamps: dict[str, Hashable] = {}
        self._made: dict[str, dict[Hashable, Any]] = {}
        self._held: dict[str, tuple[float, Any]] = {}  # topic → until when (monotonic), the state

    def held(self, topic: str, newest: Callable[[], T], known: Callable[[T], bool]) -> T:
        """The state that frames of a topic are made of: the one that is held, unless this client has seen it (`known`) or it is older than HELD_SECONDS; then the
        newest is held. Making a frame lets others run, who change the state: clients that are served one after the other would fall out of step, and each
        would then need a frame of its own."""
        now = time.monotonic()
        with self._lock:
            self._held = {name: one for name, one in self._held.items() if one[0] > now}
            if topic in self._held:
                found: T = self._held[topic][1]
                if not known(found):
                    return found
        state = newest()
        with self._lock:
            self._held[topic] = (now + HELD_SECONDS, state)
        return state

    def get(self, topic: str, stamp: Hashable, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for `key` of this state (`stamp`), else what `make` gives now. An exception of `make` is the caller's."""
        with self._lock:
            if self._held and all(until < time.monotonic() for until, _ in self._held.values()):
                self._held = {}
            if self._stamps.get(topic) != stamp:
                self._stamps[topic], self._made[topic] = stamp, {}
            known = self._made[topic]
            if key in known:
                found: T = known[key]
                return found
        made = make()
        with self._lock:
            if self._held and all(until < time.monotonic() for until, _ in self._held.values()):
                self._held = {}
            if self._stamps.get(topic) == stamp and len(known) < MOST:
                known[key] = made
        return made

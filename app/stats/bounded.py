"""State that cannot outgrow its bound, whatever the traffic: what falls out is counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def make_room(entries: dict[Any, Any], most: int) -> int:
    """Room for one more in a dict of at most `most` entries: the oldest 256th goes when it is full; returns how many went.

    Whoever looks for the first entry of a dict passes over every one that was deleted before it, so taking out one at a time costs as much as there were
    entries; an OrderedDict does not, but takes twice the memory.
    """
    if len(entries) < most:
        return 0
    oldest = list(islice(entries, len(entries) - most + max(most >> 8, 1)))
    for key in oldest:
        del entries[key]
    return len(oldest)


class Last(list[V]):
    """The last `most` things, oldest first. A deque takes 700 bytes before it holds anything, which shows where thousands are kept."""

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def append(self, one: V) -> None:
        if len(self) >= self.most:
            del self[0]
        super().append(one)


class BoundedMap(Generic[K, V]):
    """At most `capacity` entries; for another one the entry touched longest ago goes, and `lost` counts it.

    `keep(value)` true: the entry is worth more than an unknown newcomer and is passed over once (so that a flood of strangers does not push out what has
    already been learnt). At most `LOOKED_AT` entries are asked, so an insertion costs the same whatever happened before.
    """

    LOOKED_AT = 4

    def __init__(self, capacity: int, make: Callable[[], V] | None = None, keep: Callable[[V], bool] | None = None):
        if capacity < 1:
            raise ValueError(f"a map of {capacity} entries: at least 1 is possible")
        self.capacity = capacity
        self.lost = 0
        self._make = make
        self._keep = keep
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def items(self) -> list[tuple[K, V]]:
        return list(self._entries.items())

    def get(self, key: K) -> V | None:
        """Without touching it."""
        return self._entries.get(key)

    def __getitem__(self, key: K) -> V:
        """The entry, made where there is none."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            return entry
        if self._make is None:
            raise KeyError(key)
        made = self._make()
        self[key] = made
        return made

    def __setitem__(self, key: K, value: V) -> None:
        entries = self._entries
        if key not in entries and len(entries) >= self.capacity:
            self._make_room()
        entries[key] = value
        entries.move_to_end(key)

    def pop(self, key: K) -> V | None:
        return self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()

    def _make_room(self) -> None:
        entries = self._entries
        if self._keep is not None:
            for _ in range(self.LOOKED_AT):
                key = next(iter(entries))
                if not self._keep(entries[key]):
                    break
                entries.move_to_end(key)
        entries.popitem(last=False)
        self.lost += 1

"""Text that comes in parts: numbers in it, each told once its end is known. A short tail is kept between the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.dpi.cards.detect import CardNumber, Scanner

TAIL: Final = 256  # bytes kept: the longest number in any writing, and words before it
_MOST_AT_ONCE: Final = 1 << 20


class RunningText:
    """`sink` gets the numbers with the place of `end` in the whole text."""

    __slots__ = ("_scanner", "_sink", "_tail", "_told", "position")

    def __init__(self, scanner: Scanner, sink: Callable[[CardNumber], None]) -> None:
        self._scanner = scanner
        self._sink = sink
        self._tail = b""
        self._told = 0  # numbers that end up to here have been told
        self.position = 0  # bytes of text so far

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        for start in range(0, len(data), _MOST_AT_ONCE):
            part = data[start : start + _MOST_AT_ONCE]
            self._look(self._tail + part, len(part), unfinished=True)

    def close(self) -> None:
        """No more comes."""
        if self._tail:
            self._look(self._tail, 0, unfinished=False)
            self._tail = b""

    def _look(self, text: bytes, new: int, *, unfinished: bool) -> None:
        origin = self.position - (len(text) - new)
        self.position += new
        for number in self._scanner.find(text, unfinished):
            if origin + number.end > self._told and not (number.start == 0 and origin > 0):
                self._told = origin + number.end
                self._sink(number)
        self._tail = text[-TAIL:]

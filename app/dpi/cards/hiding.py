"""Which bytes may not be shown: card numbers in any writing, whether they would be reported or not. It errs on the side of hiding."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np

from app.dpi.cards.detect import numbers_in
from app.dpi.cards.written import texts
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.stats.bounded import make_room
from app.wire import card_layout as at
from app.wire.card_mask import hidden_positions
from app.wire.card_numbers import brand_of

_log = logging.getLogger(__name__)
_LEAST: Final = 13
SHORT: Final = 256  # letters of a text that is remembered
MOST_HARMLESS: Final = 2048  # texts that come again and again: fingerprints, names of programs and hosts
# Twelve digits near each other, or base64 of nine: what is shown is mostly neither, and the kernel need not be asked
_MAYBE: Final = re.compile(r"(?:\d\D{0,4}){12}|(?:[MNOIL][DTjzCSiy][AEIMQUYcgk0][wxyz0-5gt]){2}")


class Hiding:
    """The kernel, and its memory. One thread at a time."""

    def __init__(self) -> None:
        self._events = np.zeros((512, at.COLUMNS), np.int64)
        self._scan = kernel("scan_bytes").bind(EACH_CALL, EACH_CALL, EACH_CALL, self._events)
        self.harmless: dict[str, None] = {}  # texts in which nothing is to hide; never one that holds a number

    def positions(self, data: bytes) -> list[int]:
        """Positions that may not be shown, in rising order."""
        if len(data) < _LEAST:
            return []
        hidden = set(hidden_positions(data))
        n = self._scan(np.frombuffer(bytearray(data), np.uint8), 0, len(data))
        for kind, start, end in self._events[:n, [at.KIND, at.START, at.END]].tolist():
            try:
                hidden.update(_in_writing(kind, data, start, end))
            except Exception:  # captured bytes must not stop whoever shows them; what cannot be read is not shown
                _log.warning("a writing of numbers (%d) could not be read and is hidden", kind, exc_info=True)
                hidden.update(range(max(0, start - 64), min(end + 64, len(data))))
        return sorted(hidden)


def _in_writing(kind: int, data: bytes, start: int, end: int) -> Iterator[int]:
    """Positions of the middle digits of numbers in one place that the kernel found."""
    for text in texts(kind, data, start, end):
        for places, _ in numbers_in(text):
            if brand_of(bytes(text.data[place] for place in places)) is not None:
                for place in places[6:-4]:
                    yield from range(*text.span(place))


@cache
def _hiding() -> Hiding:
    return Hiding()


def masked_text(text: str) -> str:
    """Text without the middle digits of card numbers; its length in bytes stays."""
    if len(text) < _LEAST:
        return text
    hiding = _hiding()
    if text in hiding.harmless:
        return text
    data = text.encode("utf-8", "surrogateescape") if _MAYBE.search(text) else b""
    hidden = hiding.positions(data)
    if not hidden:
        if len(text) <= SHORT:
            make_room(hiding.harmless, MOST_HARMLESS)
            hiding.harmless[text] = None
        return text
    changed = bytearray(data)
    for position in hidden:
        changed[position] = ord("*")
    return changed.decode("utf-8", "replace")


def masked_value(value: object) -> object:
    """All text in lists and maps masked; other values as they are."""
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, (list, tuple)):
        return [masked_value(one) for one in value]
    if isinstance(value, dict):
        return {masked_text(name) if isinstance(name, str) else name: masked_value(one) for name, one in value.items()}
    return value

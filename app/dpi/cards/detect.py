"""Card numbers in bytes: events of the kernels to numbers that were weighed. `detect_cardholder_data` is the whole of it for one payload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.dpi.cards.judge import Judgement, judge
from app.dpi.cards.written import Span, Text, texts
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.wire import card_layout as at
from app.wire.card_numbers import LONGEST, SHORTEST, brand_of, shown

_GROUP: Final = re.compile(rb"[0-9]+")
_SEPARATORS: Final = frozenset((b" ", b"-", b".", b"+", b"\xc2\xa0", b"%20", b"%2D", b"%2d", b"\t"))
_MOST_GROUPS: Final = 6


@dataclass(slots=True)
class CardNumber:
    """One number in some bytes. `digits` never leaves the process that found it."""

    digits: bytes
    brand: str
    confidence: float
    reasons: list[str]
    start: int  # the bytes it covers
    end: int
    hidden: list[Span]  # the bytes of the digits that may not be shown
    form: str | None = None  # how it was written, None: as plain text
    track: int | None = None

    @property
    def masked(self) -> str:
        return shown(self.digits)


class Scanner:
    """The kernel for stretches of bytes, with its memory. One thread at a time."""

    def __init__(self) -> None:
        self._events = np.zeros((1024, at.COLUMNS), np.int64)
        self._scan = kernel("scan_bytes").bind(EACH_CALL, EACH_CALL, EACH_CALL, self._events)

    def find(self, data: bytes, unfinished: bool = False) -> list[CardNumber]:
        """The numbers in `data`. unfinished: more follows, so what touches the end waits."""
        if len(data) < 12:
            return []
        array = np.frombuffer(bytearray(data), np.uint8)
        n = self._scan(array, 0, len(data))
        if not n:
            return []
        found: list[CardNumber] = []
        for kind, start, end in self._events[:n, [at.KIND, at.START, at.END]].tolist():
            found.extend(examine(kind, data, start, end))
        if unfinished:
            found = [number for number in found if number.end < len(data)]
        return best(found)


def detect_cardholder_data(payload: bytes) -> list[CardNumber]:
    """Card numbers in one payload, in the order of their places; of overlapping ones the most certain."""
    return Scanner().find(payload)


def examine(kind: int, data: bytes, start: int, end: int) -> Iterator[CardNumber]:
    """What a kernel's event at data[start:end] turns out to be."""
    for text in texts(kind, data, start, end):
        for places, groups in numbers_in(text):
            digits = bytes(text.data[place] for place in places)
            brand = brand_of(digits)
            if brand is None:
                continue
            first, last = places[0], places[-1] + 1
            verdict = judge(text.data, first, last, digits, groups, brand, text.track)
            if verdict is not None:
                yield _card(text, places, digits, brand, verdict)


def best(found: list[CardNumber]) -> list[CardNumber]:
    """Of numbers that overlap the most certain, in rising order of place."""
    kept: list[CardNumber] = []
    for number in sorted(found, key=lambda one: (-one.confidence, -len(one.digits), one.start)):
        if all(number.end <= other.start or other.end <= number.start for other in kept):
            kept.append(number)
    return sorted(kept, key=lambda one: one.start)


def _card(text: Text, places: list[int], digits: bytes, brand: str, verdict: Judgement) -> CardNumber:
    spans = [text.span(place) for place in places]
    return CardNumber(
        digits,
        brand,
        verdict.confidence,
        verdict.reasons,
        spans[0][0],
        spans[-1][1],
        spans[6:-4],
        text.form,
        verdict.track,
    )


def numbers_in(text: Text) -> Iterator[tuple[list[int], tuple[int, ...]]]:
    """(places of the digits, sizes of the groups) of what has the right number of digits."""
    if text.only is not None:
        groups = [range(found.start(), found.end()) for found in _GROUP.finditer(text.data, *text.only)]
        if any(part.stop - part.start == 2 for part in groups[1:]) and b"%" in text.data[slice(*text.only)]:
            return
        yield [place for part in groups for place in part], tuple(len(part) for part in groups)
        return
    chain: list[range] = []
    separator = b""
    for found in _GROUP.finditer(text.data):
        group = range(found.start(), found.end())
        if text.cut and found.start() == 0:
            continue  # who knows what it began with
        if chain:
            between = text.data[chain[-1].stop : group.start]
            if between not in _SEPARATORS:
                chain = []
            elif len(chain) > 1 and between != separator:
                chain = chain[-1:]
            separator = between
        chain.append(group)
        total = 0
        for back in range(1, min(len(chain), _MOST_GROUPS) + 1):
            total += len(chain[-back])
            if total > LONGEST:
                break
            if total >= SHORTEST:
                parts = chain[-back:]
                yield [place for part in parts for place in part], tuple(len(part) for part in parts)
        del chain[:-_MOST_GROUPS]

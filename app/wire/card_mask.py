"""Payment card numbers in bytes that are about to be shown or written: the digits between the first six and the last four go.

The rule errs on the side of hiding: a run of digit groups parted by single spaces, dashes, dots or pluses, as they are or percent-encoded, is masked wherever
whole groups of it make 13 to 19 digits with a known issuer prefix (ISO/IEC 7812) and a valid check digit (Luhn). How many numbers there are, and
whether they are cards at all, is not decided here. Lengths never change, so offsets into the bytes stay true. The time is linear in the
length: check digits of all stretches come from two running sums.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate
from typing import Final

SHORTEST, LONGEST = 13, 19
KEPT_FRONT, KEPT_BACK = 6, 4
_RUN = re.compile(rb"[0-9](?:(?:%2[0DdBb]|[ +.-])?[0-9]){12,}")
_FEW: Final = 48  # digits
_GROUP = re.compile(rb"%2[0DdBb]|([0-9]+)")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
# (lowest prefix, highest prefix, allowed lengths); prefixes of one entry have the same number of digits.
_ISSUERS: Final[tuple[tuple[int, int, range], ...]] = (
    (4, 4, range(13, 20)),  # Visa
    (51, 55, range(16, 17)),  # Mastercard
    (2221, 2720, range(16, 17)),
    (34, 34, range(15, 16)),  # American Express
    (37, 37, range(15, 16)),
    (6011, 6011, range(16, 20)),  # Discover
    (644, 649, range(16, 20)),
    (65, 65, range(16, 20)),
    (300, 305, range(14, 20)),  # Diners Club
    (3095, 3095, range(14, 20)),
    (36, 36, range(14, 20)),
    (38, 39, range(14, 20)),
    (3528, 3589, range(16, 20)),  # JCB
    (62, 62, range(16, 20)),  # UnionPay
    (81, 81, range(16, 20)),
    (50, 50, range(13, 20)),  # Maestro
    (56, 69, range(13, 20)),
    (2200, 2204, range(16, 20)),  # Mir
    (1, 1, range(15, 16)),  # UATP
)


def masked(data: bytes, fill: bytes = b"*") -> tuple[bytes, bool]:
    """`data` with every card number masked by `fill` (one byte), and whether there was any."""
    hidden = hidden_positions(data)
    if not hidden:
        return data, False
    result = bytearray(data)
    for position in hidden:
        result[position] = fill[0]
    return bytes(result), True


def hidden_positions(data: bytes) -> list[int]:
    """Positions of the digits that may not be shown, in rising order."""
    hidden: set[int] = set()
    for run in _RUN.finditer(data):
        groups = [found.span(1) for found in _GROUP.finditer(data, run.start(), run.end()) if found[1]]
        places = [place for low, high in groups for place in range(low, high)]
        find = _few if len(places) <= _FEW else _numbers
        for first, last in find(data, groups, places):
            hidden.update(places[first + KEPT_FRONT : last - KEPT_BACK])
    return sorted(hidden)


def _few(data: bytes, groups: list[tuple[int, int]], places: list[int]) -> list[tuple[int, int]]:
    """The same as `_numbers`, faster for few digits."""
    digits = bytes(data[place] for place in places)
    bounds = list(accumulate((high - low for low, high in groups), initial=0))
    return [
        (first, last)
        for at, first in enumerate(bounds)
        for last in bounds[at + 1 :]
        if SHORTEST <= last - first <= LONGEST and is_card_number(digits[first:last])
    ]


def _numbers(data: bytes, groups: list[tuple[int, int]], places: list[int]) -> list[tuple[int, int]]:
    """[from, to) in the digits of a run of each card number; numbers begin and end with a group of the run."""
    import numpy as np  # not where few digits come: the process that takes packets apart starts without NumPy's threads

    digits = np.frombuffer(data, np.uint8)[places].astype(np.int64) - 48
    sizes = np.array([high - low for low, high in groups])
    ends = np.cumsum(sizes)
    begins = np.zeros(len(digits) + 1, bool)
    begins[ends - sizes] = True
    stops = np.zeros(len(digits) + 1, bool)
    stops[ends] = True
    doubled = np.array(_DOUBLED)[digits]
    even = np.arange(len(digits)) % 2 == 0
    # sums[p]: digits whose place has parity p are doubled
    sums = [np.concatenate(([0], np.cumsum(np.where(even == (p == 0), doubled, digits)))) for p in (0, 1)]
    found: list[tuple[int, int]] = []
    for length in range(SHORTEST, min(LONGEST, len(digits)) + 1):
        first = np.flatnonzero(begins[: len(digits) - length + 1] & stops[length:])
        last = first + length
        # the last digit is not doubled, the one before it is
        total = np.where(last % 2 == 0, sums[0][last] - sums[0][first], sums[1][last] - sums[1][first])
        for start in first[total % 10 == 0].tolist():
            if length in _lengths(digits[start : start + 4].astype(np.uint8).tobytes()):
                found.append((start, start + length))
    return found


@cache
def _lengths(first: bytes) -> frozenset[int]:
    """How long numbers are that begin with these four digits (values 0 … 9)."""
    text = "".join(str(digit) for digit in first)
    fitting = (lengths for low, high, lengths in _ISSUERS if low <= int(text[: len(str(low))]) <= high)
    return frozenset(length for lengths in fitting for length in lengths)


def is_card_number(digits: bytes) -> bool:
    """Whether ASCII digits have an issuer's prefix and length and a valid check digit."""
    return len(digits) in _lengths(bytes(digit - 48 for digit in digits[:4])) and _luhn(digits)


def _luhn(digits: bytes) -> bool:
    """The check digit of ISO/IEC 7812-1 annex B."""
    values = [digit - 48 for digit in digits]
    return (sum(values[-1::-2]) + sum(_DOUBLED[value] for value in values[-2::-2])) % 10 == 0

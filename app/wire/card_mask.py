"""Payment card numbers in bytes that are about to be shown or written: the digits between the first six and the last four go.

The rule errs on the side of hiding: a run of digit groups parted by single spaces or dashes is masked wherever whole groups of it
make 13 to 19 digits with a known issuer prefix (ISO/IEC 7812) and a valid check digit (Luhn). How many numbers there are, and
whether they are cards at all, is not decided here. Lengths never change, so offsets into the bytes stay true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

SHORTEST, LONGEST = 13, 19
KEPT_FRONT, KEPT_BACK = 6, 4
_RUN = re.compile(rb"[0-9](?:[ -]?[0-9]){12,}")
_GROUP = re.compile(rb"[0-9]+")
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
        for digits in _numbers(data, run.start(), run.end()):
            hidden.update(digits[KEPT_FRONT:-KEPT_BACK])
    return sorted(hidden)


def _numbers(data: bytes, start: int, end: int) -> Iterator[list[int]]:
    """Positions of the digits of each card number in a run; numbers begin and end with a group of the run."""
    groups = [range(found.start(), found.end()) for found in _GROUP.finditer(data, start, end)]
    for first in range(len(groups)):
        positions: list[int] = []
        for group in groups[first:]:
            positions.extend(group)
            if len(positions) > LONGEST:
                break
            if len(positions) >= SHORTEST and is_card_number(bytes([data[place] for place in positions])):
                yield positions


def is_card_number(digits: bytes) -> bool:
    """Whether ASCII digits have an issuer's prefix and length and a valid check digit."""
    return _luhn(digits) and any(
        len(digits) in lengths and low <= int(digits[: len(str(low))]) <= high for low, high, lengths in _ISSUERS
    )


def _luhn(digits: bytes) -> bool:
    """The check digit of ISO/IEC 7812-1 annex B."""
    values = [digit - 48 for digit in digits]
    return (sum(values[-1::-2]) + sum(_DOUBLED[value] for value in values[-2::-2])) % 10 == 0

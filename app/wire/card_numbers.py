"""Payment card numbers: issuers' prefixes (ISO/IEC 7812), lengths, check digit, and the groups they are written in."""

from __future__ import annotations

from typing import Final

SHORTEST, LONGEST = 13, 19
# 0 is "no issuer". The order is that of the codes of the kernels.
BRANDS: Final = (None, "visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay", "maestro")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
# (brand, lowest prefix, highest prefix, lengths); prefixes of one entry have the same number of digits. The first that fits counts.
ISSUERS: Final[tuple[tuple[str, int, int, tuple[int, ...]], ...]] = (
    ("visa", 4, 4, (13, 16, 19)),
    ("mastercard", 51, 55, (16,)),
    ("mastercard", 2221, 2720, (16,)),
    ("amex", 34, 34, (15,)),
    ("amex", 37, 37, (15,)),
    ("unionpay", 62, 62, (16, 17, 18, 19)),
    ("unionpay", 81, 81, (16, 17, 18, 19)),
    ("discover", 6011, 6011, (16, 17, 18, 19)),
    ("discover", 644, 649, (16, 17, 18, 19)),
    ("discover", 65, 65, (16, 17, 18, 19)),
    ("diners", 300, 305, (14, 16, 19)),
    ("diners", 3095, 3095, (14, 16, 19)),
    ("diners", 36, 36, (14, 16, 19)),
    ("diners", 38, 39, (14, 16, 19)),
    ("jcb", 3528, 3589, (16, 17, 18, 19)),
    ("maestro", 50, 50, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 56, 58, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 6304, 6304, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 6390, 6390, (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 67, 67, (13, 14, 15, 16, 17, 18, 19)),
)
# How cards are embossed and people write them; numbers without groups are always allowed.
GROUPINGS: Final = frozenset(
    {
        (4, 4, 5), (4, 3, 3, 3), (4, 4, 4, 1),  # 13
        (4, 6, 4), (4, 4, 4, 2),  # 14
        (4, 6, 5), (4, 4, 4, 3), (4, 5, 6),  # 15
        (4, 4, 4, 4), (6, 10),  # 16
        (4, 4, 4, 5), (4, 4, 4, 4, 1),  # 17
        (4, 4, 4, 4, 2), (4, 4, 4, 6),  # 18
        (4, 4, 4, 4, 3), (6, 13), (4, 4, 4, 7),  # 19
    }
)  # fmt: skip
# Numbers that programs are full of and that happen to look like cards: powers of two as JavaScript and C print them.
CONSTANTS: Final = frozenset({b"4503599627370496", b"4503599627370495", b"4611686018427387904", b"4611686018427387903"})


def luhn(digits: bytes) -> bool:
    """The check digit of ISO/IEC 7812-1 annex B, over ASCII digits."""
    values = [digit - 48 for digit in digits]
    return (sum(values[-1::-2]) + sum(_DOUBLED[value] for value in values[-2::-2])) % 10 == 0


def issuer_of(digits: bytes) -> str | None:
    """The brand by prefix and length; None: no issuer gives out such numbers."""
    for brand, low, high, lengths in ISSUERS:
        if len(digits) in lengths and low <= int(digits[: len(str(low))]) <= high:
            return brand
    return None


def brand_of(digits: bytes) -> str | None:
    """The brand of a whole card number in ASCII digits; None where prefix, length or check digit say that it is none."""
    if not SHORTEST <= len(digits) <= LONGEST or digits in CONSTANTS or digits.count(digits[:1]) == len(digits):
        return None
    return issuer_of(digits) if luhn(digits) else None


def shown(digits: bytes) -> str:
    """At most the first six and the last four (PCI DSS 3.4.1): 411111******1111."""
    return digits[:6].decode("ascii") + "*" * (len(digits) - 10) + digits[-4:].decode("ascii")

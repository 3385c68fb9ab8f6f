"""BER and DER (X.690) as Kerberos and LDAP use them: tag, length, value; one-byte tags, definite lengths, bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MOST_ELEMENTS: Final = 256


def element(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(tag, first byte of the value, end) of the element at a place; None: none, or one whose length cannot be read. The end may lie behind the data."""
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        return None
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or at + count > len(data):
            return None
        length = int.from_bytes(data[at : at + count], "big")
        at += count
    return tag, at, at + length


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of the elements side by side; the last one may be cut."""
    at = 0
    for _ in range(MOST_ELEMENTS):
        found = element(data, at)
        if found is None:
            return
        tag, start, end = found
        yield tag, data[start:end]
        at = end


def fields(data: bytes) -> dict[int, bytes]:
    """The first value of each tag."""
    known: dict[int, bytes] = {}
    for tag, value in elements(data):
        known.setdefault(tag, value)
    return known


def inside(data: bytes, *tags: int) -> bytes | None:
    """The value at the end of a path of tags, each the first of its kind."""
    for tag in tags:
        value = fields(data).get(tag)
        if value is None:
            return None
        data = value
    return data


def number(data: bytes | None) -> int:
    """An INTEGER's or ENUMERATED's value of at most 8 bytes, else 0."""
    return int.from_bytes(data[:8], "big", signed=True) if data else 0

"""Bytes of a peer as text that can be shown: UTF-8 where it is valid and printable, everything else backslash-escaped as \\xHH.

Card numbers in web addresses are masked here too, also where '+' or percent-encoding parts their digit groups.
"""

from __future__ import annotations

import re
from typing import Final

from app.wire.card_mask import hidden_positions

LONGEST: Final = 256  # characters of a name, a banner, a version
_PLAIN: Final = re.compile(rb"[ -~]*")
_DIGITS: Final = re.compile(rb"[0-9](?:[^0-9]{0,3}[0-9]){12}")
_ENCODED: Final = re.compile(rb"%[0-9A-Fa-f]{2}")


def printable(data: bytes, longest: int = LONGEST) -> str:
    """Text of at most `longest` characters and one `…`."""
    cut = len(data) > longest
    data = data[:longest]
    if _PLAIN.fullmatch(data):
        text = data.decode("ascii")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
        else:
            text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return text[:longest] + "…" if cut or len(text) > longest else text


def without_cards(target: bytes) -> bytes:
    """A web address (or a header that may hold one) with card numbers masked; its length stays."""
    if not _DIGITS.search(target):
        return target
    plain, places = _percent_decoded(target)
    hidden = hidden_positions(plain.replace(b"+", b" "))
    if not hidden:
        return target
    result = bytearray(target)
    for position in hidden:
        start, length = places[position]
        result[start : start + length] = b"*" * length
    return bytes(result)


def _percent_decoded(target: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """The decoded bytes, and for each its place and length in `target`."""
    if b"%" not in target:
        return target, [(index, 1) for index in range(len(target))]
    decoded = bytearray()
    places: list[tuple[int, int]] = []
    position = 0
    for found in _ENCODED.finditer(target):
        decoded += target[position : found.start()]
        places.extend((index, 1) for index in range(position, found.start()))
        decoded.append(int(found.group()[1:], 16))
        places.append((found.start(), 3))
        position = found.end()
    decoded += target[position:]
    places.extend((index, 1) for index in range(position, len(target)))
    return bytes(decoded), places


def _escaped(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))

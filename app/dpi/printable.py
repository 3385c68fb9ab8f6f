"""Bytes of a peer as text that can be shown: UTF-8 where it is valid and printable, everything else backslash-escaped as \\xHH.

Card numbers and passwords in web addresses are masked here too, numbers also where '+' or percent-encoding parts their digit groups.
"""

from __future__ import annotations

import re
from typing import Final

from app.wire.card_mask import hidden_positions

LONGEST: Final = 256  # characters of a name, a banner, a version
_LEAST: Final = 13  # digits of a card number
_DIGITS: Final = re.compile(rb"[0-9](?:[^0-9]{0,3}[0-9]){12}")
_CROWD: Final = re.compile(
    rb"(?:[0-9]{1,3}[ -]){40,}[0-9]*"
)  # so many short groups that trying them all costs too much: all hidden
_PASSWORD: Final = re.compile(rb"//([^/@\s:?#]{0,256}):[^/\s?#]{0,1024}@")
_ENCODED: Final = re.compile(rb"%[0-9A-Fa-f]{2}")


def printable(data: bytes, longest: int = LONGEST) -> str:
    """Text of at most `longest` characters and one `…`."""
    cut = len(data) > longest
    if cut:
        data = data[:longest]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
    else:
        if not text.isprintable():
            text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return text[:longest] + "…" if cut or len(text) > longest else text


def without_cards(target: bytes) -> bytes:
    """A web address (or a header that may hold one) with card numbers masked; its length stays."""
    if len(target) < _LEAST or not _DIGITS.search(target):
        return target
    plain, places = _percent_decoded(target)
    plain = plain.replace(b"+", b" ")
    hidden: list[int] = []
    for crowd in _CROWD.finditer(plain):
        hidden.extend(index for index in range(crowd.start(), crowd.end()) if plain[index : index + 1].isdigit())
    hidden += hidden_positions(_CROWD.sub(lambda crowd: b"x" * len(crowd[0]), plain) if hidden else plain)
    if not hidden:
        return target
    result = bytearray(target)
    for position in hidden:
        start, length = places[position]
        result[start : start + length] = b"*" * length
    return bytes(result)


def without_password(address: bytes) -> bytes:
    """A web address (or text that holds one) whose `//user:password@` keeps the user only."""
    return _PASSWORD.sub(rb"//\1:***@", address) if b"@" in address else address


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

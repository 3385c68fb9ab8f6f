"""The ways digits are written: a stretch of payload to plain text, each character with the bytes it came from.

Every decoder is bounded by a window around the place that a kernel has pointed at, and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.wire import card_layout as at

BEFORE: Final = 160  # characters looked at for context
AFTER: Final = 96
LONGEST_TEXT: Final = 1024

Span = tuple[int, int]
_HEX_RUN_BEFORE: Final = re.compile(rb"[0-9A-Fa-f]*\Z")
_HEX_RUN: Final = re.compile(rb"[0-9A-Fa-f]*")
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_QUOTED: Final = re.compile(rb"=([0-9A-Fa-f]{2})|=\r?\n")
_BASE64: Final = {
    **{code: i for i, code in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")},
    ord("-"): 62,
    ord("_"): 63,
}
# The message type, a bitmap that has the account number's bit, its length in two digits (ISO 8583-1)
_ISO_8583: Final = re.compile(
    rb"[012][1-8][0-9]{2}(?:[4-7][0-9A-Fa-f]{15}|[C-Fc-f][0-9A-Fa-f]{31}|[\x40-\x7f].{7}|[\xc0-\xff].{15})(1[3-9])",
    re.S,
)
_TAGS: Final = frozenset(b"\x4f\x50\x57\x5f\x82\x84\x8a\x91\x95\x9a\x9c\x9f")  # that begin other fields of EMV
_EBCDIC_NAME: Final = "cp037"


@dataclass(slots=True)
class Text:
    """Decoded text. `spans[i]`: the bytes (from, to) that character i came from; None: character i is byte `origin` + i."""

    data: bytes
    form: str | None = None  # how it was written, for people; None: as plain text
    origin: int = 0
    spans: list[Span] | None = None
    only: Span | None = None  # the number that a kernel has found, in positions of `data`
    track: bool = False  # the place itself says what it is
    cut: bool = False  # the text goes on before its first character

    def span(self, i: int) -> Span:
        """The bytes of character i."""
        return self.spans[i] if self.spans is not None else (self.origin + i, self.origin + i + 1)


@dataclass(slots=True)
class _Builder:
    data: bytearray = field(default_factory=bytearray)
    spans: list[Span] = field(default_factory=list)

    def add(self, code: int, start: int, end: int) -> None:
        self.data.append(code)
        self.spans.append((start, end))

    def text(self, form: str, track: bool = False) -> Text:
        return Text(bytes(self.data), form, 0, self.spans, None, track)


def texts(kind: int, data: bytes, start: int, end: int) -> Iterator[Text]:
    """What data[start:end] and its surroundings may say, for an event of a kernel."""
    decoder = _DECODERS.get(kind)
    if decoder is not None:
        yield from decoder(data, start, min(end, start + LONGEST_TEXT))


def _plain(data: bytes, start: int, end: int) -> Iterator[Text]:
    low = max(0, start - BEFORE)
    yield Text(data[low : end + AFTER], origin=low, only=(start - low, end - low), cut=low > 0)


def _percent(data: bytes, start: int, end: int) -> Iterator[Text]:
    """%34 and +, or =34 with lines that end in =."""
    out = _Builder()
    quoted = data[start : start + 1] == b"="
    escape = _QUOTED if quoted else _PERCENT
    i, high = max(0, start - BEFORE), min(len(data), end + 160)
    while i < high:
        found = escape.match(data, i)
        if found is None:
            out.add(data[i], i, i + 1)
            i += 1
            continue
        if found[1] is not None:
            out.add(int(found[1], 16), i, found.end())
        i = found.end()
    yield out.text("quoted-printable" if quoted else "percent-encoded")


def _hex(data: bytes, start: int, end: int) -> Iterator[Text]:
    run_before = _HEX_RUN_BEFORE.search(data, max(0, start - 256), start)
    low = run_before.start() if run_before else start
    run_after = _HEX_RUN.match(data, start, min(len(data), end + 256))
    high = run_after.end() if run_after else end
    for shift in (0, 1):
        out = _Builder()
        for i in range(low + shift, high - 1, 2):
            out.add(int(data[i : i + 2], 16), i, i + 2)
        if sum(48 <= code <= 57 for code in out.data) >= 13:
            yield out.text("hexadecimal")


def _long(data: bytes, start: int, end: int) -> Iterator[Text]:
    """Digits without a boundary: a message of ISO 8583, or hexadecimal."""
    for found in _ISO_8583.finditer(data, max(0, start - 40), end):
        first = found.end()
        last = first + int(found[1])
        if first < end and last <= len(data) and data[first:last].isdigit():
            yield Text(data[first:last], "ISO 8583 field 2", first, track=True)
            break
    yield from _hex(data, start, end)


def _base64(data: bytes, start: int, end: int) -> Iterator[Text]:
    """Groups of four characters around `start`, the first of one; line breaks are passed over."""
    places: list[int] = []
    i = start - 1
    while i >= 0 and len(places) < BEFORE and (data[i] in _BASE64 or data[i] in b"\r\n"):
        if data[i] in _BASE64:
            places.append(i)
        i -= 1
    places = places[: len(places) // 4 * 4][::-1]
    i = start
    while i < len(data) and i < end + 256 and (data[i] in _BASE64 or data[i] in b"\r\n"):
        if data[i] in _BASE64:
            places.append(i)
        i += 1
    out = _Builder()
    for at_ in range(0, len(places) - 1, 4):
        four = places[at_ : at_ + 4]
        bits = 0
        for place in four:
            bits = bits << 6 | _BASE64[data[place]]
        bits <<= 6 * (4 - len(four))
        for k in range(len(four) - 1):
            out.add(bits >> (16 - 8 * k) & 255, four[k], four[k + 1] + 1)
    yield out.text("base64")


def _utf16(data: bytes, start: int, end: int) -> Iterator[Text]:
    digits = sum(48 <= code <= 57 for code in data[start:end:2])
    first = start if digits >= sum(48 <= code <= 57 for code in data[start + 1 : end : 2]) else start + 1
    low = max(first - first // 2 * 2, first - 2 * 64)
    little = data[first + 1 : first + 2] == b"\0"
    out = _Builder()
    for i in range(low, min(len(data), end + 2 * 48), 2):
        other = data[i + 1 : i + 2] if little else data[i - 1 : i] if i else b"\0"
        out.add(data[i] if other in (b"\0", b"") and data[i] < 128 else 0x1F, i, i + 1)
    yield out.text("UTF-16")


def _fullwidth(data: bytes, start: int, end: int) -> Iterator[Text]:
    out = _Builder()
    i, high = max(0, start - BEFORE), min(len(data), end + AFTER)
    while i < high:
        if data[i : i + 2] == b"\xef\xbc" and i + 2 < len(data) and 0x90 <= data[i + 2] <= 0x99:
            out.add(data[i + 2] - 0x90 + 48, i, i + 3)
            i += 3
        else:
            out.add(data[i], i, i + 1)
            i += 1
    yield out.text("full-width digits")


def _ebcdic(data: bytes, start: int, end: int) -> Iterator[Text]:
    low = max(0, start - BEFORE)
    text = data[low : end + AFTER].decode(_EBCDIC_NAME).encode("ascii", "replace")
    yield Text(text, "EBCDIC", low, cut=low > 0)


def _packed(data: bytes, start: int, end: int) -> Iterator[Text]:
    """Track 2 equivalent data (tag 57) or the number (tag 5A) of EMV book 3: two digits in a byte, D between the fields, F at the end."""
    out = _Builder()
    digits = 0
    for i in range(start + 2, end):
        for nibble in (data[i] >> 4, data[i] & 15):
            if nibble > 9:
                break
            out.add(48 + nibble, i, i + 1)
            digits += 1
        else:
            continue
        break
    following = data[start + 2 : end].hex()[digits:]
    if data[start] == 0x57:
        expiry = following[1:5]  # YYMM
        good = following[:1] == "d" and len(expiry) == 4 and expiry.isdigit() and 1 <= int(expiry[2:]) <= 12
    else:
        good = following in ("", "f") and (digits + 1) // 2 == end - start - 2
        good = good and (end == len(data) or data[end] in _TAGS)  # two bytes and digits alone come by chance
    if good:
        yield out.text("EMV tag 57 (track 2)" if data[start] == 0x57 else "EMV tag 5A", track=True)


_DECODERS: Final[Mapping[int, Callable[[bytes, int, int], Iterator[Text]]]] = {
    at.PLAIN: _plain,
    at.PERCENT: _percent,
    at.HEX: _hex,
    at.LONG: _long,
    at.BASE64: _base64,
    at.UTF16: _utf16,
    at.FULLWIDTH: _fullwidth,
    at.EBCDIC: _ebcdic,
    at.PACKED: _packed,
}

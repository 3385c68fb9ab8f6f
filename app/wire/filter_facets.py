"""How a written value is held against columns: one class for each kind of column.

A facet turns an item into a test, once, while the query is parsed; the test is then a few NumPy operations over all rows. A facet
that does not understand an item raises ValueError with the reason; `allowed` says what it would have understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.wire.addresses import AddressRange, parse_network, range_between
from app.wire.filter_lexer import Item
from app.wire.filter_values import PLAIN, Interval, Mask, Units, interval, number_span, time_span

Rows = NDArray[np.void]
Column = NDArray[Any]
Test = Callable[[Rows, int], Mask]  # (rows, now in ns) → which rows match
Columns = Callable[[Rows], Sequence[Column]]  # alternatives: a row matches when one of them does

_INTEGER = re.compile(r"[0-9]{1,20}")


class Facet(Protocol):
    @property
    def allowed(self) -> tuple[str, ...]: ...
    def test(self, item: Item) -> Test: ...
    def sort_columns(self, rows: Rows) -> Sequence[Column]: ...


def any_of(masks: Iterable[Mask], length: int) -> Mask:
    result = np.zeros(length, bool)
    for mask in masks:
        result |= mask
    return result


def _refuse_comparison(item: Item) -> None:
    if item.operator not in ("", "="):
        raise ValueError(f"“{item.operator}” compares numbers and times only")


@dataclass(frozen=True)
class AddressFacet:
    """IP addresses: single, CIDR, `192.168.*`, `low..high`, `*` = any at all."""

    columns: Callable[[Rows], Sequence[tuple[Column, Column, Column]]]  # (ip_version, hi, lo)
    allowed: tuple[str, ...] = ("an IP address", "a network such as 10.0.0.0/8 or 192.168.*", "a range low..high")

    def test(self, item: Item) -> Test:
        _refuse_comparison(item)
        columns = self.columns
        if item.text == "*" and not item.quoted:
            return lambda rows, _now: any_of((version != 0 for version, _, _ in columns(rows)), len(rows))
        wanted = self.range_of(item.text)
        return lambda rows, _now: any_of((wanted.mask(*column) for column in columns(rows)), len(rows))

    def range_of(self, text: str) -> AddressRange:
        """The addresses that a value names; ValueError says what is wrong."""
        try:
            if ".." in text:
                low, _, high = text.partition("..")
                return range_between(low, high)
            return parse_network(text)
        except ValueError as error:
            reason = str(error) if "range" in str(error) else "no IP address or network"
            raise ValueError(f"“{text[:60]}”: {reason}") from None

    def sort_columns(self, rows: Rows) -> Sequence[Column]:
        return self.columns(rows)[0]


@dataclass(frozen=True)
class NumberFacet:
    """Integers or floats with units. Rows that hold `missing` have no value and match nothing."""

    columns: Columns
    units: Units = PLAIN
    missing: int | None = None
    largest: int | None = None  # refused above, to catch typing errors (ports)

    @property
    def allowed(self) -> tuple[str, ...]:
        return (f"numbers such as {self.units.example}",)

    def test(self, item: Item) -> Test:
        if item.text == "*" and not item.quoted and not item.operator:
            return self._evaluate(Interval(None, None))
        wanted = interval(item, number_span(self.units))
        for bound in (wanted.low, wanted.high):
            if self.largest is not None and bound is not None and not 0 <= bound.value <= self.largest:
                raise ValueError(f"“{item.text[:40]}” is not between 0 and {self.largest}")
        return self._evaluate(wanted)

    def _evaluate(self, wanted: Interval) -> Test:
        def test(rows: Rows, now_ns: int) -> Mask:
            return any_of(
                (wanted.mask(column, now_ns) & self._known(column) for column in self.columns(rows)), len(rows)
            )

        return test

    def _known(self, column: Column) -> Mask | np.bool_:
        if self.missing is None:
            return np.True_
        known: Mask = column != column.dtype.type(self.missing)
        return known

    def sort_columns(self, rows: Rows) -> Sequence[Column]:
        return self.columns(rows)[:1]


@dataclass(frozen=True)
class TimeFacet:
    """Nanoseconds since the epoch; 0 = no time."""

    columns: Columns
    allowed: tuple[str, ...] = ("a time such as 2026-01-31, 2026-01-31T12:00Z or -5m (five minutes ago)",)

    def test(self, item: Item) -> Test:
        columns = self.columns
        if item.text == "*" and not item.quoted and not item.operator:
            return lambda rows, _now: any_of((column != 0 for column in columns(rows)), len(rows))
        wanted = interval(item, time_span)
        return lambda rows, now: any_of(
            (wanted.mask(column, now) & (column != 0) for column in columns(rows)), len(rows)
        )

    def sort_columns(self, rows: Rows) -> Sequence[Column]:
        return self.columns(rows)[:1]


@dataclass(frozen=True)
class FlagFacet:
    """Bit sets: `syn`, `syn+ack` (both set), `=syn` (only that), `SA` (letters), `*` (any), `none`."""

    columns: Columns
    bits: Mapping[str, int]
    letters: Mapping[str, int]

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(self.bits)

    def test(self, item: Item) -> Test:
        _refuse_comparison(item)
        columns = self.columns
        if item.text == "*" and not item.quoted:
            return lambda rows, _now: any_of((column != 0 for column in columns(rows)), len(rows))
        wanted = self.bits_of(item.text.lower())
        if item.operator == "=" or wanted == 0:
            return lambda rows, _now: any_of((column == wanted for column in columns(rows)), len(rows))
        return lambda rows, _now: any_of((column & wanted == wanted for column in columns(rows)), len(rows))

    def bits_of(self, text: str) -> int:
        """The bits that a value names; ValueError where it is none."""
        if text in ("none", "0"):
            return 0
        result = 0
        for part in text.split("+"):
            if part in self.bits:
                result |= self.bits[part]
            elif part and all(letter in self.letters for letter in part):
                for letter in part:
                    result |= self.letters[letter]
            else:
                raise ValueError(f"“{part[:40]}” is no flag")
        return result

    def sort_columns(self, rows: Rows) -> Sequence[Column]:
        return self.columns(rows)[:1]


@dataclass(frozen=True)
class EnumFacet:
    """Codes with names; a name may stand for several codes. `*` inside a name matches several names."""

    columns: Columns
    values: Mapping[str, tuple[int, ...]]  # lower case
    numbers: int | None = None  # codes may be written as numbers up to this one
    missing: int | None = None

    @property
    def allowed(self) -> tuple[str, ...]:
        names = sorted(self.values)
        shown = names[:MOST_NAMES] + (["…"] if len(names) > MOST_NAMES else [])
        return tuple(shown) + ((f"0..{self.numbers}",) if self.numbers is not None else ())

    def test(self, item: Item) -> Test:
        _refuse_comparison(item)
        columns, missing = self.columns, self.missing
        if item.text == "*" and not item.quoted:
            return lambda rows, _now: any_of((column != missing for column in columns(rows)), len(rows))
        codes = sorted(self.codes(item))
        if len(codes) == 1:
            return lambda rows, _now: any_of((column == codes[0] for column in columns(rows)), len(rows))
        return lambda rows, _now: any_of((np.isin(column, codes) for column in columns(rows)), len(rows))

    def codes(self, item: Item) -> set[int]:
        """The codes that a value names; ValueError where it is none."""
        text = item.text.lower()
        if text in self.values:
            return set(self.values[text])
        if self.numbers is not None and _INTEGER.fullmatch(text) and int(text) <= self.numbers:
            return {int(text)}
        if "*" in text and not item.quoted:
            matches = text_match(item)
            found = {code for name, codes in self.values.items() if matches(name) for code in codes}
            if found:
                return found
        raise ValueError(f"“{item.text[:40]}” is not among the values of this field")

    def sort_columns(self, rows: Rows) -> Sequence[Column]:
        return self.columns(rows)[:1]


MOST_NAMES: Final = 24  # listed in an error


@dataclass(frozen=True)
class TextFacet:
    """Text (object, str or bytes arrays): contains, without regard to case; `a*b` matches the whole; `=` is exact.

    `columns` may compute its arrays, so a caller can hang names that live outside the rows (programs, countries) into a field set.
    """

    columns: Columns
    allowed: tuple[str, ...] = ("text", "a pattern such as *.example.org", "=exact text")

    def test(self, item: Item) -> Test:
        _refuse_comparison(item)
        matches = text_match(item)
        columns = self.columns
        return lambda rows, _now: any_of((_text_mask(column, matches) for column in columns(rows)), len(rows))

    def sort_columns(self, rows: Rows) -> Sequence[Column]:
        column = self.columns(rows)[0]
        return (np.array([_text_of(value).casefold() for value in column.tolist()], dtype=np.str_),)


def _text_of(value: object) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _text_mask(column: Column, matches: Callable[[str], bool]) -> Mask:
    """Each distinct value is looked at once: columns of names repeat."""
    values = column.tolist()
    known = {value: value is not None and matches(_text_of(value)) for value in set(values)}
    if not any(known.values()):
        return np.zeros(len(values), bool)
    return np.fromiter(map(known.__getitem__, values), bool, len(values))


def text_match(item: Item) -> Callable[[str], bool]:
    """The predicate of a text item. Linear in the text whatever the pattern is (no regular expression)."""
    wanted = item.text.casefold()
    if "*" not in wanted or item.quoted:
        if item.operator == "=":
            return lambda text: text.casefold() == wanted
        return lambda text: wanted in text.casefold()
    first, *middle, last = wanted.split("*")

    def matches(text: str) -> bool:
        folded = text.casefold()
        if len(folded) < len(first) + len(last) or not (folded.startswith(first) and folded.endswith(last)):
            return False
        at, end = len(first), len(folded) - len(last)
        for part in middle:
            at = folded.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return bool(folded)

    return matches

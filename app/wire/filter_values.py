"""The values of the query language: numbers with units, durations, times, and the intervals they make.

Everything that can be compared becomes an interval, so that `5`, `>5`, `5..9` and `2026-01-01` (a whole day) are one case. Numbers
stay exact (fractions) until they meet a column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.wire.filter_lexer import Item

Mask = NDArray[np.bool_]

_NUMBER = re.compile(r"(-?[0-9]{1,30}(?:\.[0-9]{1,30})?)([A-Za-zµ]{0,4})")
_RELATIVE = re.compile(r"-([0-9]{1,12}(?:\.[0-9]{1,9})?)([A-Za-zµ]{1,3})")
_EPOCH = re.compile(r"([0-9]{9,11}(?:\.[0-9]{1,9})?)")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Units:
    """Which suffixes a number may carry and what they multiply with; `default` applies without a suffix."""

    factors: Mapping[str, int]
    default: int
    example: str


_THOUSANDS: Final = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40}
_SIZES: Final = {**_THOUSANDS, **_BINARY}
_DURATIONS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 7 * 86400 * 10**9,
}

PLAIN: Final = Units({}, 1, "80, 80..90 or >=80")
COUNT: Final = Units(_THOUSANDS, 1, "5, >1k or 10..20")
BYTES: Final = Units(
    {**_SIZES, "b": 1, **{f"{unit}b": factor for unit, factor in _SIZES.items()}}, 1, "500, >1M or 1KiB..1MiB"
)
SECONDS: Final = Units(_DURATIONS, 10**9, "5, >500ms or 1m..2h")
MILLISECONDS: Final = Units(_DURATIONS, 10**6, "5, >20ms or 1..50")


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of an interval. `relative`: counted from now."""

    value: Fraction
    is_open: bool = False
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; None = without an end."""

    low: Bound | None
    high: Bound | None

    def mask(self, column: NDArray[Any], now_ns: int = 0) -> Mask:
        """Which values of an integer or float column lie inside; NaN never does."""
        low, high = _closed(self.low, column, now_ns, True), _closed(self.high, column, now_ns, False)
        inside: Mask = np.ones(len(column), bool) if column.dtype.kind != "f" else ~np.isnan(column)
        if column.dtype.kind == "f":
            return _float_mask(self, column, inside, now_ns)
        limits = np.iinfo(column.dtype)
        if (low is not None and low > limits.max) or (high is not None and high < limits.min):
            return np.zeros(len(column), bool)
        if low is not None and low > limits.min:
            inside &= column >= column.dtype.type(low)
        if high is not None and high < limits.max:
            inside &= column <= column.dtype.type(high)
        return inside


def _at(bound: Bound, now_ns: int) -> Fraction:
    return bound.value + now_ns if bound.relative else bound.value


def _closed(bound: Bound | None, column: NDArray[Any], now_ns: int, is_low: bool) -> int | None:
    """The bound as the outermost integer inside it: `> 2.5` is `>= 3`."""
    if bound is None or column.dtype.kind == "f":
        return None
    value = _at(bound, now_ns)
    if is_low:
        return math.floor(value) + 1 if bound.is_open else math.ceil(value)
    return math.ceil(value) - 1 if bound.is_open else math.floor(value)


def _float_mask(interval: Interval, column: NDArray[Any], inside: Mask, now_ns: int) -> Mask:
    if interval.low is not None:
        low = float(_at(interval.low, now_ns))
        inside &= column > low if interval.low.is_open else column >= low
    if interval.high is not None:
        high = float(_at(interval.high, now_ns))
        inside &= column < high if interval.high.is_open else column <= high
    return inside


def interval(item: Item, span: Callable[[str], tuple[Bound, Bound | None]]) -> Interval:
    """The interval an item names; `span` gives first and last value of one written value. ValueError says what is wrong."""
    if not item.operator and ".." in item.text:
        first, _, last = item.text.partition("..")
        if not first and not last:
            raise ValueError("a range needs a value on at least one side of “..”")
        low = span(first)[0] if first else None
        high = span(last) if last else None
        return Interval(low, None if high is None else high[1] or high[0])
    low, high_or_none = span(item.text)
    high_bound = low if high_or_none is None else high_or_none
    if item.operator == ">=":
        return Interval(low, None)
    if item.operator == ">":
        return Interval(Bound(high_bound.value, True, high_bound.relative), None)
    if item.operator == "<=":
        return Interval(None, high_bound)
    if item.operator == "<":
        return Interval(None, Bound(low.value, True, low.relative))
    if low.relative and low.value and not item.operator:
        return Interval(low, None)  # `start:-5m` = within the last five minutes
    return Interval(low, high_bound)


def number(text: str, units: Units) -> Fraction:
    """A number with an optional suffix of `units`, in base units. ValueError otherwise."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"“{text[:40]}” is no number")
    suffix = found[2].lower()
    if suffix and suffix not in units.factors:
        raise ValueError(f"“{found[2]}” is no unit of this field")
    return Fraction(found[1]) * (units.factors[suffix] if suffix else units.default)


def number_span(units: Units) -> Callable[[str], tuple[Bound, Bound | None]]:
    return lambda text: (Bound(number(text, units)), None)


def time_span(text: str) -> tuple[Bound, Bound | None]:
    """First and last nanosecond that a written time names: a date is its whole day, a minute its sixty seconds."""
    if text == "now":
        return Bound(Fraction(0), relative=True), None
    ago = _RELATIVE.fullmatch(text)
    if ago is not None:
        factor = _DURATIONS.get(ago[2])
        if factor is None:
            raise ValueError(f"“{ago[2]}” is no unit of time")
        return Bound(-Fraction(ago[1]) * factor, relative=True), None
    if _EPOCH.fullmatch(text):
        return Bound(Fraction(text) * 10**9), None
    date = _DATE.fullmatch(text)
    if date is None:
        raise ValueError(f"“{text[:40]}” is no time")
    return _calendar_span(date)


def _calendar_span(date: re.Match[str]) -> tuple[Bound, Bound | None]:
    year, month, day, hour, minute, second, fraction, zone = date.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=timezone.utc
        )
    except ValueError as error:
        raise ValueError(f"“{date[0]}” is no time: {error}") from None
    start = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(seconds=1) * 10**9 - _offset_ns(zone)
    if fraction is not None:
        start += int(fraction.ljust(9, "0"))
        length = 10 ** (9 - len(fraction))
    elif second is not None:
        length = 10**9
    else:
        length = 60 * 10**9 if hour is not None else 86400 * 10**9
    return Bound(Fraction(start)), Bound(Fraction(start + length - 1))


def _offset_ns(zone: str | None) -> int:
    """A UTC offset in nanoseconds; without one the time is UTC."""
    if zone is None or zone in "Zz":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return (-seconds if zone[0] == "-" else seconds) * 10**9

"""The query language as SQL: the tree that `app.wire.filter` parsed becomes a condition over a table of history.

What is not known (NULL, NaN, or the number that stands for it) matches neither a value nor a comparison, as everywhere in the language. Text and
patterns travel as parameters; numbers are written by us.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from app.wire.addresses import AddressRange
from app.wire.filter import All, Any_, FieldSet, Not, Query, Term
from app.wire.filter_facets import AddressFacet, EnumFacet, Facet, FlagFacet, NumberFacet, TextFacet, TimeFacet
from app.wire.filter_lexer import Item
from app.wire.filter_values import Bound, Interval, interval, number_span, time_span

_LARGEST: Final = (1 << 64) - 1
_NEVER: Final = "FALSE"


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL with the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is in a table: SQL expressions, one of which must match. For addresses: prefixes of `_hi` and `_lo`, and the
    expression of their version; `whole`: the words are whole ones; `real`: floats, which may be NaN; `guard`: a condition without which there is no value
    – asked once beside plain columns, which is several times faster than expressions that hold it."""

    expressions: tuple[str, ...]
    whole: bool = False
    real: bool = False
    guard: str = ""

    @property
    def ordered(self) -> tuple[str, ...]:
        """What to sort by; -1 where there is no value."""
        if not self.guard:
            return self.expressions
        return tuple(f"CASE WHEN {self.guard} THEN {one}::BIGINT ELSE -1 END" for one in self.expressions)


def condition(query: Query, fields: FieldSet, places: Mapping[str, Place], now_ns: int) -> Sql:
    """The condition of a query over `fields`; TRUE where it has none. A field without a place cannot be asked for."""
    if query.condition is None:
        return Sql("TRUE")
    return _node(query.condition, fields, places, now_ns)


def _node(node: Any, fields: FieldSet, places: Mapping[str, Place], now_ns: int) -> Sql:
    if isinstance(node, Not):
        inner = _node(node.child, fields, places, now_ns)
        return Sql(f"NOT coalesce({inner.text}, FALSE)", inner.values)
    if isinstance(node, (All, Any_)):
        word = " AND " if isinstance(node, All) else " OR "
        return _joined(word, [_node(child, fields, places, now_ns) for child in node.children])
    assert isinstance(node, Term)
    return _joined(" OR ", [_item(item, node.name, fields, places, now_ns) for item in node.items])


def _joined(word: str, parts: list[Sql]) -> Sql:
    if not parts:
        return Sql(_NEVER)
    return Sql(f"({word.join(part.text for part in parts)})", tuple(value for part in parts for value in part.values))


def _item(item: Item, name: str | None, fields: FieldSet, places: Mapping[str, Place], now_ns: int) -> Sql:
    """One written value: of a field, or of every free field that understands it."""
    known = [fields.fields[name]] if name is not None else list(fields.free)
    parts = []
    for field in known:
        for facet in field.facets:
            try:
                facet.test(item)
            except ValueError:
                continue  # not a value of this facet; the parser has seen to it that one understands it
            parts.append(_facet(facet, item, places[field.name], now_ns))
            break
    return _joined(" OR ", parts)


def _facet(facet: Facet, item: Item, place: Place, now_ns: int) -> Sql:
    any_value = item.text == "*" and not item.quoted and not item.operator
    if isinstance(facet, AddressFacet):
        return _addresses(facet, item, place, any_value)
    if isinstance(facet, NumberFacet):
        wanted = Interval(None, None) if any_value else interval(item, number_span(facet.units))
        return _each(place, lambda column: _number(column, wanted, facet.missing, place.real, now_ns))
    if isinstance(facet, TimeFacet):
        wanted = Interval(None, None) if any_value else interval(item, time_span)
        return _each(place, lambda column: _number(column, wanted, 0, False, now_ns))
    if isinstance(facet, FlagFacet):
        return _flags(facet, item, place, any_value)
    if isinstance(facet, EnumFacet):
        return _codes(facet, item, place, any_value)
    assert isinstance(facet, TextFacet)
    return _texts(item, place)


def _each(place: Place, make: Any) -> Sql:
    found = _joined(" OR ", [Sql(make(column)) for column in place.expressions])
    return Sql(f"({place.guard} AND {found.text})", found.values) if place.guard else found


# -- addresses -----------------------------------------------------------------------------------------------------------


def _addresses(facet: AddressFacet, item: Item, place: Place, any_value: bool) -> Sql:
    version, *prefixes = place.expressions
    if any_value:
        return _joined(
            " OR ", [Sql(f"{prefix}_hi IS NOT NULL AND {version.format(prefix)} <> 0") for prefix in prefixes]
        )
    wanted = facet.range_of(item.text)
    return _joined(" OR ", [Sql(_inside(prefix, version.format(prefix), wanted)) for prefix in prefixes])


def _inside(prefix: str, version: str, wanted: AddressRange) -> str:
    hi, lo = f"{prefix}_hi", f"{prefix}_lo"
    if wanted.low_hi == wanted.high_hi:
        span = f"{hi} = {wanted.low_hi} AND {lo} BETWEEN {wanted.low_lo} AND {wanted.high_lo}"
    else:
        span = (
            f"({hi} > {wanted.low_hi} OR ({hi} = {wanted.low_hi} AND {lo} >= {wanted.low_lo}))"
            f" AND ({hi} < {wanted.high_hi} OR ({hi} = {wanted.high_hi} AND {lo} <= {wanted.high_lo}))"
        )
    return f"({version} = {wanted.version} AND {span})"


# -- numbers and times ---------------------------------------------------------------------------------------------------


def _number(column: str, wanted: Interval, missing: int | None, real: bool, now_ns: int) -> str:
    parts = [f"{column} IS NOT NULL"]
    if missing is not None:
        parts.append(f"{column} <> {missing}")
    if real:
        parts.append(f"NOT isnan({column})")
    for bound, is_low in ((wanted.low, True), (wanted.high, False)):
        if bound is not None:
            parts.append(_compared(column, bound, is_low, real, now_ns))
    return f"({' AND '.join(parts)})"


def _compared(column: str, bound: Bound, is_low: bool, real: bool, now_ns: int) -> str:
    value: Fraction = bound.value + now_ns if bound.relative else bound.value
    if real:
        sign = (">" if is_low else "<") + ("" if bound.is_open else "=")
        return f"{column} {sign} {float(value)!r}::DOUBLE"
    if is_low:
        whole = math.floor(value) + 1 if bound.is_open else math.ceil(value)
        return _NEVER if whole > _LARGEST else f"{column} >= {whole}" if whole > -_LARGEST else "TRUE"
    whole = math.ceil(value) - 1 if bound.is_open else math.floor(value)
    return _NEVER if whole < -_LARGEST else f"{column} <= {whole}" if whole < _LARGEST else "TRUE"


# -- codes, flags, texts -------------------------------------------------------------------------------------------------


def _codes(facet: EnumFacet, item: Item, place: Place, any_value: bool) -> Sql:
    if any_value:
        missing = facet.missing
        return _each(place, lambda column: f"{column} IS NOT NULL" if missing is None else f"{column} <> {missing}")
    codes = ", ".join(str(code) for code in sorted(facet.codes(item)))
    return _each(place, lambda column: f"{column} IN ({codes})")


def _flags(facet: FlagFacet, item: Item, place: Place, any_value: bool) -> Sql:
    if any_value:
        return _each(place, lambda column: f"{column} <> 0")
    wanted = facet.bits_of(item.text.lower())
    if item.operator == "=" or wanted == 0:
        return _each(place, lambda column: f"{column} = {wanted}")
    return _each(place, lambda column: f"({column} & {wanted}) = {wanted}")


def _texts(item: Item, place: Place) -> Sql:
    wanted = item.text.casefold()
    if "*" not in wanted or item.quoted:
        exact = item.operator == "=" or (place.whole and not item.operator)
        test = "lower({}) = ?" if exact else "contains(lower({}), ?)"
        values: tuple[Any, ...] = (wanted,)
    else:
        test, values = "(lower({0}) LIKE ? ESCAPE '\\' AND {0} <> '')", (_pattern(wanted),)
    parts = [Sql(f"({column} IS NOT NULL AND {test.format(column)})", values) for column in place.expressions]
    return _joined(" OR ", parts)


def _pattern(wanted: str) -> str:
    """`a*b` for LIKE, with what LIKE would read otherwise escaped."""
    for sign in ("\\", "%", "_"):
        wanted = wanted.replace(sign, f"\\{sign}")
    return wanted.replace("*", "%")

"""The one query language of Netglass: parsed once against a set of fields, evaluated on columns.

    port:443 -ip:10.0.0.0/8 (bytes:>1M OR duration:>5s) sort:-bytes

Terms beside each other must all hold; OR binds weaker; `-` and NOT exclude. The grammar is here, the words in `filter_lexer`, the
values in `filter_values`, the kinds of columns in `filter_facets`, the fields of packets and flows in `filter_columns`.
`docs/query-language.md` is the user's page. Any text gives a `Query` or a `QueryError`, nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.wire.filter_facets import Facet, Rows, Test, any_of
from app.wire.filter_lexer import Item, QueryError, Token, tokens
from app.wire.filter_values import Mask

__all__ = ["Field", "FieldSet", "Item", "Query", "QueryError", "SortKey", "parse"]

MAX_LENGTH: Final = 2000  # characters
MAX_DEPTH: Final = 32  # of parentheses and exclusions inside each other
MAX_TERMS: Final = 64  # each costs a pass over all rows
MAX_ITEMS: Final = 256  # values in all lists together


@dataclass(frozen=True)
class Field:
    """A name that can be asked for. The first facet that understands a value takes it."""

    name: str
    facets: tuple[Facet, ...]
    help: str = ""
    aliases: tuple[str, ...] = ()


class FieldSet:
    """The fields of one kind of rows, and which of them a bare word is looked for in."""

    def __init__(self, fields: Iterable[Field], free: Iterable[str] = ()) -> None:
        self.fields: dict[str, Field] = {known.name: known for known in fields}
        self._by_name = {alias: known for known in self.fields.values() for alias in known.aliases}
        self._by_name.update(self.fields)
        self.free: tuple[Field, ...] = tuple(self._by_name[name] for name in free)
        if "sort" in self._by_name:
            raise ValueError("“sort” is a word of the language and cannot name a field")

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name

    def get(self, name: str) -> Field | None:
        return self._by_name.get(name.lower())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.fields))

    def extended(self, fields: Iterable[Field], free: Iterable[str] = ()) -> FieldSet:
        """A set with more fields (one of the same name takes the place of the old one) that bare words look into as well."""
        merged = {**self.fields, **{known.name: known for known in fields}}
        return FieldSet(merged.values(), [*(known.name for known in self.free), *free])


@dataclass(frozen=True)
class SortKey:
    name: str
    descending: bool
    field: Field = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"sort:{'-' if self.descending else ''}{self.name}"


@dataclass(frozen=True)
class Term:
    name: str | None
    items: tuple[Item, ...]
    tests: tuple[Test, ...] = field(compare=False, repr=False)

    def mask(self, rows: Rows, now_ns: int) -> Mask:
        return any_of((test(rows, now_ns) for test in self.tests), len(rows))

    def __str__(self) -> str:
        values = ",".join(map(str, self.items))
        return values if self.name is None else f"{self.name}:{values}"


@dataclass(frozen=True)
class Not:
    child: Node

    def mask(self, rows: Rows, now_ns: int) -> Mask:
        result: Mask = ~self.child.mask(rows, now_ns)
        return result

    def __str__(self) -> str:
        return f"-({self.child})" if isinstance(self.child, (All, Any_)) else f"-{self.child}"


@dataclass(frozen=True)
class All:
    children: tuple[Node, ...]

    def mask(self, rows: Rows, now_ns: int) -> Mask:
        result: Mask = np.ones(len(rows), bool)
        for child in self.children:
            result &= child.mask(rows, now_ns)
        return result

    def __str__(self) -> str:
        return " ".join(f"({child})" if isinstance(child, Any_) else str(child) for child in self.children)


@dataclass(frozen=True)
class Any_:
    children: tuple[Node, ...]

    def mask(self, rows: Rows, now_ns: int) -> Mask:
        return any_of((child.mask(rows, now_ns) for child in self.children), len(rows))

    def __str__(self) -> str:
        return " OR ".join(map(str, self.children))


Node = Term | Not | All | Any_


@dataclass(frozen=True)
class Query:
    """A parsed query. `str()` writes it again; what that parses to is equal."""

    condition: Node | None  # None: everything matches
    sort_keys: tuple[SortKey, ...] = ()

    def mask(self, rows: Rows, now_ns: int = 0) -> Mask:
        """Which rows match. `now_ns` is what times like `-5m` count from (the capture's clock)."""
        if self.condition is None:
            return np.ones(len(rows), bool)
        return self.condition.mask(rows, now_ns)

    def order(self, rows: Rows) -> NDArray[np.intp]:
        """Indices that sort `rows` by the sort keys, the first one first; equal rows keep their order."""
        order = np.arange(len(rows))
        for key in reversed(self.sort_keys):
            for column in reversed(tuple(key.field.facets[0].sort_columns(rows))):
                values: NDArray[Any] = column[order]
                if key.descending:  # reversed twice, so that equal rows keep their order
                    order = order[::-1][np.argsort(values[::-1], kind="stable")[::-1]]
                else:
                    order = order[np.argsort(values, kind="stable")]
        return order

    def __str__(self) -> str:
        condition = [] if self.condition is None else [str(self.condition)]
        return " ".join([*condition, *map(str, self.sort_keys)])


def parse(text: str, fields: FieldSet) -> Query:
    """The query that `text` writes over `fields`; QueryError says what is wrong and where."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the query is longer than {MAX_LENGTH} characters", MAX_LENGTH)
    found = tokens(text, lambda name, word: name.lower() != "sort" and name not in fields and _is_address(word))
    if sum(token.kind == "term" for token in found) > MAX_TERMS:
        raise QueryError(f"the query has more than {MAX_TERMS} terms", 0)
    if sum(len(token.items) for token in found) > MAX_ITEMS:
        raise QueryError(f"the query lists more than {MAX_ITEMS} values", 0)
    conditions, sort_keys = _take_sort_keys(found, fields)
    parser = _Parser(conditions, fields, len(text))
    return Query(parser.whole(), sort_keys)


def _is_address(word: str) -> bool:
    """IPv6 addresses begin like a field: `fe80::1`."""
    try:
        ipaddress.ip_interface(word.partition("..")[0])
    except ValueError:
        return False
    return True


def _take_sort_keys(found: Sequence[Token], fields: FieldSet) -> tuple[list[Token], tuple[SortKey, ...]]:
    """`sort:` is no condition: it is taken out, and must stand where it could not be mistaken for one."""
    conditions: list[Token] = []
    keys: list[SortKey] = []
    depth = 0
    for place, token in enumerate(found):
        depth += (token.kind == "open") - (token.kind == "close")
        if token.name is None or token.name.lower() != "sort":
            conditions.append(token)
            continue
        before = found[place - 1].kind if place else None
        after = found[place + 1].kind if place + 1 < len(found) else None
        if depth or before in ("not", "or", "and") or after in ("or", "and"):
            raise QueryError("“sort:” cannot stand inside parentheses or beside AND, OR and NOT", token.position)
        keys.extend(_sort_key(item, fields) for item in token.items)
    return conditions, tuple(keys)


def _sort_key(item: Item, fields: FieldSet) -> SortKey:
    descending = item.text.startswith("-")
    known = fields.get(item.text.removeprefix("-"))
    if known is None or item.operator or item.quoted:
        raise QueryError(f"cannot sort by “{str(item)[:40]}”", item.position, fields.names)
    return SortKey(known.name, descending, known)


class _Parser:
    """Recursive descent over tokens, bounded in depth."""

    def __init__(self, found: Sequence[Token], fields: FieldSet, end: int) -> None:
        self._tokens = found
        self._fields = fields
        self._end = end
        self._at = 0
        self._depth = 0

    def whole(self) -> Node | None:
        if not self._tokens:
            return None
        node = self._any()
        if self._at < len(self._tokens):
            raise QueryError("this “)” closes nothing", self._position())
        return node

    def _kind(self) -> str | None:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else None

    def _position(self) -> int:
        return self._tokens[self._at].position if self._at < len(self._tokens) else self._end

    def _any(self) -> Node:
        children = [self._all()]
        while self._kind() == "or":
            self._at += 1
            children.append(self._all())
        return _joined(Any_, children)

    def _all(self) -> Node:
        children = [self._one()]
        while self._kind() in ("and", "not", "open", "term"):
            if self._kind() == "and":
                self._at += 1
            children.append(self._one())
        return _joined(All, children)

    def _one(self) -> Node:
        kind, position = self._kind(), self._position()
        if kind == "term":
            self._at += 1
            return _term(self._tokens[self._at - 1], self._fields)
        if kind not in ("open", "not"):
            what = "the end of the query" if kind is None else f"“{')' if kind == 'close' else kind.upper()}”"
            raise QueryError(f"a term is missing before {what}", position)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(f"the query nests deeper than {MAX_DEPTH}", position)
        self._at += 1
        if kind == "not":
            node: Node = Not(self._one())
        else:
            node = self._any()
            if self._kind() != "close":
                raise QueryError("the “(” that opens here is never closed", position)
            self._at += 1
        self._depth -= 1
        return node


def _joined(kind: type[All] | type[Any_], children: list[Node]) -> Node:
    """One node for several, with children of the same kind drawn up into it."""
    if len(children) == 1:
        return children[0]
    flat: list[Node] = []
    for child in children:
        if isinstance(child, (All, Any_)) and isinstance(child, kind):
            flat.extend(child.children)
        else:
            flat.append(child)
    return kind(tuple(flat))


def _term(token: Token, fields: FieldSet) -> Term:
    if token.name is None:
        return Term(None, token.items, tuple(_free_tests(token.items[0], fields)))
    known = fields.get(token.name)
    if known is None:
        raise QueryError(f"there is no field “{token.name[:40]}”", token.position, fields.names)
    return Term(known.name, token.items, tuple(_test(item, known) for item in token.items))


def _test(item: Item, known: Field) -> Test:
    reason = ""
    for facet in known.facets:
        try:
            return facet.test(item)
        except ValueError as error:
            reason = reason or str(error)
    allowed = tuple(dict.fromkeys(text for facet in known.facets for text in facet.allowed))
    raise QueryError(f"{known.name}: {reason}", item.position, allowed)


def _free_tests(item: Item, fields: FieldSet) -> list[Test]:
    """A bare word is looked for in every free field that understands it."""
    found: list[Test] = []
    for known in fields.free:
        for facet in known.facets:
            try:
                found.append(facet.test(item))
            except ValueError:
                continue  # not a word of this field; another one may know it
            break
    if not found:
        searched = ", ".join(known.name for known in fields.free)
        raise QueryError(
            f"“{item.text[:40]}” is no value of {searched or 'any field'}; write field:value",
            item.position,
            fields.names,
        )
    return found

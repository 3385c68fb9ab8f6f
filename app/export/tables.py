"""What a file of rows is made of, whatever its format: columns with types, and rows that come in parts, so that memory stays constant.

A format is one file with a `Writer`; `app.export.formats` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`name` may be dotted (`dns.question.name`): formats that nest make objects of it. `kind` as in `app.model.field`;
    `zeek`: Zeek's type of it."""

    name: str
    kind: str = "text"
    zeek: str = "string"


@dataclass(frozen=True, slots=True)
class Table:
    """`path`: what the rows are, in Zeek's words (`conn`, `dns`). `only_known`: objects leave out what is not known, where their schema has no
    null."""

    columns: tuple[Column, ...]
    path: str = "conn"
    only_known: bool = False


class Writer(Protocol):
    """Bytes of one file: the head once, rows as they come, the tail once."""

    def head(self) -> bytes: ...
    def rows(self, rows: Iterable[Row]) -> bytes: ...
    def tail(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Format:
    """`extension`: of file names, without the dot."""

    name: str
    content_type: str
    extension: str
    writer: Callable[[Table], Writer]


def nested(table: Table, row: Row) -> dict[str, Any]:
    """A row as an object; `a.b` becomes `{"a": {"b": …}}`. Where the name of a value is also that of an object, it keeps its dots."""
    found: dict[str, Any] = {}
    for column, value in zip(table.columns, row, strict=True):
        if value is None and table.only_known:
            continue
        *parents, last = column.name.split(".")
        place = found
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                place, last = found, column.name
                break
            place = inner
        place[last] = value
    return found

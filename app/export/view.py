"""A view: the columns of a file, and where each comes from in a document.

Documents are what REST gives, with `flow` beside facts: the connection they were read in, by originator and responder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.export.tables import Column, Row, Table

Document = Mapping[str, Any]
Getter = Callable[[Document], Any]


@dataclass(frozen=True, slots=True)
class View:
    """How documents of one kind become rows. `path`: Zeek's name of such rows; `only_known`: see `Table`."""

    columns: tuple[Column, ...]
    getters: tuple[Getter, ...]
    path: str = "conn"
    only_known: bool = False

    def rows(self, documents: Iterable[Document]) -> list[Row]:
        return [[get(document) for get in self.getters] for document in documents]

    def table(self) -> Table:
        return Table(self.columns, self.path, self.only_known)


def key(name: str) -> Getter:
    return lambda document: document.get(name)


def of_flow(name: str) -> Getter:
    """A key of the connection that a fact belongs to; of the document itself where it is a connection."""
    return lambda document: (document.get("flow") or document).get(name)


def constant(value: Any) -> Getter:
    return lambda document: value


def view(rows: Iterable[tuple[str, str, str | Getter]], path: str = "conn", only_known: bool = False) -> View:
    """`rows`: (name, kind or Zeek type, key or getter)."""
    rows = tuple(rows)
    columns = tuple(Column(name, kind, kind) for name, kind, _ in rows)
    return View(columns, tuple(key(get) if isinstance(get, str) else get for _, _, get in rows), path, only_known)

"""A view: the columns of a file, and where each comes from in a document.

Documents are what REST gives, with `flow` beside facts: the connection they were read in, by originator and responder.
"""

from __future__ import annotations

import ipaddress
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


def end_of(text: Any) -> tuple[str | None, int | None]:
    """(address, port) of `192.0.2.1`, `192.0.2.1:443` or `[2001:db8::1]:443`; alerts name networks, names and numbers of hosts as well, which have neither."""
    if not isinstance(text, str):
        return None, None
    for address, port in ((text, ""), text.rpartition(":")[::2]):
        try:
            found = str(ipaddress.ip_address(address[1:-1] if port and address.startswith("[") else address))
        except ValueError:
            continue
        return found, int(port) if port.isascii() and port.isdigit() and int(port) < 65_536 else None
    return None, None


def address(name: str) -> Getter:
    """Of an end that an alert names."""
    return lambda document: end_of(document.get(name))[0]


def port(name: str) -> Getter:
    return lambda document: end_of(document.get(name))[1]


def constant(value: Any) -> Getter:
    return lambda document: value


def view(rows: Iterable[tuple[str, str, str | Getter]], path: str = "conn", only_known: bool = False) -> View:
    """`rows`: (name, kind or Zeek type, key or getter)."""
    rows = tuple(rows)
    columns = tuple(Column(name, kind, kind) for name, kind, _ in rows)
    return View(columns, tuple(key(get) if isinstance(get, str) else get for _, _, get in rows), path, only_known)

"""JSON: one list of objects, written as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterable

from app.export.tables import Row, Table, nested


class JsonWriter:
    """`[`, the objects, `]`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._before = ""

    def head(self) -> bytes:
        return b"["

    def rows(self, rows: Iterable[Row]) -> bytes:
        lines = []
        for row in rows:
            lines.append(
                f"{self._before}\n{json.dumps(nested(self._table, row), separators=(',', ':'), allow_nan=False)}"
            )
            self._before = ","
        return "".join(lines).encode()

    def tail(self) -> bytes:
        return b"\n]\n"

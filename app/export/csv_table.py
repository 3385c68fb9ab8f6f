"""CSV after RFC 4180, in UTF-8. Text that a spreadsheet would take for a formula is defused with an apostrophe.

Everything captured may be hostile: a server name `=HYPERLINK(…)` must stay text when the file is opened (CWE-1236). Numbers are written by
us and stay numbers, negative ones too. What is not known is an empty cell.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, Final

from app.export.tables import Row, Table

FORMULA_STARTS: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "|",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)  # and their full-width twins


class CsvWriter:
    """The header line, then a line for each row."""

    def __init__(self, table: Table) -> None:
        self._names = [column.name for column in table.columns]

    def head(self) -> bytes:
        return self._lines([self._names])

    def rows(self, rows: Iterable[Row]) -> bytes:
        return self._lines([cell(value) for value in row] for row in rows)

    def tail(self) -> bytes:
        return b""

    def _lines(self, rows: Iterable[Row]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode("utf-8", "replace")


def cell(value: Any) -> Any:
    """One value as a spreadsheet shall show it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return defused("; ".join(map(str, value)))
    if isinstance(value, str):
        return defused(value)
    return defused(json.dumps(value, ensure_ascii=False, allow_nan=False))


def defused(text: str) -> str:
    """The text, with an apostrophe before what begins like a formula, and without NUL, which readers refuse."""
    text = text.replace("\0", "\\0")
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text

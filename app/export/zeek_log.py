"""Zeek's own log format: tab-separated values under `#fields` and `#types` (Zeek manual, "Zeek Log Formats"), for zeek-cut and what reads it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Final

from app.export.tables import Row, Table

UNSET: Final = "-"
EMPTY: Final = "(empty)"
_ESCAPES: Final = str.maketrans({"\t": "\\x09", "\n": "\\x0a", "\r": "\\x0d", "\\": "\\\\", "\0": "\\x00"})


class ZeekWriter:
    """Header, rows, `#close`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._types = [column.zeek for column in table.columns]

    def head(self) -> bytes:
        columns = self._table.columns
        lines = (
            ("#separator \\x09",),
            ("#set_separator", ","),
            ("#empty_field", EMPTY),
            ("#unset_field", UNSET),
            ("#path", self._table.path),
            ("#open", _now()),
            ("#fields", *(column.name for column in columns)),
            ("#types", *self._types),
        )
        return "".join("\t".join(line) + "\n" for line in lines).encode()

    def rows(self, rows: Iterable[Row]) -> bytes:
        lines = ("\t".join(written(value, kind) for value, kind in zip(row, self._types, strict=True)) for row in rows)
        return "".join(line + "\n" for line in lines).encode("utf-8", "replace")

    def tail(self) -> bytes:
        return f"#close\t{_now()}\n".encode()


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M-%S")


def written(value: Any, kind: str) -> str:
    """One value as Zeek writes it: times and intervals with six places, truth as T and F, sets and vectors with commas."""
    if value is None:
        return UNSET
    if kind.startswith(("vector", "set")):
        inner = kind.partition("[")[2].rstrip("]")
        return ",".join(written(item, inner).replace(",", "\\x2c") for item in value) or EMPTY
    if kind == "bool":
        return "T" if value else "F"
    if kind in ("time", "interval"):
        return f"{value:.6f}"
    if kind == "string":
        text = str(value).translate(_ESCAPES)
        return f"\\x{ord(text[0]):02x}{text[1:]}" if text in (UNSET, EMPTY) or text.startswith("#") else text or EMPTY
    return str(value)

"""NDJSON: one object a line, as Suricata writes EVE and as Elasticsearch, jq and pandas read it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from app.export.tables import Row, Table, nested


class NdjsonWriter:
    """Neither head nor tail."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def head(self) -> bytes:
        return b""

    def rows(self, rows: Iterable[Row]) -> bytes:
        objects = (nested(self._table, row) for row in rows)
        return "".join(json.dumps(one, separators=(",", ":"), allow_nan=False) + "\n" for one in objects).encode()

    def tail(self) -> bytes:
        return b""

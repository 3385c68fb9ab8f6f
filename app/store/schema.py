"""The database's versions: what makes each out of the one before. A file of a later version is not opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.store import rollups
from app.store.layout import FACTS, FLOW_INTEGERS, FLOW_NUMBERS, FLOW_TEXTS, MINUTE_COUNTERS

_SQL_OF: Final = {"JSON": "VARCHAR"}
_DOCUMENT: Final = (("run", "UINTEGER"), ("id", "VARCHAR"), ("ns", "BIGINT"), ("document", "VARCHAR"))


def quoted(name: str) -> str:
    """A name of ours for SQL (`end` is a word of SQL)."""
    return f'"{name}"'


def _table(name: str, columns: Sequence[tuple[str, str]]) -> str:
    return f"CREATE TABLE {quoted(name)} ({', '.join(f'{quoted(column)} {kind}' for column, kind in columns)})"


def first_version() -> tuple[str, ...]:
    """The tables as they were in version 1."""
    flows = [
        ("run", "UINTEGER"),
        *((name, kind) for name, _, kind in FLOW_NUMBERS),
        *((name, "VARCHAR") for name in FLOW_TEXTS),
        *((name, "BIGINT") for name in FLOW_INTEGERS),
    ]
    facts = [
        _table(
            kind,
            [
                ("run", "UINTEGER"),
                ("ns", "BIGINT"),
                ("flow_id", "UBIGINT"),
                *((key, _SQL_OF.get(sql, sql)) for key, sql in keys),
            ],
        )
        for kind, keys in FACTS.items()
    ]
    minutes = [("run", "UINTEGER"), ("start", "BIGINT"), *((name, "UBIGINT") for name in MINUTE_COUNTERS)]
    documents = [_table(name, _DOCUMENT) for name in ("alerts", "processes")]
    return (
        _table("meta", [("key", "VARCHAR"), ("value", "VARCHAR")]),
        _table("runs", [("run", "UINTEGER"), ("boot", "VARCHAR"), ("started_ns", "BIGINT")]),
        _table("flows", flows),
        *facts,
        _table("minutes", minutes),
        *documents,
    )  # fmt: skip


def _rollups() -> tuple[str, ...]:
    """Sums by segment of time (`app.store.rollups`): what a segment is of, and its sums."""
    segments = _table("segments", [("segment", "UINTEGER"), ("after_ns", "BIGINT"), ("until_ns", "BIGINT")])
    return (segments, *(_table(name, columns) for name, columns in rollups.tables().items()))


# What version n+1 adds to version n. Append; never change what is there.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (first_version(), (_table("mutes", _DOCUMENT),), _rollups())
VERSION: Final = len(MIGRATIONS)

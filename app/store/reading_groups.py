"""What totals can be listed by: the keys of each group over `flows`. Needs no DuckDB."""

from __future__ import annotations

from typing import Final, NamedTuple


class Key(NamedTuple):
    """One key of a group: where it is in a stretch, and its type."""

    expression: str
    sql_type: str


def of_end(name: str, of_local: bool) -> str:
    """A column of the end on this machine, or of the other one."""
    first, second = ("src", "dst") if of_local else ("dst", "src")
    return f"CASE WHEN local_is_src THEN {first}_{name} ELSE {second}_{name} END"


def _address(of_local: bool) -> tuple[Key, ...]:
    return (
        Key(of_end("hi", of_local), "UBIGINT"),
        Key(of_end("lo", of_local), "UBIGINT"),
        Key("ip_version", "UTINYINT"),
    )


# Each has a table of its sums (`rollups`): another one needs a migration that makes its table and empties `segments` and the tables of all groups, which are then
# filled anew.
GROUPS: Final[dict[str, tuple[Key, ...]]] = {
    "app": (Key("application", "VARCHAR"),),
    "process": (Key("app_name", "VARCHAR"),),
    "protocol": (Key("protocol", "UTINYINT"),),
    "country": (Key("country", "VARCHAR"),),
    "host": _address(of_local=False),
    "local": _address(of_local=True),
    "name": (Key("hostname", "VARCHAR"),),
    "port": (Key("protocol", "UTINYINT"), Key("dst_port", "USMALLINT")),
    "category": (Key("category", "VARCHAR"),),
}
GROUP_NAMES: Final = tuple(GROUPS)

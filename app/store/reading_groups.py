"""What totals can be listed by: the columns of each group. Needs no DuckDB."""

from __future__ import annotations

from typing import Final


def _end(name: str, of_local: bool) -> str:
    first, second = ("src", "dst") if of_local else ("dst", "src")
    return f"CASE WHEN local_is_src THEN {first}_{name} ELSE {second}_{name} END"


GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "app": ("application",),
    "process": ("app_name",),
    "protocol": ("protocol",),
    "country": ("country",),
    "host": (_end("hi", False), _end("lo", False), "ip_version"),
    "local": (_end("hi", True), _end("lo", True), "ip_version"),
    "name": ("hostname",),
    "port": ("protocol", "dst_port"),
    "category": ("category",),
}
GROUP_NAMES: Final = tuple(GROUPS)

"""The views by schema: whose names a file speaks. `native` is made from our own table of fields (`native_view`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.export.ecs import ECS
from app.export.eve import EVE
from app.export.view import View, view
from app.export.zeek import ZEEK
from app.model.field import Field

SCHEMAS: Final[dict[str, dict[str, View]]] = {"eve": EVE, "ecs": ECS, "zeek": ZEEK}
SCHEMA_NAMES: Final = ("native", *SCHEMAS)


def native_view(fields: Iterable[Field], path: str) -> View:
    """The keys that REST gives, in the order of `fields`."""
    return view(((known.name, known.kind, known.name) for known in fields), path)

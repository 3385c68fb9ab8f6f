"""Flow rows → connections: each key of a connection is one function over the chosen rows, giving a list.

Only rows that are shown come here, so text is made late. Keys come from the themes (`connection_themes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.model.fields import CONNECTIONS
from app.services.connection_rows import PORT_PROTOCOLS, Producer, Rows, endpoint_text
from app.services.connection_themes import THEMES

__all__ = ["PORT_PROTOCOLS", "Rows", "columns", "connections", "endpoint_text"]

_PRODUCERS: Final[dict[str, Producer]] = {name: make for theme in THEMES for name, make in theme.producers.items()}


def _unknown(rows: Rows) -> list[Any]:
    return [None] * len(rows)


def columns(rows: Rows, names: Sequence[str]) -> list[list[Any]]:
    """One list per name, all as long as `rows`. Names are those of `CONNECTIONS`; what is not known yet is None."""
    return [_PRODUCERS.get(name, _unknown)(rows) for name in names]


def connections(rows: Rows, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows as they leave the program: a dict each, with every key of the contract."""
    names = tuple(CONNECTIONS) if names is None else tuple(names)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns(rows, names), strict=True)]

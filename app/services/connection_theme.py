"""What one theme (packets, programs, places …) adds to connections: how its keys are made, sorted and asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from app.services.connection_rows import Producer, Rows
from app.wire.filter import Field
from app.wire.filter_values import PLAIN, Units


@dataclass(frozen=True, slots=True)
class QueryField:
    """A field of the query language over one key: `name` or an alias of it. `units` for numbers, `free` for texts that a bare word finds."""

    name: str
    key: str
    help: str
    aliases: tuple[str, ...] = ()
    units: Units = PLAIN
    free: bool = False
    other_keys: tuple[str, ...] = ()  # texts that the field finds besides


@dataclass(frozen=True, slots=True)
class Theme:
    """Keys are those of `CONNECTIONS`. Producers run in real threads too: they take no lock."""

    producers: Mapping[str, Producer]
    numbers: Mapping[str, Callable[[Rows], NDArray[Any]]] = field(default_factory=dict)  # NaN where not known
    times: Mapping[str, Callable[[Rows], NDArray[Any]]] = field(
        default_factory=dict
    )  # ns since the epoch, 0 where not known
    booleans: Mapping[str, Callable[[Rows], NDArray[Any]]] = field(default_factory=dict)  # 1, 0, NaN
    texts: tuple[str, ...] = ()  # sorted by the text itself; what is not known comes last
    query_texts: tuple[QueryField, ...] = ()
    query_numbers: tuple[QueryField, ...] = ()
    query_fields: tuple[Field, ...] = ()  # those that need facets of their own, over `text.KEY` and `number.KEY`

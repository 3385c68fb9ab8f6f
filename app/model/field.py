"""One name of what is shown, with its meaning and its names elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One name. `kind`: text, number, integer, boolean, time (RFC 3339), object, list."""

    name: str
    kind: str
    label: str
    help: str
    unit: str | None = None
    ecs: str | None = None
    eve: str | None = None
    zeek: str | None = None
    live: bool = False  # a column of the live table


def describe(name: str, kind: str, label: str, help: str, **more: str | bool | None) -> Field:
    return Field(name, kind, label, help, **more)  # type: ignore[arg-type]

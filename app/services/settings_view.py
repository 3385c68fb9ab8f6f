"""The settings as they are shown: name, value, default, what is allowed and what it means; secrets never."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from config import SETTINGS, Settings

NO_STATUSES: Final[Mapping[str, Mapping[str, Any]]] = {}
MASK: Final = "••••••"


def settings_view(settings: Settings, statuses: Mapping[str, Mapping[str, Any]] = NO_STATUSES) -> list[dict[str, Any]]:
    """One entry for each setting, in the order of the table. `statuses`: how it goes with what a setting turns on."""
    shown = []
    for row in SETTINGS:
        value = getattr(settings, row.name)
        if row.secret:
            value = None if value is None else MASK
        shown.append(
            {
                "name": row.env,
                "value": _plain(value),
                "default": _plain(row.default),
                "allowed": row.allowed,
                "help": row.help,
                "secret": row.secret,
                "status": statuses.get(row.env),
            }
        )
    return shown


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

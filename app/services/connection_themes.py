"""The registry: one module for each theme of keys, one line here."""

from __future__ import annotations

from typing import Final

from app.services import flow_keys, place_keys, process_keys, round_trips
from app.services.connection_theme import Theme

THEMES: Final[tuple[Theme, ...]] = (flow_keys.THEME, place_keys.THEME, process_keys.THEME, round_trips.THEME)

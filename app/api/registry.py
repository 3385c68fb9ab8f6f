"""All blueprints, in one tuple: one noun a file."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from app.api import (
    alerts,
    capture,
    cards,
    connections,
    entropy,
    export,
    facts,
    history,
    hosts,
    latency,
    metrics,
    openapi,
    packets,
    pages,
    program,
    programs,
    query_words,
    saved_views,
    sessions,
    statistics,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    pages.blueprint,
    connections.blueprint,
    packets.blueprint,
    facts.blueprint,
    hosts.blueprint,
    latency.blueprint,
    history.blueprint,
    metrics.blueprint,
    openapi.blueprint,
    alerts.blueprint,
    entropy.blueprint,
    cards.blueprint,
    statistics.blueprint,
    capture.blueprint,
    sessions.blueprint,
    export.blueprint,
    program.blueprint,
    programs.blueprint,
    query_words.blueprint,
    saved_views.blueprint,
)

"""Measures of the program itself for Prometheus: is it up, what it saw, what it lost, what waits."""

from __future__ import annotations

from flask import Blueprint, Response

from app.api.context import live_house, only_arguments
from app.concurrency import run_blocking
from app.services.measures import exposition, measures

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def scrape() -> Response:
    """Prometheus text format 0.0.4."""
    only_arguments()
    services = live_house()
    counts = services.alerts.book.inputs()
    text = run_blocking(exposition, measures(services, counts.facts))
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

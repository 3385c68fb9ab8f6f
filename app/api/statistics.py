"""Statistics: totals and rates, charts over time, shares."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.api import history
from app.api.context import house, moment, only_arguments, switch, whole_number
from app.services import history_summary
from app.services.query_errors import BadRequest
from app.services.shares import shares, why_empty
from app.services.statistics import stats
from app.services.timeseries import METRIC_NAMES, timeseries

blueprint = Blueprint("statistics", __name__)

MAX_METRICS = len(METRIC_NAMES)


@blueprint.get("/api/stats")
def statistics() -> Response:
    """The document that the `stats` event carries."""
    only_arguments()
    return jsonify(stats(house().mirror))


@blueprint.get("/api/timeseries")
def points() -> Response:
    """Points for charts: `metric` (several separated by commas), `step`, `from`, `to`; with `history=1` from the minutes that were kept."""
    only_arguments("metric", "step", "from", "to", "history")
    metrics = tuple(dict.fromkeys(part for part in request.args.get("metric", "bps").split(",") if part))
    if not 0 < len(metrics) <= MAX_METRICS:
        raise BadRequest("metric names nothing", "metric", METRIC_NAMES)
    step = whole_number("step", 0, 0, 86_400) or None
    if switch("history"):
        unknown = next((name for name in metrics if name not in METRIC_NAMES), None)
        if unknown is not None:
            raise BadRequest(f"there is no metric {unknown[:60]!r}", "metric", METRIC_NAMES)
        return jsonify(history_summary.points(house().history, metrics, step, history.span()))
    return jsonify(timeseries(house().mirror, metrics, step, moment("from"), moment("to")))


@blueprint.get("/api/pie_data")
def pie_data() -> Response:
    """Bytes by app, process, protocol, country, host or port. `X-Empty-Because` says why a list is empty in any case."""
    only_arguments("by")
    by = request.args.get("by", "app")
    response = jsonify(shares(house().mirror, by))
    why = why_empty(house().mirror, by)
    if why is not None:
        response.headers["X-Empty-Because"] = why
    return response

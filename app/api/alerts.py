"""Alerts: what the detectors said, newest first, with what people said of it, the packets behind it, and mute rules."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, jsonify, render_template, request, send_file

from app.api import history
from app.api.context import house, json_object, linked, moment, only_arguments, switch, whole_number
from app.api.limits import limit
from app.concurrency import run_blocking
from app.security.caller import caller_name
from app.services import history_pages
from app.services.alert_book import alert_counts, alert_page, judged
from app.services.alert_report import alert_report
from app.services.fact_lists import FactRequest, parse_fact_query, parse_fact_sort
from app.services.mutes import checked_query, would_hide
from app.services.query_errors import BadRequest
from app.services.query_times import timed
from app.services.reproduction import reproduce
from app.services.rule_help import rule_help

blueprint = Blueprint("alerts", __name__)

MAX_LIMIT: Final = 5_000
MAX_OFFSET: Final = 20_000
MAX_AT_ONCE: Final = 1_000


@blueprint.get("/api/alerts")
@blueprint.get("/api/anomalies")
def alerts() -> Response:
    """Alerts, newest first: `limit`, `offset`, `sort`, `q`, `from`, `to`; `muted=1` with those that a mute rule hides; `history=1`: those that were
    kept, newest first."""
    only_arguments("limit", "offset", "sort", "q", "muted", "from", "to", "history")
    size, offset = whole_number("limit", 200, 1, MAX_LIMIT), whole_number("offset", 0, 0, MAX_OFFSET)
    sort, text, muted = request.args.get("sort", ""), request.args.get("q", ""), switch("muted")
    if switch("history"):
        if sort:
            raise BadRequest("alerts of the history come newest first", "sort", ["no sort"])
        return history.page(history_pages.alert_page(house().history, history.span(), size, offset))
    query = timed(parse_fact_query("alerts", text), "time", "time", moment("from"), moment("to"))
    wanted = FactRequest("alerts", size, offset, 0, parse_fact_sort("alerts", sort), query)
    found = run_blocking(alert_page, house().alerts.book.inputs(), wanted, muted)
    response = jsonify(found.page.documents)
    response.headers["X-Total-Count"] = str(found.page.total)
    response.headers["X-Muted-Count"] = str(found.muted)
    end = offset + size
    return linked(response, {"offset": str(end)} if end < found.page.total and end <= MAX_OFFSET else None)


@blueprint.get("/api/alert_summary")
def summary() -> Response:
    """Open alerts by severity and rule, and how detection, evidence and the ways out are."""
    only_arguments()
    alerts = house().alerts
    return jsonify(
        {
            **run_blocking(alert_counts, alerts.book.inputs()),
            "detection": house().mirror.part("detection"),
            "evidence": alerts.book.evidence.state(),
            "outputs": [outbox.state() for outbox in alerts.outboxes],
        }
    )


@blueprint.get("/api/security/report")
def report() -> str:
    """The score, what could not be seen, and the alerts that `q` chooses (`muted=1`: with muted ones): a page of HTML to print."""
    only_arguments("q", "muted")
    services = house()
    q = request.args.get("q", "")
    made = alert_report(services.mirror, services.alerts.book, q, switch("muted"))
    return render_template("alert_report.html", report=made)


@blueprint.get("/api/alerts/<alert_id>")
def alert(alert_id: str) -> Response:
    """One alert with the program that caused it and what else is known."""
    only_arguments()
    return jsonify(house().alerts.book.get(alert_id))


@blueprint.post("/api/alerts/<alert_id>")
def judge(alert_id: str) -> Response:
    """Sets `status` (new, acknowledged, false_positive), `note`, or both."""
    only_arguments()
    book = house().alerts.book
    book.get(alert_id)
    book.triage.change([alert_id], json_object(), caller_name())
    return jsonify(book.get(alert_id))


@blueprint.post("/api/alert_triage")
def judge_several() -> Response:
    """The same for several: `{"ids": […], "status": …, "note": …}`."""
    only_arguments()
    body = json_object()
    ids = body.pop("ids", None)
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_AT_ONCE or not all(isinstance(one, str) for one in ids):
        raise BadRequest("ids is not a list of alerts", "ids", [f"1..{MAX_AT_ONCE} ids"])
    book = house().alerts.book
    known = {fact.document["id"] for fact in book.inputs().facts}
    there = [one for one in dict.fromkeys(ids) if one in known]
    if there:
        book.triage.change(there, body, caller_name())
    return jsonify({"changed": len(there), "unknown": len(set(ids)) - len(there)})


@blueprint.get("/api/alerts/<alert_id>/pcap")
def packets(alert_id: str) -> Response:
    """The packets behind an alert and those just before, as pcapng. 404 with the reason where none are kept."""
    only_arguments()
    limit("export")
    file = house().alerts.book.evidence.get(alert_id)
    return send_file(
        file.path,
        mimetype="application/x-pcapng",
        as_attachment=True,
        download_name=f"netglass-alert-{alert_id}.pcapng",
        etag=False,
        max_age=0,
    )


@blueprint.post("/api/alerts/<alert_id>/reproduce")
def again(alert_id: str) -> Response:
    """Sends those packets through the same pipeline again: `{reproduced, alert, differences, others}`."""
    only_arguments()
    limit("export")
    file = house().alerts.book.evidence.get(alert_id)
    return jsonify(run_blocking(reproduce, file.path, house().settings.environment()))


@blueprint.get("/api/mutes")
def mutes() -> Response:
    """The mute rules, each with the number of alerts it hides now."""
    only_arguments()
    book = house().alerts.book
    hidden = [fact.document["muted_by"] for fact in run_blocking(judged, book.inputs())]
    now = house().mirror.wall_ns
    return jsonify(
        [{**asdict(mute), "expired": mute.expired(now), "hides": hidden.count(mute.id)} for mute in book.mutes.all()]
    )


@blueprint.post("/api/mutes")
def mute() -> tuple[Response, int]:
    """A new rule: `{"q", "reason", "expires_at"}`; expires_at null: until it is taken back."""
    only_arguments()
    made = house().alerts.book.mutes.add(json_object(), caller_name())
    return jsonify(asdict(made)), 201


@blueprint.post("/api/mute_test")
def test_mute() -> Response:
    """What a rule would have hidden of the alerts there are: `{"q"}`."""
    only_arguments()
    body: dict[str, Any] = json_object()
    checked_query(body.get("q"))
    inputs = house().alerts.book.inputs()
    return jsonify(run_blocking(would_hide, body["q"], inputs.facts, inputs.now_ns))


@blueprint.delete("/api/mutes/<mute_id>")
def unmute(mute_id: str) -> tuple[str, int]:
    """Takes a rule back."""
    only_arguments()
    house().alerts.book.mutes.remove(mute_id)
    return "", 204


@blueprint.get("/api/rules")
def rules() -> Response:
    """What each rule means, what harmless traffic looks the same, and what to do."""
    only_arguments()
    return jsonify(run_blocking(rule_help))


@blueprint.get("/api/security")
def security() -> Response:
    """The security score with its arithmetic, threats by rule, the newest ones, and the last packets."""
    only_arguments()
    return jsonify(house().alerts.security())

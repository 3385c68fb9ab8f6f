"""The keys of an alert; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

ALERT_FIELDS: Final[tuple[Field, ...]] = (
    _f("id", "text", "Number", "Name of the alert; a replay of the same packets gives the same."),
    _f("time_of_detection", "time", "Time", "When the limit was passed for the first time.", ecs="@timestamp"),
    _f("rule", "text", "Rule", "Which rule of which family spoke: port_scan, arp_spoof and so on.", ecs="rule.name"),
    _f("title", "text", "What", "What has been seen, in a few words.", ecs="message", eve="alert.signature"),
    _f(
        "severity",
        "text",
        "Severity",
        "How much it matters if it is true: low, medium, high or critical.",
        ecs="event.severity",
        eve="alert.severity",
    ),
    _f("confidence", "number", "Confidence", "How sure the detector is that it is what the title says, 0 to 1."),
    _f("reason", "text", "Reason", "Why, in one sentence with the measured value and the limit.", ecs="event.reason"),
    _f("measured", "number", "Measured", "The value that passed the limit."),
    _f("threshold", "number", "Limit", "The limit that was passed."),
    _f("unit", "text", "Unit", "Unit of the measured value and the limit."),
    _f(
        "source",
        "text",
        "Source",
        "Address that does it; null where it is forged or there are many.",
        ecs="source.address",
    ),
    _f("target", "text", "Target", "Address, network or name that it is done to.", ecs="destination.address"),
    _f("app_name", "text", "Program", "Program on this machine that caused it; null until it is known."),
    _f("pid", "integer", "Process", "Process that caused it; null until it is known.", ecs="process.pid"),
    _f("flow_ids", "list", "Flows", "The first flows that belong to it, at most 50."),
    _f("count", "integer", "Count", "How often the limit was passed; repeats fold into one alert."),
    _f("first_seen", "time", "First seen", "First time that the limit was passed.", ecs="event.start"),
    _f("last_seen", "time", "Last seen", "Last time that the limit was passed.", ecs="event.end"),
    _f("mitre", "text", "ATT&CK", "Technique of MITRE ATT&CK that it belongs to.", ecs="threat.technique.id"),
    _f("status", "text", "Status", "new, acknowledged or false_positive."),
    _f("note", "text", "Note", "What somebody wrote about it."),
    _f("status_changed_at", "time", "Judged", "When status or note was set last."),
    _f("status_changed_by", "text", "Judged by", "Who set status or note last."),
    _f("muted_by", "text", "Muted by", "The mute rule that hides it; null where none does."),
    _f("evidence_packets", "list", "Evidence", "Packets that speak for it: number and time, at most 50."),
    _f("details", "object", "Details", "Further values, by name; they differ from rule to rule."),
    _f("not_seen", "object", "Not seen", "What the conclusion could not rest on: losses so far, by name."),
    _f("remote_address", "text", "Remote address", "The end of it that is not in the own network."),
    _f("bytes_sent", "integer", "Sent", "Bytes that its flows' originators sent.", unit="bytes"),
    _f("bytes_recv", "integer", "Received", "Bytes that its flows' responders sent.", unit="bytes"),
    _f("city", "text", "City", "Place of the remote address; null where it is not looked up."),
    _f("country", "text", "Country", "Country of the remote address; null where it is not looked up."),
    _f("protocol", "text", "Protocol", "Protocol that it was seen in.", ecs="network.transport"),
    _f("duration", "number", "Duration", "From first to last.", unit="s"),
    _f(
        "reconnect_count", "integer", "Reconnects", "How often the connection was opened again; null where not counted."
    ),
)

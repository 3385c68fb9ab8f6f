"""Alerts as people see them: the sensor's word, with who caused it, what somebody said of it, and whether a rule mutes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from app.model.alert import SEVERITIES
from app.services.connection_rows import Rows
from app.services.connections import connections
from app.services.evidence_files import EvidenceFiles
from app.services.fact_documents import Fact
from app.services.fact_lists import FactPage, FactRequest, fact_page
from app.services.flow_mirror import FlowView
from app.services.mirror import Mirror
from app.services.mutes import Mute, Mutes, muted_by
from app.services.query_errors import NotThere
from app.services.triage import UNSEEN, Triage, Verdict

# Keys of an alert that its first flow tells.
FROM_FLOW: Final = ("app_name", "pid", "country", "city", "reconnect_count", "bytes_sent", "bytes_recv")
MORE_FROM_FLOW: Final = ("app_path", "command_line", "user", "parents", "process_start", "container", "attribution", "asn", "organization", "hostname")  # fmt: skip


class AlertInputs(NamedTuple):
    """What views of alerts are made from, taken at one moment; the functions below take no lock and run in any thread."""

    facts: list[Fact]  # newest first
    verdicts: dict[str, Verdict]
    mutes: list[Mute]
    view: FlowView
    interfaces: list[str]
    now_ns: int


class AlertPage(NamedTuple):
    """One page, and how many alerts of the whole list a mute rule hides."""

    page: FactPage
    muted: int


class AlertBook:
    """Reads the mirror, writes triage, mutes and evidence below the data directory."""

    def __init__(
        self, mirror: Mirror, directory: Path, evidence_bytes: int, interfaces: Callable[[], list[str]]
    ) -> None:
        self._mirror = mirror
        self._interfaces = interfaces
        self.triage = Triage(directory)
        self.mutes = Mutes(directory)
        self.evidence = EvidenceFiles(directory / "evidence", evidence_bytes)
        self._listeners: list[Callable[[list[dict[str, Any]]], None]] = []
        self._told: set[str] = set()  # alerts of this capture that listeners were told of
        self._version = -1
        self._capture = mirror.captures

    def on_alerts(self, listener: Callable[[list[dict[str, Any]]], None]) -> None:
        """`listener(documents)` is called with alerts that are new and not muted, oldest first."""
        self._listeners.append(listener)

    def keep_evidence(self, snapshot: dict[str, Any]) -> None:
        """Before the mirror applies it: whoever reads that an alert names a packet finds it in the alert's file."""
        self.evidence.take(snapshot.get("evidence"))

    def take_snapshot(self, snapshot: dict[str, Any]) -> None:
        """After the mirror applied it."""
        if self._mirror.captures != self._capture:
            self._capture = self._mirror.captures
            self._told.clear()
        if self._mirror.alerts.version == self._version:
            return
        self._version = self._mirror.alerts.version
        inputs = self.inputs()
        new = [fact for fact in inputs.facts if fact.get("id") not in self._told]
        self._told.update(fact.get("id") for fact in new)
        shown = [fact for fact in judged(inputs, new)[::-1] if fact.document["muted_by"] is None]
        documents = [fact.document for fact in with_flows(inputs, shown, FROM_FLOW)]
        if documents:
            for listener in self._listeners:
                listener(documents)

    def inputs(self) -> AlertInputs:
        mirror = self._mirror
        return AlertInputs(
            mirror.newest_alerts(),
            self.triage.all(),
            self.mutes.all(),
            mirror.flow_view(),
            self._interfaces(),
            mirror.now_ns,
        )

    def get(self, alert_id: str) -> dict[str, Any]:
        """One alert with everything that is known of it. `NotThere`."""
        inputs = self.inputs()
        fact = next((one for one in inputs.facts if one.document["id"] == alert_id), None)
        if fact is None:
            raise NotThere(
                f"There is no alert {alert_id[:40]}: it was never raised in this capture, or has been forgotten."
            )
        document = with_flows(inputs, judged(inputs, [fact]), (*FROM_FLOW, *MORE_FROM_FLOW))[0].document
        file = self.evidence.find(alert_id)
        document["evidence_file"] = (
            {"packets": file.packets, "complete": file.complete, "url": f"/api/alerts/{alert_id}/pcap"}
            if file
            else None
        )
        return document


def judged(inputs: AlertInputs, facts: list[Fact] | None = None) -> list[Fact]:
    """All alerts, or those given, with status, note and mute rule."""
    found = inputs.facts if facts is None else facts
    muted = muted_by(inputs.mutes, found, inputs.now_ns)
    made = []
    for fact in found:
        alert_id = fact.get("id")
        verdict = inputs.verdicts.get(alert_id, UNSEEN)
        said = {
            "status": verdict.status,
            "note": verdict.note,
            "status_changed_at": verdict.changed_at,
            "status_changed_by": verdict.changed_by,
            "muted_by": muted.get(alert_id),
        }
        made.append(fact.with_document({**fact.document, **said}))
    return made


def alert_page(inputs: AlertInputs, request: FactRequest, with_muted: bool) -> AlertPage:
    """One page of alerts; muted ones only where they are asked for."""
    facts = judged(inputs)
    muted = sum(fact.document["muted_by"] is not None for fact in facts)
    shown = facts if with_muted else [fact for fact in facts if fact.document["muted_by"] is None]
    return AlertPage(fact_page(with_flows(inputs, shown, FROM_FLOW), request, inputs.now_ns), muted)


def alert_counts(inputs: AlertInputs) -> dict[str, Any]:
    """Alerts that are neither muted nor called false, by severity and by rule."""
    open_ones = [fact.document for fact in judged(inputs) if is_open(fact.document)]
    severities = Counter(document["severity"] for document in open_ones)
    return {
        "total": len(open_ones),
        "new": sum(document["status"] == "new" for document in open_ones),
        "by_severity": {severity: severities.get(severity, 0) for severity in reversed(SEVERITIES)},
        "by_rule": dict(Counter(document["rule"] for document in open_ones).most_common()),
    }


def is_open(document: dict[str, Any]) -> bool:
    """Neither muted nor called false."""
    return document["muted_by"] is None and document["status"] != "false_positive"


def with_flows(inputs: AlertInputs, facts: list[Fact], names: tuple[str, ...]) -> list[Fact]:
    """Keys that the alert's flows tell: of the first one that knows it; bytes are those of all that are still listed."""
    wanted = sorted({flow_id for fact in facts for flow_id in fact.get("flow_ids")})
    if not wanted:
        return facts
    told = _of_flows(inputs, wanted, names)
    made = []
    for fact in facts:
        own = [told[flow_id] for flow_id in fact.get("flow_ids") if flow_id in told]
        values = {name: next((one[name] for one in own if one.get(name) is not None), None) for name in names}
        for name in ("bytes_sent", "bytes_recv") if own else ():
            values[name] = sum(one[name] for one in own)
        known = {name: value for name, value in values.items() if value is not None}
        made.append(fact.with_document({**dict.fromkeys(names), **fact.document, **known}))
    return made


def _of_flows(inputs: AlertInputs, flow_ids: list[int], names: tuple[str, ...]) -> dict[int, dict[str, Any]]:
    view = inputs.view
    places = np.flatnonzero(np.isin(view.flows["flow_id"], np.array(flow_ids, np.uint64)))
    rows = connections(Rows.of(view, places, inputs.interfaces), ("flow_id", *names))
    return {int(row["flow_id"]): row for row in rows}

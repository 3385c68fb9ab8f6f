"""The exposure report: what was watched, when, how much of it was seen, and which card numbers went by in the clear."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

import numpy as np

from app.model.timestamps import rfc3339
from app.services.connections import Rows, connections
from app.services.mirror import Mirror

MOST: Final = 2_000  # findings in one report
_LOSSES: Final = (
    ("kernel_drops", "packets the kernel dropped before they were read"),
    ("ring_freezes", "times the capture ring was full"),
    ("flows_evicted", "connections ended early because the table was full"),
    ("snapshots_replaced", "snapshots replaced by newer ones before they were sent"),
)
_SCAN: Final = (
    ("bytes_scanned", "payload bytes read for card numbers"),
    ("bytes_encrypted", "payload bytes passed over because their connection is encrypted (TLS, QUIC, SSH …)"),
    ("bytes_undecoded", "payload bytes of compressed bodies and mail not decoded for want of time"),
    ("packets_cut_short", "packets with more candidates than are looked at"),
    ("findings_forgotten", "findings dropped because there were too many"),
    ("failures", "failures of the scanner"),
)
_PROGRAM: Final = ("app_name", "pid", "server_name", "hostname", "country", "organization")


def card_report(mirror: Mirror) -> dict[str, Any]:
    """Everything the page shows, as plain values. Runs in any thread."""
    facts = mirror.newest_cards()
    documents = [fact.document for fact in reversed(facts)]
    capture, totals = mirror.part("capture"), mirror.part("totals")
    scan, losses = mirror.part("card_scan"), mirror.part("losses")
    flows = _flows(mirror, {document["flow_id"] for document in documents[:MOST]})
    return {
        "made": rfc3339(time.time_ns()),
        "capture": {
            "source": capture.get("source"),
            "file": capture.get("file"),
            "interfaces": ", ".join(str(one.get("name")) for one in capture.get("interfaces") or []),
            "filter": capture.get("bpf_filter") or None,
            "snaplen": capture.get("snaplen") or None,
            "started": _time(capture.get("started_ns")),
            "first": _time(totals.get("first_ns")),
            "last": _time(totals.get("last_ns")),
            "state": capture.get("state"),
        },
        "seen": {name: totals.get(name) or 0 for name in ("packets", "bytes", "flows")},
        "scan": [(text, scan.get(name)) for name, text in _SCAN],
        "losses": [(text, losses.get(name)) for name, text in _LOSSES],
        "undecoded": sum((losses.get("undecoded") or {}).values()),
        "brands": Counter(document["brand"] for document in documents).most_common(),
        "destinations": Counter(document["destination"] for document in documents).most_common(20),
        "numbers": len({document["fingerprint"] for document in documents}),
        "findings": [
            {**document, **{key: flows.get(document["flow_id"], {}).get(key) for key in _PROGRAM}}
            for document in documents[:MOST]
        ],
        "total": len(documents),
    }


def _time(ns: Any) -> str | None:
    return rfc3339(ns) if isinstance(ns, int) and ns > 0 else None


def _flows(mirror: Mirror, wanted: set[int | None]) -> dict[int, dict[str, Any]]:
    """The connections of the findings that are still in the table."""
    ids = np.array([flow_id for flow_id in wanted if flow_id is not None and flow_id < 1 << 63], np.uint64)
    if not len(ids):
        return {}
    view = mirror.flow_view()
    places = np.flatnonzero(np.isin(view.flows["flow_id"], ids))
    names = [str(one.get("name")) for one in mirror.part("capture").get("interfaces") or []]
    return {int(row["flow_id"]): row for row in connections(Rows.of(view, places, names))}

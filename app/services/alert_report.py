"""The security report: the score with its arithmetic, what could not be seen, and the alerts with what was said of them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from app.concurrency import run_blocking
from app.model.timestamps import rfc3339
from app.services.alert_book import AlertBook, alert_page
from app.services.fact_lists import FactRequest
from app.services.mirror import Mirror
from app.services.security_score import security

MOST: Final = 500  # alerts in one report
SEVERITIES: Final = ("critical", "high", "medium", "low")


def alert_report(mirror: Mirror, book: AlertBook, q: str, with_muted: bool) -> dict[str, Any]:
    """Everything the page shows, as plain values. `BadRequest` where `q` does not parse. On the hub: the book's locks are green."""
    found = run_blocking(alert_page, book.inputs(), FactRequest("alerts", MOST, q=q), with_muted)
    state = security(mirror, book)
    capture, totals = mirror.part("capture"), mirror.part("totals")
    documents = found.page.documents
    severities = Counter(one["severity"] for one in documents)
    return {
        "made": rfc3339(time.time_ns()),
        "q": q,
        "score": state["security_score"],
        "verdict": state["verdict"],
        "arithmetic": state["arithmetic"],
        "penalties": state["penalties"],
        "not_seen": [(name.replace("_", " "), count) for name, count in state["not_seen"].items()],
        "source": capture.get("file") or ", ".join(str(one.get("name")) for one in capture.get("interfaces") or []),
        "first": _time(totals.get("first_ns")),
        "last": _time(totals.get("last_ns")),
        "packets": totals.get("packets") or 0,
        "severities": [(name, severities[name]) for name in SEVERITIES],
        "total": found.page.total,
        "muted": found.muted,
        "alerts": sorted(documents, key=lambda one: SEVERITIES.index(one["severity"])),
    }


def _time(ns: Any) -> str | None:
    return rfc3339(ns) if isinstance(ns, int) and ns > 0 else None

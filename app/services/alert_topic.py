"""The topic `alert` of the live connection: alerts that are new or grew since the client's last frame."""

from __future__ import annotations

from typing import Any, Final

from app.concurrency import run_blocking
from app.services.alert_book import FROM_FLOW, AlertInputs, judged, with_flows
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query
from app.services.house import House

MOST: Final = 50


class AlertTopic:
    """Frames are `{alerts: […newest first], skipped}`; muted alerts are left out. It begins with what comes after the subscription."""

    interval = 0.2

    def __init__(self, house: House, q: str, limit: int | None) -> None:
        parse_fact_query("alerts", q)
        self._house = house
        self._request = FactRequest("alerts", min(limit or MOST, MOST), q=q)
        self._capture = house.mirror.captures
        self._last = house.mirror.alerts.count

    def frame(self) -> dict[str, Any] | None:
        mirror = self._house.mirror
        if mirror.captures != self._capture:
            self._capture, self._last = mirror.captures, 0
        count = mirror.alerts.count
        if count <= self._last:
            return None
        last, self._last = self._last, count
        return run_blocking(_frame, self._house.alerts.book.inputs(), last, self._request)


def _frame(inputs: AlertInputs, last: int, request: FactRequest) -> dict[str, Any] | None:
    fresh = [fact for fact in inputs.facts if fact.number > last]
    shown = [fact for fact in judged(inputs, fresh) if fact.document["muted_by"] is None]
    page = fact_page(with_flows(inputs, shown, FROM_FLOW), request, inputs.now_ns)
    if not page.documents:
        return None
    return {"alerts": page.documents, "skipped": page.total - len(page.documents)}

"""Repeats fold into one alert: same rule, same fold key, not longer apart than `APART_NS`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from app.model.alert import Alert, Detection

MAX_ALERTS: Final = 5_000  # kept; the one that was silent longest goes, and is counted
MAX_NEW_PER_RULE: Final = 200  # new alerts of one rule in a minute: a detector that cries about everything says nothing
MINUTE_NS: Final = 60_000_000_000
APART_NS: Final = 3_600_000_000_000  # after an hour of silence it is a new alert

_Key = tuple[object, ...]


class Folding:
    """All alerts of one capture."""

    def __init__(self, losses: Callable[[], dict[str, int]], capacity: int = MAX_ALERTS) -> None:
        self._losses = losses
        self._capacity = capacity
        self._open: OrderedDict[_Key, Alert] = OrderedDict()
        self._closed: list[Alert] = []
        self._changed: OrderedDict[str, Alert] = OrderedDict()
        self._new: dict[str, tuple[int, int]] = {}  # rule → (minute, alerts begun in it)
        self.lost = 0  # alerts that were forgotten or never begun
        self.total = 0

    def take(self, detection: Detection) -> Alert | None:
        """Fold it in; the alert, None where there was no room for a new one."""
        key = (detection.rule, *detection.fold)
        alert = self._open.get(key)
        if alert is not None and detection.ts - alert.last_seen > APART_NS:
            self._closed.append(self._open.pop(key))
            alert = None
        if alert is None:
            if not self._may_begin(detection):
                self.lost += 1
                return None
            alert = Alert.begin(detection)
            alert.not_seen = {name: count for name, count in self._losses().items() if count}
            self._open[key] = alert
            self.total += 1
            if len(self._open) + len(self._closed) > self._capacity:
                self._forget()
        else:
            alert.take(detection)
            self._open.move_to_end(key)
        self._changed[alert.id] = alert
        return alert

    def alerts(self) -> list[Alert]:
        """All that are kept, oldest first."""
        return sorted((*self._closed, *self._open.values()), key=lambda alert: (alert.first_seen, alert.id))

    def take_changed(self, most: int) -> list[Alert]:
        """Alerts that are new or have a repeat, each once, at most `most`; the others next time."""
        chosen = list(islice(self._changed, most))
        return [self._changed.pop(alert_id) for alert_id in chosen]

    def touch(self, alert: Alert) -> None:
        """Something about an alert has changed besides its repeats."""
        self._changed[alert.id] = alert

    @property
    def waiting(self) -> int:
        return len(self._changed)

    def _may_begin(self, detection: Detection) -> bool:
        minute = detection.ts // MINUTE_NS
        begun_in, begun = self._new.get(detection.rule, (minute, 0))
        if begun_in != minute:
            begun = 0
        self._new[detection.rule] = (minute, begun + 1)
        return begun < MAX_NEW_PER_RULE

    def _forget(self) -> None:
        forgotten = self._closed.pop(0) if self._closed else self._open.popitem(last=False)[1]
        self._changed.pop(forgotten.id, None)
        self.lost += 1

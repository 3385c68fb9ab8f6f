"""The detectors of `app.detect.connection_registry`, run over the live connections of programs; what they say joins the sensor's alerts.

A look takes the connections that had packets in the last minute, the newest `MOST`, in a real thread. What detectors learnt is kept in the data directory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.concurrency import run_blocking
from app.detect.alert_documents import alert_document
from app.detect.anomalies import Connection
from app.detect.connection_detector import KEYS, SECOND, ConnectionDetector
from app.detect.connection_registry import CONNECTION_DETECTORS
from app.detect.context import Context
from app.detect.folding import Folding
from app.model.alert import Alert, Detection
from app.services.connection_rows import Rows
from app.services.connections import connections
from app.services.flow_mirror import FlowView
from app.services.kept_file import KeptFile
from app.services.mirror import Mirror

SECONDS: Final = 3.0  # between two looks: as often as the use of processor and memory is read
RECENT_NS: Final = 60 * SECOND
MOST: Final = 2_000  # connections of one look
MOST_ALERTS: Final = 200  # told after one look; the rest follows
SAVE_SECONDS: Final = 60.0
MOST_FAILURES: Final = 3

_log = logging.getLogger(__name__)


class ConnectionWatch:
    """`run` is for a background thread; `look` is one round."""

    def __init__(
        self,
        mirror: Mirror,
        directory: Path,
        interfaces: Callable[[], list[str]],
        detectors: Sequence[type[ConnectionDetector]] = CONNECTION_DETECTORS,
    ) -> None:
        self._mirror = mirror
        self._interfaces = interfaces
        self._classes = tuple(detectors)
        self._files = {one.name: KeptFile(directory / one.kept) for one in detectors if one.kept}
        self._kept: dict[str, Any] = {}  # detector → what it learnt
        self._unsaved: set[str] = set()
        self._saved_at = time.monotonic()
        self.failures: dict[str, int] = {}
        self._begin()

    def _begin(self) -> None:
        """A new capture."""
        self._capture = self._mirror.captures
        self._folding = Folding(dict)
        self._detectors = [one(Context(), self._say) for one in self._classes]
        for one in self._detectors:
            if one.name in self._kept:
                self._recall(one)

    def _say(self, detection: Detection) -> None:
        self._folding.take(detection)

    def _recall(self, one: ConnectionDetector) -> None:
        try:
            one.remember(self._kept[one.name])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("what %s learnt makes no sense and is learnt anew: %s", one.name, error)
            del self._kept[one.name]

    def run(self) -> None:
        """For the life of the mirror."""
        self.load()
        while not self._mirror.ended:
            time.sleep(SECONDS)
            try:
                self.look(time.time_ns())
                if time.monotonic() - self._saved_at > SAVE_SECONDS:
                    self.save()
            except OSError as error:  # a file that cannot be written
                _log.warning("what was learnt of programs cannot be kept: %s", error)

    def load(self) -> None:
        """What was learnt in earlier runs."""
        for name, file in self._files.items():
            document = run_blocking(file.read)
            if document is not None:
                self._kept[name] = document
        self._begin()

    def save(self) -> None:
        """Raises OSError."""
        self._saved_at = time.monotonic()
        while self._unsaved:
            name = self._unsaved.pop()
            run_blocking(self._files[name].write, self._kept[name])

    def look(self, now_ns: int) -> int:
        """One round; how many connections were looked at."""
        if self._mirror.captures != self._capture:
            self._begin()
        if self._mirror.part("capture").get("source") != "live" or not self._mirror.facts.facts.owners.flows:
            return 0
        shown, said = run_blocking(self._look, self._mirror.flow_view(), self._interfaces(), now_ns)
        if said:
            self._mirror.add_alerts(said)
        return shown

    def _look(self, view: FlowView, interfaces: list[str], now_ns: int) -> tuple[int, list[dict[str, Any]]]:
        """In a real thread."""
        flows, owners = view.flows, view.facts.owners.flows
        recent = np.flatnonzero((flows["ended"] == 0) & (flows["end"] >= now_ns - RECENT_NS))
        recent = recent[np.argsort(flows["end"][recent], kind="stable")[::-1]]
        owned = [place for place, flow_id in zip(recent.tolist(), flows["flow_id"][recent].tolist(), strict=True) if flow_id in owners]  # fmt: skip
        rows = Rows.of(view, np.array(owned[:MOST], np.intp), interfaces)
        shown = [one for one in connections(rows, KEYS) if one["app_name"]]
        for one in list(self._detectors):
            self._show(one, shown, now_ns)
        return len(shown), [_document(alert) for alert in self._folding.take_changed(MOST_ALERTS)]

    def _show(self, one: ConnectionDetector, shown: Sequence[Connection], now_ns: int) -> None:
        one.context.now_ns = now_ns
        try:
            one.on_connections(shown, now_ns)
            learnt = one.learnt() if one.name in self._files else None
        except (
            Exception
        ) as error:  # a detector's defect must not stop the others; it is counted, and the tests forbid it
            count = self.failures[one.name] = self.failures.get(one.name, 0) + 1
            _log.warning("detector %s failed", one.name, exc_info=error)
            if count >= MOST_FAILURES:
                self._detectors.remove(one)
            return
        if learnt is not None:
            self._kept[one.name] = learnt
            self._unsaved.add(one.name)


def _document(alert: Alert) -> dict[str, Any]:
    """As the sensor's alerts, with the program that the detector named."""
    document = alert_document(alert)
    program = alert.detection.details.get("program")
    document["app_name"] = program[0] if program else None
    document["pid"] = alert.detection.details.get("pid")
    return document

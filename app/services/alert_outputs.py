"""Alerts on their way out of the program, each way opt-in: a bounded queue a way, tried again with growing pauses, its state shown on the page."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from app.model.alert import SEVERITIES
from app.model.timestamps import rfc3339

MAX_QUEUED: Final = 1_000  # alerts that wait; the oldest are given up and counted
FIRST_PAUSE: Final = 2.0  # seconds after a failure, doubled each time …
LONGEST_PAUSE: Final = 300.0  # … up to this
TRIES: Final = 10  # then an alert is given up, and counted

_log = logging.getLogger(__name__)


class Output(Protocol):
    """One way out. `where`: for people, without secrets."""

    name: str
    where: str

    def send(self, document: dict[str, Any]) -> None:
        """Send one alert. Raises OSError or ValueError with the reason when it did not arrive."""
        ...


class Outbox:
    """The queue of one output. `run()` belongs in the background."""

    def __init__(self, output: Output, least: str, pause: Callable[[float], None] = time.sleep) -> None:
        self.output = output
        self._least = SEVERITIES.index(least)  # type: ignore[arg-type]
        self._pause = pause
        self._queue: deque[dict[str, Any]] = deque()
        self._wake = threading.Condition()
        self.sent = 0
        self.lost = 0
        self.failures = 0
        self.last_error: str | None = None
        self.last_sent: str | None = None

    def take(self, documents: Sequence[dict[str, Any]]) -> None:
        """Queue those that are severe enough."""
        with self._wake:
            for document in documents:
                if SEVERITIES.index(document["severity"]) >= self._least:
                    self._queue.append(document)
            while len(self._queue) > MAX_QUEUED:
                self._queue.popleft()
                self.lost += 1
            self._wake.notify()

    def run(self) -> None:
        while True:
            self.step()

    def step(self) -> None:
        """Wait for an alert and bring it out, or give it up."""
        with self._wake:
            while not self._queue:
                self._wake.wait()
            document = self._queue.popleft()
        wait = FIRST_PAUSE
        for attempt in range(TRIES):
            if attempt:
                self._pause(wait)
                wait = min(wait * 2, LONGEST_PAUSE)
            if self._try(document):
                return
        self.lost += 1

    def _try(self, document: dict[str, Any]) -> bool:
        try:
            self.output.send(document)
        except (OSError, ValueError) as error:
            if self.last_error is None:
                _log.warning("alerts do not reach the %s: %s", self.output.name, error)
            self.failures += 1
            self.last_error = str(error)[:300] or type(error).__name__
            return False
        self.sent += 1
        self.last_error = None
        self.last_sent = rfc3339(time.time_ns())
        return True

    def state(self) -> dict[str, Any]:
        return {
            "name": self.output.name,
            "where": self.output.where,
            "from_severity": SEVERITIES[self._least],
            "sent": self.sent,
            "waiting": len(self._queue),
            "lost": self.lost,
            "failures": self.failures,
            "last_error": self.last_error,
            "last_sent": self.last_sent,
        }

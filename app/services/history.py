"""History in the web process: writes what the collector has, every few seconds, and asks what the pages want to know.

The store is a process of its own. One question at a time goes to it, from a real thread; while one is under way the others wait in green code, so
that the server answers everybody else.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.concurrency import run_blocking
from app.services.history_batches import Collector
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest, Unavailable
from app.store.client import StoreClient, StoreRefused

if TYPE_CHECKING:
    from config import Settings

FILE_NAME: Final = "history.duckdb"
WRITE_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 10.0
TIDY_SECONDS: Final = 600.0
MANY_ROWS: Final = 20_000  # that wait: written at once

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class HistoryState:
    """How the writing goes, for pages and measures. `problem`: one sentence while it does not."""

    rows_written: int = 0
    batches: int = 0
    errors: int = 0
    problem: str | None = None
    problem_code: str | None = None
    last_write: float = 0.0  # monotonic
    used_bytes: int | None = None
    free_disk_bytes: int | None = None
    oldest_ns: int | None = None
    counts: dict[str, int] = field(default_factory=dict)


class History:
    """`run` is for a background thread; `ask` for anybody on the hub."""

    def __init__(self, settings: Settings, mirror: Mirror) -> None:
        self.enabled = settings.history
        self.off = "History is switched off (HISTORY=0)."
        self.collector = Collector(mirror)
        self.state = HistoryState()
        self._settings = settings
        self._mirror = mirror
        self._path: Path = settings.data_dir / FILE_NAME
        self._client = StoreClient(self._path)
        self._lock = threading.Lock()
        self._ended = False
        if self.enabled:
            mirror.before_clear = self.collector.capture_over

    @property
    def pid(self) -> int | None:
        """Of the store's process, while it runs."""
        return self._client.pid

    def note(self, snapshot: dict[str, Any]) -> None:
        """With every snapshot, after the mirror has taken it over."""
        if self.enabled:
            self.collector.note(snapshot)

    def run(self) -> None:
        """Writes for the life of the process."""
        tidied = -TIDY_SECONDS
        while not (self._ended or self._mirror.ended):
            time.sleep(WRITE_SECONDS if self.state.problem is None else RETRY_SECONDS)
            self.write()
            if self.state.batches and time.monotonic() - tidied > TIDY_SECONDS:
                tidied = time.monotonic()
                self._tidy()

    def write(self) -> None:
        """Writes what waits. A failure is said once; the batch waits again."""
        parts = self.collector.take_all()
        for i, part in enumerate(parts):
            try:
                message = run_blocking(part.message)
                written = self._ask("write", **message)
            except StoreRefused as error:
                part.tries += error.code in ("failed", "gone")
                self.collector.give_back(parts[i:])
                self._trouble(error)
                return
            self.state.rows_written += int(written["rows"])
            self.state.batches += 1
            self.state.last_write = time.monotonic()
        if parts and self.state.problem is not None:
            self.state.problem = self.state.problem_code = None
            self._mirror.notice("info", "History is written again.")

    def _trouble(self, error: StoreRefused) -> None:
        self.state.errors += 1
        if error.code != self.state.problem_code:
            self._mirror.notice("error", error.message)
            _log.error("history: %s", error.message)
        self.state.problem, self.state.problem_code = error.message, error.code

    def _tidy(self) -> None:
        try:
            found = self._ask(
                "tidy", days=self._settings.history_days, max_bytes=self._settings.history_max_mb * 1024 * 1024
            )
        except StoreRefused as error:
            self._trouble(error)
            return
        self._take_state(found)

    def _take_state(self, found: dict[str, Any]) -> None:
        state = self.state
        state.used_bytes, state.free_disk_bytes = found["used_bytes"], found["free_disk_bytes"]
        state.oldest_ns, state.counts = found["oldest_ns"], found["counts"]
        if found.get("moved_aside"):
            name = found["moved_aside"]
            self._mirror.notice("error", f"The history could not be read; it was moved to {name}, and a new one begun.")

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, question: str, /, **fields: Any) -> Any:
        """The store's answer. `Unavailable` says why there is none; `BadRequest` for a query it does not understand."""
        if not self.enabled:
            raise Unavailable(self.off, "history_off")
        try:
            return self._ask(question, **fields)
        except StoreRefused as error:
            if error.code == "bad_query":
                raise BadRequest(error.message, "q") from None
            raise Unavailable(error.message, f"history_{error.code}") from None

    def refresh(self) -> HistoryState:
        """The state with fresh sizes, as far as the store answers."""
        self._take_state(self.ask("state"))
        return self.state

    def _ask(self, question: str, /, **fields: Any) -> Any:
        with self._lock:
            self._client.start()
            return run_blocking(self._client.ask, question, **fields)

    # -- the end -------------------------------------------------------------------------------------------------------

    def last_words(self) -> None:
        """At a regular end, from within a signal's handler: writes what waits and the flows that are still active, without leaving this thread."""
        self._ended = True
        if not self.enabled or not self._lock.acquire(blocking=False):
            return  # a question is under way; what it writes is safe
        try:
            for part in self.collector.take_all(last=True):
                self._client.start()
                self._client.ask("write", **part.message())
        except StoreRefused:
            return
        finally:
            self._lock.release()
        self._client.finish()

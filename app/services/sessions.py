"""Capture files that are looked at beside the live capture: each has a name, a sensor of its own, and services of its own.

A session is a `House` like the live one, with everything that leaves the machine or outlives the session switched off; so every page, list, topic and
export works for it unchanged. It is there until it is closed or the program ends. The number of sessions is bounded, and each is bounded like the
live capture.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.concurrency import spawn
from app.model.errors import CommandError
from app.model.timestamps import rfc3339
from app.services.house import House
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest, NotThere, Unavailable
from app.services.sensor_link import LinkSource

if TYPE_CHECKING:
    from config import Settings

LIVE: Final = "live"
MAX_NAME: Final = 80
QUIET_SECONDS: Final = 30.0  # without a word from a sensor that gets ready: it will not come any more
GONE: Final = frozenset({"gone", "restarting"})

NewSensor = Callable[["Settings"], LinkSource]
_log = logging.getLogger(__name__)


def _nothing() -> None:
    """Nobody waits for the hello."""


class Session:
    """One file that is read or has been read."""

    def __init__(self, live: House, directory: Path, name: str, new_sensor: NewSensor) -> None:
        self.id = secrets.token_hex(4)
        self.name = name
        self.file = ""
        self.size: int | None = None
        self.created_ns = time.time_ns()
        self.directory = directory / self.id
        self.source = new_sensor(live.settings)
        self.house = _house_beside(live, self.directory, self.source)

    def begin(self, path: Path, file: str, size: int | None, bpf_filter: str, *, uploaded: bool) -> None:
        """Starts the sensor and has it read the file. Raises CommandError or Unavailable with one sentence; then it is of no use any more."""
        self.file, self.size = file, size
        spawn(self._run, name=f"session-{self.id}")
        spawn(self.house.link.watch, name=f"session-watch-{self.id}")
        spawn(self.house.places.run, name=f"session-places-{self.id}")
        _wait_ready(self.house.mirror)
        self.house.captures.replay(path, file, bpf_filter, uploaded=uploaded)

    def _run(self) -> None:
        self.house.link.run()
        self.house.captures.let_go()

    def end(self) -> None:
        """Its sensor ends and everything of it is deleted."""
        self.source.quit()
        self.house.mirror.end()
        self.house.captures.let_go()
        shutil.rmtree(self.directory, ignore_errors=True)

    def document(self) -> dict[str, Any]:
        """As it is listed."""
        return {**_document(self.id, self.name, self.house), "file": self.file, "size": self.size, "created": rfc3339(self.created_ns)}  # fmt: skip


def _wait_ready(mirror: Mirror) -> None:
    """A sensor may have to compile its kernels first; as long as it says something it is waited for. `Unavailable` where it will not come."""
    generation, heard = mirror.generation, time.monotonic()
    while not mirror.sensor_ready:
        if mirror.sensor.state in GONE or mirror.ended or time.monotonic() - heard > QUIET_SECONDS:
            raise Unavailable(mirror.sensor.message or "The process that reads the file did not start.", "sensor_gone")
        now = mirror.wait(generation, 0.5)
        if now != generation:
            generation, heard = now, time.monotonic()


class Sessions:
    """Thread-safe. `on_end` hears the id of a session that was closed."""

    def __init__(self, live: House, new_sensor: NewSensor) -> None:
        self._live = live
        self._new_sensor = new_sensor
        self._directory = live.settings.data_dir / "sessions"
        self._lock = threading.Lock()
        self._held: dict[str, Session] = {}
        self.on_end: Callable[[str], None] = lambda session_id: None
        self.closed = 0  # sessions so far

    @property
    def most(self) -> int:
        return self._live.settings.max_sessions

    def remove_leftovers(self) -> None:
        """Deletes what an earlier run left behind."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def open(
        self, path: Path, name: str, file: str, size: int | None, bpf_filter: str = "", *, uploaded: bool = False
    ) -> Session:
        """A new session that reads the file; returns when the reading has begun. An uploaded file is deleted when it has been read.

        Raises CommandError (no capture file, a filter that does not compile, too many sessions) or Unavailable.
        """
        session: Session | None = None
        if self._live.mirror.sensor.state == "connected":
            with contextlib.suppress(Unavailable):
                _wait_ready(self._live.mirror)  # whatever has to be compiled is compiled once
        try:
            with self._lock:
                self.check_room()
                session = Session(self._live, self._directory, self._free_name(name), self._new_sensor)
                self._held[session.id] = session
            session.begin(path, file, size, bpf_filter, uploaded=uploaded)
        except (CommandError, Unavailable):
            if uploaded:
                path.unlink(missing_ok=True)
            if session is not None:
                self._end(session.id)
            raise
        self._live.mirror.nudge()
        return session

    def check_room(self) -> None:
        """CommandError where there are as many sessions as may be."""
        if len(self._held) >= self.most:
            raise CommandError(
                "too_many_sessions",
                f"{self.most} sessions are open and more are not allowed (MAX_SESSIONS); close one first.",
            )

    def _free_name(self, name: str) -> str:
        names = {one.name for one in self._held.values()}
        number = 2
        free = name
        while free in names:
            free, number = f"{name} ({number})", number + 1
        return free

    def get(self, session_id: str) -> Session:
        """`NotThere` where there is none of that id."""
        found = self._held.get(session_id)
        if found is None:
            raise NotThere(f"There is no session {session_id[:20]!r}: it was closed, or the program was started again.")
        return found

    def rename(self, session_id: str, name: str) -> Session:
        """Gives a session another name; where another one has it, with a number behind it. `NotThere` where there is none of that id."""
        session = self.get(session_id)
        with self._lock:
            session.name = ""
            session.name = self._free_name(name)
        self._live.mirror.nudge()
        return session

    def house(self, session_id: str) -> House:
        """The services of a session; of the live capture for `live` and the empty text."""
        return self._live if session_id in ("", LIVE) else self.get(session_id).house

    def close(self, session_id: str) -> None:
        """Ends a session, also one that still reads. `NotThere` where there is none."""
        self.get(session_id)
        self._end(session_id)
        self._live.mirror.nudge()

    def _end(self, session_id: str) -> None:
        with self._lock:
            session = self._held.pop(session_id, None)
        if session is not None:
            session.end()
            self.closed += 1
            self.on_end(session_id)

    def documents(self) -> list[dict[str, Any]]:
        """The live capture, then the sessions, the oldest first."""
        live = {**_document(LIVE, "Live capture", self._live), "file": None, "size": None, "created": rfc3339(int(self._live.started * 1e9))}  # fmt: skip
        live["file"] = self._live.mirror.part("capture").get("file")
        return [live, *(session.document() for session in list(self._held.values()))]


def checked_name(text: Any, fallback: str) -> str:
    """The name of a session; `fallback` where none is given. `BadRequest` says what is allowed."""
    name = " ".join(text.split()) if isinstance(text, str) else "" if text is None else None
    if name is None or len(name) > MAX_NAME or not name.isprintable():
        raise BadRequest("name is not allowed", "name", [f"one line of at most {MAX_NAME} characters"])
    return name or fallback[:MAX_NAME] or "capture"


def _document(session_id: str, name: str, house: House) -> dict[str, Any]:
    """`state`: starting, replaying, finished, stopped, failed; of the live capture running as well."""
    mirror = house.mirror
    capture, totals = mirror.part("capture"), mirror.part("totals")
    state, message = capture.get("state") or "starting", capture.get("message")
    if mirror.sensor.state == "gone" and state in ("starting", "replaying"):
        state, message = "failed", mirror.sensor.message
    if session_id != LIVE and state == "stopped" and not capture.get("started_ns"):
        state = "starting"  # nothing has been read yet
    return {
        "id": session_id,
        "name": name,
        "state": state,
        "progress": capture.get("progress"),
        "message": message,
        "packets": totals.get("packets", 0),
        "bytes": totals.get("bytes", 0),
        "first": rfc3339(totals.get("first_ns") or 0) if totals.get("first_ns") else None,
        "last": rfc3339(totals.get("last_ns") or 0) if totals.get("last_ns") else None,
    }


def _house_beside(live: House, directory: Path, source: LinkSource) -> House:
    """Services like the live ones: what is the machine's is shared, what leaves the machine or is kept for later is off."""
    settings = dataclasses.replace(
        live.settings,
        data_dir=directory,
        history=False,
        entropy_log=False,
        ipinfo_token=None,
        resolve_hostnames=False,
        measure_latency=False,
        alert_webhook=None,
        alert_syslog=None,
        alert_mail_server=None,
        alert_eve=False,
        security_data=False,
        autostart=False,
        pcap=None,
    )
    house = House.build(settings, source, list, None)
    house.link.on_hello = _nothing  # what it shall do is said by `begin`
    house.sessions = live.sessions
    house.interfaces, house.legal, house.saved_views = live.interfaces, live.legal, live.saved_views
    house.places.share(live.places)
    house.history.off = "A session is not in the history; its file can be opened again."
    house.mirror.own_addresses(sorted(live.mirror.own_keys()))
    return house

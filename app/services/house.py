"""What the web process consists of, in one object: made by `create_app`, read by the REST and Socket.IO adapters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.concurrency import spawn
from app.model.live_load import LiveLoad
from app.services.alert_book import judged
from app.services.alert_house import AlertHouse
from app.services.captures import CaptureRequest, Captures
from app.services.connection_watch import ConnectionWatch
from app.services.entropy_recorder import EntropyRecorder
from app.services.history import History
from app.services.history_documents import Judgement
from app.services.interfaces import Interfaces
from app.services.legal import LegalNotice
from app.services.mirror import Mirror
from app.services.places import Places
from app.services.probes import Probes
from app.services.programs import Programs, ReadUsage
from app.services.saved_views import SavedViews
from app.services.sensor_link import LinkSource, SensorLink
from app.services.shared_frames import SharedFrames

if TYPE_CHECKING:
    from app.services.sessions import Sessions
    from config import Settings


def _nothing() -> None:
    """Shut-down of a program that nobody started: a test."""


@dataclass(slots=True)
class House:
    """The services, wired. `start()` begins the background work; before it nothing runs."""

    settings: Settings
    mirror: Mirror
    link: SensorLink
    captures: Captures
    interfaces: Interfaces
    legal: LegalNotice
    saved_views: SavedViews
    places: Places
    probes: Probes
    programs: Programs
    alerts: AlertHouse
    watch: ConnectionWatch
    history: History
    entropy_recorder: EntropyRecorder
    shut_down: Callable[[], None] = _nothing
    live_load: Callable[[], LiveLoad] = LiveLoad
    sessions: Sessions | None = None  # beside the live capture
    started: float = field(default_factory=time.time)
    frames: SharedFrames = field(default_factory=SharedFrames)

    @classmethod
    def build(
        cls,
        settings: Settings,
        source: LinkSource,
        read_interfaces: Callable[[], list[dict[str, Any]]],
        read_usage: ReadUsage | None = None,
    ) -> House:
        mirror = Mirror()
        link = SensorLink(source, mirror)
        places = Places(mirror, settings.geoip_db)
        captures = Captures(link, mirror, settings.data_dir / "uploads")
        house = cls(
            settings,
            mirror,
            link,
            captures,
            Interfaces(read_interfaces, mirror),
            LegalNotice(settings.data_dir),
            SavedViews(settings.data_dir),
            places,
            Probes(settings, mirror, places),
            Programs(mirror, settings.data_dir / "programs.json", read_usage),
            AlertHouse(settings, mirror, lambda: house.interface_names()),
            ConnectionWatch(mirror, settings.data_dir, lambda: house.interface_names()),
            History(settings, mirror),
            EntropyRecorder(settings, mirror),
        )
        book = house.alerts.book
        house.history.collector.judgement = Judgement(
            lambda: judged(book.inputs()), book.mutes.all, lambda: (book.triage.version, book.mutes.version)
        )
        link.on_hello = lambda: captures.after_hello(house.initial_capture())
        link.before_snapshot = book.keep_evidence
        link.on_message = house._after_message
        return house

    def _after_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            self.captures.snapshot_applied()
            self.alerts.book.take_snapshot(message)
            self.history.note(message)

    def initial_capture(self) -> CaptureRequest | Path | None:
        """What the settings want captured at start."""
        if not self.settings.autostart:
            return None
        if self.settings.pcap is not None:
            return self.settings.pcap
        return CaptureRequest(self.settings.interface, self.settings.bpf_filter, self.settings.snaplen)

    def start(self) -> None:
        """Starts the link reader, its watch and the interface statistics in the background."""
        self.captures.remove_leftovers()
        if self.sessions is not None:
            self.sessions.remove_leftovers()
        spawn(self.link.run, name="sensor-link")
        spawn(self.link.watch, name="sensor-watch")
        spawn(self.interfaces.run, name="interfaces")
        spawn(self.programs.run, name="programs")
        spawn(self.places.run, name="places")
        spawn(self.probes.run, name="probes")
        self.alerts.start()
        spawn(self.watch.run, name="connection-watch")
        if self.history.enabled:
            spawn(self.history.run, name="history")
        spawn(self.entropy_recorder.run, name="entropy-log")

    def interface_names(self) -> list[str]:
        """Names of the capture's interfaces in the order that rows refer to; empty where a file does not tell."""
        listed = self.mirror.part("capture").get("interfaces", [])
        return [str(entry.get("name") or "") for entry in listed if isinstance(entry, dict)]

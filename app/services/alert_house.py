"""What becomes of alerts in the web process, wired: the book, the ways out, and the file of the security dashboard."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from app.concurrency import spawn
from app.services.alert_book import AlertBook
from app.services.alert_outputs import Outbox, Output
from app.services.kept_file import KeptFile
from app.services.mirror import Mirror
from app.services.output_eve import EveFile
from app.services.output_mail import Mail
from app.services.output_syslog import Syslog
from app.services.output_webhook import Webhook
from app.services.security_score import security

if TYPE_CHECKING:
    from config import Settings

SECURITY_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


def outputs(settings: Settings) -> list[Output]:
    """Those that the settings turn on."""
    found: list[Output] = []
    if settings.alert_webhook:
        found.append(Webhook(settings.alert_webhook, settings.alert_webhook_secret or ""))
    if settings.alert_syslog:
        found.append(Syslog(settings.alert_syslog))
    if settings.alert_mail_server and settings.alert_mail_to:
        found.append(Mail(settings.alert_mail_server, settings.alert_mail_from, settings.alert_mail_to))
    if settings.alert_eve:
        found.append(EveFile(settings.data_dir / "eve.json"))
    return found


class AlertHouse:
    """`start()` begins the background work."""

    def __init__(self, settings: Settings, mirror: Mirror, interfaces: Callable[[], list[str]]) -> None:
        self._mirror = mirror
        self.book = AlertBook(mirror, settings.data_dir, settings.evidence_mb << 20, interfaces)
        self.outboxes = [Outbox(output, settings.alert_min_severity) for output in outputs(settings)]
        self.book.on_alerts(self._send)
        self._security_file = KeptFile(settings.data_dir / "security_data.json") if settings.security_data else None
        self.security_file_error: str | None = None

    def start(self) -> None:
        for outbox in self.outboxes:
            spawn(outbox.run, name=f"alerts-{outbox.output.name}")
        if self._security_file is not None:
            spawn(self._write_security, name="security-data")

    def security(self) -> dict[str, Any]:
        return security(self._mirror, self.book)

    def _send(self, documents: list[dict[str, Any]]) -> None:
        for outbox in self.outboxes:
            outbox.take(documents)

    def _write_security(self) -> None:
        assert self._security_file is not None
        while not self._mirror.ended:
            time.sleep(SECURITY_SECONDS)
            try:
                self._security_file.write(self.security())
                self.security_file_error = None
            except OSError as error:
                if self.security_file_error is None:
                    _log.warning("security_data.json cannot be written: %s", error)
                self.security_file_error = error.strerror

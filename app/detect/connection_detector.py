"""Detectors of connections with their programs and places: what the web process knows, and the sensor does not.

They are shown the connections of programs of this machine that had packets in the last minute, every few seconds, as documents (the keys of a connection).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from app.detect.anomalies import Connection
from app.detect.detector import Detector

SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND

# What is shown of each connection.
KEYS: Final = (
    "flow_id", "app_name", "app_path", "container", "pid", "local_address", "remote_address", "direction", "country", "country_name", "organization", "is_anonymous",
    "packets_sent", "packets_recv", "bytes_sent", "bytes_recv", "duration", "packet_loss_percent", "reconnect_count", "status", "cpu_percent", "memory_percent",
    "protocol", "scope",
)  # fmt: skip


class ConnectionDetector(Detector):
    """A detector of one capture. What it learnt outlives it where `kept` names a file of the data directory."""

    kept: ClassVar[str | None] = None

    def on_connections(self, connections: Sequence[Connection], now_ns: int) -> None:
        """Connections with a program and packets in the last minute; now_ns: wall clock."""
        raise NotImplementedError

    def learnt(self) -> Any:
        """JSON of what outlives the process; None where nothing changed since the last call."""
        return None

    def remember(self, document: Any) -> None:
        """What `learnt` gave once. Raises ValueError, TypeError, KeyError, AttributeError where it makes no sense."""


def program_of(connection: Connection) -> tuple[str, str, str] | None:
    """What makes two processes the same program: name, path, container."""
    name = connection.get("app_name")
    if not name:
        return None
    return str(name), str(connection.get("app_path") or ""), str(connection.get("container") or "")

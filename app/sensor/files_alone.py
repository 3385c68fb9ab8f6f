"""In the place of a broker, for a sensor that the web process starts to read one file: it may open no packet socket and asks nobody."""

from __future__ import annotations

import socket
from typing import Final

from app.model.errors import CaptureError
from app.sensor.broker_client import Rights

WHY_NOT: Final = "This session reads a file; live capture goes on beside it."


class FilesAlone:
    """`BrokerClient` without a broker: every job is refused."""

    def fileno(self) -> int | None:
        """Nothing to wait for."""
        return None

    def rights(self) -> Rights:
        return Rights(can_capture=False, why_not=WHY_NOT)

    def open(self, interface: str) -> socket.socket:
        raise CaptureError("not_permitted", WHY_NOT)

    def compile(self, interface: str, text: str, snaplen: int) -> list[tuple[int, int, int, int]] | None:
        raise CaptureError("not_permitted", WHY_NOT)

    def close(self) -> None:
        """There is nothing to close."""

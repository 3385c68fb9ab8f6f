"""The machine's interfaces with rates, measured in the background; also tells the mirror which addresses are this machine's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from app.concurrency import run_blocking
from app.services.mirror import Mirror
from app.wire.addresses import parse_address

SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class Interfaces:
    """`read` lists interfaces as dicts (see `app.host.interfaces`); it may block and is called off the hub."""

    def __init__(self, read: Callable[[], list[dict[str, Any]]], mirror: Mirror) -> None:
        self._read = read
        self._mirror = mirror
        self._lock = threading.Lock()
        self._shown: list[dict[str, Any]] = []
        self._addresses: frozenset[str] = frozenset()
        self._before: dict[str, tuple[float, int, int]] = {}

    def run(self) -> None:
        """Refreshes once a second, for the life of the mirror."""
        while not self._mirror.ended:
            try:
                self.refresh()
            except (
                OSError,
                RuntimeError,
            ) as error:  # psutil: an interface or /sys entry that vanished while it was read
                _log.warning("interfaces could not be read: %s", error)
            time.sleep(SECONDS)

    def refresh(self) -> None:
        found = run_blocking(self._read)
        now = time.monotonic()
        shown = [self._with_rates(dict(entry), now) for entry in found]
        names = {entry["interface"] for entry in shown}
        self._before = {name: seen for name, seen in self._before.items() if name in names}
        addresses = frozenset(str(address) for entry in shown for address in entry.get("addresses", ()))
        with self._lock:
            self._shown, changed = shown, addresses != self._addresses
            self._addresses = addresses
        if changed:
            self._mirror.own_addresses(_halves(addresses))

    def document(self) -> dict[str, Any]:
        """`{"interfaces": […], "total_data_usage_gb": …}` as last measured."""
        with self._lock:
            shown = list(self._shown)
        total = sum(entry["bytes_sent"] + entry["bytes_recv"] for entry in shown if entry["interface"] != "lo")
        return {"interfaces": shown, "total_data_usage_gb": round(total / 1e9, 3)}

    def addresses(self) -> frozenset[str]:
        """This machine's own addresses."""
        with self._lock:
            return self._addresses

    def _with_rates(self, entry: dict[str, Any], now: float) -> dict[str, Any]:
        name, sent, received = entry["interface"], entry["bytes_sent"], entry["bytes_recv"]
        then, sent_then, received_then = self._before.get(name, (now, sent, received))
        self._before[name] = (now, sent, received)
        passed = now - then
        entry["upload_bps"] = round(max(sent - sent_then, 0) * 8 / passed, 1) if passed > 0 else None
        entry["download_bps"] = round(max(received - received_then, 0) * 8 / passed, 1) if passed > 0 else None
        return entry


def _halves(addresses: frozenset[str]) -> list[tuple[int, int]]:
    found = []
    for text in addresses:
        try:
            _, high, low = parse_address(text.partition("%")[0])
        except ValueError:
            continue  # a hardware address, or a family that is not IP
        found.append((high, low))
    return found

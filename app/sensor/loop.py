"""The sensor's one loop: capture, link, broker and clock, waited for together. Nothing else in this process waits.

Work between two looks at the link is bounded, and the sensor ends when the link or the broker does.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import threading
import time
from typing import Any, Final

from app.host.memory import resident_bytes
from app.link.channel import LinkClosed, SensorEnd
from app.model.errors import CaptureError, NetglassError, ProtocolError
from app.sensor.broker_client import BrokerClient
from app.sensor.capture_control import CaptureControl
from app.sensor.commands import Commands
from app.sensor.kernels_warm import compile_all
from app.sensor.snapshot import SnapshotMaker

TICK_SECONDS: Final = 1.0
WORK_SECONDS: Final = 0.04  # of reading packets between two looks at the link
STREAM_ROOM: Final = 1 << 20  # bytes queued on the link above which exports wait

_log = logging.getLogger(__name__)


class Loop:
    """Runs until the link closes, the broker ends, `quit`, or SIGTERM."""

    def __init__(
        self,
        link: SensorEnd,
        broker: BrokerClient,
        control: CaptureControl,
        commands: Commands,
        snapshots: SnapshotMaker,
    ) -> None:
        self._link = link
        self._broker = broker
        self._control = control
        self._commands = commands
        self._snapshots = snapshots
        self._ending = False
        self._ready = False
        self._progress: dict[str, Any] = {"type": "progress", "task": "kernels", "done": 0, "total": 1, "text": ""}
        self._started = self._next_tick = time.monotonic()
        self._tick_ms = 0.0
        self._lag_ms = 0.0
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._compile_error: str | None = None

    def run(self) -> None:
        """The whole life. Raises NetglassError where the kernels cannot be compiled."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._end)
        threading.Thread(target=self._compile, name="kernels", daemon=True).start()
        try:
            while not (self._ending or self._commands.quit):
                self._wait()
                if self._ready:
                    self._control.work(time.monotonic() + WORK_SECONDS)
                if time.monotonic() >= self._next_tick:
                    self._tick()
                self._commands.pump(lambda: self._link.queued_bytes < STREAM_ROOM)
            self._link.flush()
        except LinkClosed as error:
            _log.info("the sensor ends: %s", error)
        finally:
            self._control.close()

    def _end(self, number: int, frame: object) -> None:
        self._ending = True

    # -- kernels ------------------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        """In a thread of its own, so that the link is served meanwhile. Only the loop talks to the link."""
        try:
            compile_all(self._on_progress)
        except Exception as error:  # whatever numba raises: the loop ends with it
            _log.exception("the kernels could not be compiled")
            self._compile_error = f"{type(error).__name__}: {error}"
        self._wake.send(b"k")

    def _on_progress(self, done: int, total: int, text: str) -> None:
        self._progress = {"type": "progress", "task": "kernels", "done": done, "total": total, "text": text}

    def _look_at_kernels(self) -> None:
        if self._compile_error is not None:
            raise NetglassError(f"the kernels could not be compiled: {self._compile_error}")
        self._ready = True
        self._link.send({**self._progress, "done": self._progress["total"]})
        try:
            self._control.kernels_ready()
        except CaptureError as error:
            self.notify("error", error.message)
        self._next_tick = time.monotonic()

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        poller = select.poll()
        link = self._link.fileno()
        poller.register(link, select.POLLIN | (select.POLLOUT if self._link.wants_write else 0))
        poller.register(self._broker.fileno(), select.POLLIN)
        poller.register(self._woken.fileno(), select.POLLIN)
        source = self._control.fileno() if self._ready else None
        if source is not None:
            poller.register(source, select.POLLIN)
        for number, event in poller.poll(self._timeout_ms()):
            if number == link:
                self._serve_link(event)
            elif number == self._broker.fileno():
                raise LinkClosed("the broker ended")
            elif number == self._woken.fileno():
                self._awake()

    def _timeout_ms(self) -> int:
        if (self._ready and self._control.reading_file) or (self._commands.streaming and not self._link.wants_write):
            return 0
        return max(0, int((self._next_tick - time.monotonic()) * 1000) + 1)

    def _awake(self) -> None:
        try:
            data = self._woken.recv(4096)
        except BlockingIOError:
            return
        # A signal's number arrives as its byte; SIGTERM's handler has run by then.
        if b"k" in data and not self._ready:
            self._look_at_kernels()

    def _serve_link(self, event: int) -> None:
        if event & select.POLLOUT:
            self._link.flush()
        if event & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                messages = self._link.receive()
            except ProtocolError as error:
                raise LinkClosed(str(error)) from None
            for message in messages:
                self._commands.handle(message)

    # -- the tick -----------------------------------------------------------------------------------------------------

    def notify(self, level: str, text: str) -> None:
        """Something the user should know."""
        self._link.send({"type": "notice", "level": level, "text": text})

    def _tick(self) -> None:
        begun = time.monotonic()
        self._lag_ms = (begun - self._next_tick) * 1000
        self._next_tick += TICK_SECONDS
        if self._next_tick < begun:
            self._next_tick = begun + TICK_SECONDS
        if not self._ready:
            self._link.send(self._progress)
            return
        self._control.watch_interfaces()
        if self._link.snapshot_waits:
            # Rows that changed stay marked in the tables, so nothing is lost but freshness.
            self._link.snapshots_replaced += 1
            return
        self._link.offer_snapshot(self._snapshot())
        self._tick_ms = (time.monotonic() - begun) * 1000

    def _snapshot(self) -> dict[str, Any]:
        losses = {**self._control.losses(), "snapshots_replaced": self._link.snapshots_replaced}
        health = {
            "rss_bytes": resident_bytes(),
            "tick_ms": round(self._tick_ms, 3),
            "lag_ms": round(self._lag_ms, 3),
            "uptime_s": round(time.monotonic() - self._started, 3),
        }
        return self._snapshots.make(self._control.state(), losses, health, self._control.live)

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
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from app.allocation import give_back
from app.attribution.asker import Asker
from app.host.memory import resident_bytes
from app.link.channel import LinkClosed, SensorEnd
from app.link.messages import Message
from app.model.errors import NetglassError, ProtocolError
from app.sensor.broker_client import BrokerClient
from app.sensor.files_alone import FilesAlone

if TYPE_CHECKING:
    from app.sensor.assembly import Parts

TICK_SECONDS: Final = 1.0
_GIVE_BACK_SECONDS: Final = 2.0  # it takes a millisecond, and seconds of many flows leave 20 MB each time
WORK_SECONDS: Final = 0.04  # of reading packets between two looks at the link
STREAM_ROOM: Final = 1 << 20  # bytes queued on the link above which exports wait
MAX_HELD: Final = 64  # commands that wait for the kernels

Progress = Callable[[int, int, str], None]

_log = logging.getLogger(__name__)


class Loop:
    """Runs until the link closes, the broker ends, `quit`, or SIGTERM.

    `build` compiles the kernels and makes the parts; it runs in a thread, so that the link is served meanwhile.
    """

    def __init__(
        self,
        link: SensorEnd,
        broker: BrokerClient | FilesAlone,
        build: Callable[[Progress], Parts],
        owners: Asker | None = None,
    ) -> None:
        self._link = link
        self._owners = owners or Asker(None)
        self._broker = broker
        self._build = build
        self._parts: Parts | None = None
        self._built: Parts | None = None  # the thread's result, taken by the loop
        self._build_error: str | None = None
        self._held: list[Message] = []
        self._ending = False
        self._progress: dict[str, Any] = {"type": "progress", "task": "kernels", "done": 0, "total": 1, "text": ""}
        self._started = self._next_tick = time.monotonic()
        self._next_give_back = self._started + _GIVE_BACK_SECONDS
        self._tick_ms = 0.0
        self._lag_ms = 0.0
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)

    @property
    def ready(self) -> bool:
        """The kernels are there."""
        return self._parts is not None

    def run(self) -> None:
        """The whole life. Raises NetglassError where the kernels cannot be compiled."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._end)
        threading.Thread(target=self._make_parts, name="kernels", daemon=True).start()
        try:
            while not self._ending:
                self._wait()
                if self._parts is not None:
                    self._work(self._parts)  # before the tick, which asks how far the capture has been read
                if time.monotonic() >= self._next_tick:
                    self._tick()
            self._link.flush()
        except LinkClosed as error:
            _log.info("the sensor ends: %s", error)
        finally:
            if self._parts is not None:
                self._parts.control.close()
                self._parts.dissector.close()

    def _work(self, parts: Parts) -> None:
        parts.control.work(time.monotonic() + WORK_SECONDS)
        self._owners.ask()
        parts.commands.pump(lambda: self._link.queued_bytes < STREAM_ROOM)
        self._ending |= parts.commands.quit

    def _end(self, number: int, frame: object) -> None:
        self._ending = True

    # -- kernels ------------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        """The thread. Only the loop talks to the link."""
        try:
            self._built = self._build(self._on_progress)
        except Exception as error:  # whatever numba raises: the loop ends with it
            _log.exception("the sensor's parts could not be made")
            self._build_error = f"{type(error).__name__}: {error}"
        self._wake.send(b"\0")

    def _on_progress(self, done: int, total: int, text: str) -> None:
        self._progress = {"type": "progress", "task": "kernels", "done": done, "total": total, "text": text}

    def _take_parts(self) -> None:
        if self._build_error is not None:
            raise NetglassError(f"the kernels could not be compiled: {self._build_error}")
        if self._built is None or self._parts is not None:
            return
        self._parts = self._built
        self._link.send(self._progress)
        held, self._held = self._held, []
        for message in held:
            self._parts.commands.handle(message)
        self._next_tick = time.monotonic()

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        poller = select.poll()
        link, broker, woken = self._link.fileno(), self._broker.fileno(), self._woken.fileno()
        poller.register(link, select.POLLIN | (select.POLLOUT if self._link.wants_write else 0))
        if broker is not None:
            poller.register(broker, select.POLLIN)
        poller.register(woken, select.POLLIN)
        if self._parts is not None:
            self._register_parts(poller, self._parts)
        owners = self._owners.fileno()
        if owners is not None:
            poller.register(owners, select.POLLIN | (select.POLLOUT if self._owners.wants_write else 0))
        for number, event in poller.poll(self._timeout_ms()):
            if number == link:
                self._serve_link(event)
            elif number == broker:
                raise LinkClosed("the broker ended")
            elif number == owners:
                self._owners.serve()
            elif number == woken:
                self._awake()
            elif self._parts is not None and number == self._parts.dissector.fileno():
                self._parts.commands.deliver()

    @staticmethod
    def _register_parts(poller: select.poll, parts: Parts) -> None:
        source, dissector = parts.control.fileno(), parts.dissector.fileno()
        if source is not None:
            poller.register(source, select.POLLIN)
        if dissector is not None:
            poller.register(dissector, select.POLLIN | (select.POLLOUT if parts.dissector.wants_write else 0))

    def _timeout_ms(self) -> int:
        if self._parts is not None and self._parts.control.reading_file:
            return 0
        if self._parts is not None and self._parts.commands.streaming and self._link.queued_bytes < STREAM_ROOM:
            return 0
        return max(0, int((self._next_tick - time.monotonic()) * 1000) + 1)

    def _awake(self) -> None:
        """A signal arrived (its handler has run), or the thread is done."""
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return
        self._take_parts()

    def _serve_link(self, event: int) -> None:
        if event & select.POLLOUT:
            self._link.flush()
        if not event & (select.POLLIN | select.POLLHUP | select.POLLERR):
            return
        try:
            messages = self._link.receive()
        except ProtocolError as error:
            raise LinkClosed(str(error)) from None
        for message in messages:
            if self._parts is not None:
                self._parts.commands.handle(message)
            elif message["type"] == "quit":
                self._ending = True
            elif len(self._held) < MAX_HELD:
                self._held.append(message)

    # -- the tick -----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        begun = time.monotonic()
        self._lag_ms = (begun - self._next_tick) * 1000
        self._next_tick += TICK_SECONDS
        if self._next_tick < begun:
            self._next_tick = begun + TICK_SECONDS
        if self._parts is None:
            self._link.send(self._progress)
            return
        self._parts.control.watch_interfaces()
        self._owners.tick()
        self._parts.commands.deliver()  # also those whose time is over
        self._parts.dissector.tick()
        if self._link.snapshot_waits:
            # Rows that changed stay marked in the tables, so nothing is lost but freshness.
            self._link.snapshots_replaced += 1
            return
        self._link.offer_snapshot(self._snapshot(self._parts))
        if begun >= self._next_give_back:
            self._next_give_back = begun + _GIVE_BACK_SECONDS
            give_back()
        self._tick_ms = (time.monotonic() - begun) * 1000

    def _snapshot(self, parts: Parts) -> dict[str, Any]:
        losses = {**parts.control.losses(), "snapshots_replaced": self._link.snapshots_replaced}
        health = {
            "rss_bytes": resident_bytes(),
            "tick_ms": round(self._tick_ms, 3),
            "lag_ms": round(self._lag_ms, 3),
            "uptime_s": round(time.monotonic() - self._started, 3),
        }
        return parts.snapshots.make(parts.control.state(), losses, health, parts.control.live, parts.control.up_to_now)

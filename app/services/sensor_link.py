"""The conversation with the sensor: one background reader, commands correlated with their replies by id.

Links come from a `LinkSource` (in the program: the broker, which hands over a new one whenever it starts a sensor), so a
sensor may die at any time: every command under way then fails with `sensor_gone`, the state is visible in the mirror at
once, and the next link is taken up.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from app.concurrency import spawn
from app.link.channel import Channel, LinkClosed
from app.link.messages import ITEM_SIZES, Message
from app.model.errors import CommandError, ProtocolError
from app.services.mirror import Mirror
from app.services.query_errors import Unavailable

REPLY_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 3.0  # without any message; the sensor speaks every second
COMPILING_SECONDS: Final = 60.0  # and less often while it compiles its kernels
LINK_POLL_SECONDS: Final = 0.5
PATIENT: Final = frozenset(
    {"start", "stop", "replay"}
)  # wait longer than their time while the sensor tells of progress
UNREAD_BYTES: Final = 64 * 1024 * 1024  # of a streamed reply that nobody takes

_log = logging.getLogger(__name__)


class LinkSource(Protocol):
    """Where links to sensors come from."""

    @property
    def ended(self) -> bool:
        """No link will ever come again."""

    def next_link(self, timeout: float) -> Channel | None:
        """The link to a newly started sensor; None if none came within `timeout` seconds."""

    def why_gone(self) -> str | None:
        """Why the last sensor ended, if known: one sentence."""

    def quit(self) -> None:
        """Ends the sensor and whoever starts it."""


class _Pending:
    """Replies to one command, until the last."""

    def __init__(self) -> None:
        self.replies: queue.Queue[Message] = queue.Queue()
        self.unread_bytes = 0
        self.overrun = False


class SensorLink:
    """Thread-safe. `run()` is the reader and belongs in the background; `watch()` beside it notices silence."""

    def __init__(self, source: LinkSource, mirror: Mirror) -> None:
        self.source = source
        self.mirror = mirror
        self.on_hello: Callable[[], None] = lambda: None
        self.before_snapshot: Callable[[Message], None] = lambda message: None
        self.on_message: Callable[[Message], None] = lambda message: None
        self.unknown_messages = 0
        self.failures = 0  # messages over which something here stumbled
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._last_message = time.monotonic()
        self._last_progress = -COMPILING_SECONDS

    # -- the reader --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Takes up one link after the other until the source has ended."""
        while not self.source.ended:
            channel = self.source.next_link(LINK_POLL_SECONDS)
            if channel is None:
                if self.mirror.sensor.state == "restarting":
                    self.mirror.sensor_state("restarting", self._gone_text())
                continue
            reason = self._converse(channel)
            self._drop(reason)
        self.mirror.sensor_state("gone", self.source.why_gone() or "No sensor will be started again; restart Netglass.")

    def watch(self) -> None:
        """Marks a connected sensor that says nothing as silent; the next message clears it."""
        while not self.source.ended:
            time.sleep(LINK_POLL_SECONDS)
            quiet = time.monotonic() - self._last_message
            allowed = SILENT_SECONDS if self.mirror.sensor_ready else COMPILING_SECONDS
            if self.mirror.sensor.state == "connected" and quiet > allowed:
                self.mirror.sensor_state("silent", f"The sensor has said nothing for {quiet:.0f} seconds.")

    def _converse(self, channel: Channel) -> str | None:
        """Reads one link to its end; returns why it ended, None where the source knows better."""
        try:
            for message in channel.messages():
                self._last_message = time.monotonic()
                if message["type"] != "hello":
                    self._take_whatever_happens(message)
                elif refusal := self._greet(message, channel):
                    return refusal
        except ProtocolError as error:
            return f"The link to the sensor was ended: {error}."
        finally:
            self.unknown_messages += channel.unknown
            channel.close()
        return None

    def _greet(self, message: Message, channel: Channel) -> str | None:
        sizes = {name: message["layouts"].get(name) for name in ("flow", "packet_row", "bucket")}
        if any(size != ITEM_SIZES[name] for name, size in sizes.items()):
            return f"The sensor's records have other sizes ({sizes}): restart Netglass so that both are of one release."
        with self._lock:
            self._channel = channel
        self.mirror.hello(message["pid"], message["boot"])
        # in the background: what follows a hello (starting the capture) waits for replies, which this reader brings
        spawn(self._greeted, name="after-hello")
        return None

    def _greeted(self) -> None:
        """Commands wait for the first snapshot: a sensor may have to compile for a while before it can do what it is told."""
        if not self.mirror.wait_ready(self.mirror.sensor.boot):
            return
        try:
            self.on_hello()
        except CommandError as error:
            self.mirror.notice("error", error.message)
        except Unavailable as error:
            _log.warning("the sensor was gone before it was told what to do: %s", error.message)

    def _take_whatever_happens(self, message: Message) -> None:
        """The reader outlives a defect of those that hear: without it nothing would be seen any more, and commands would wait in vain."""
        try:
            self._take(message)
        except Exception:
            self.failures += 1
            _log.exception("a message of the sensor (%s) was not taken wholly", message["type"])
            if self.failures == 1:
                self.mirror.notice(
                    "error", "Something of what the sensor said was not taken wholly; the log says what."
                )

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "snapshot":
            self.before_snapshot(message)
            self.mirror.apply(message)
        elif kind == "reply":
            self._deliver(message)
        elif kind == "progress":
            self._last_progress = time.monotonic()
            self.mirror.set_progress(message)
        elif kind == "notice":
            self.mirror.notice(message["level"], message["text"])
        self.on_message(message)

    def _deliver(self, message: Message) -> None:
        with self._lock:
            pending = self._pending.get(message["id"])
            if pending is None:
                return
            if not message.get("more"):
                del self._pending[message["id"]]
            result = message.get("result")
            data = result.get("data") if isinstance(result, dict) else None
            pending.unread_bytes += len(data) if isinstance(data, bytes) else 0
            if pending.overrun:
                return
            if pending.unread_bytes > UNREAD_BYTES:
                pending.overrun = True
                words = "What the sensor sent was not taken fast enough."
                message = {"ok": False, "error": {"code": "overrun", "message": words}}
        pending.replies.put(message)

    def _drop(self, reason: str | None) -> None:
        with self._lock:
            self._channel = None
            pending, self._pending = self._pending, {}
        text = reason or self._gone_text()
        self.mirror.sensor_state("restarting", text)
        for waiting in pending.values():
            waiting.replies.put({"ok": False, "error": {"code": "sensor_gone", "message": text}})

    def _gone_text(self) -> str:
        return self.source.why_gone() or "The sensor ended; it is being started again."

    # -- commands ----------------------------------------------------------------------------------------------------

    def command(self, name: str, timeout: float = REPLY_SECONDS, /, **fields: Any) -> dict[str, Any]:
        """Sends one command and returns its result. `CommandError` carries the sensor's code and words."""
        for result in self.stream(name, timeout, **fields):
            return result
        raise CommandError("no_reply", f"The sensor answered {name} with nothing.")

    def stream(self, name: str, timeout: float = REPLY_SECONDS, /, **fields: Any) -> Iterator[dict[str, Any]]:
        """Results of a command whose reply has several parts; `timeout` is between parts, of PATIENT ones since the last progress."""
        identifier, pending = self._send(name, fields)
        try:
            while True:
                try:
                    message = pending.replies.get(timeout=timeout)
                except queue.Empty:
                    if name in PATIENT and time.monotonic() - self._last_progress < timeout:
                        continue
                    raise CommandError(
                        "timeout", f"The sensor did not answer {name} within {timeout:g} seconds."
                    ) from None
                if not message.get("ok"):
                    error = message.get("error") or {}
                    raise CommandError(str(error.get("code", "failed")), str(error.get("message", "no reason given")))
                result = message.get("result") or {}
                data = result.get("data")
                with self._lock:
                    pending.unread_bytes -= len(data) if isinstance(data, bytes) else 0
                yield result
                if not message.get("more"):
                    return
        finally:
            with self._lock:
                self._pending.pop(identifier, None)

    def _send(self, name: str, fields: dict[str, Any]) -> tuple[int, _Pending]:
        pending = _Pending()
        with self._lock:
            channel = self._channel
            if channel is None:
                state = self.mirror.sensor
                raise CommandError("sensor_gone", state.message or "The sensor is not there yet.")
            if not self.mirror.sensor_ready:
                raise CommandError("starting", _getting_ready(self.mirror.progress))
            identifier = next(self._ids)
            self._pending[identifier] = pending
        try:
            channel.send({"type": name, "id": identifier, **fields})
        except (LinkClosed, ProtocolError) as error:
            with self._lock:
                self._pending.pop(identifier, None)
            raise CommandError("sensor_gone", f"The command {name} could not be sent: {error}") from error
        return identifier, pending


def _getting_ready(progress: dict[str, Any] | None) -> str:
    """One sentence for who asks a sensor that is not ready."""
    if progress is None:
        return "The sensor is starting; try again in a moment."
    return (
        f"The sensor is still getting ready ({progress.get('text')}, {progress.get('done')} of {progress.get('total')}); "
        "try again in a moment."
    )

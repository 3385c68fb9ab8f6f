"""The two ends of the link: `Channel` blocks (web process, also on green sockets), `SensorEnd` never does (the sensor's loop).

One idea: a slow reader costs the sensor a bounded amount of memory. Snapshots wait in one place, everything else in a bounded queue, and what
did not fit is counted.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from app.concurrency import run_blocking
from app.link.frames import FrameDecoder, encode_frame
from app.link.messages import COMMANDS, SENSOR_MESSAGES, Message, Shape, check, decode, encode
from app.model.errors import NetglassError, ProtocolError

READ_SIZE: Final = 256 * 1024
LARGE: Final = 256 * 1024  # bytes of a message that is decoded in a real thread: one of 20,000 flows takes 40 ms
QUEUE_BYTES: Final = 16 * 1024 * 1024  # of replies, notices and progress that wait for a slow web process


class LinkClosed(NetglassError, ConnectionError):
    """The other process ended or closed its end."""


class Channel:
    """The web process's end. One thread calls `receive()`; any thread may `send()`."""

    def __init__(self, sock: socket.socket, shapes: Mapping[str, Shape] = SENSOR_MESSAGES) -> None:
        # The other process may have left O_NONBLOCK on what we inherited.
        sock.setblocking(True)
        self._sock = sock
        self._shapes = shapes
        self._greeted = "hello" not in shapes
        self._decoder = FrameDecoder()
        self._lock = threading.Lock()
        self.unknown = 0  # messages of types this version does not know

    def receive(self) -> Message | None:
        """The next message; None when the other end closed. Raises ProtocolError (a ValueError) at the first bytes that are not
        allowed, and where the first message of a sensor is not a hello of our version.
        """
        while True:
            while (frame := self._decoder.next_frame()) is None:
                data = self._read()
                if not data:
                    return None
                self._decoder.feed(data)
            message = decode(frame) if len(frame) < LARGE else run_blocking(decode, frame)
            if not self._greeted and message["type"] != "hello":
                raise ProtocolError(f"the first message is {message['type'][:40]!r}, not hello")
            self._greeted = True
            if check(message, self._shapes):
                return message
            self.unknown += 1

    def messages(self) -> Iterator[Message]:
        """Every message until the other end closes."""
        while (message := self.receive()) is not None:
            yield message

    def _read(self) -> bytes:
        try:
            return self._sock.recv(READ_SIZE)
        except OSError:
            # Reset, or closed by our own close(): the same to the reader as an end of file.
            return b""

    def send(self, message: Message) -> None:
        """Send one message, waiting until the other side took it. Raises LinkClosed."""
        frame = encode_frame(encode(message))
        with self._lock:
            try:
                self._sock.sendall(frame)
            except OSError as error:
                raise LinkClosed(f"the link is closed: {error}") from None

    def close(self) -> None:
        """End both directions; a reader in `messages()` comes back."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was first
        self._sock.close()


class SensorEnd:
    """The sensor's end, for a poll loop: `receive()` when readable, `flush()` when writable and `wants_write`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._decoder = FrameDecoder()
        self._sending = memoryview(b"")
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._snapshot: bytes | None = None
        self.lost = 0  # messages that found the queue full
        self.unknown = 0  # commands of types this version does not know
        self.snapshots_replaced = 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def receive(self) -> list[Message]:
        """The commands that are there. Shapes are the dispatcher's to check. Raises LinkClosed or ProtocolError."""
        try:
            data = self._sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise LinkClosed(str(error)) from None
        if not data:
            raise LinkClosed("the web process closed the link")
        self._decoder.feed(data)
        found = []
        while (frame := self._decoder.next_frame()) is not None:
            message = decode(frame)
            if message["type"] in COMMANDS:
                found.append(message)
            else:
                self.unknown += 1
        return found

    @property
    def wants_write(self) -> bool:
        return bool(self._sending or self._queue or self._snapshot)

    @property
    def queued_bytes(self) -> int:
        """Bytes of queued messages; a stream of parts waits until this is low."""
        return self._queued

    @property
    def snapshot_waits(self) -> bool:
        """A snapshot has not gone yet; one made now would replace it."""
        return self._snapshot is not None

    def send(self, message: Message) -> bool:
        """Queue a message and send what the socket takes. False, and counted, where the queue is full."""
        frame = encode_frame(encode(message))
        if self._queue and self._queued + len(frame) > QUEUE_BYTES:
            self.lost += 1
            return False
        self._queue.append(frame)
        self._queued += len(frame)
        self.flush()
        return True

    def offer_snapshot(self, snapshot: Message) -> None:
        """Send a snapshot, in place of one that still waits."""
        if self._snapshot is not None:
            self.snapshots_replaced += 1
        self._snapshot = encode_frame(encode(snapshot))
        self.flush()

    def flush(self) -> None:
        """Send until the socket is full. Replies go before a snapshot. Raises LinkClosed."""
        while self._sending or self._take_next():
            try:
                sent = self._sock.send(self._sending)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                raise LinkClosed(str(error)) from None
            self._sending = self._sending[sent:]

    def _take_next(self) -> bool:
        if self._queue:
            frame = self._queue.popleft()
            self._queued -= len(frame)
        elif self._snapshot is not None:
            frame, self._snapshot = self._snapshot, None
        else:
            return False
        self._sending = memoryview(frame)
        return True

    def close(self) -> None:
        self._sock.close()

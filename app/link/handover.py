"""Short JSON messages with file descriptors (SCM_RIGHTS), between the broker and the processes beside it. Standard library only.

A message is a 4-byte big-endian length and a JSON object; its descriptors travel with its first byte and their number stands in the object, so
that a descriptor is never taken for another message's. Whatever arrives beyond that number is closed.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from app.link.frames import FrameDecoder
from app.model.errors import ProtocolError

MAX_MESSAGE: Final = 256 * 1024  # the longest is a compiled filter: 4,096 instructions
MAX_DESCRIPTORS: Final = 8
_LENGTH: Final = struct.Struct(">I")
_FLAGS: Final = socket.MSG_DONTWAIT | getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def send(sock: socket.socket, message: dict[str, Any], descriptors: Iterable[int] = ()) -> None:
    """Send one message, with descriptors where given; they stay open on this side. Raises OSError, ProtocolError."""
    numbers = array.array("i", descriptors)
    body = json.dumps({**message, "descriptors": len(numbers)}, separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE or len(numbers) > MAX_DESCRIPTORS:
        raise ProtocolError(f"a message of {len(body)} bytes and {len(numbers)} descriptors cannot be sent")
    data = _LENGTH.pack(len(body)) + body
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers.tobytes())] if numbers else []
    sent = sock.sendmsg([data], rights)
    if sent < len(data):
        sock.sendall(data[sent:])


class Receiver:
    """Reads messages from one socket. Never blocks in `recv`: it waits in `select`, which is green where the process is."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._decoder = FrameDecoder(MAX_MESSAGE)
        self._descriptors: deque[int] = deque()
        self._ready: deque[tuple[dict[str, Any], list[int]]] = deque()
        self.ended = False

    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[int]] | None:
        """The next message with its descriptors (now the caller's to close). None: the end, or nothing within `timeout` seconds;
        `ended` tells which. Raises ProtocolError.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready and not self.ended:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self.socket], [], [], left)
            if not readable:
                return None
            self.fill()
        return self._ready.popleft() if self._ready else None

    def take(self) -> list[tuple[dict[str, Any], list[int]]]:
        """All messages that `fill` found."""
        found = list(self._ready)
        self._ready.clear()
        return found

    def fill(self) -> None:
        """Read what is there, without waiting. Raises ProtocolError."""
        try:
            data, rights, flags, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(MAX_DESCRIPTORS * 4), _FLAGS)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.ended = True
            return
        self._keep(rights)
        if flags & socket.MSG_CTRUNC or len(self._descriptors) > MAX_DESCRIPTORS:
            self.close_descriptors()
            raise ProtocolError("more descriptors arrived than a message may have")
        if not data:
            self.ended = True
            return
        self._decoder.feed(data)
        while (frame := self._decoder.next_frame()) is not None:
            self._ready.append(self._message(frame))

    def _keep(self, rights: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                for number in numbers:
                    os.set_inheritable(number, False)
                    self._descriptors.append(number)

    def _message(self, frame: bytes) -> tuple[dict[str, Any], list[int]]:
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a message is not JSON: {error}") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ProtocolError("a message is not an object with a type")
        count = message.pop("descriptors", 0)
        if type(count) is not int or not 0 <= count <= len(self._descriptors):
            raise ProtocolError(f"{message['type'][:40]!r} announces descriptors that did not come")
        return message, [self._descriptors.popleft() for _ in range(count)]

    def close_descriptors(self) -> None:
        """Close what arrived and belongs to nobody."""
        while self._descriptors:
            os.close(self._descriptors.popleft())

"""Many Socket.IO clients in one thread, as cheap as can be: WebSocket frames are acknowledged and not decoded, so that the server is what is measured."""

from __future__ import annotations

import json
import re
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

_READ: Final = 1 << 20
_HEAD: Final = 400  # of a message: its name, its number, and the time of the figures
_EVENT: Final = re.compile(rb'42(\d*)\["(\w+)"')
_TIME: Final = re.compile(rb'"time": ?"([^"]+)"')
_HANDSHAKE: Final = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def framed(text: bytes) -> bytes:
    """A text message as a client sends it (RFC 6455, 5.2), masked with zeros."""
    size = len(text)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack(">H", size)
    return b"\x81" + length + bytes(4) + text


class Heads:
    """The begins of the messages in a stream of frames, each of which is one message; the rest of them is passed over."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head = b""
        self._left = 0  # bytes of the frame under way

    def of(self, data: bytes) -> list[bytes]:
        """Those of the messages that are complete with these bytes."""
        self._buffer += data
        found = []
        while self._left or self._begun():
            taken = min(self._left, len(self._buffer))
            self._head += bytes(self._buffer[: min(taken, _HEAD - len(self._head))])
            del self._buffer[:taken]
            self._left -= taken
            if self._left:
                break
            found.append(self._head)
        return found

    def _begun(self) -> bool:
        """Whether the head of a frame was there; no frame is empty."""
        if len(self._buffer) < 2:
            return False
        size, start = self._buffer[1] & 0x7F, 2
        if size >= 126:
            start += 2 if size == 126 else 8
            if len(self._buffer) < start:
                return False
            size = int.from_bytes(self._buffer[2:start], "big")
        del self._buffer[:start]
        self._left, self._head = size, b""
        return True


class Listener:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(_HANDSHAKE.format(port=port).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.sock.recv(_READ)
        status, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in status.split(b"\r\n")[0]:
            raise RuntimeError(f"no WebSocket: {status[:200]!r}")
        self.heads = Heads()
        self.heads.of(rest)
        self.last = 0.0
        self.send(b"40")

    def send(self, text: bytes) -> None:
        """One text message."""
        self.sock.sendall(framed(text))


class Listeners:
    """`count` of them, each subscribed to the same topics. `latencies` in ms since the time that figures are of, `gaps` between them in s."""

    def __init__(self, port: int, count: int, topics: Sequence[dict[str, Any]]) -> None:
        self.latencies: list[float] = []
        self.gaps: list[float] = []
        self.read = 0  # bytes
        self._selector = selectors.DefaultSelector()
        self._all = [Listener(port) for _ in range(count)]
        for one in self._all:
            for number, topic in enumerate(topics):
                one.send(f"42{number}{json.dumps(['subscribe', topic])}".encode())
            self._selector.register(one.sock, selectors.EVENT_READ, one)

    def run(self, seconds: float) -> None:
        """Reads what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                one: Listener = key.data
                data = one.sock.recv(_READ)
                if not data:
                    raise RuntimeError("the server has closed a connection")
                self.read += len(data)
                for head in one.heads.of(data):
                    self._take(one, head)

    def _take(self, one: Listener, head: bytes) -> None:
        if head == b"2":
            one.send(b"3")
        event = _EVENT.match(head)
        if event is None:
            return
        if event[1]:
            one.send(b"43" + event[1] + b"[]")
        if event[2] != b"stats":
            return
        now, said = time.time(), _TIME.search(head)
        if said is None:
            raise RuntimeError(f"figures without a time: {head!r}")
        self.latencies.append((now - datetime.fromisoformat(said[1].decode().replace("Z", "+00:00")).timestamp()) * 1e3)
        if one.last:
            self.gaps.append(now - one.last)
        one.last = now

    def forget(self) -> None:
        """What was measured so far."""
        self.latencies, self.gaps, self.read = [], [], 0

    def close(self) -> None:
        for one in self._all:
            one.sock.close()

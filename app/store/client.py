"""The way to the store's process: starts it on demand, one question at a time, in real threads only.

`start` and `close` belong on the hub, `finish` in a signal's handler, `ask` in a real thread beside green code: it waits on a socket of the C level, which nobody patches, and takes
no lock – the caller asks one question after the other.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgpack

from app.allocation import FRUGAL
from app.link.frames import FrameDecoder, encode_frame
from app.model.errors import NetglassError, ProtocolError

START_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 60.0
END_SECONDS: Final = 2.0
_ROOT: Final = Path(__file__).resolve().parents[2]
_READ: Final = 1 << 20
GONE: Final = "The process that keeps the history has ended; it is started again."


class StoreRefused(NetglassError):
    """The store cannot or would not; `code` as in `app.store.database.StoreError`, or `gone`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StoreClient:
    """One process at most. After an error it is started again with the next question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: _socket.socket | None = None
        self._decoder = FrameDecoder()
        self._greeted = False
        self.broken = False  # the process has ended or answers no more: `close`, then `start` a new one

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts the process unless it runs. Raises StoreRefused. Whether it could open the file is said by the first answer."""
        if self.broken:
            self.close()
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.store", str(self._path)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**FRUGAL, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"},
            )
        except OSError as error:
            ours.close()
            raise StoreRefused(
                "gone", f"The process that keeps the history could not be started: {error.strerror}."
            ) from None
        finally:
            theirs.close()
        self._sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, ours.detach())
        self._decoder, self._greeted = FrameDecoder(), False

    def ask(self, question: str, /, **fields: Any) -> Any:
        """The answer to one question, in a real thread. Raises StoreRefused; then `broken` says whether the process is of further use."""
        if self._sock is None:
            raise StoreRefused("gone", GONE)
        try:
            if not self._greeted:
                self._result(self._receive(START_SECONDS))
                self._greeted = True
            self._sock.settimeout(ANSWER_SECONDS)
            self._sock.sendall(encode_frame(b"".join(packed({"type": question, **fields}))))
            return self._result(self._receive(ANSWER_SECONDS))
        except OSError:
            self.broken = True
            raise StoreRefused("gone", GONE) from None
        except ProtocolError as error:
            raise StoreRefused("failed", f"History: {error}.") from None

    def _result(self, answer: Any) -> Any:
        if answer["ok"]:
            return answer["result"]
        error = answer["error"]
        self.broken = not self._greeted or error["code"] == "failed"
        raise StoreRefused(error["code"], error["message"])

    def _receive(self, seconds: float) -> Any:
        assert self._sock is not None
        self._sock.settimeout(seconds)
        while (frame := self._decoder.next_frame()) is None:
            data = self._sock.recv(_READ)
            if not data:
                raise ConnectionResetError
            self._decoder.feed(data)
        return msgpack.unpackb(frame, strict_map_key=False)

    def finish(self) -> None:
        """Ends the process from within a signal's handler, where nothing may go through the hub; what it has answered is on disk."""
        if self._sock is None:
            return
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(END_SECONDS)
            while self._sock.recv(_READ):  # until its end is closed, which is the last thing that it does
                pass
        self._sock.close()
        self._sock = None

    def close(self) -> None:
        """Ends the process; what it has answered is on disk."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self.broken = False


def packed(value: Any, depth: int = 2) -> Iterator[bytes]:
    """A message as msgpack, in pieces: packing a piece lets no other thread run, and a batch of 20,000 flows as one takes 20 ms."""
    if depth and isinstance(value, Mapping):
        yield msgpack.Packer().pack_map_header(len(value))
        for key, part in value.items():
            yield msgpack.packb(key)
            yield from packed(part, depth - 1)
    else:
        yield msgpack.packb(value)

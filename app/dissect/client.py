"""The parent's side of dissection: starts the child on demand, sends it one job at a time, kills it when it is late or idle.

Nothing here blocks but `dissect`: a select loop calls `submit`, watches `fileno()`, and calls `poll` when it is readable and
`tick` now and then. Card numbers are masked before the frame leaves: whatever comes back has never seen them.
"""

from __future__ import annotations

import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgpack

from app.allocation import FRUGAL
from app.wire.card_mask import masked

PREFIX: Final = struct.Struct(">I")
JOB_SECONDS: Final = 3  # the child gives up by itself
MAX_MESSAGE: Final = 8 << 20
MAX_FRAME: Final = 65_536  # bytes of a frame that are taken apart and shown
_DEADLINE: Final = 5.0  # then the child is killed
_START_DEADLINE: Final = 20.0  # for the first job, which waits for scapy to be imported
_IDLE: Final = 60.0
_MOST_WAITING: Final = 16
_BUFFER: Final = 1 << 19
_ROOT: Final = Path(__file__).resolve().parents[2]

Result = dict[str, Any]


@dataclass(slots=True)
class _Job:
    job_id: int
    frame: bytes  # masked
    link_type: int
    is_masked: bool
    is_cut: bool

    def result(self, answer: dict[str, Any]) -> Result:
        """The answer for the user; the bytes are there whatever happened."""
        error = answer.get("error")
        if error is None and self.is_cut:
            error = f"Only the first {MAX_FRAME} bytes of the packet are shown."
        return {
            "tree": answer.get("tree", []),
            "summary": answer.get("summary", ""),
            "info": answer.get("info", ""),
            "hex": self.frame.hex(),
            "link_type": self.link_type,
            "masked": self.is_masked,
            "error": error,
        }


class Dissector:
    """One child at most. Times are those of `time.monotonic`; the loop passes them in."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._waiting: deque[_Job] = deque()
        self._current: _Job | None = None
        self._unsent = b""
        self._received = bytearray()
        self._ready: list[tuple[int, Result]] = []
        self._deadline = 0.0
        self._idle_since = 0.0
        self._has_answered = False

    def submit(
        self, job_id: int, frame: bytes, link_type: int, now: float | None = None, is_masked: bool = False
    ) -> None:
        """Queue a frame. The result comes out of `poll` under `job_id`, at once as an error where too many wait."""
        data, more = masked(frame[:MAX_FRAME])
        job = _Job(job_id, data, link_type, is_masked or more, len(frame) > MAX_FRAME)
        if len(self._waiting) >= _MOST_WAITING:
            self._finish(job, {"error": "Too many packets wait to be taken apart; try again in a moment."})
            return
        self._waiting.append(job)
        self._next(time.monotonic() if now is None else now)

    def fileno(self) -> int | None:
        """Readable when `poll` has something to do; None while there is no child."""
        return None if self._sock is None else self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        """A job is still on its way out: `poll` also when the descriptor is writable."""
        return bool(self._unsent)

    @property
    def busy(self) -> bool:
        return self._current is not None or bool(self._waiting) or bool(self._ready)

    def poll(self, now: float | None = None) -> list[tuple[int, Result]]:
        """The results that are there, as (job_id, result). Never blocks."""
        now = time.monotonic() if now is None else now
        self._send(now)
        self._receive(now)
        if self._current is not None and now > self._deadline:
            self._fail(f"Taking this packet apart took longer than {_DEADLINE:.0f} s and was given up.", now)
        ready, self._ready = self._ready, []
        return ready

    def tick(self, now: float | None = None) -> None:
        """End the child when nobody has asked for a minute."""
        now = time.monotonic() if now is None else now
        if self._process is not None and not self.busy and now - self._idle_since > _IDLE:
            self.close()

    def dissect(self, frame: bytes, link_type: int) -> Result:
        """One frame, waited for: for commands and tests, not for the select loop."""
        self.submit(-1, frame, link_type)
        while True:
            for job_id, result in self.poll():
                if job_id == -1:
                    return result
            descriptor = self.fileno()
            if descriptor is not None:
                select.select([descriptor], [descriptor] if self.wants_write else [], [], 0.1)

    def close(self) -> None:
        """End the child; what waited is lost."""
        self._kill()
        self._waiting.clear()
        self._current = None

    def _next(self, now: float) -> None:
        if self._current is not None or not self._waiting:
            return
        self._current = job = self._waiting.popleft()
        if self._sock is None and not self._start(now):
            return
        message = msgpack.packb({"id": job.job_id, "frame": job.frame, "link_type": job.link_type})
        self._unsent = PREFIX.pack(len(message)) + message
        self._deadline = now + (_DEADLINE if self._has_answered else _START_DEADLINE)
        self._send(now)

    def _start(self, now: float) -> bool:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.dissect"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**FRUGAL, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"},
            )
        except OSError as error:
            ours.close()
            self._fail(f"The dissecting process could not be started: {error.strerror}.", now)
            return False
        finally:
            theirs.close()
        ours.setblocking(False)
        self._sock, self._has_answered = ours, False
        return True

    def _send(self, now: float) -> None:
        if self._sock is None or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._fail("The dissecting process ended before it could read this packet.", now)

    def _receive(self, now: float) -> None:
        while self._sock is not None:
            try:
                part = self._sock.recv(1 << 18)
            except BlockingIOError:
                break
            except OSError:
                part = b""
            if not part:
                self._fail("The dissecting process ended while it took this packet apart.", now)
                break
            self._received += part
            self._take_answers(now)

    def _take_answers(self, now: float) -> None:
        while len(self._received) >= PREFIX.size:
            (length,) = PREFIX.unpack_from(self._received)
            if length > MAX_MESSAGE:
                self._fail("The dissecting process answered with more than is allowed.", now)
                return
            if len(self._received) < PREFIX.size + length:
                return
            body = bytes(self._received[PREFIX.size : PREFIX.size + length])
            del self._received[: PREFIX.size + length]
            self._answer(body, now)

    def _answer(self, body: bytes, now: float) -> None:
        job = self._current
        try:
            answer = msgpack.unpackb(body)
        except (ValueError, msgpack.exceptions.UnpackException):
            answer = None
        if job is None or not isinstance(answer, dict) or answer.get("id") != job.job_id:
            self._fail("The dissecting process answered with something else.", now)
            return
        self._has_answered = True
        self._current = None
        self._idle_since = now
        self._finish(job, answer)
        self._next(now)

    def _finish(self, job: _Job, answer: dict[str, Any]) -> None:
        self._ready.append((job.job_id, job.result(answer)))

    def _fail(self, why: str, now: float) -> None:
        """The job in hand becomes an error, the child is thrown away; the next job starts a new one."""
        self._kill()
        job, self._current = self._current, None
        if job is not None:
            self._finish(job, {"error": why})
        self._next(now)

    def _kill(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._unsent = b""
        self._received.clear()

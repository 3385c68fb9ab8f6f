"""Lines on their way to the terminal: a thread writes them, so that a slow terminal never holds up the capture.

What there is no room for is not printed, and counted. A reader that has gone (`| head`) ends the run quietly.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

QUEUE: Final = 256  # texts that wait for the terminal
TERMINAL_LINES_PER_SECOND: Final = 400  # more scrolls by unread, and costs the capture's time
PIPE_LINES_PER_SECOND: Final = 20_000
SHARE: Final = 0.2  # of the time may go into making lines; the rest is the capture's
_SPAN: Final = 1.0  # seconds over which that holds
_END: Final = None


class Printer:
    """`patient`: the writer is waited for and everything is printed (a file is read, nothing gets lost meanwhile)."""

    def __init__(self, descriptor: int, patient: bool, on_closed: Callable[[], None]) -> None:
        self.is_terminal = os.isatty(descriptor)
        self.lines_per_second = TERMINAL_LINES_PER_SECOND if self.is_terminal else PIPE_LINES_PER_SECOND
        self.closed = False  # the reader has gone
        self.failure: str | None = None  # writing failed for another reason: the disk is full …
        self._descriptor = descriptor
        self._patient = patient
        self._on_closed = on_closed
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUE)
        self._tokens = float(self.lines_per_second)
        self._refilled = self._span_began = time.monotonic()
        self._spent = 0.0  # seconds of this span that went into lines
        self._thread = threading.Thread(target=self._write, name="printer", daemon=True)
        self._thread.start()

    def room(self, wanted: int) -> int:
        """How many of `wanted` packets may be printed now."""
        if self.closed:
            return 0
        if self._patient:
            return wanted
        now = time.monotonic()
        if now - self._span_began >= _SPAN:
            self._span_began, self._spent = now, 0.0
        if self._spent >= SHARE * _SPAN:
            return 0
        grown = self._tokens + (now - self._refilled) * self.lines_per_second
        self._tokens, self._refilled = min(grown, float(self.lines_per_second)), now
        free = QUEUE - self._queue.qsize() - 8  # some room is kept for statistics
        return max(0, min(wanted, int(self._tokens), free))

    def packets(self, lines: list[str], count: int, seconds: float = 0.0) -> None:
        """Print the lines of `count` packets, together; seconds: what it took to make them."""
        self._tokens -= count
        self._spent += seconds
        self.text("\n".join(lines) + "\n")

    def text(self, text: str) -> None:
        """Print it in one piece; waits for the terminal if it must."""
        data = text.encode("utf-8", "replace")
        while not self.closed:
            try:
                self._queue.put(data, timeout=0.2)
                return
            except queue.Full:
                continue

    def close(self, seconds: float = 2.0) -> None:
        """Write what waits, for so long at most."""
        end = time.monotonic() + seconds
        while not self.closed:
            try:
                self._queue.put(_END, timeout=max(0.0, end - time.monotonic()))
                break
            except queue.Full:
                break
        self._thread.join(max(0.0, end - time.monotonic()))

    def _write(self) -> None:
        while (data := self._queue.get()) is not _END:
            assert data is not None
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                time.sleep(0.01)
            except OSError as error:
                if not isinstance(error, BrokenPipeError):
                    self.failure = error.strerror or str(error)
                self.closed = True
                self._on_closed()
                return

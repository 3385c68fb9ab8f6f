"""A sensor of the web process's own that reads one file: a source of exactly one link.

It has no broker, so it can open no packet socket; it ends with its link, and at the latest with this process.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app import kernel_cache
from app.allocation import FRUGAL
from app.link.channel import Channel

if TYPE_CHECKING:
    from config import Settings

END_SECONDS: Final = 2.0
_ROOT: Final = Path(__file__).resolve().parents[2]


class FileSensor:
    """A `LinkSource`. One thread asks for links; `quit` may come from any."""

    def __init__(self, settings: Settings) -> None:
        self._environment = {
            **FRUGAL,
            **settings.environment(),
            kernel_cache.VARIABLE: str(kernel_cache.directory_of(settings.data_dir, os.getuid())),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": "/nonexistent",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._why: str | None = None
        self.ended = False

    def next_link(self, timeout: float) -> Channel | None:
        """At first the link to a sensor that was just started; afterwards nothing: a file is not read again by itself."""
        if self._process is not None or self.ended:
            self._collect()
            return None
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "app.sensor", "--link", str(theirs.fileno()), "--parent", str(os.getpid())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    cwd=_ROOT,
                    env=self._environment,
                )
            except OSError as error:
                ours.close()
                self.ended = True
                self._why = f"The process that reads the file could not be started: {error.strerror}."
                return None
        return Channel(ours)

    def _collect(self) -> None:
        """The link is over: the process is waited for, or made to end."""
        process, self.ended = self._process, True
        if process is None:
            return
        try:
            status = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if self._why is None:
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            self._why = f"The process that read the file ended ({how}); what it told before is shown."

    def why_gone(self) -> str | None:
        """One sentence."""
        return self._why

    def quit(self) -> None:
        """Ends the process; its link ends with it."""
        self.ended = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

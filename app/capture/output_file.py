"""The file that a capture is written to: readable for its owner only, because it holds what others sent."""

from __future__ import annotations

import os
import stat
import sys
from typing import Any, Final

from app.model.errors import CaptureError

STANDARD_OUTPUT: Final = "-"


class OutputFile:
    """Writes through to the system, so that what was captured is there whatever happens next."""

    def __init__(self, path: str) -> None:
        """Open, emptying a file that exists; "-" is standard output. Raises CaptureError."""
        self.name = "standard output" if path == STANDARD_OUTPUT else path
        self.size = 0
        if path == STANDARD_OUTPUT:
            self._descriptor = os.dup(sys.stdout.fileno())
            return
        try:
            # O_NONBLOCK: a pipe that nobody reads is refused instead of waited for.
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)
            self._descriptor = os.open(path, flags, 0o600)
        except (OSError, ValueError) as error:
            raise CaptureError(
                "failed", f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
            ) from None
        try:
            self._prepare()
        except OSError as error:
            os.close(self._descriptor)
            raise CaptureError("failed", f"{path} cannot be written: {error.strerror}") from None

    def write(self, data: Any) -> None:
        """Write all of a bytes-like object. Raises OSError."""
        view = memoryview(data)
        while len(view):
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]

    def close(self) -> None:
        """Raises OSError where the last bytes could not be stored."""
        os.close(self._descriptor)

    def abandon(self) -> None:
        """Close after an error; what was written stays."""
        try:
            os.close(self._descriptor)
        except OSError:
            pass  # closed already, or the error that brought us here

    def _prepare(self) -> None:
        os.set_blocking(self._descriptor, True)
        mode = os.fstat(self._descriptor)
        if stat.S_ISREG(mode.st_mode):
            if mode.st_uid == os.geteuid():
                os.fchmod(self._descriptor, 0o600)
            os.ftruncate(self._descriptor, 0)

"""The errors that reach a user, each with a code for programs and one sentence for people."""

from __future__ import annotations


class NetglassError(Exception):
    """Anything Netglass raises on purpose."""


class CaptureError(NetglassError):
    """A source cannot be opened; `code` is stable, `message` one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

"""What is wrong with a request's parameters, in a form that names the thing and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable

from app.model.errors import NetglassError


class BadRequest(NetglassError):
    """A parameter that cannot be used. `parameter` is its name, `allowed` what would have been right, `position` a column in `q`.

    No ValueError: form parsers swallow those.
    """

    def __init__(
        self, message: str, parameter: str | None = None, allowed: Iterable[str] = (), position: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.parameter = parameter
        self.allowed = tuple(allowed)
        self.position = position


class NotThere(NetglassError):
    """What was asked for does not exist (any more); the text says why."""


class Unavailable(NetglassError):
    """The part of the program that would answer is not there now; the text says why."""

    def __init__(self, message: str, code: str = "unavailable") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class TooMany(NetglassError):
    """Asked too often; `wait_seconds` until the next time."""

    def __init__(self, message: str, wait_seconds: int) -> None:
        super().__init__(message)
        self.message = message
        self.wait_seconds = wait_seconds

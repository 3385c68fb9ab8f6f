"""Single keys from the terminal, without waiting for the end of a line."""

from __future__ import annotations

import os
import re
import sys
import termios
import tty
from types import TracebackType
from typing import Any, Final

_KEY: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|.", re.DOTALL
)  # ECMA-48 5.4; an Escape before another key is a key


class Keys:
    """While entered, the terminal gives each key at once and shows none; left, it is as it was before."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._before: list[Any] = []

    def __enter__(self) -> Keys:
        self._before = termios.tcgetattr(self.descriptor)
        tty.setcbreak(self.descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._before)

    def read(self) -> list[str]:
        """The keys that wait; call it when the descriptor is readable. Arrow and function keys, which come as several characters, are "\0".
        An empty list: the terminal has gone."""
        text = os.read(self.descriptor, 256).decode("utf-8", "replace")
        return [key if len(key) == 1 else "\0" for key in _KEY.findall(text)]

"""Colours of the terminal: one place that knows escape sequences (ECMA-48 SGR)."""

from __future__ import annotations

from typing import Final

_CODES: Final = {
    "green": "32",
    "blue": "94",  # the dark one cannot be read on black
    "yellow": "33",
    "cyan": "36",
    "magenta": "35",
    "red": "31",
    "dim": "2",
    "bold": "1",
}
PROTOCOL_COLORS: Final = {
    "TCP": "green",
    "UDP": "blue",
    "ICMP": "yellow",
    "ICMPv6": "yellow",
    "ARP": "cyan",
    "DNS": "magenta",
}


class Palette:
    """`paint("text", "green")`; without colour the text as it is."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def paint(self, text: str, color: str | None) -> str:
        if not self.color or color is None or not text:
            return text
        return f"\x1b[{_CODES[color]}m{text}\x1b[0m"


def printable(text: str) -> str:
    """What was captured, without anything that a terminal would act on: control characters and text direction marks become `·`."""
    return "".join(char if char.isprintable() else "·" for char in text)

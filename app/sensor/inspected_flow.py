"""What is remembered of a flow while an inspector looks at it."""

from __future__ import annotations

from typing import Final

from app.dpi.inspector import FlowContext, Inspector, Recognizer, Skipping
from app.dpi.reassembly import TcpStream

UNKNOWN: Final = -1  # `expected`: no segment of the direction was seen yet
ENDED: Final = -2  # its FIN was seen

Pieces = list[tuple[int, bytes, int]]  # direction, bytes, time (ns)


class Beginning:
    """What both directions began with, until somebody recognises it."""

    __slots__ = ("asked", "held", "waiting")

    def __init__(self) -> None:
        self.held = [b"", b""]  # of most flows one piece, which is in `waiting` as well
        self.asked = [0, 0]  # bytes of each direction that were there when recognisers were asked last
        self.waiting: Pieces = []  # the same bytes in the order in which they came

    def add(self, direction: int, data: bytes, ts: int) -> bytes:
        """All bytes of the direction so far."""
        held = self.held[direction] = self.held[direction] + data if self.held[direction] else data
        self.waiting.append((direction, data, ts))
        return held


class InspectedFlow:
    """One flow. Most connections lose nothing and swap nothing: the next sequence number is all that is kept of a direction until that proves wrong."""

    __slots__ = (
        "asked",
        "asked_of",
        "beginning",
        "changes",
        "context",
        "expected",
        "identified",
        "inspector",
        "over",
        "skipping",
        "slot",
        "streams",
        "upgraded",
    )

    def __init__(self, context: FlowContext, slot: int, asked: tuple[Recognizer, ...], asked_of: int) -> None:
        self.context = context
        self.slot = slot
        self.asked = asked  # the recognisers that what `asked_of`, a direction, begins with may concern
        self.asked_of = asked_of
        self.expected = [UNKNOWN, UNKNOWN]  # TCP: per direction the next sequence number, UNKNOWN or ENDED
        self.streams: list[TcpStream | None] | None = None  # where segments came out of order
        self.inspector: Inspector | None = None
        self.skipping: Skipping | None = None  # the inspector, where it can skip
        self.beginning: Beginning | None = None
        self.changes = 0  # of protocol within the connection
        self.upgraded = False
        self.identified = False  # its identity was handed on
        self.over = False

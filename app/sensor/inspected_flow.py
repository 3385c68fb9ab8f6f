"""What is remembered of a flow while an inspector looks at it."""

from __future__ import annotations

from typing import Final

from app.dpi.inspector import FlowContext, Inspector, Recognizer, Skipping
from app.dpi.reassembly import TcpStream

UNKNOWN: Final = -1  # `expected`: no segment of the direction was seen yet
ENDED: Final = -2  # its FIN was seen

Pieces = list[tuple[int, bytes, int]]  # direction, bytes, time (ns)


class Beginning:
    """What both directions began with, until somebody recognises it. The bytes are kept once, as they came: thousands of flows are never recognised."""

    __slots__ = ("_since", "asked", "size", "waiting")

    def __init__(self) -> None:
        self.size = [0, 0]  # bytes of each direction, without a hole
        self._since = [0, 0]  # the first piece of each behind its last hole
        self.asked = [0, 0]  # bytes of each direction that were there when recognisers were asked last
        self.waiting: Pieces = []  # in the order in which they came

    def add(self, direction: int, data: bytes, ts: int) -> int:
        """Returns how many bytes there are of the direction."""
        self.waiting.append((direction, data, ts))
        self.size[direction] += len(data)
        return self.size[direction]

    def of(self, direction: int, most: int) -> bytes:
        """The first bytes of the direction."""
        pieces = self.waiting[self._since[direction] :]
        return b"".join(data for side, data, _ in pieces if side == direction)[:most]

    def hole(self, direction: int) -> None:
        """What came of the direction does not go on."""
        self.size[direction] = 0
        self._since[direction] = len(self.waiting)


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

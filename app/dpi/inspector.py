"""What an inspector of a protocol is, and where it stands in a flow.

The sensor hands an inspector the payload of one flow: for TCP the bytes of each direction in order, each byte once, gaps named; for UDP one call per datagram.
The inspector tells what it finds through `flow.sink(fact)` (see `app.dpi.facts`) and says by its return value whether it wants more.
Nothing here may raise on hostile bytes: a parser that cannot go on returns DONE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.dpi.facts import Fact

MORE: Final = True  # the inspector wants the next bytes
DONE: Final = False  # it has seen what it wanted, or cannot go on

ORIGINATOR: Final = 0
RESPONDER: Final = 1


# What a flow is, by its first message: the protocol, the name that is asked for, and what else tells one service of a host from another.
Identity = tuple["str | None", ...]


@dataclass(slots=True)
class FlowContext:
    """The flow an inspector looks at. Addresses are text; src = originator."""

    flow_id: int
    protocol: int  # 6 or 17
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    sink: Callable[[Fact], None]
    notes: dict[str, object] = field(
        default_factory=dict
    )  # what inspectors of one flow leave for each other (STARTTLS, CONNECT)
    identity: Identity | None = None  # set once, by the inspector that reads it
    messages: bool = True  # somebody hears of `HttpMessage`: else neither they nor bodies are read


class Inspector(Protocol):
    """One flow's state of one protocol."""

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """Bytes of one direction (ORIGINATOR or RESPONDER) at time `ts` (ns). Returns MORE or DONE."""
        ...

    def gap(self, direction: int, length: int) -> bool:
        """`length` bytes of a stream are missing (lost, or skipped by the budget). Returns MORE or DONE."""
        ...

    def close(self, ts: int) -> None:
        """The flow ended: tell what is still held."""
        ...


class Skipping(Protocol):
    """An inspector that can do without long stretches of a stream, such as bodies. What is skipped is told to it by `gap`."""

    def skippable(self, direction: int) -> int:
        """How many of the next bytes of a direction it does not need."""
        ...


class Recognizer(Protocol):
    """Makes an inspector when the first payload bytes look like its protocol. `data`: the first bytes of `direction`, at most a few kB."""

    def __call__(self, flow: FlowContext, direction: int, data: bytes) -> Inspector | None: ...

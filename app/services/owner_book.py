"""Whose flows they are, as the sensor tells it: process records, and for each flow who has its ends.

One writer (the link reader), many readers, also in real threads: entries are never written again once they are in, and nothing takes a lock.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.stats.bounded import make_room

MAX_OWNED: Final = 200_000  # flows
MAX_RECORDS: Final = 32_768
MAX_TEXT: Final = 500


class Process(NamedTuple):
    """A program at work, as the sensor describes it."""

    number: int  # in this run of the sensor
    pid: int
    name: str
    path: str | None
    command_line: str | None
    user: str | None
    start_ns: int
    parents: tuple[tuple[int, str], ...]
    container: str | None
    unit: str | None

    @property
    def program(self) -> tuple[str, str, str]:
        """What makes two processes the same program: name, path, container."""
        return self.name, self.path or "", self.container or ""


class EndOwner(NamedTuple):
    """Who has one end of a flow, or why that is not known (`reason` is a name of app.attribution.questions.REASONS)."""

    process: Process | None
    method: str | None
    confidence: float
    seen_after_ms: float | None
    reason: str | None


class FlowOwner(NamedTuple):
    """`first` has the end of this address and port, `second` the other one; None: that end is not on this machine."""

    high: int
    low: int
    port: int
    first: EndOwner | None
    second: EndOwner | None


NOBODY: Final[tuple[None, None]] = (None, None)


class OwnerBook:
    """Of one capture. `usage` is replaced as a whole: process number → (CPU %, memory %)."""

    def __init__(self) -> None:
        self.flows: dict[int, FlowOwner] = {}
        self.usage: dict[int, tuple[float | None, float | None]] = {}
        self.version = 0

    def take(self, flow_id: int, owner: FlowOwner) -> None:
        """At most MAX_OWNED: the flows that were heard of first go."""
        if flow_id not in self.flows:
            make_room(self.flows, MAX_OWNED)
        self.flows[flow_id] = owner

    def of(
        self, flows: NDArray[np.void], local_is_src: NDArray[np.bool_]
    ) -> list[tuple[EndOwner | None, EndOwner | None]]:
        """(local end, other end) of each row of FLOW_DTYPE."""
        get = self.flows.get
        known = [get(flow_id) for flow_id in flows["flow_id"].tolist()]
        found: list[tuple[EndOwner | None, EndOwner | None]] = [NOBODY] * len(known)
        places = [place for place, owner in enumerate(known) if owner is not None]
        if not places:
            return found
        part = flows[np.array(places, np.intp)]
        names = ("src_hi", "src_lo", "src_port", "dst_hi", "dst_lo")
        ends = zip(*(part[name].tolist() for name in names), strict=True)
        for place, (sh, sl, sp, dh, dl), local in zip(places, ends, local_is_src[places].tolist(), strict=True):
            owner = known[place]
            assert owner is not None
            same = (owner.high, owner.low) == (sh, sl) and ((sh, sl) != (dh, dl) or owner.port == sp)
            pair = (owner.first, owner.second) if same else (owner.second, owner.first)
            found[place] = pair if local else (pair[1], pair[0])
        return found


def parse_process(row: Any) -> Process:
    """A record of the link. Raises ValueError, KeyError, TypeError."""
    numbers = [row[key] for key in ("process", "pid", "start_ns")]
    if not all(type(number) is int and number >= 0 for number in numbers) or not isinstance(row["name"], str):
        raise ValueError("a process has a number or a name that makes no sense")
    texts = [_text(row.get(key)) for key in ("path", "command_line", "user", "container", "unit")]
    parents = tuple((int(pid), str(name)[:64]) for pid, name in (row.get("parents") or ())[:16])
    path, command, user, container, unit = texts
    return Process(numbers[0], numbers[1], row["name"][:64], path, command, user, numbers[2], parents, container, unit)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("a text of a process is none")
    return value[:MAX_TEXT]

"""Traffic of each program, from the packets that were seen: each packet once, at the end or ends that a program of this machine has.

A connection within this machine counts for both programs, for each from its own side; where one program has both ends, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.services.connection_rows import ending
from app.services.owner_book import EndOwner

MAX_PROGRAMS: Final = 5_000
MAX_REMOTES: Final = 1_000  # addresses of one program that are remembered
MAX_PROCESSES: Final = 1_000

ProgramKey = tuple[str, str, str]  # name, path, container
Address = tuple[int, int, int]  # IP version, halves


@dataclass(slots=True)
class Totals:
    """Of one program. Bytes are frame bytes on the wire; times are packet times in ns."""

    bytes_sent: int = 0
    bytes_recv: int = 0
    packets_sent: int = 0
    packets_recv: int = 0
    flows: int = 0
    active: int = 0
    first_ns: int = 0
    last_ns: int = 0
    remotes: Counter[Address] = field(default_factory=Counter)
    processes: set[int] = field(default_factory=set)

    def copy(self) -> Totals:
        return Totals(
            self.bytes_sent, self.bytes_recv, self.packets_sent, self.packets_recv, self.flows, 0, self.first_ns,
            self.last_ns, Counter(self.remotes), set(self.processes),
        )  # fmt: skip


class ProgramTotals:
    """Sums by program, and by reason where there is none. `add` takes flows that are over; `with_flows` gives the sums with those still held."""

    def __init__(self) -> None:
        self.programs: dict[ProgramKey, Totals] = {}
        self.unknown: dict[str, list[int]] = {}  # reason → [flows, bytes]
        self.left_out = 0  # flows of programs beyond MAX_PROGRAMS

    def with_flows(
        self,
        flows: NDArray[np.void],
        owners: Sequence[tuple[EndOwner | None, EndOwner | None]],
        local_is_src: NDArray[np.bool_],
    ) -> ProgramTotals:
        """A copy with these flows added, which stay where they are."""
        sums = ProgramTotals()
        sums.programs = {key: totals.copy() for key, totals in list(self.programs.items())}
        sums.unknown = {reason: list(pair) for reason, pair in list(self.unknown.items())}
        sums.left_out = self.left_out
        sums.add(flows, owners, local_is_src)
        return sums

    def add(
        self,
        flows: NDArray[np.void],
        owners: Sequence[tuple[EndOwner | None, EndOwner | None]],
        local_is_src: NDArray[np.bool_],
    ) -> None:
        """Flows (FLOW_DTYPE) with who has their local and their other end."""
        names = (
            "src_bytes", "dst_bytes", "src_packets", "dst_packets", "start", "end", "ip_version", "src_hi", "src_lo",
            "dst_hi", "dst_lo",
        )  # fmt: skip
        columns = zip(*(flows[name].tolist() for name in names), strict=True)
        over = ending(flows).tolist()
        for (own, other), local, ended, values in zip(owners, local_is_src.tolist(), over, columns, strict=True):
            sb, db, sp, dp, start, end, version, sh, sl, dh, dl = values
            if not local:
                sb, db, sp, dp, sh, sl, dh, dl = db, sb, dp, sp, dh, dl, sh, sl
            here = own.process if own is not None else None
            there = other.process if other is not None else None
            if here is not None:
                totals = self._of(here.program)
                _count(totals, here.number, (sb, db, sp, dp), start, end, ended, (version, dh, dl))
            if there is not None and (here is None or there.program != here.program):
                totals = self._of(there.program)
                _count(totals, there.number, (db, sb, dp, sp), start, end, ended, (version, sh, sl))
            if here is None and there is None:
                reason = own.reason if own is not None else other.reason if other is not None else None
                pair = self.unknown.setdefault(reason or "pending", [0, 0])
                pair[0] += 1
                pair[1] += sb + db

    def _of(self, key: ProgramKey) -> Totals | None:
        totals = self.programs.get(key)
        if totals is None:
            if len(self.programs) >= MAX_PROGRAMS:
                self.left_out += 1
                return None
            totals = self.programs[key] = Totals()
        return totals


def _count(
    totals: Totals | None,
    number: int,
    counts: tuple[int, int, int, int],
    start: int,
    end: int,
    ended: int,
    remote: Address,
) -> None:
    if totals is None:
        return
    totals.bytes_sent += counts[0]
    totals.bytes_recv += counts[1]
    totals.packets_sent += counts[2]
    totals.packets_recv += counts[3]
    totals.flows += 1
    totals.active += not ended
    totals.first_ns = min(totals.first_ns or start, start)
    totals.last_ns = max(totals.last_ns, end)
    if remote in totals.remotes or len(totals.remotes) < MAX_REMOTES:
        totals.remotes[remote] += counts[0] + counts[1]
    if len(totals.processes) < MAX_PROCESSES:
        totals.processes.add(number)

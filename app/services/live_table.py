"""The live table of one client: a base first, then only what changed, so that 10,000 rows cost what their changes cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.fields import LIVE_COLUMNS
from app.services.connections import Rows, columns
from app.services.flow_mirror import FlowView
from app.services.queries import PageRequest, select
from app.services.written_frames import Written, written

MAX_CHANGED: Final = 2_000  # rows of one frame; a frame is sent at most once a second
MAX_ROWS: Final = 10_000

_NOTHING: Final[NDArray[np.uint64]] = np.zeros(0, np.uint64)


@dataclass(frozen=True, eq=False, slots=True)
class Sent:
    """What a client holds: flow ids (sorted), the version of each, and the total that it was told. Clients in step share one object."""

    ids: NDArray[np.uint64]
    versions: NDArray[np.uint64]
    total: int

    def versions_of(self, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The version that the client has of each flow, 0 for those it has not."""
        if not len(self.ids):
            return np.zeros(len(ids), np.uint64)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, self.versions[places], np.uint64(0))

    def same(self, other: Sent) -> bool:
        return (
            self.total == other.total
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.versions, other.versions)
        )


NOTHING_SENT: Final = Sent(_NOTHING, _NOTHING, -1)


@dataclass(frozen=True, slots=True)
class Step:
    """From what a client holds to what it is told: `frame` without its number, None where nothing changed. `before` is kept so that its identity stays its own."""

    before: Sent
    frame: Written | None
    sent: Sent


class LiveTable:
    """The table of one client."""

    def __init__(self, request: PageRequest) -> None:
        self.request = request
        self._sent = NOTHING_SENT
        self._seq = 0

    @property
    def holds(self) -> Sent:
        return self._sent

    def frame(self, view: FlowView, interfaces: list[str], now_ns: int) -> dict[str, Any] | None:
        """`{base, columns, rows, removed, total, seq}`; None when nothing changed. Runs in any thread."""
        return self.take(next_step(self._sent, self.request, view, interfaces, now_ns))

    def take(self, step: Step) -> dict[str, Any] | None:
        """The frame of a step that begins with what this client holds."""
        self._sent = step.sent
        if step.frame is None:
            return None
        self._seq += 1
        return step.frame.numbered(self._seq)


def next_step(sent: Sent, request: PageRequest, view: FlowView, interfaces: list[str], now_ns: int) -> Step:
    """What a client that holds `sent` is told of `view`. Runs in any thread."""
    page = select(view, request, interfaces, now_ns)
    ids = view.flows["flow_id"][page.indices]
    versions = view.derived["version"][page.indices]
    removed = sent.ids[~np.isin(sent.ids, ids, assume_unique=True)]
    base = sent is NOTHING_SENT or len(removed) > max(len(ids), MAX_CHANGED)
    if base:
        removed = _NOTHING
    held = (NOTHING_SENT if base else sent).versions_of(ids)
    changed = np.flatnonzero(versions > held)
    if not base and len(changed) > MAX_CHANGED:  # those that waited longest go first
        changed = changed[np.argsort(held[changed], kind="stable")[:MAX_CHANGED]]
    if not base and not len(changed) and not len(removed) and page.total == sent.total:
        return Step(sent, None, sent)
    held[changed] = versions[changed]
    known = held > 0
    order = np.argsort(ids[known])
    rows = Rows.of(view, page.indices[changed], interfaces)
    frame = {
        "base": bool(base),
        "columns": list(LIVE_COLUMNS),
        "rows": [list(values) for values in zip(*columns(rows, LIVE_COLUMNS), strict=True)],
        "removed": removed.tolist(),
        "total": page.total,
    }
    return Step(sent, written(frame), Sent(ids[known][order], held[known][order], page.total))

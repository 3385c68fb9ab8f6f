"""The live table of one client: a base first, then only what changed, so that 10,000 rows cost what their changes cost."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.fields import LIVE_COLUMNS
from app.services.connections import Rows, columns
from app.services.flow_mirror import FlowView
from app.services.queries import PageRequest, select

MAX_CHANGED: Final = 2_000  # rows of one frame; a frame is sent at most once a second
MAX_ROWS: Final = 10_000

_NOTHING: Final[NDArray[np.uint64]] = np.zeros(0, np.uint64)


class LiveTable:
    """What one client has been sent: flow ids (sorted) and the version of each."""

    def __init__(self, request: PageRequest) -> None:
        self.request = request
        self._ids = _NOTHING
        self._versions = _NOTHING
        self._seq = 0
        self._total = -1

    def frame(self, view: FlowView, interfaces: list[str], now_ns: int) -> dict[str, Any] | None:
        """`{base, columns, rows, removed, total, seq}`; None when nothing changed. Runs in any thread."""
        page = select(view, self.request, interfaces, now_ns)
        ids = view.flows["flow_id"][page.indices]
        versions = view.derived["version"][page.indices]
        removed = self._ids[~np.isin(self._ids, ids, assume_unique=True)]
        base = self._seq == 0 or len(removed) > max(len(ids), MAX_CHANGED)
        if base:
            self._ids, self._versions, removed = _NOTHING, _NOTHING, _NOTHING
        sent = self._sent_versions(ids)
        changed = np.flatnonzero(versions > sent)
        if not base and len(changed) > MAX_CHANGED:  # those that waited longest go first
            changed = changed[np.argsort(sent[changed], kind="stable")[:MAX_CHANGED]]
        if not base and not len(changed) and not len(removed) and page.total == self._total:
            return None
        sent[changed] = versions[changed]
        self._remember(ids, sent)
        self._seq += 1
        self._total = page.total
        rows = Rows.of(view, page.indices[changed], interfaces)
        return {
            "base": bool(base),
            "columns": list(LIVE_COLUMNS),
            "rows": [list(values) for values in zip(*columns(rows, LIVE_COLUMNS), strict=True)],
            "removed": removed.tolist(),
            "total": page.total,
            "seq": self._seq,
        }

    def _sent_versions(self, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The version that the client has of each flow, 0 for those it has not."""
        if not len(self._ids):
            return np.zeros(len(ids), np.uint64)
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[places] == ids, self._versions[places], np.uint64(0))

    def _remember(self, ids: NDArray[np.uint64], sent: NDArray[np.uint64]) -> None:
        known = sent > 0
        order = np.argsort(ids[known])
        self._ids, self._versions = ids[known][order], sent[known][order]

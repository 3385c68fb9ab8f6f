"""Which packets nDPI is shown: the first of each flow that carry payload.

One idea: two small columns beside the flow table (which flow is in a row, how many of its packets were shown) and no object per flow.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.dpi.ndpi_packets import showable
from app.model.layers import KIND_LATER_FRAGMENT, KIND_RETRANSMISSION

_CLOSED: Final = 255  # no more packets of this flow
_SKIPPED_KINDS: Final = KIND_RETRANSMISSION | KIND_LATER_FRAGMENT


class Budget:
    """`packets_per_flow` packets of each flow, 1 to 254."""

    def __init__(self, packets_per_flow: int) -> None:
        self._packets_per_flow = packets_per_flow
        self._flow = np.zeros(1, np.uint64)  # flow id by row of the flow table
        self._shown = np.zeros(1, np.uint8)

    def select(
        self, packets: NDArray[np.void], flow_ids: NDArray[np.uint64], heads: NDArray[np.uint8]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """(indices of the PACKET rows to show, which of them are the first of their flow that is shown). They count as shown."""
        rows = np.flatnonzero(heads)
        if not len(rows):
            return rows, np.zeros(0, np.bool_)
        slots = packets["flow"][rows]
        self._fit(int(slots.max()) + 1)
        # Most packets are of flows that had theirs: those go first. A packet of no flow (row -1) looks at the last place and goes next.
        rows = rows[(self._shown[slots] < self._packets_per_flow) | (self._flow[slots] != flow_ids[rows])]
        slots, kind = packets["flow"][rows], packets["kind"][rows]
        tells = packets["payload_len"][rows] > 0
        rows = rows[
            tells & (kind & _SKIPPED_KINDS == 0) & (slots >= 0) & (flow_ids[rows] != 0) & showable(packets, rows)
        ]
        if not len(rows):
            return rows, np.zeros(0, np.bool_)
        slots, ids = packets["flow"][rows], flow_ids[rows]
        shown = np.where(self._flow[slots] == ids, self._shown[slots], 0)
        order = np.argsort(ids, kind="stable")
        place = shown + _rank(ids, order)
        keep = place < self._packets_per_flow
        rows, slots, ids, place = rows[keep], slots[keep], ids[keep], place[keep]
        self._flow[slots] = ids
        self._shown[slots] = place + 1  # the last of a flow's packets has the highest place and is written last
        return rows, place == 0

    def close(self, slot: int, flow_id: int) -> None:
        """Show no more of this flow."""
        if slot < len(self._flow) and int(self._flow[slot]) == flow_id:
            self._shown[slot] = _CLOSED

    def pass_over(self, slot: int, flow_id: int) -> None:
        """Show nothing (more) of the flow that is in this row now."""
        self._fit(slot + 1)
        self._flow[slot] = flow_id
        self._shown[slot] = _CLOSED

    def _fit(self, rows: int) -> None:
        if rows > len(self._flow):
            more = max(rows, 2 * len(self._flow), 1024) - len(self._flow)
            self._flow = np.concatenate([self._flow, np.zeros(more, np.uint64)])
            self._shown = np.concatenate([self._shown, np.zeros(more, np.uint8)])


def _rank(ids: NDArray[np.uint64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many earlier entries of `ids` equal each; `order` sorts them stably."""
    ordered = ids[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.concatenate([begins, [len(ids)]]))
    rank = np.empty(len(ids), np.intp)
    rank[order] = np.arange(len(ids)) - np.repeat(begins, lengths)
    return rank

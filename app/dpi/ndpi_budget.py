"""Which packets nDPI is shown: the first of each flow that carry payload.

One idea: two small columns beside the flow table (which flow is in a row, how many of its packets were shown) and no object per flow.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.native.call import EACH_CALL
from app.native.loader import kernel

_CLOSED: Final = 255  # no more packets of this flow


class Budget:
    """`packets_per_flow` packets of each flow, 1 to 254."""

    def __init__(self, packets_per_flow: int) -> None:
        self._packets_per_flow = packets_per_flow
        self._choose = kernel("first_payloads").bind(*(EACH_CALL,) * 9)
        self._flow = np.zeros(1, np.uint64)  # flow id by row of the flow table
        self._shown = np.zeros(1, np.uint8)

    def select(
        self, packets: NDArray[np.void], flow_ids: NDArray[np.uint64], heads: NDArray[np.uint8]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """(indices of the PACKET rows to show, which of them are the first of their flow that is shown). They count as shown."""
        n = len(packets)
        if not n or not heads.any():
            return np.zeros(0, np.intp), np.zeros(0, np.bool_)
        self._fit(int(packets["flow"].max()) + 1)
        rows, firsts = np.empty(n, np.int64), np.empty(n, np.uint8)
        count = self._choose(packets, n, flow_ids, heads, self._packets_per_flow, self._flow, self._shown, rows, firsts)
        return rows[:count], firsts[:count].view(np.bool_)

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

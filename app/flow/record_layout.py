"""The record of a flow as compiled code writes it: `FLOW_DTYPE` with the 24 history letters as three integers. Both have the same bytes."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.model.columns import FLOW

RECORD: Final = np.dtype(
    [
        pair
        for name, kind in FLOW
        for pair in (
            [("history_0", "<u8"), ("history_1", "<u8"), ("history_2", "<u8")] if name == "history" else [(name, kind)]
        )
    ]
)

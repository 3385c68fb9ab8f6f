"""Samples of entropy as ENTROPY rows, and as what the rules read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.flow.flow_entropy import Samples
from app.stats import entropy_expectation as expect
from app.stats import entropy_layout as at
from app.stats.entropy_estimate import estimates, verdicts
from app.wire.records import ENTROPY_DTYPE


def side(row: np.void, end: str, samples: Samples, n: int, direction: int) -> expect.Side:
    """One direction of a row, as the rules read it."""
    values = samples.values[n, direction]
    return expect.Side(
        bytes=int(row[f"{end}_bytes"]),
        value=float(row[f"{end}_value"]),
        low=float(row[f"{end}_low"]),
        high=float(row[f"{end}_high"]),
        text=float(values[at.S_WINDOW + at.M_TEXT]),
        verdict=int(row[f"{end}_verdict"]),
        life_bytes=int(row[f"{end}_life_bytes"]),
        life_low=float(row[f"{end}_life_low"]),
        life_high=float(row[f"{end}_life_high"]),
        life_verdict=int(row[f"{end}_life_verdict"]),
        level=float(values[at.S_LEVEL]),
        quarter=float(values[at.S_QUARTER]),
    )


def measured_rows(samples: Samples) -> NDArray[np.void]:
    """ENTROPY rows of samples, without what needs to be known of the flow."""
    values, ids = samples.values, samples.ids
    rows = np.zeros(len(ids), ENTROPY_DTYPE)
    rows["flow_id"], rows["ts"] = ids[:, at.I_FLOW], ids[:, at.I_TIME]
    rows["interface"] = ids[:, at.I_ENDS + 5] >> 16 & 0xFFFF
    window = values[..., at.S_WINDOW : at.S_WINDOW + at.MEASURE_SIZE]
    life = values[..., at.S_LIFE : at.S_LIFE + at.MEASURE_SIZE]
    bits = values[..., at.S_BITS : at.S_BITS + at.ORDERS]
    recent, whole = estimates(window), estimates(life)
    words = verdicts(window, bits), verdicts(life, bits, ids[:, at.I_HEADS : at.I_HEADS + 2])
    for d, end in enumerate(("src", "dst")):
        rows[f"{end}_value"], rows[f"{end}_low"], rows[f"{end}_high"] = (
            recent.value[:, d],
            recent.low[:, d],
            recent.high[:, d],
        )
        rows[f"{end}_life"], rows[f"{end}_life_low"], rows[f"{end}_life_high"] = (
            whole.value[:, d],
            whole.low[:, d],
            whole.high[:, d],
        )
        some = life[:, d, at.M_N] > 0
        rows[f"{end}_plain"] = np.where(some, life[:, d, at.M_PLAIN], np.nan)
        rows[f"{end}_level"] = values[:, d, at.S_LEVEL]
        rows[f"{end}_chi"] = np.where(some, life[:, d, at.M_CHI], np.nan)
        rows[f"{end}_serial"] = np.where(some, values[:, d, at.S_SERIAL], np.nan)
        rows[f"{end}_bytes"], rows[f"{end}_life_bytes"] = window[:, d, at.M_N], life[:, d, at.M_N]
        rows[f"{end}_expected_low"] = rows[f"{end}_expected_high"] = np.nan
        rows[f"{end}_verdict"], rows[f"{end}_life_verdict"] = words[0][:, d], words[1][:, d]
    return rows

"""Samples of entropy for the fake sensor: waves of some flows, a few with an alert."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.wire.records import ENTROPY_DTYPE

MEASURED = 60


def about(flows: np.ndarray, now: int) -> dict[str, Any]:
    """The snapshot's part for the first flows of the table."""
    chosen = flows[:MEASURED]
    rows = np.zeros(len(chosen), ENTROPY_DTYPE)
    for name in ENTROPY_DTYPE.names:
        if ENTROPY_DTYPE[name].kind == "f":
            rows[name] = np.nan
    rows["flow_id"], rows["ts"] = chosen["flow_id"], now
    number = chosen["flow_id"].astype(np.int64)
    phase = now / 5e9 + number
    for end, base, swing in (("src", 4.8, 0.4), ("dst", 7.6, 0.35)):
        value = base + swing * np.sin(phase)
        rows[f"{end}_value"] = rows[f"{end}_life"] = value
        for prefix in ("", "life_"):
            rows[f"{end}_{prefix}low"], rows[f"{end}_{prefix}high"] = value - 0.06, np.minimum(value + 0.08, 8)
            rows[f"{end}_{prefix}bytes"] = 16_000
        rows[f"{end}_level"], rows[f"{end}_chi"], rows[f"{end}_serial"] = base, 260, 0.01
        rows[f"{end}_expected_low"], rows[f"{end}_expected_high"] = 3, 8
        rows[f"{end}_verdict"] = rows[f"{end}_life_verdict"] = 1 if end == "src" else 4
    rows["alert"][number % 7 == 0] = 1
    rows["alert"][number % 11 == 0] = 4
    state = {"slots": 4096, "used": len(rows), "flows_without": 12, "taken_over": 0, "samples_lost": 0}
    return {
        "entropy": rows.tobytes(),
        "entropy_state": {**state, "window_packets": 100, "refresh_s": 1.0, "life_bytes": 16_384, "ratio": 0.5},
    }

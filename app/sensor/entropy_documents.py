"""What was measured of a flow's bytes, as JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from app.model.entropy import TOO_LITTLE, VERDICTS, alert_text


def number(value: float, digits: int = 4) -> float | None:
    """None for NaN."""
    return round(float(value), digits) if math.isfinite(value) else None


def entropy_details(row: np.void | None) -> dict[str, Any] | None:
    """Of an ENTROPY row, the flow's first bytes: corrected entropy, 95 % interval, verdict. None: nothing was measured (no payload, or no slot)."""
    if row is None:
        return None
    return {"src": _side(row, "src"), "dst": _side(row, "dst"), "alert": alert_text(int(row["alert"]))}


def _side(row: np.void, end: str) -> dict[str, Any] | None:
    if not row[f"{end}_life_bytes"]:
        return None
    verdict = int(row[f"{end}_life_verdict"])
    return {
        "corrected": number(row[f"{end}_life"]),
        "low": number(row[f"{end}_life_low"]),
        "high": number(row[f"{end}_life_high"]),
        "bytes": int(row[f"{end}_life_bytes"]),
        "verdict": VERDICTS[verdict] if verdict < len(VERDICTS) else VERDICTS[TOO_LITTLE],
        "chi_square": number(row[f"{end}_chi"], 1),
        "serial_correlation": number(row[f"{end}_serial"]),
        "expected_low": number(row[f"{end}_expected_low"]),
        "expected_high": number(row[f"{end}_expected_high"]),
    }

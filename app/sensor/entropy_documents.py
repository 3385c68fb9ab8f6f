"""What was measured of a flow's bytes, as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

import numpy as np

from app.model.columns import ENTROPY
from app.model.entropy import TOO_LITTLE, VERDICTS, alert_text


def _columns(end: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What `_side` takes, out of an ENTROPY row as a tuple."""
    names = (
        "life_bytes",
        "life_verdict",
        "life",
        "life_low",
        "life_high",
        "chi",
        "serial",
        "expected_low",
        "expected_high",
    )
    return itemgetter(*(_PLACE[f"{end}_{name}"] for name in names))


_PLACE: Final = {name: place for place, (name, _) in enumerate(ENTROPY)}
_SRC, _DST, _ALERT = _columns("src"), _columns("dst"), _PLACE["alert"]


def number(value: float, digits: int = 4) -> float | None:
    """None for NaN."""
    return round(value, digits) if math.isfinite(value) else None


def entropy_details(row: np.void | None) -> dict[str, Any] | None:
    """Of an ENTROPY row, the flow's first bytes: corrected entropy, 95 % interval, verdict. None: nothing was measured (no payload, or no slot)."""
    if row is None:
        return None
    values: Any = row.item()  # a tuple: one call for all columns
    return {"src": _side(*_SRC(values)), "dst": _side(*_DST(values)), "alert": alert_text(values[_ALERT])}


def _side(
    size: int,
    verdict: int,
    corrected: float,
    low: float,
    high: float,
    chi_square: float,
    serial: float,
    expected_low: float,
    expected_high: float,
) -> dict[str, Any] | None:
    if not size:
        return None
    return {
        "corrected": number(corrected),
        "low": number(low),
        "high": number(high),
        "bytes": size,
        "verdict": VERDICTS[verdict] if verdict < len(VERDICTS) else VERDICTS[TOO_LITTLE],
        "chi_square": number(chi_square, 1),
        "serial_correlation": number(serial),
        "expected_low": number(expected_low),
        "expected_high": number(expected_high),
    }

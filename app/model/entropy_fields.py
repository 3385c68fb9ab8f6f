"""The keys of the entropy documents; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

ENTROPY_FIELDS: Final[tuple[Field, ...]] = (
    _f(
        "entropy_value",
        "number",
        "Entropy",
        "How random the bytes of the last packets are: 0 is one value again and again, 4 to 5 is text, 8 is random. Corrected for small samples.",
        unit="bits per byte",
    ),
    _f(
        "entropy_interval",
        "list",
        "Interval",
        "The true value lies within these limits in 95 of 100 cases, if bytes follow each other freely.",
        unit="bits per byte",
    ),
    _f(
        "entropy_life",
        "number",
        "Entropy of the beginning",
        "The same over the first bytes of the flow in that direction.",
        unit="bits per byte",
    ),
    _f(
        "entropy_verdict",
        "text",
        "Verdict",
        "What the bytes look like: text, binary, compressed, encrypted or random, or too little to say. LZMA and encryption look the same.",
    ),
    _f(
        "entropy_expected",
        "list",
        "Expected",
        "The range that is usual for this protocol or port: declared, and narrowed by what was seen.",
        unit="bits per byte",
    ),
    _f(
        "entropy_alert",
        "text",
        "Alert state",
        "Spike or drop: the level changed by more than ALERT_THRESHOLD_RATIO and nothing expected explains it. Mismatch: bytes of another kind than is expected there.",
    ),
    _f(
        "entropy_slots",
        "integer",
        "Slots in use",
        "Flows whose entropy is measured now. A flow gets a slot with its first payload; when none is free, those without are counted.",
        unit="flows",
    ),
)

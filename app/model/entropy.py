"""Words of the entropy theme that sensor and web process share."""

from __future__ import annotations

from typing import Final

# What a direction's bytes look like; the sensor sends the index.
VERDICTS: Final = (
    "too little",
    "text",
    "binary",
    "compressed",
    "encrypted or random",
    "compressed or encrypted",  # high entropy, and the sample does not tell which
)
TOO_LITTLE, TEXT, BINARY, COMPRESSED, ENCRYPTED, HIGH = range(len(VERDICTS))

# Alert bits of one sample.
ALERT_NAMES: Final = ("spike", "drop", "mismatch")
ALERT_SPIKE, ALERT_DROP, ALERT_MISMATCH = 1, 2, 4
ENTROPY_ENDED: Final = 1  # bit of `flags`: the flow's last sample


def alert_text(bits: int) -> str | None:
    """`spike`, `drop+mismatch`; None where there is none."""
    return "+".join(name for i, name in enumerate(ALERT_NAMES) if bits >> i & 1) or None

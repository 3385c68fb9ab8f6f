"""What the entropy watch tells the detectors: one thing about one flow that a detector may call an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EntropyNote:
    """`what`: spike, drop, plaintext, random, fell, no_handshake. Bits per byte; addresses are halves; the originator is source."""

    what: str
    flow_id: int
    ts: int
    source: tuple[int, int]
    source_port: int
    target: tuple[int, int]
    target_port: int
    protocol: int
    direction: int  # 0: bytes from the originator, 1: bytes to it
    measured: float
    limit: float
    low: float  # interval of the measured value
    high: float
    bytes: int
    verdict: str
    expected: str | None  # the row of the table of expectations
    spoken: str | None
    ratio: float  # of change that is a spike or a drop

    def details(self) -> dict[str, Any]:
        """JSON values for the alert."""
        return {
            "what": self.what,
            "direction": "received" if self.direction else "sent",
            "interval": [round(self.low, 3), round(self.high, 3)],
            "bytes": self.bytes,
            "verdict": self.verdict,
            "expected": self.expected,
            "spoken": self.spoken,
        }

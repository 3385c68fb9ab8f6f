"""The card numbers found in one capture as the web process keeps them: masked, the sensor's newest word on each.

What the sensor sends is believed no further than its types. Bounded; what falls off is counted. Not locked: `Mirror` owns the lock.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from app.model.timestamps import parse_time
from app.services.fact_documents import Fact, flow_number

KEPT: Final = 10_000
_MASKED: Final = re.compile(r"[0-9]{4,6}\*{3,9}[0-9]{4}")
_TEXTS: Final = ("brand", "fingerprint", "where", "direction", "source", "destination", "last_seen")
_KEYS: Final = (
    "id",
    "timestamp",
    "last_seen",
    "brand",
    "masked",
    "fingerprint",
    "where",
    "direction",
    "source",
    "destination",
    "encrypted",
    "confidence",
    "reasons",
    "count",
    "packet",
)


def card_entry(said: Any) -> Fact:
    """One of the sensor's maps. `ValueError` where it is none, a value has a wrong type, or the number is not masked."""
    if not isinstance(said, dict) or not isinstance(said.get("id"), int) or not isinstance(said.get("count"), int):
        raise ValueError("a finding without id or count")
    if not isinstance(said.get("masked"), str) or not _MASKED.fullmatch(said["masked"]):
        raise ValueError("a finding whose number is not masked")
    for key in _TEXTS:
        if not isinstance(said.get(key), str):
            raise ValueError(f"{key} of a finding is no text")
    confidence = said.get("confidence")
    if not isinstance(confidence, float) or not math.isfinite(confidence):
        raise ValueError("a finding without confidence")
    reasons = said.get("reasons")
    if not isinstance(reasons, (list, tuple)) or not all(isinstance(one, str) for one in reasons):
        raise ValueError("a finding without reasons")
    ns = parse_time(str(said.get("timestamp")))
    found = {key: said.get(key) for key in _KEYS}
    found["reasons"] = list(reasons)
    found["flow_id"] = flow_number(said.get("flow_id"))
    return Fact(said["id"], ns, found)


class CardMirror:
    """One writer. Readers copy a list with `newest_first`."""

    def __init__(self) -> None:
        self.malformed = 0
        self.version = 0  # grows whenever something was said
        self.clear()

    def clear(self) -> None:
        """A new capture."""
        self._cards: dict[int, Fact] = {}
        self.lost = 0
        self.version += 1

    def newest_first(self) -> list[Fact]:
        """By the time that each was first seen."""
        return sorted(self._cards.values(), key=lambda fact: fact.number, reverse=True)

    def apply(self, part: Any) -> None:
        """Takes over the `cards` of a snapshot."""
        if not isinstance(part, list):
            self.malformed += part is not None
            return
        for said in part:
            try:
                entry = card_entry(said)
            except ValueError:
                self.malformed += 1
                continue
            self._cards[entry.number] = entry
            if len(self._cards) > KEPT:
                self._cards.pop(next(iter(self._cards)))
                self.lost += 1
        self.version += bool(part)

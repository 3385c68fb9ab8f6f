"""A card number that was seen in the clear: everything but the number."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class CardFinding:
    """One number in one connection; seen again it counts up. Times in ns."""

    card_id: int  # of this run, from 1
    flow_id: int
    ts: int  # first seen
    last_ts: int
    packet: int  # number of the packet in which it ended
    direction: str  # originator or responder: who sent it
    brand: str
    masked: str  # first six and last four digits
    fingerprint: str  # keyed hash of the number: the same number gives the same one on this installation
    where: str  # e.g. "HTTP request body, JSON"
    source: str  # address and port of the sender
    destination: str
    confidence: float
    reasons: list[str] = field(default_factory=list)
    encrypted: bool = False  # ciphertext is never read, so what is found was in the clear
    count: int = 1

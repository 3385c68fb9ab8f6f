"""Some packets of a stream that goes one way: what all of them have in common, and what nobody can mean.

What is measured, shown or brought says in each packet where it belongs: sequence and acknowledgement numbers go on, media and measurements count in a head of their own. A tool that
only sends as much as it can fills its packets with one content, or with chance from the first bit on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from app.model.alert import Evidence

ENOUGH: Final = 32  # packets
AT_ONCE: Final = 8  # of one batch, or each eighth: so that they do not follow each other
HEAD: Final = 4  # bytes at the beginning in which protocols have something that stays
KEPT: Final = 1500  # bytes of a payload that are compared
FORWARD: Final = 1 << 30  # numbers that go on do so by less


class StreamSamples:
    """Packets of one flow, from its originator."""

    __slots__ = ("_acks", "_payloads", "_seqs", "evidence", "refused", "since")

    def __init__(self, since: int) -> None:
        """since: ns, when it began to be looked at."""
        self.since = since
        self._seqs: list[int] = []
        self._acks: list[int] = []
        self._payloads: list[bytes] = []
        self.evidence: list[Evidence] = []
        self.refused = 0

    @property
    def enough(self) -> bool:
        return len(self._seqs) >= ENOUGH

    def wanted(self, packets: int) -> int:
        """How many of so many packets of a batch."""
        return min(ENOUGH - len(self._seqs), max(AT_ONCE, packets // AT_ONCE))

    def add(self, seq: int, ack: int, payload: bytes, evidence: tuple[Evidence, ...]) -> None:
        self._seqs.append(seq)
        self._acks.append(ack)
        self._payloads.append(payload)
        if len(self.evidence) < 10:
            self.evidence.extend(evidence)

    def refuse(self, evidence: tuple[Evidence, ...]) -> None:
        """An ICMP message says that nobody takes it."""
        self.refused += 1
        if self.refused <= 2:
            self.evidence.extend(evidence)

    @property
    def goes_on(self) -> bool:
        """TCP: sequence or acknowledgement numbers rise, so that somebody has the other half of a connection."""
        return _rise(self._seqs) or _rise(self._acks)

    @property
    def uniform(self) -> bool:
        """UDP: nothing, or always the same."""
        return len(set(self._payloads)) <= 1

    @property
    def headless(self) -> bool:
        """UDP: different from the first bit on. Most protocols have a version, a type or an address there that stays; QUIC one bit."""
        heads = [payload[:HEAD] for payload in self._payloads if len(payload) >= HEAD]
        if len(heads) < ENOUGH // 2:
            return False
        columns = np.frombuffer(b"".join(heads), np.uint8).reshape(-1, HEAD)
        different = all(len(np.unique(columns[:, place])) > len(heads) // 2 for place in range(HEAD))
        return different and len(np.unique(columns[:, 0] >> 6)) == 4

    @property
    def media(self) -> bool:
        """UDP: heads of RTP (version 2, RFC 3550 section 5.1) or MPEG transport streams, whose receiver may be late to say that it has gone."""
        return all(payload[:1] and (payload[0] >> 6 == 2 or payload[0] == 0x47) for payload in self._payloads)


def _rise(numbers: list[int]) -> bool:
    """Nearly each number is the one before or a little more, modulo 2^32, and not all are the same."""
    steps = [(after - before) & 0xFFFFFFFF for before, after in pairwise(numbers)]
    return any(steps) and sum(step < FORWARD for step in steps) >= 0.9 * len(steps)

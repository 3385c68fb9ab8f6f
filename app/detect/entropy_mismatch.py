"""The bytes of a flow are not of the kind that is expected there (`app.stats.entropy_expectation` has the table)."""

from __future__ import annotations

from typing import Final

from app.detect.conversation import is_loopback
from app.detect.detector import Detector
from app.detect.entropy_change import ends, where
from app.detect.rule import Rule
from app.stats.entropy_note import EntropyNote

TITLES: Final = {
    "plaintext": "Plaintext where encryption is expected",
    "random": "Random bytes where a readable protocol is expected",
    "fell": "Entropy fell within an encrypted flow",
    "no_handshake": "Encrypted flow without a handshake",
}


class EntropyMismatch(Detector):
    name = "entropy_mismatch"
    rules = (
        Rule(
            "entropy_mismatch",
            "Bytes that are not expected there",
            "medium",
            "The bytes of a flow are of another kind than its protocol or port has: text where TLS is expected, random bytes on port 53, encryption without a handshake, "
            "or text within an encrypted flow.",
            "A service that somebody put on another's port; DNSCrypt; programs of one machine among each other (loopback, told as low); peer-to-peer programs and tunnels that hide what they are.",
            "Find the program that owns the connection. If it should be encrypted, stop using it until it is; if nobody knows it, treat it as a hidden channel.",
            "T1571",
        ),
    )
    facts = (EntropyNote,)

    def on_fact(self, fact: object) -> None:
        if not isinstance(fact, EntropyNote) or fact.what not in TITLES:
            return
        source, target = ends(fact)
        self.alert(
            "entropy_mismatch",
            reason(fact),
            fact.ts,
            source,
            target,
            title=TITLES[fact.what],
            severity="low" if fact.what == "no_handshake" or is_loopback(target) else "medium",
            confidence=0.8 if fact.what in ("plaintext", "random") else 0.6,
            fold=(fact.what, source, target, fact.target_port),
            measured=round(fact.measured, 3),
            threshold=round(fact.limit, 3),
            unit="bits per byte",
            protocol="udp" if fact.protocol == 17 else "tcp",
            flow_ids=(fact.flow_id,),
            details=fact.details(),
        )


def reason(note: EntropyNote) -> str:
    """One sentence with the measured value and the limit."""
    place = where(note)
    if note.what == "plaintext":
        return (
            f"{note.bytes:,} bytes of {place} are text ({note.measured:.2f} bits per byte at most), where {note.expected} is expected; "
            f"text stays below {note.limit:.1f}, and no handshake was seen."
        )
    if note.what == "random":
        return (
            f"The bytes of {place} have at least {note.measured:.2f} bits per byte ({note.verdict}), where {note.expected} is expected, "
            f"which stays below {note.limit:.1f}."
        )
    if note.what == "fell":
        return f"The entropy of {place} fell from {note.limit:.2f} to {note.measured:.2f} bits per byte, and what came is text, within a flow that was encrypted."
    return (
        f"{place} carried bytes of at least {note.measured:.2f} bits per byte from its first one on; the limit is {note.limit:.1f}, "
        "and no handshake or header of a known protocol was seen."
    )

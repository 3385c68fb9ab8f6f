"""What the spike and the drop detector share: one sentence of a note about a change."""

from __future__ import annotations

from typing import Final

from app.detect import networks
from app.stats.entropy_note import EntropyNote

PROTOCOLS: Final = {6: "TCP", 17: "UDP"}


def ends(note: EntropyNote) -> tuple[str, str]:
    """(who sent the bytes, who got them), as text."""
    source, target = networks.text(*note.source), networks.text(*note.target)
    return (target, source) if note.direction else (source, target)


def where(note: EntropyNote) -> str:
    """`TCP 10.0.0.1:4000 → 192.0.2.1:9000`, in the flow's direction."""
    source, target = networks.text(*note.source), networks.text(*note.target)
    return (
        f"{PROTOCOLS.get(note.protocol, str(note.protocol))} {source}:{note.source_port} → {target}:{note.target_port}"
    )


def change(note: EntropyNote) -> float:
    """Share by which the level changed."""
    return abs(note.measured - note.limit) / note.limit if note.limit > 0 else 1.0


def sentence(note: EntropyNote, verb: str, ratio: float) -> str:
    who = "sent by the responder" if note.direction else "sent by the originator"
    return (
        f"The entropy of the bytes {who} of {where(note)} {verb} from {note.limit:.2f} to {note.measured:.2f} bits per byte, "
        f"a change of {100 * change(note):.0f} %; the limit is {100 * ratio:.0f} %, and nothing that is expected of this flow explains it."
    )

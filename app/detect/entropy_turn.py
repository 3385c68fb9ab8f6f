"""The entropy of a flow fell or rose against its own running level, and nothing expected of that flow explains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.detect.detector import Detector
from app.detect.entropy_change import change, ends, sentence
from app.detect.rule import Knob, Rule
from app.model.alert import Severity
from app.stats.entropy_note import EntropyNote

_USUAL: Final = "Handshakes of TLS and SSH, HTTP, mail and file services are known to do so and do not alarm. Sound and pictures of calls do so all the time, between low levels."


@dataclass(frozen=True, slots=True)
class _Turn:
    rule: str
    verb: str
    sign: int


_TURNS: Final = {"drop": _Turn("entropy_drop", "fell", -1), "spike": _Turn("entropy_spike", "rose", 1)}


class EntropyTurn(Detector):
    name = "entropy_turn"
    rules = (
        Rule(
            "entropy_drop",
            "Entropy of a flow fell",
            "low",
            "The bytes of a flow became much less random than they were. Medium where what was compressed or encrypted is now readable, or filled with one value.",
            f"A protocol of one's own that ends a transfer and goes on with commands. {_USUAL}",
            "Look at what the connection carries and which program owns it. Encryption that ends within a connection can mean that somebody took it off on the way.",
            "T1557",
        ),
        Rule(
            "entropy_spike",
            "Entropy of a flow rose",
            "low",
            "The bytes of a flow became much more random than they were. Medium where what was readable is now compressed or encrypted.",
            f"A protocol of one's own that begins to send files or switches to encryption. {_USUAL}",
            "Look at what the connection carries and which program owns it. Readable commands that turn into random bytes are how some back doors begin to send data.",
            "T1573",
        ),
    )
    knobs = (
        Knob("least_change", 0.0, "of the level", "0: ALERT_THRESHOLD_RATIO alone decides; more is asked for on top of it."),
        Knob("random", 7.0, "bits per byte", "From here bytes are compressed or encrypted; text, base64 and programs stay below."),
        Knob("readable", 6.2, "bits per byte", "Up to here they are text (4 to 5) or base64 (6)."),
    )  # fmt: skip
    facts = (EntropyNote,)

    def on_fact(self, fact: object) -> None:
        if not isinstance(fact, EntropyNote):
            return
        turn = _TURNS.get(fact.what)
        if turn is None or change(fact) < self.knob("least_change"):
            return
        source, target = ends(fact)
        self.alert(
            turn.rule,
            sentence(fact, turn.verb, fact.ratio),
            fact.ts,
            source,
            target,
            severity=self._severity(fact),
            confidence=0.6,
            fold=(source, target, fact.target_port),
            measured=round(fact.measured, 3),
            threshold=round(min(fact.limit * (1 + turn.sign * fact.ratio), 8.0), 3),
            unit="bits per byte",
            protocol="udp" if fact.protocol == 17 else "tcp",
            flow_ids=(fact.flow_id,),
            details=fact.details(),
        )

    def _severity(self, note: EntropyNote) -> Severity:
        low, high = sorted((note.limit, note.measured))
        return "medium" if high >= self.knob("random") and low <= self.knob("readable") else "low"

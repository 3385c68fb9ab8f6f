"""The entropy of a flow rose against its own running level, and nothing expected of that flow explains it."""

from __future__ import annotations

from app.detect.detector import Detector
from app.detect.entropy_change import change, ends, sentence
from app.detect.rule import Knob, Rule
from app.stats.entropy_note import EntropyNote


class EntropySpike(Detector):
    name = "entropy_spike"
    rules = (
        Rule(
            "entropy_spike",
            "Entropy of a flow rose",
            "medium",
            "The bytes of a flow became much more random than they were: what was readable is now compressed or encrypted.",
            "A protocol of one's own that begins to send files or switches to encryption. Handshakes of TLS and SSH, HTTP, mail and file services are known to do so and do not alarm.",
            "Look at what the connection carries and which program owns it. Readable commands that turn into random bytes are how some back doors begin to send data.",
            "T1573",
        ),
    )
    knobs = (
        Knob(
            "least_change",
            0.0,
            "of the level",
            "0: ALERT_THRESHOLD_RATIO alone decides; more is asked for on top of it.",
        ),
    )
    facts = (EntropyNote,)

    def on_fact(self, fact: object) -> None:
        if isinstance(fact, EntropyNote) and fact.what == "spike" and change(fact) >= self.knob("least_change"):
            source, target = ends(fact)
            self.alert(
                "entropy_spike",
                sentence(fact, "rose", fact.ratio),
                fact.ts,
                source,
                target,
                confidence=0.6,
                fold=(source, target, fact.target_port),
                measured=round(fact.measured, 3),
                threshold=round(min(fact.limit * (1 + fact.ratio), 8.0), 3),
                unit="bits per byte",
                protocol="udp" if fact.protocol == 17 else "tcp",
                flow_ids=(fact.flow_id,),
                details=fact.details(),
            )

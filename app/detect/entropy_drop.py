"""The entropy of a flow fell against its own running level, and nothing expected of that flow explains it."""

from __future__ import annotations

from app.detect.detector import Detector
from app.detect.entropy_change import change, ends, sentence
from app.detect.rule import Knob, Rule
from app.stats.entropy_note import EntropyNote


class EntropyDrop(Detector):
    name = "entropy_drop"
    rules = (
        Rule(
            "entropy_drop",
            "Entropy of a flow fell",
            "medium",
            "The bytes of a flow became much less random than they were: what was compressed or encrypted is now readable, or filled with one value.",
            "A protocol of one's own that ends a transfer and goes on with commands. Handshakes of TLS and SSH, HTTP, mail and file services are known to do so and do not alarm.",
            "Look at what the connection carries and which program owns it. Encryption that ends within a connection can mean that somebody took it off on the way.",
            "T1557",
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
        if isinstance(fact, EntropyNote) and fact.what == "drop" and change(fact) >= self.knob("least_change"):
            source, target = ends(fact)
            self.alert(
                "entropy_drop",
                sentence(fact, "fell", fact.ratio),
                fact.ts,
                source,
                target,
                confidence=0.6,
                fold=(source, target, fact.target_port),
                measured=round(fact.measured, 3),
                threshold=round(fact.limit * (1 - fact.ratio), 3),
                unit="bits per byte",
                protocol="udp" if fact.protocol == 17 else "tcp",
                flow_ids=(fact.flow_id,),
                details=fact.details(),
            )

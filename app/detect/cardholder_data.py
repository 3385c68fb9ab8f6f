"""Payment card numbers in the clear: what the card scanner is sure enough of becomes an alert, one for each sender and destination."""

from __future__ import annotations

from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact
from app.model.alert import Evidence
from app.model.card import CardFinding


class _Count:
    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers = 0


class CardholderData(Detector):
    name = "cardholder_data"
    rules = (
        Rule(
            "cardholder_data",
            "Card numbers in clear text",
            "high",
            "Payment card numbers went over the network without encryption. Everybody on the way could read them; PCI DSS 4.2.1 forbids it on open networks.",
            "Test systems with published test numbers, and rarely other numbers that happen to have a card's prefix, length and check digit.",
            "Open the finding: it says where in the conversation the number stood and why it counts as one. Encrypt that connection, or keep the number out of it.",
            "T1040",
        ),
    )
    knobs = (
        Knob(
            "confidence",
            0.8,
            "of 1",
            "Digits alone reach 0.55; from 0.8 on groups, the field's name or words around it say that it is a card number.",
        ),
    )
    facts = (CardFinding,)

    def begin(self) -> None:
        self._limit = self.knob("confidence")
        self._counts = self.bounded(4096, _Count)

    def on_fact(self, fact: Fact) -> None:
        if not isinstance(fact, CardFinding) or fact.encrypted or fact.confidence < self._limit:
            return
        ends = (fact.source.rpartition(":")[0], fact.destination)
        seen = self._counts[ends]
        seen.numbers += 1
        count = seen.numbers
        self.alert(
            "cardholder_data",
            f"{ends[0]} sent {count} card {'number' if count == 1 else 'numbers'} in clear text to {fact.destination}, the last a {fact.brand} number "
            f"({fact.masked}) in the {fact.where}, with a confidence of {fact.confidence:.2f}; the limit is {self._limit:.2f}.",
            fact.ts,
            ends[0],
            fact.destination,
            confidence=fact.confidence,
            fold=ends,
            measured=fact.confidence,
            threshold=self._limit,
            flow_ids=(fact.flow_id,),
            evidence=(Evidence(fact.packet, fact.ts),),
            details={"brand": fact.brand, "where": fact.where, "packet": fact.packet},
        )

"""Guessing of SNMP's communities: one client asks a device with many different ones, or with a few of the best known at many devices."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.rule import Knob, Rule
from app.dpi.facts import Action, Fact

_CAPACITY = 2048
_MARKS = 128


@dataclass(slots=True)
class _Tried:
    """Marks of the communities that one client sent to one device."""

    since: int = 0
    marks: set[str] = field(default_factory=set)
    flows: list[int] = field(default_factory=list)
    said: int = 0


class CommunityGuessing(ConversationDetector):
    name = "community_guessing"
    rules = (
        Rule(
            "brute_force_community",
            "Brute force of SNMP communities",
            "high",
            "One client asked a device with many different communities, which are SNMP's passwords: it tries until one is answered.",
            "Inventory programs try a handful of communities that their administrator has set up.",
            "Find the program on the client. Use SNMP 3, or let only the monitoring system reach the devices.",
            "T1110.001",
        ),
    )
    knobs = (
        Knob("communities", 8, "communities", "of one client at one device; inventories hold two to five."),
        Knob("window", 600, "s", "tools try some tens a second, patient ones a few a minute."),
    )
    facts = (Action,)

    def begin(self) -> None:
        self._tried = self.bounded(_CAPACITY, _Tried, lambda tried: len(tried.marks) > 2)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, Action)
        if fact.protocol != "snmp" or fact.name != "community":
            return
        client, server, port = self.ends()
        tried = self._tried[client, server]
        if not tried.since or abs(fact.ts - tried.since) > self.knob("window") * SECOND:
            tried.since, tried.marks, tried.flows, tried.said = fact.ts, set(), [], 0
        if len(tried.marks) < _MARKS:
            tried.marks.add(fact.subject)
        if len(tried.flows) < 20 and fact.flow_id not in tried.flows:
            tried.flows.append(fact.flow_id)
        count, limit = len(tried.marks), self.knob("communities")
        if count < max(limit, 2 * tried.said):
            return
        tried.said = count
        seconds = abs(fact.ts - tried.since) / SECOND
        self.alert(
            "brute_force_community",
            f"{client} asked {server} by SNMP with {count} different communities within {seconds:.0f} s; the limit is {limit:.0f}.",
            fact.ts,
            client,
            server,
            severity="high" if count >= 2 * limit else "medium",
            confidence=0.9,
            measured=count,
            threshold=limit,
            unit="communities",
            protocol="snmp",
            flow_ids=tried.flows,
            details={"port": port},
        )

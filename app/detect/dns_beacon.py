"""Somebody asks for names of one domain like a clock: malware that takes its orders from the answers, or looks whether its server is back.

Resolvers remember answers, and so do programs: who needs a name all the time asks for it again when the answer's time (TTL) is over, which is regular as well and not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.beacon import Rhythm
from app.detect.conversation import SECOND, ConversationDetector
from app.detect.domains import labels_of, registered_domain
from app.detect.rule import Knob, Rule
from app.dpi.facts import DnsTransaction, Fact
from app.stats.bounded import Last

_CAPACITY = 2048
_NAMES = 64
_LOCAL = frozenset(("arpa", "local", "lan", "home", "internal", "localdomain", "corp", "intra"))
_TOGETHER_NS = 2 * SECOND  # questions that belong together: A and AAAA, repeats


@dataclass(slots=True)
class _Questions:
    """Of one client about one domain."""

    times: Last[int] = field(default_factory=lambda: Last(64))
    flows: Last[int] = field(default_factory=lambda: Last(12))
    names: set[int] = field(default_factory=set)
    ttls: Last[int] = field(default_factory=lambda: Last(8))  # seconds
    count: int = 0
    judged: int = 0
    told: int = 0


class DnsBeacon(ConversationDetector):
    name = "dns_beacon"
    rules = (
        Rule(
            "dns_beacon",
            "DNS beacon: names of one domain are asked for at regular intervals",
            "low",
            "A client asks for names of one domain at regular intervals that do not follow from how long the answers are valid, as malware does that takes orders from them.",
            "Monitoring, and devices that look whether their maker's server can be reached.",
            "Find the program that asks, and who owns the domain. Names that differ each time carry something.",
            "T1071.004",
        ),
    )
    knobs = (
        Knob("intervals", 15, "intervals", "Fewer may look regular by chance."),
        Knob("deviation", 0.2, "of the median", "Median deviation of the intervals; malware varies them a little."),
        Knob("regular_share", 0.85, "of the intervals", "Within half of the median."),
        Knob("shortest_s", 4, "s", "Shorter intervals are one conversation, or a tunnel, which is told as that."),
        Knob("span_s", 240, "s", "Over which the rhythm has to be kept."),
    )
    facts = (DnsTransaction,)

    def begin(self) -> None:
        self._asked = self.bounded(_CAPACITY, _Questions, lambda asked: asked.count > 4)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, DnsTransaction)
        labels = labels_of(fact.query.lower())
        if fact.kind != "dns" or len(labels) < 2 or labels[-1] in _LOCAL or fact.client == fact.server:
            return
        asked = self._asked[fact.client, registered_domain(fact.query)]
        if fact.answers:
            asked.ttls.append(min(one.ttl for one in fact.answers))
        if asked.times and fact.ts - asked.times[-1] < _TOGETHER_NS:
            return
        asked.times.append(fact.ts)
        asked.flows.append(fact.flow_id)
        asked.count += 1
        if len(asked.names) < _NAMES:
            asked.names.add(hash(fact.query.lower()))
        if asked.count > self.knob("intervals") and asked.count >= 1.25 * asked.judged:
            asked.judged = asked.count
            self._judge(fact, asked)

    def _judge(self, fact: DnsTransaction, asked: _Questions) -> None:
        rhythm = Rhythm(list(asked.times))
        if asked.count < 2 * asked.told or rhythm.median < self.knob("shortest_s") or rhythm.span < self.knob("span_s"):
            return
        if rhythm.deviation > self.knob("deviation") or rhythm.regular < self.knob("regular_share"):
            return
        varied = len(asked.names) >= min(0.5 * asked.count, _NAMES)
        ttl = max(asked.ttls, default=0)
        if not varied and 0.5 * ttl <= rhythm.median <= 1.5 * ttl:  # asked again when the answer is no longer valid
            return
        asked.told = asked.count
        domain = registered_domain(fact.query)
        kinds = (
            f"{len(asked.names)}{' or more' if len(asked.names) >= _NAMES else ''} different names"
            if len(asked.names) > 1
            else fact.query
        )
        self.alert(
            "dns_beacon",
            f"{fact.client} asked {fact.server} for names of {domain} ({kinds}) {asked.count} times, every {rhythm.median:.1f} s with a median deviation of "
            f"{rhythm.deviation:.0%}; the limit is {self.knob('deviation'):.0%}.",
            fact.ts,
            fact.client,
            fact.server,
            confidence=0.5 if varied else 0.35,
            fold=(fact.client, domain),
            measured=round(rhythm.deviation, 4),
            threshold=self.knob("deviation"),
            unit="of the median",
            protocol="dns",
            flow_ids=asked.flows,
            details={
                "domain": domain,
                "interval_s": round(rhythm.median, 2),
                "times": asked.count,
                "names": len(asked.names),
            },
        )

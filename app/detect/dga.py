"""Names made by an algorithm: malware tries hundreds of domains until one exists."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.domains import labels_of, randomness, registered_domain
from app.detect.rule import Knob, Rule
from app.dpi.facts import DnsTransaction, Fact

_CAPACITY = 2048  # clients
_DOMAINS = 512


@dataclass(slots=True)
class _Tries:
    since: int = 0
    failed: dict[str, float] = field(default_factory=dict)  # domain → randomness
    said: bool = False


class GeneratedDomains(ConversationDetector):
    """Counts domains that do not exist and look random, per client."""

    name = "dga"
    rules = (
        Rule(
            "dga",
            "Generated domain names (DGA): a program looks for its command and control server",
            "high",
            "A client asked for many domains that do not exist and that look like noise.",
            "Browsers ask for two or three random names without a dot when they start, to find out whether the network forges answers.",
            "Find the program that asks; look for the one name that was answered, and where the client connected after it.",
            "T1568.002",
        ),
    )
    knobs = (
        Knob("window", 300, "s", "families try hundreds of domains within minutes."),
        Knob("domains", 10, "domains", "a person mistypes one or two a day."),
        Knob(
            "randomness",
            0.45,
            "0 to 1",
            "names of companies and words lie below 0.35, generated ones mostly above 0.5.",
        ),
    )
    facts = (DnsTransaction,)

    def begin(self) -> None:
        self._clients = self.bounded(_CAPACITY, _Tries)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, DnsTransaction)
        labels = labels_of(fact.query)
        if (
            fact.kind != "dns"
            or fact.rcode != "NXDOMAIN"
            or len(labels) < 2
            or labels[-1].lower() in ("arpa", "local", "lan", "home", "internal", "localdomain", "corp", "intra")
        ):
            return
        domain = registered_domain(fact.query)
        tries = self._clients[fact.client]
        if fact.ts - tries.since > self.knob("window") * SECOND or fact.ts < tries.since:
            self._clients[fact.client] = tries = _Tries(fact.ts)
        if len(tries.failed) < _DOMAINS:
            tries.failed.setdefault(domain, randomness(domain.partition(".")[0]))
        random = [score for score in tries.failed.values() if score >= self.knob("randomness")]
        if tries.said or len(random) < self.knob("domains") or len(random) < 0.5 * len(tries.failed):
            return
        tries.said = True
        self.alert(
            "dga",
            f"{fact.client} asked for {len(random)} domains that do not exist and look like noise within {(fact.ts - tries.since) / SECOND:.0f} s; the limit is {self.knob('domains'):.0f}.",
            fact.ts,
            fact.client,
            fact.server,
            confidence=0.8,
            fold=(fact.client,),
            measured=len(random),
            threshold=self.knob("domains"),
            unit="domains",
            protocol="dns",
            flow_ids=(fact.flow_id,),
            details={"examples": sorted(tries.failed)[:5]},
        )

"""Floods of questions for names under one domain: made-up names that only its own servers can deny (water torture), or a list of words (enumeration).

Each name is new, so no cache helps, and each answer is that it does not exist, or that the servers are down. Block lists and virus scanners ask for many names that do not exist as
well, but for addresses and hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.domains import is_hex, labels_of, randomness, registered_domain
from app.detect.rule import Knob, Rule
from app.dpi.facts import DnsTransaction, Fact

_CAPACITY = 512  # domains
_NAMES = 1024  # of one domain within the window
_LOCAL = frozenset(("arpa", "local", "lan", "home", "internal", "localdomain", "corp", "intra", "invalid", "test"))
_HASH = 24  # letters of a label that may be a hash


@dataclass(slots=True)
class _Asked:
    """What was asked of one domain, within a window."""

    since: int = 0
    names: set[int] = field(default_factory=set)  # hashes of names that do not exist
    noise: int = 0  # of them that look like it
    clients: dict[str, int] = field(default_factory=dict)
    found: int = 0  # questions that had an answer
    denied: int = 0  # names that a server said something of
    flows: list[int] = field(default_factory=list)
    said: int = 0


def _looked_up(front: list[str]) -> bool:
    """Addresses (of IPv4 by number, of IPv6 by digit) and hashes, of which lists are asked."""
    address = all(one.isdigit() for one in front[:4]) or (len(front) >= 8 and all(len(one) == 1 for one in front[:8]))
    return address or (is_hex(front[0]) and len(front[0]) >= _HASH)


class SubdomainFlood(ConversationDetector):
    """Counts names of one domain that do not exist."""

    name = "subdomain_flood"
    rules = (
        Rule(
            "dns_subdomain_flood",
            "DNS flood of made-up names of one domain (water torture)",
            "high",
            "Very many different names of one domain were asked for that do not exist: no cache can answer them, so the domain's servers, and the resolvers in between, are worn down.",
            "Block lists of mail servers and virus scanners ask for addresses and hashes, which are left out.",
            "Let resolvers limit questions per domain, or answer for it themselves (RFC 8198); find the clients that ask: they are mostly taken over.",
            "T1498.001",
        ),
        Rule(
            "dns_enumeration",
            "DNS enumeration: a list of words is tried under one domain",
            "medium",
            "One client asked for many different names of one domain, most of which do not exist: it looks for hosts of it.",
            "A search domain that is appended to every name that is mistyped or unknown inside.",
            "Find out who runs it. Give away no names that nobody outside needs (split DNS).",
            "T1590.002",
        ),
    )
    knobs = (
        Knob("window", 10, "s", "floods bring tens to thousands of names a second."),
        Knob(
            "names", 150, "different names", "that do not exist, within the window; pages ask for some tens, which do."
        ),
        Knob(
            "found_share",
            0.2,
            "of the questions",
            "with an answer: lists of words find a few hosts, users find nearly all.",
        ),
        Knob("noise", 0.5, "of the names", "that look random: generated for the purpose, not taken from a list."),
    )
    facts = (DnsTransaction,)

    def begin(self) -> None:
        self._domains = self.bounded(_CAPACITY, _Asked, lambda asked: len(asked.names) > 10)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, DnsTransaction)
        labels = labels_of(fact.query.lower())
        if fact.kind != "dns" or len(labels) < 3 or labels[-1] in _LOCAL:
            return
        domain = registered_domain(fact.query)
        front = labels[: len(labels) - domain.count(".") - 1]
        if not front or _looked_up(front):
            return
        asked = self._domains[domain]
        if not asked.since or abs(fact.ts - asked.since) > self.knob("window") * SECOND:
            asked.since, asked.names, asked.clients, asked.flows = fact.ts, set(), {}, []
            asked.noise = asked.found = asked.denied = asked.said = 0
        if fact.rcode == "NOERROR" and fact.answers:
            asked.found += 1
            return
        name = hash(fact.query.lower())
        if name in asked.names or len(asked.names) >= _NAMES:
            return
        asked.names.add(name)
        asked.denied += fact.rcode is not None
        asked.noise += max(randomness(one) for one in front) >= 0.45
        if fact.client in asked.clients or len(asked.clients) < 256:
            asked.clients[fact.client] = asked.clients.get(fact.client, 0) + 1
        if len(asked.flows) < 20:
            asked.flows.append(fact.flow_id)
        count = len(asked.names)
        if count >= max(self.knob("names"), 2 * asked.said):
            self._judge(fact, domain, asked, count)

    def _judge(self, fact: DnsTransaction, domain: str, asked: _Asked, count: int) -> None:
        if asked.found > self.knob("found_share") * (count + asked.found):
            return
        asked.said = count
        flood = asked.noise >= self.knob("noise") * count or len(asked.clients) >= 10
        if not flood and asked.denied < 0.5 * count:  # a capture of questions alone
            return
        client = next(iter(asked.clients)) if len(asked.clients) == 1 else None
        limit = self.knob("names")
        self.alert(
            "dns_subdomain_flood" if flood else "dns_enumeration",
            f"{client or f'{len(asked.clients)} clients'} asked {fact.server} for {count} different names of {domain} of which next to none is found within "
            f"{abs(fact.ts - asked.since) / SECOND:.1f} s; the limit is {limit:.0f}.",
            fact.ts,
            client,
            fact.server,
            severity="medium" if flood and count < 2 * limit else None,
            confidence=0.8,
            fold=(domain, flood),
            measured=count,
            threshold=limit,
            unit="names",
            protocol="dns",
            flow_ids=asked.flows,
            details={"domain": domain, "clients": sorted(asked.clients)[:10], "random_looking": asked.noise},
        )

"""Data in DNS names and answers: tunnels (iodine, dnscat2, DNSExfiltrator …), and single names that carry a file's beginning."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.domains import encoded_content, is_hex, labels_of, looks_encoded, registered_domain
from app.detect.rule import Knob, Rule
from app.dpi.facts import DnsTransaction, Fact

_CAPACITY = 4096  # pairs of client and domain
_NAMES = 256  # distinct names remembered of one pair: enough to pass every limit
_HASH_LENGTHS = frozenset((32, 40, 56, 64))  # MD5, SHA-1, SHA-224, SHA-256 in hex
# Who asks these asks about a file, an address or a mail, by its hash; nobody else can read the questions.
_LOOK_UPS = frozenset(("mcafee.com", "sophosxl.net", "e5.sk", "spamhaus.org", "spamhaus.net", "surbl.org", "uribl.com", "msbl.org", "barracudacentral.org", "dnswl.org", "trendmicro.com", "cymru.com", "kaspersky-labs.com", "kaspersky.com", "bitdefender.net", "drweb.com", "opendns.com", "abusix.zone", "invaluement.com"))  # fmt: skip
_RARE_TYPES = frozenset(("TXT", "NULL", "PRIVATE", "KEY", "CNAME", "MX", "SRV", "TYPE10", "TYPE65399"))


@dataclass(slots=True)
class _Use:
    """What one client asked of one domain within the current window."""

    since: int = 0
    queries: int = 0
    names: set[int] = field(default_factory=set)
    characters: int = 0
    encoded: int = 0
    hashes: int = 0  # names in front of which stands one label as long as a hash
    rare: int = 0
    answered: int = 0
    said: bool = False


class DnsTunnel(ConversationDetector):
    """Counts, per client and registered domain, names that no person typed."""

    name = "dns_tunnel"
    rules = (
        Rule(
            "dns_tunnel",
            "DNS tunnel",
            "high",
            "A client asked one domain for many long names, each different and each looking encoded: that is how data is carried through DNS where nothing else gets out.",
            "Some virus scanners, mail filters and content networks put hashes into names; they use few letters of each name, and well-known domains.",
            "Look at the names of the domain. Find the program that asks. If nobody can explain it, block the domain and look at what the machine had access to.",
            "T1071.004",
        ),
        Rule(
            "dns_exfiltration",
            "Data smuggled out in a DNS name",
            "medium",
            "The labels of a name decode to the beginning of a file or an archive.",
            "Names that happen to decode so are rare; tests of security products do it.",
            "Decode the name, and find the program that asked.",
            "T1048.003",
        ),
    )
    knobs = (
        Knob("window", 60, "s", "dnscat2 and iodine ask several times a second; slow ones once in a few seconds."),
        Knob(
            "names",
            25,
            "different names",
            "a page with all its parts asks fewer different long names of one domain within a minute.",
        ),
        Knob(
            "slow_window",
            900,
            "s",
            "Patient ones ask every few seconds; nobody looks up so many encoded names of one domain by hand.",
        ),
        Knob("slow_names", 40, "different names", "within the long window."),
        Knob(
            "length",
            18,
            "characters",
            "mean length in front of the domain; host names that people choose are about 8 long.",
        ),
        Knob("encoded", 0.5, "share", "of the names with a label that looks like hex, base32 or base64."),
    )
    facts = (DnsTransaction,)

    def begin(self) -> None:
        self._uses = self.bounded(_CAPACITY, _Use)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, DnsTransaction)
        if fact.kind != "dns":
            return
        labels = labels_of(fact.query)
        if len(labels) < 2 or labels[-1].lower() == "arpa":
            return
        domain = registered_domain(fact.query)
        if not labels[-1].isalpha() or len(labels[-1]) > 24 or domain in ("",):
            domain, front = f"(asked of {fact.server})", labels  # no real top level: the server is asked directly
        else:
            front = labels[: len(labels) - domain.count(".") - 1]
        text = "".join(front)
        if not text:
            return
        self._single(fact, front, domain)
        if domain in _LOOK_UPS:
            return
        for window, names in (("window", "names"), ("slow_window", "slow_names")):
            self._count(fact, domain, front, text, int(self.knob(window)), int(self.knob(names)))

    def _count(self, fact: DnsTransaction, domain: str, front: list[str], text: str, seconds: int, limit: int) -> None:
        use = self._uses[fact.client, domain, seconds]
        if fact.ts - use.since > seconds * SECOND or fact.ts < use.since:
            self._uses[fact.client, domain, seconds] = use = _Use(fact.ts, said=False)
        use.queries += 1
        if len(use.names) < _NAMES:
            known = len(use.names)
            use.names.add(hash(text))
            if len(use.names) > known:
                use.characters += len(text)
                use.encoded += any(looks_encoded(label) for label in front)
                use.hashes += sum(len(label) in _HASH_LENGTHS and is_hex(label) for label in front) == 1
                use.rare += fact.type in _RARE_TYPES
        self._judge(fact, use, domain, limit)

    def _judge(self, fact: DnsTransaction, use: _Use, domain: str, limit: int) -> None:
        count = len(use.names)
        if use.said or count < limit:
            return
        length, encoded, rare = use.characters / count, use.encoded / count, use.rare / count
        wide = length >= self.knob("length") and encoded >= self.knob("encoded")
        odd = rare >= 0.5 and length >= self.knob("length") / 2 and (encoded >= 0.3 or domain.startswith("("))
        if not (wide or odd):
            return
        use.said = True
        strong = rare >= 0.3 or length >= 30 or domain.startswith("(")
        looked_up = use.hashes >= 0.95 * count and rare < 0.1  # one hash in each name, asked for an address: a look-up
        self.alert(
            "dns_tunnel",
            f"{fact.client} asked for {count} different names under {domain} in {(fact.ts - use.since) / SECOND:.0f} s, {length:.0f} characters long on average, "
            f"{encoded:.0%} of them looking encoded{', each like one hash' if looked_up else ''}; the limit is {limit} names of {self.knob('length'):.0f} characters.",
            fact.ts,
            fact.client,
            fact.server,
            confidence=0.3 if looked_up else 0.9 if strong else 0.7,
            severity="low" if looked_up else "high" if strong else "medium",
            fold=(fact.client, domain),
            measured=count,
            threshold=limit,
            unit="different names",
            protocol="dns",
            flow_ids=(fact.flow_id,),
            details={"domain": domain, "mean_length": round(length, 1), "share_encoded": round(encoded, 2)},
        )

    def _single(self, fact: DnsTransaction, front: list[str], domain: str) -> None:
        text = "".join(front)
        if len(text) < 40:
            return
        content = encoded_content(front)
        if content is None:
            return
        self.alert(
            "dns_exfiltration",
            f"{fact.client} asked {fact.server} for a name whose {len(text)} characters decode to {content}; names that people use decode to nothing.",
            fact.ts,
            fact.client,
            fact.server,
            confidence=0.7,
            fold=(fact.client, domain),
            measured=len(text),
            threshold=40,
            unit="characters",
            protocol="dns",
            flow_ids=(fact.flow_id,),
        )

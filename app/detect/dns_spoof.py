"""Forged answers in the DNS: two different answers to one question, answers that nobody asked for, famous names at private addresses."""

from __future__ import annotations

import ipaddress

from app.detect.conversation import SECOND, ConversationDetector, Window, is_local, worth_saying
from app.detect.domains import registered_domain
from app.detect.rule import Knob, Rule
from app.dpi.facts import Action, DnsTransaction, Fact

_CAPACITY = 2048
_FAMOUS = frozenset(
    ["google.com", "facebook.com", "youtube.com", "paypal.com", "microsoft.com", "apple.com", "amazon.com", "twitter.com", "x.com", "instagram.com", "live.com", "yahoo.com", "ebay.com", "netflix.com", "linkedin.com", "whatsapp.com", "icloud.com", "office.com", "outlook.com", "wikipedia.org", "github.com", "bankofamerica.com", "chase.com", "wellsfargo.com", "hotmail.com", "msn.com"]
)  # fmt: skip

# Names by which systems find out whether they are online: a network that wants a log-in first answers them itself.
_CHECKS = ("captive.", "connectivitycheck.", "www.msftconnecttest.", "ipv6.msftconnecttest.", "clients1.", "clients3.", "dns.msftncsi.", "www.msftncsi.", "nmcheck.", "detectportal.")  # fmt: skip


class DnsSpoof(ConversationDetector):
    """Compares answers."""

    name = "dns_spoof"
    rules = (
        Rule(
            "dns_spoof",
            "Forged DNS answer (spoofing)",
            "high",
            "A question got a second answer that says something else, or many answers came that nobody had asked for: somebody races the real server.",
            "Censorship on the way looks the same, because it is the same. A server that answers a repeated question may rotate addresses.",
            "Compare the addresses and times to live of both answers. Find who can send into this network; use DNS over TLS or HTTPS.",
            "T1557",
        ),
        Rule(
            "name_poisoning",
            "Local names are answered by an impostor (LLMNR, NetBIOS or mDNS poisoning)",
            "high",
            "One host answers local questions for many different names with its own address.",
            "A host answers for its own one or two names.",
            "Find the host. Switch LLMNR and NetBIOS name resolution off; passwords of whoever connected to it may be known.",
            "T1557.001",
        ),
        Rule(
            "dns_rebinding",
            "DNS answer points to a private address",
            "low",
            "A public name was answered with a private address.",
            "Home routers, block lists and companies' own names do so.",
            "Ask whose name it is. For a name of a large site it is a forged answer.",
            "T1557",
        ),
    )
    knobs = (
        Knob("unsolicited", 20, "answers", "in the window; a capture that began late shows one or two."),
        Knob(
            "window", 10, "s", "an attack on the number of a question needs thousands of answers before the real one."
        ),
        Knob("names", 3, "names", "answered by one host with its own address."),
    )
    facts = (DnsTransaction, Action)

    def begin(self) -> None:
        self._unasked = self.bounded(_CAPACITY, Window)
        self._claims = self.bounded(_CAPACITY, dict[str, int])

    def on_fact(self, fact: Fact) -> None:
        if isinstance(fact, Action):
            if fact.protocol == "dns" and fact.name == "second_answer":
                self._second(fact)
        elif isinstance(fact, DnsTransaction):
            if fact.kind == "dns":
                self._plain(fact)
            else:
                self._local(fact)

    def _second(self, fact: Action) -> None:
        first, second = set(fact.details["first"].split()[1:]), set(fact.details["second"].split()[1:])
        ends = self.ends()
        client, server = (ends[0], ends[1]) if fact.sender else (ends[1], ends[0])
        related = bool(first & second) or bool(_networks(first) & _networks(second))
        if related or not (first or second):
            return
        both = bool(first and second)
        self.alert(
            "dns_spoof",
            f"{client} got two answers to one question for {fact.subject[:80]} from {server}: {fact.details['first'][:80]} and then {fact.details['second'][:80]}; one question has one answer.",
            fact.ts,
            None,
            client,
            confidence=0.75 if both else 0.5,
            severity="high" if both else "medium",
            fold=(client, server),
            measured=2,
            threshold=1,
            unit="answers",
            protocol="dns",
            flow_ids=(fact.flow_id,),
            details={
                "server": server,
                "name": fact.subject,
                "first_ttl": fact.details["first_ttl"],
                "second_ttl": fact.details["second_ttl"],
            },
        )

    def _plain(self, fact: DnsTransaction) -> None:
        if fact.rcode is not None and fact.latency_ns is None:
            window = self._unasked[fact.client, registered_domain(fact.query)]
            count = window.add(fact.ts, int(self.knob("window") * SECOND))
            if worth_saying(window, count, self.knob("unsolicited")):
                self.alert(
                    "dns_spoof",
                    f"{count} answers for names under {registered_domain(fact.query)} came to {fact.client} within {self.knob('window'):.0f} s that it had not asked for; the limit is {self.knob('unsolicited'):.0f}.",
                    fact.ts,
                    fact.server,
                    fact.client,
                    confidence=0.7,
                    fold=(fact.client, "unsolicited"),
                    measured=count,
                    threshold=self.knob("unsolicited"),
                    unit="answers",
                    protocol="dns",
                    flow_ids=(fact.flow_id,),
                )
        private = [
            a.value
            for a in fact.answers
            if a.type in ("A", "AAAA") and is_local(a.value) and a.value not in ("0.0.0.0", "::", "127.0.0.1", "::1")
        ]
        domain = registered_domain(fact.query)
        if (
            private
            and "." in domain
            and domain.rpartition(".")[2] not in ("local", "lan", "home", "internal", "corp", "localdomain", "test")
        ):
            famous = domain in _FAMOUS and not fact.query.lower().startswith(_CHECKS)
            self.alert(
                "dns_spoof" if famous else "dns_rebinding",
                f"{fact.server} told {fact.client} that {fact.query[:80]} is at the private address {private[0]}.",
                fact.ts,
                fact.server,
                fact.client,
                confidence=0.8 if famous else 0.3,
                severity="high" if famous else "low",
                fold=(fact.client, fact.server, domain),
                protocol="dns",
                flow_ids=(fact.flow_id,),
            )

    def _local(self, fact: DnsTransaction) -> None:
        """A claim: an answer of a host for a name, with its own address."""
        if fact.kind not in ("llmnr", "nbns", "mdns") or fact.rcode != "NOERROR" or fact.latency_ns is None:
            return
        if fact.kind == "mdns" and fact.type not in ("A", "AAAA"):
            return
        if not any(answer.value == fact.server or fact.server in answer.value for answer in fact.answers):
            return
        claims = self._claims[fact.server]
        if len(claims) < 64:
            claims[fact.query.lower().partition("<")[0].strip()] = fact.ts
        if len(claims) >= self.knob("names"):
            self.alert(
                "name_poisoning",
                f"{fact.server} answered questions for {len(claims)} different local names with its own address, the last from {fact.client}; a host has one or two names.",
                fact.ts,
                fact.server,
                fact.client,
                confidence=0.8,
                fold=(fact.server,),
                measured=len(claims),
                threshold=self.knob("names"),
                unit="names",
                protocol=fact.kind,
                flow_ids=(fact.flow_id,),
            )


def _networks(values: set[str]) -> set[str]:
    """/16 (or /32 of IPv6) of the addresses: servers of one owner rotate within them. Names count by their registered part."""
    found: set[str] = set()
    for value in values:
        try:
            address = ipaddress.ip_address(value)
            found.add(str(ipaddress.ip_network((value, 16 if address.version == 4 else 32), strict=False)))
        except ValueError:
            found.add(registered_domain(value))
    return found

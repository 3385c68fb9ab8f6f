"""Floods of connection requests and datagrams: more than a service gets in earnest, and nobody goes on after the first packet.

A busy server gets as many, but its clients complete their handshakes and get answers; the flow table says so.
"""

from __future__ import annotations

from typing import Final

from app.detect import networks
from app.detect.detector import Detector, attempts_evidence
from app.detect.flow_lookup import answered
from app.detect.rule import Knob, Rule
from app.flow import contact_layout as at
from app.flow.contacts import Contact
from app.model.alert import Severity

SECOND: Final = 1_000_000_000
DNS: Final = 53
SHORTEST_S: Final = 0.1  # of a burst whose pace is told: a file of its packets may be as short
MAX_LOOK_UPS: Final = 5  # in the flow table within one second


class Flood(Detector):
    name = "flood"
    rules = (
        Rule(
            "syn_flood",
            "SYN flood: more connection requests than are meant",
            "high",
            "A service gets many requests for TCP connections a second that are not carried on: each holds a place in the server's queue until none is free.",
            "Load tests; a client that tries a service that is down without a pause.",
            "Turn on SYN cookies, limit half-open connections, ask the provider to filter. Sources are mostly forged, so blocking them does not help.",
            "T1499.001",
        ),
        Rule(
            "udp_flood",
            "UDP flood: many datagrams nobody answers",
            "high",
            "A host gets many datagrams a second that begin new flows and are not answered.",
            "Measurements of throughput; a service that only listens, such as syslog or NetFlow collectors, with very many senders.",
            "Ask the provider to filter; close what answers to the port. Sources are mostly forged.",
            "T1498.001",
        ),
        Rule(
            "dns_flood",
            "DNS flood: many queries nobody answers",
            "high",
            "A DNS server gets many more queries a second than it answers.",
            "A resolver that is down is asked again by all of its clients.",
            "Limit the rate of answers (RRL), and answer only your own clients.",
            "T1498.001",
        ),
    )
    knobs = (
        Knob("syns", 100, "requests/s", "Browsers open some tens of connections at once to a site; a hundred a second to one port without going on is no client."),
        Knob("datagrams", 500, "datagrams/s", "Ordinary services see that many new flows a second only when they answer."),
        Knob("random_ports", 500, "requests/s", "To any ports of one host: above what scans need."),
        Knob("one_source", 1500, "requests/s", "The same of one source, where 3,000 and more came: a scan of all ports at leisure stays below."),
        Knob("lasting_syns", 30, "requests/s", "On average over ten seconds and more to one port: clients that wait for a service pause between their tries."),
        Knob("answered_share", 0.3, "of the flows", "A service under ordinary load answers nearly all."),
        Knob("high", 1000, "packets/s", "From here the severity is high."),
    )  # fmt: skip
    contacts = ("services", "targets")

    def begin(self) -> None:
        self._second = 0
        self._look_ups = 0

    def on_contact(self, table: str, contact: Contact) -> None:
        if networks.is_group(*contact.a) or contact.protocol not in (6, 17):
            return
        syn = contact.protocol == 6
        if table == "targets":
            few = contact.side < 8  # few sources and many ports are a scan, unless it is very much
            limit = int(self.knob("one_source" if few else "random_ports"))
            if contact.items < 50 or (few and contact.attempts < 2 * limit):
                return
        else:
            limit = int(self.knob("syns" if syn else "datagrams"))
        lasting = self.knob("lasting_syns")
        if syn and table == "services" and contact.seconds >= 10 and contact.attempts >= lasting * contact.seconds:
            limit = min(limit, int(lasting))
        if contact.peak < max(limit, 2 * contact.told) or not self._may_look(contact.last):
            return
        port = contact.port if table == "services" else 0
        flows = answered(self.context.table, contact.a, port, contact.protocol, contact.last - 10 * SECOND)
        if flows.flows >= 20 and flows.share > self.knob("answered_share"):
            return
        self.told(table, contact, contact.peak)
        self._tell(contact, port, limit, flows.share)

    def _may_look(self, ns: int) -> bool:
        if ns // SECOND != self._second:
            self._second, self._look_ups = ns // SECOND, 0
        self._look_ups += 1
        return self._look_ups <= MAX_LOOK_UPS

    def _tell(self, contact: Contact, port: int, limit: int, share: float) -> None:
        target = networks.text(*contact.a)
        syn = contact.protocol == 6
        rule = "syn_flood" if syn else "dns_flood" if port == DNS else "udp_flood"
        what = "connection requests" if syn else "datagrams that begin a flow"
        where = f"port {port} of {target}" if port else f"{contact.items} ports of {target}"
        sources = contact.items if port else contact.side
        from_where = "one source" if sources == 1 else f"about {sources} sources"
        source = self._source(contact) if sources == 1 else None
        pace = contact.attempts / max(contact.seconds, SHORTEST_S) if contact.attempts >= self.knob("high") / 2 else 0.0
        high = max(contact.peak, pace) >= self.knob("high") or sources >= 50
        severity: Severity = "high" if high else "medium"
        self.alert(
            rule,
            f"{where} got {contact.peak} {what} in one second from {from_where}, of whom {share:.0%} went on; the limit is {limit}.",
            contact.last,
            source,
            target,
            severity=severity,
            confidence=0.9 if high else 0.75,
            fold=(contact.a, contact.protocol),
            measured=contact.peak,
            threshold=limit,
            unit="packets/s",
            protocol="tcp" if syn else "udp",
            flow_ids=contact.flow_ids,
            evidence=attempts_evidence(contact),
            details={
                "port": port or None,
                "sources": sources,
                "packets": contact.attempts,
                "answered_share": round(share, 3),
                "odd_flags": bool(contact.kinds & (at.BY_ODD | at.BY_NULL | at.BY_XMAS | at.BY_FIN)),
            },
        )

    def _source(self, contact: Contact) -> str | None:
        """The one source."""
        contacts = self.context.contacts
        found = contacts.caller(contact.a, contact.protocol) if contacts is not None else None
        return networks.text(*found) if found is not None else None

"""Many hosts together try many ports of one: a scan shared out over a botnet, or hidden among forged sources (decoys)."""

from __future__ import annotations

from app.detect import networks
from app.detect.detector import Detector, attempts_evidence
from app.detect.rule import Knob, Rule
from app.flow.contacts import Contact


class DistributedScan(Detector):
    name = "distributed_scan"
    rules = (
        Rule(
            "port_scan_distributed",
            "Distributed port scan: many sources try many ports of one host",
            "medium",
            "Many different hosts tried many different ports of one host, most without an answer, and each of them only a few: the work is shared, or the sources are forged.",
            "A host whose peer-to-peer program changed its port is still called at the old ones, but those are few ports, not many.",
            "See that only what you mean to offer answers. The sources are many and mostly taken over themselves: blocking single ones does not help.",
            "T1046",
        ),
    )
    knobs = (
        Knob(
            "ports", 40, "ports", "Background noise of the Internet tries some ports an hour; forty is somebody's list."
        ),
        Knob("sources", 8, "hosts", "Fewer are found as single scans."),
        Knob("rate", 200, "attempts/s", "More than that in a second is a flood, and told as one."),
    )
    contacts = ("targets",)

    def on_contact(self, table: str, contact: Contact) -> None:
        limit = int(self.knob("ports"))
        if contact.failed < max(limit, 2 * contact.told) or contact.side < self.knob("sources"):
            return
        if contact.failed < 0.8 * contact.items or contact.peak >= self.knob("rate") or networks.is_group(*contact.a):
            return
        if contact.attempts > 4 * contact.items or self.wait("targets", contact):
            return  # few ports tried again and again
        self.told("targets", contact, contact.items)
        target = networks.text(*contact.a)
        self.alert(
            "port_scan_distributed",
            f"About {contact.side} hosts tried {contact.items} ports of {target} in {contact.seconds:.0f} s and {contact.failed} did not answer; the limit is {limit} ports.",
            contact.last,
            None,
            target,
            confidence=0.7,
            fold=(contact.a, contact.protocol),
            measured=contact.items,
            threshold=limit,
            unit="ports",
            protocol="tcp" if contact.protocol == 6 else "udp",
            flow_ids=contact.flow_ids,
            evidence=attempts_evidence(contact),
            details={"sources": contact.side, "packets": contact.attempts},
        )

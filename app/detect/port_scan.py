"""One host tries many ports of another: SYN, connect, FIN, NULL, Xmas, ACK and UDP scans, quick or slow.

Who has business with a host knows which port to use, and the port answers. A scan is many ports tried of one host of which most do not answer, or packets with
flags that no TCP sends; or, where all answer (a tarpit, a honeypot), many ports to which the caller then says nothing. The rows of `pairs` hold up to an hour of attempts, so that a probe every few minutes adds up as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.batch import ACK, FIN, RST, SYN, Batch
from app.detect.detector import Detector, attempts_evidence
from app.detect.rule import Knob, Rule
from app.detect.service_names import is_sought
from app.flow import contact_layout as at
from app.flow.contacts import Contact
from app.model.alert import Evidence, Severity

SECOND: Final = 1_000_000_000
REFUSALS_NS: Final = 60 * SECOND
SERVICES: Final = 10_000  # ports below are services'; connections are opened from ports above
MOST_A_SECOND: Final = 500
SILENT_NS: Final = 900 * SECOND
GREETING: Final = 300  # bytes that a service says unasked
STEALTH: Final = at.BY_FIN | at.BY_NULL | at.BY_XMAS | at.BY_ODD
NAMES: Final = {
    at.BY_SYN: "SYN",
    at.BY_FIN: "FIN",
    at.BY_NULL: "NULL",
    at.BY_XMAS: "Xmas",
    at.BY_ACK: "ACK",
    at.BY_ODD: "odd flags",
    at.BY_UDP: "UDP",
    at.BY_SCTP: "SCTP",
}


def ways(kinds: int) -> str:
    """How it was tried, in words."""
    return ", ".join(name for bit, name in NAMES.items() if kinds & bit)


@dataclass(slots=True)
class Refusals:
    """At which ports one host refused another, without a question that was seen."""

    since: int = 0
    ports: set[int] = field(default_factory=set)
    evidence: list[Evidence] = field(default_factory=list)
    told: int = 0


@dataclass(slots=True)
class Silent:
    """At which ports one host opened connections to another and said nothing, though they answered."""

    since: int = 0
    ports: dict[int, int] = field(default_factory=dict)  # → a flow
    visits: int = 0
    told: int = 0


class PortScan(Detector):
    name = "port_scan"
    rules = (
        Rule(
            "port_scan",
            "Port scan: many ports of one host are tried",
            "medium",
            "One host tried many ports of another, and most did not answer; or it sent packets whose flags no connection uses, as scanners do to slip past filters; or they answered, and it said nothing.",
            "Vulnerability scanners and inventory of the administrator; a monitoring system that checks many ports of a host that is down, or of one for the first time.",
            "From inside: find the program on the source and who runs it. From outside: usual on the Internet; see that only what you mean to offer answers.",
            "T1046",
        ),
    )
    knobs = (
        Knob(
            "ports",
            10,
            "ports",
            "Ordinary programs try one to five ports of a host (peer-to-peer, printers, video calls); scanners take tens to thousands.",
        ),
        Knob("udp_ports", 12, "ports", "Video calls and games open some more UDP ports with one host than TCP ports."),
        Knob("stealth_ports", 3, "ports", "Packets without a legal combination of flags are not sent by accident; three ports leave out a defect device."),
        Knob("refusals", 25, "ports", "Of one host that refuses another, where only the answers are captured: closing programs reset connections at a few."),
        Knob("failed_share", 0.6, "of the ports", "A scan of a server with many open ports still fails on most."),
        Knob("silent_ports", 25, "ports", "That answered a caller who said nothing, each once or twice: checks of load balancers come back to the same few."),
        Knob("service_share", 0.3, "of the silent ports", "That are services': lists of scanners are. Transfers of empty files by FTP use ports of any number."),
        Knob("silent_any", 100, "ports", "From here on of any number."),
    )  # fmt: skip
    contacts = ("pairs",)
    selections = ("first_tcp",)
    wants_flows = True

    def begin(self) -> None:
        self._refusals = self.bounded(1024, Refusals)
        self._silent = self.bounded(1024, Silent, lambda silent: len(silent.ports) > 4)

    def on_packets(self, batch: Batch) -> None:
        """Refusals of what nobody saw: the capture holds one direction, and the scan is seen in its answers."""
        first = batch.select("first_tcp")
        chosen = first[(batch.column("tcp_flags", first) == RST | ACK) & (batch.column("src_port", first) < SERVICES)]
        for index in self.ration("refusals", batch, chosen, MOST_A_SECOND).tolist():
            row = batch.row(index)
            scanned, scanner = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
            refusals, ts = self._refusals[scanner, scanned], int(row["ts"])
            if ts - refusals.since > REFUSALS_NS:
                refusals.since, refusals.ports, refusals.evidence, refusals.told = ts, set(), [], 0
            refusals.ports.add(int(row["src_port"]))
            if len(refusals.evidence) < 10:
                refusals.evidence.extend(batch.evidence(index))
            if len(refusals.ports) >= max(self.knob("refusals"), 2 * refusals.told):
                refusals.told = len(refusals.ports)
                self._tell_refusals(networks.text(*scanner), networks.text(*scanned), refusals, ts)

    def _tell_refusals(self, scanner: str, scanned: str, refusals: Refusals, ts: int) -> None:
        count, limit = len(refusals.ports), int(self.knob("refusals"))
        self.alert(
            "port_scan",
            f"{scanned} refused {scanner} at {count} ports within {REFUSALS_NS // SECOND} s; what it asked was not captured. The limit is {limit} ports.",
            ts,
            scanner,
            scanned,
            title="Port scan, seen in its answers",
            confidence=0.6,
            measured=count,
            threshold=limit,
            unit="ports",
            protocol="tcp",
            evidence=refusals.evidence,
            details={"ports_tried": count, "resets": count},
        )

    def on_contact(self, table: str, contact: Contact) -> None:
        if networks.is_group(*contact.b) or networks.is_group(*contact.a) or contact.a == contact.b:
            return
        limit = self._limit(contact)
        if limit is None or contact.items < max(limit, 2 * contact.told):
            return
        refused = contact.refusals >= contact.failed  # nothing is under way that could still be an answer
        if not refused and not contact.kinds & STEALTH and self.wait("pairs", contact):
            return
        self.told("pairs", contact, contact.items)
        self._tell(contact, limit)

    def _limit(self, contact: Contact) -> int | None:
        """The limit that applies and is passed; None where none is."""
        failed_enough = contact.failed >= self.knob("failed_share") * contact.items
        if contact.protocol == 17:
            limit = int(self.knob("udp_ports"))
            return limit if contact.failed >= limit and failed_enough else None
        stealth = int(self.knob("stealth_ports"))
        kinds = (contact.kinds & STEALTH).bit_count()
        if kinds and contact.items >= stealth and (kinds >= 2 or contact.kinds & (at.BY_NULL | at.BY_XMAS)):
            return stealth
        if kinds and contact.items >= 2 * stealth and not contact.kinds & at.BY_SYN:
            return 2 * stealth  # FIN alone: some stacks send a stray one
        limit = int(self.knob("ports"))
        return limit if contact.failed >= limit and failed_enough else None

    def _tell(self, contact: Contact, limit: int) -> None:
        source, target = networks.text(*contact.a), networks.text(*contact.b)
        slow = contact.seconds > 60 and contact.attempts / contact.seconds < 1
        inside = networks.is_private(*contact.a)
        severity: Severity = "high" if inside and contact.items >= 10 else "medium"
        kind = ways(contact.kinds)
        self.alert(
            "port_scan",
            f"{source} tried {contact.items} ports of {target} ({kind}) in {contact.seconds:.1f} s and {contact.failed} did not answer; the limit is {limit} ports.",
            contact.last,
            source,
            target,
            severity=severity,
            title=f"Port scan ({'slow, ' if slow else ''}{kind})",
            confidence=min(0.99, 0.7 + 0.01 * contact.items + (0.15 if contact.kinds & STEALTH else 0)),
            measured=contact.items,
            threshold=limit,
            unit="ports",
            protocol={6: "tcp", 17: "udp", 132: "sctp"}.get(contact.protocol),
            flow_ids=contact.flow_ids,
            evidence=attempts_evidence(contact),
            details={
                "ports_tried": contact.items,
                "answered": contact.answers,
                "resets": contact.refusals,
                "packets": contact.attempts,
                "seconds": round(contact.seconds, 3),
                "kind": kind,
                "slow": slow,
            },
        )

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        """Connections that were accepted and closed, and in which the caller said nothing."""
        for rows, over in ((changed, False), (ended, True)):
            chosen = (rows["protocol"] == 6) & (rows["src_payload"] == 0) & (rows["dst_payload"] <= GREETING)
            chosen &= (rows["src_flags"] & SYN != 0) & (rows["dst_flags"] & (SYN | ACK) == SYN | ACK)
            if not over:
                chosen &= rows["src_flags"] & (RST | FIN) != 0
            for row in rows[np.flatnonzero(chosen)[:MOST_A_SECOND]]:
                port = int(row["dst_port"])
                if is_sought(port) or not int(
                    row["dst_payload"]
                ):  # a service greets; what else speaks first is a transfer
                    self._note_silent(row, port)

    def _note_silent(self, row: np.void, port: int) -> None:
        source, target = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
        silent, ts, flow = self._silent[source, target], int(row["start"]), int(row["flow_id"])
        if ts - silent.since > SILENT_NS:
            silent.since, silent.ports, silent.visits, silent.told = ts, {}, 0, 0
        if silent.ports.get(port) == flow or len(silent.ports) >= 4096:
            return
        silent.ports[port] = flow
        silent.visits += 1
        count, limit = len(silent.ports), int(self.knob("silent_ports"))
        if count < max(limit, 2 * silent.told) or silent.visits > 2 * count:
            return
        silent.told = count
        services = sum(map(is_sought, silent.ports))
        sure = services >= self.knob("service_share") * count or count >= self.knob("silent_any")
        seconds, one, two = max(ts - silent.since, 0) / SECOND, networks.text(*source), networks.text(*target)
        self.alert(
            "port_scan",
            f"{one} opened connections to {count} ports of {two} in {seconds:.1f} s, all of which answered, and said nothing; the limit is {limit} ports.",
            ts,
            one,
            two,
            severity="medium" if sure else "low",
            title="Port scan, and every port answers",
            confidence=0.7 if sure else 0.5,
            measured=count,
            threshold=limit,
            unit="ports",
            protocol="tcp",
            flow_ids=list(silent.ports.values())[:20],
            details={"ports_tried": count, "answered": count, "services": services, "seconds": round(seconds, 3)},
        )

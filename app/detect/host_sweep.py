"""One host tries the same port, or a ping, of many others: sweeps of networks, worms, and lateral movement inside.

Many connections to one port are no sweep where they answer: a browser opens hundreds to port 443. A sweep's targets do not answer, and lie side by side.
Peer-to-peer programs reach many hosts that are gone, but at ports of their own choice, spread over all networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.detector import Detector, attempts_evidence
from app.detect.flow_lookup import exchanged
from app.detect.rule import Knob, Rule
from app.detect.service_names import REMOTE, SOUGHT, WEB, is_sought
from app.flow import contact_layout as at
from app.flow.contacts import Contact
from app.model.alert import Severity
from app.stats.bounded import BoundedMap

SESSIONS_NS = 1_800_000_000_000
MOST_SESSIONS = 200  # looked at in a second
_NORMAL = "Inventory and monitoring systems of the administrator; set-up programs of printers and cameras."


class Sessions:
    """Hosts that one host had a session with at a port, since a time."""

    __slots__ = ("since", "targets", "told")

    def __init__(self) -> None:
        self.since = self.told = 0
        self.targets: dict[tuple[int, int], int] = {}  # → a flow


class HostSweep(Detector):
    name = "host_sweep"
    rules = (
        Rule(
            "host_sweep",
            "Host sweep: one port of many hosts is tried",
            "medium",
            "One host tried the same service of many others, and most did not answer (or all did, and nothing came of it: told as low): it looks for hosts that offer it, as scanners and worms do.",
            _NORMAL + " A machine that has lost its connection tries many servers in vain, but in many networks.",
            "From inside: isolate the source until it is known which program does it. A worm that spreads looks exactly like this.",
            "T1046",
        ),
        Rule(
            "host_sweep_icmp",
            "Ping sweep: many hosts are pinged",
            "medium",
            "One host sent echo requests to many addresses, many of which do not exist; where neighbours all answer it is told as low.",
            _NORMAL,
            "Find out which program on that host does it; what it does next shows what it was for.",
            "T1018",
        ),
        Rule(
            "lateral_movement",
            "Lateral movement: one host logs on to many others",
            "medium",
            "One host of the own network opened connections for remote control or file sharing to many others in a short time, and they answered.",
            "Servers for software distribution, backup and configuration management; an administrator's script.",
            "If the source is no such server, find out who is logged on to it, and look at what those connections did.",
            "T1021",
        ),
    )
    knobs = (
        Knob("hosts", 20, "hosts", "Programs know their servers; twenty that do not answer on one service port are guesses."),
        Knob("web_hosts", 40, "hosts", "Browsers and updaters reach many web servers, and fail together when the connection is lost."),
        Knob("other_hosts", 80, "hosts", "On ports that are no well-known service peer-to-peer programs meet tens of hosts that are gone."),
        Knob("ping_hosts", 15, "hosts", "Ping is for single hosts; monitoring of more than that is known to who set it up."),
        Knob("session", 1000, "bytes", "From the far end: checks whether a port is open get a greeting at most."),
        Knob("remote_hosts", 12, "hosts", "A person works on one to five hosts at a time."),
        Knob("crowd", 3, "hosts of one network", "Sweeps take addresses side by side; servers on the Internet lie apart."),
        Knob("side_by_side", 10, "hosts of one network", "So many neighbours are tried by nothing but a sweep, whatever the port: `hosts` is the limit then."),
        Knob("looked_in", 600, "bytes", "Of a flow on average, where all answer: a question about the version and its answer."),
        Knob("anywhere", 200, "hosts", "On a service's port, wherever they lie: who has lost the connection gets no addresses to try any more."),
    )  # fmt: skip
    contacts = ("ports",)
    wants_flows = True

    def begin(self) -> None:
        self._sessions: BoundedMap[Any, Sessions] = self.bounded(1024, Sessions)

    def on_contact(self, table: str, contact: Contact) -> None:
        if networks.is_group(*contact.a) or contact.items < max(10, 2 * contact.told):
            return
        if contact.protocol in (1, 58):
            self._ping(contact)
        elif contact.protocol in (6, 17):
            self._service(contact)

    def _ping(self, contact: Contact) -> None:
        limit = int(self.knob("ping_hosts"))
        if contact.items < limit or self.wait("ports", contact):
            return
        failed = contact.failed >= 0.25 * contact.items
        if not failed and not self._once_each(contact, 2 * limit):
            return
        self.told("ports", contact, contact.items)
        text = f"{networks.text(*contact.a)} pinged {contact.items} addresses"
        severity: Severity = "medium" if failed else "low"
        self._tell("host_sweep_icmp", contact, limit, text, severity, 0.85 if failed else 0.5, "icmp")

    def _once_each(self, contact: Contact, limit: int) -> bool:
        """Neighbours, each tried once or twice: also where they answer no client does that, but a monitor's first round."""
        crowd = contact.items / max(contact.side, 1)
        return contact.items >= limit and crowd >= self.knob("side_by_side") and contact.attempts <= 2 * contact.items

    def _looks_in(self, contact: Contact) -> bool:
        """They answer, and next to nothing is said."""
        if not self._once_each(contact, int(self.knob("hosts"))):
            return False
        said = exchanged(self.context.table, contact.a, None, contact.port, contact.protocol, contact.first)
        return said.asked + said.answered <= self.knob("looked_in") * said.flows

    def _service(self, contact: Contact) -> None:
        crowd = contact.items / max(contact.side, 1)
        udp = contact.protocol == 17
        if contact.port in WEB:
            limit, apart = int(self.knob("web_hosts")), True
        elif is_sought(contact.port):
            limit, apart = int(self.knob("hosts")), udp
        else:
            limit, apart = int(self.knob("other_hosts")), True
        if crowd >= self.knob("side_by_side"):
            limit, apart = min(limit, int(self.knob("hosts"))), False
        elif not udp and is_sought(contact.port) and contact.failed >= self.knob("anywhere"):
            apart = contact.failed < 0.9 * contact.items
        failed = contact.failed >= max(limit, 0.6 * contact.items)
        if failed and apart and crowd < self.knob("crowd"):
            return
        if not failed and not self._once_each(contact, int(self.knob("hosts"))):
            return
        if self.wait("ports", contact, 3_000_000_000) or (not failed and not self._looks_in(contact)):
            return
        self.told("ports", contact, contact.items)
        service = SOUGHT.get(contact.port)
        named = f"port {contact.port}" + (f" ({service})" if service else "")
        inside = networks.is_private(*contact.a)
        severity: Severity = "low" if not failed else "high" if inside and contact.port in REMOTE else "medium"
        text = f"{networks.text(*contact.a)} tried {named} of {contact.items} hosts"
        self._tell(
            "host_sweep",
            contact,
            limit,
            text,
            severity,
            min(0.95, 0.75 + contact.items / 1000) if failed else 0.5,
            "udp" if udp else "tcp",
        )

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        """They answer: is it one host that goes through the own network? A look whether a port is open is no session."""
        for rows in (changed, ended):
            chosen = (rows["protocol"] == 6) & (rows["dst_payload"] >= self.knob("session")) & (rows["kind"] & 1 == 1)
            if not chosen.any():
                continue
            chosen &= np.isin(rows["dst_port"], tuple(REMOTE)) & (rows["src_payload"] > 0)
            for end in ("src", "dst"):
                chosen &= networks.private_rows(rows[f"{end}_hi"], rows[f"{end}_lo"])
            for row in rows[np.flatnonzero(chosen)[:MOST_SESSIONS]]:
                self._session(row)

    def _session(self, row: np.void) -> None:
        source, target = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
        port, ts, limit = int(row["dst_port"]), int(row["start"]), int(self.knob("remote_hosts"))
        held = self._sessions[source, port]
        if ts - held.since > SESSIONS_NS:
            held.since, held.targets, held.told = ts, {}, 0
        if source == target or len(held.targets) >= 256:
            return
        held.targets[target] = int(row["flow_id"])
        count, seconds = len(held.targets), max(0, ts - held.since) / 1e9
        if count < max(limit, 2 * held.told):
            return
        held.told = count
        name = networks.text(*source)
        nets = len({(hi, lo >> 8) for hi, lo in held.targets})
        self.alert(
            "lateral_movement",
            f"{name} had {REMOTE[port]} sessions with {count} hosts within {seconds:.0f} s; the limit is {limit}.",
            ts,
            name,
            f"{count} hosts in {nets} network{'s' if nets > 1 else ''}",
            confidence=0.5,
            fold=(source, port),
            measured=count,
            threshold=limit,
            unit="hosts",
            protocol="tcp",
            flow_ids=list(held.targets.values())[:20],
            details={"port": port, "service": REMOTE[port]},
        )

    def _targets(self, contact: Contact) -> str:
        """In words: hosts are kept as bits, networks too."""
        return f"{contact.items} hosts in {contact.side} network{'s' if contact.side > 1 else ''}"

    def _tell(
        self, rule: str, contact: Contact, limit: int, text: str, severity: Severity, confidence: float, protocol: str
    ) -> None:
        self.alert(
            rule,
            f"{text} in {contact.seconds:.1f} s and {contact.failed} did not answer; the limit is {limit} hosts.",
            contact.last,
            networks.text(*contact.a),
            self._targets(contact),
            severity=severity,
            confidence=confidence,
            fold=(contact.a, contact.protocol, contact.port),
            measured=contact.items,
            threshold=limit,
            unit="hosts",
            protocol=protocol,
            flow_ids=contact.flow_ids,
            evidence=attempts_evidence(contact),
            details={
                "port": contact.port or None,
                "hosts": contact.items,
                "networks": contact.side,
                "answered": contact.answers,
                "packets": contact.attempts,
                "probes": "ping" if contact.kinds & at.BY_ICMP else "connection",
            },
        )

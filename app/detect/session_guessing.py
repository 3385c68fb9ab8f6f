"""Guessing of passwords where the login is encrypted: many short connections to one SSH, RDP, VNC or TLS-wrapped service."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.detect.conversation import SECOND, ConversationDetector, Window, worth_saying
from app.detect.rule import Knob, Rule
from app.dpi.facts import Action, Fact, LoginAttempt, Recognized
from app.stats.bounded import BoundedMap

_CAPACITY = 4096
_FLOWS = 8192
_SERVICES = {"ssh": "SSH", "rdp": "RDP", "vnc": "VNC", "telnet": "Telnet", "imap": "IMAP", "pop3": "POP3"}
_TOOLS = (
    "libssh",
    "paramiko",
    "Go",
    "hydra",
    "medusa",
    "ncrack",
    "JSCH",
    "PUTTY",
    "libssh2",
    "Nmap",
    "AsyncSSH",
    "russh",
    "sshj",
    "ZGrab",
)


@dataclass(slots=True)
class _Connections:
    window: Window = field(default_factory=Window)
    flows: list[int] = field(default_factory=list)
    software: str = ""


class SessionGuessing(ConversationDetector):
    """Counts connections, and takes back those that turned out to be real sessions."""

    name = "session_guessing"
    rules = (
        Rule(
            "brute_force_sessions",
            "Brute force: many short connections to a login service",
            "medium",
            "One client opened many connections to the same SSH, RDP or VNC service in a short time, none of which carried a session's worth of data.",
            "Scripts that run one command per connection (ansible, rsync in a loop, version control) do so with many more bytes back, or with pauses.",
            "Look at the server's log for refused logins. Allow keys only, and limit connections per client.",
            "T1110.001",
        ),
        Rule(
            "service_probe",
            "Service scan: handshakes that are given up before the login",
            "medium",
            "A client opened a remote control service again and again, read how it wants passwords, and left.",
            "Monitoring systems look in once a minute.",
            "Find out who scans; check that the service asks for a password.",
            "T1046",
        ),
    )
    knobs = (
        Knob("window", 60, "s", "tools open several connections a second; by hand a person opens one in ten seconds."),
        Knob("connections", 6, "connections", "guessing programs open more at once; people and most scripts fewer."),
        Knob(
            "session", 6000, "bytes", "from the server within a connection: key exchange and a refusal take 2 to 4 kB."
        ),
        Knob("probes", 2, "handshakes", "given up before the login."),
    )
    facts = (Recognized, Action, LoginAttempt)
    wants_flows = True

    def begin(self) -> None:
        self._connections = self.bounded(_CAPACITY, _Connections)
        self._probes = self.bounded(_CAPACITY, Window)
        self._flows: BoundedMap[int, tuple[str, str, str]] = self.bounded(_FLOWS)

    def on_fact(self, fact: Fact) -> None:
        client, server, port = self.ends()
        if not client:
            return
        if isinstance(fact, Action):
            if fact.protocol == "vnc" and fact.name == "left":
                self._probe(fact, client, server)
            return
        if isinstance(fact, LoginAttempt):
            if fact.protocol == "vnc" and fact.succeeded is False:
                self._refused(fact, client, server)
            return
        assert isinstance(fact, Recognized)
        if fact.protocol not in ("ssh", "rdp", "vnc"):
            return
        key = (client, server, fact.protocol)
        self._flows[fact.flow_id] = key
        entry = self._connections[key]
        count = entry.window.add(fact.ts, int(self.knob("window") * SECOND))
        entry.software = fact.details.get("client_software", entry.software)
        if len(entry.flows) >= 50:
            entry.flows.pop(0)
        entry.flows.append(fact.flow_id)
        if not worth_saying(entry.window, count, self.knob("connections")):
            return
        tool = next((one for one in _TOOLS if entry.software.startswith(one)), "")
        service = _SERVICES[fact.protocol]
        sure = bool(tool) or count >= 3 * self.knob("connections")
        self.alert(
            "brute_force_sessions",
            f"{client} opened {count} connections to {service} on {server} within {entry.window.span_s:.0f} s{' with ' + entry.software if entry.software else ''}, none of them long; the limit is {self.knob('connections'):.0f}.",
            fact.ts,
            client,
            server,
            confidence=0.8 if sure else 0.55,
            severity="high" if sure else "medium",
            fold=key,
            measured=count,
            threshold=self.knob("connections"),
            unit="connections",
            protocol=fact.protocol,
            flow_ids=entry.flows[-count:],
            title=f"Brute force of {service}: many short connections",
            details={"port": port, "client_software": entry.software},
        )

    def _refused(self, fact: LoginAttempt, client: str, server: str) -> None:
        """One refused password of a remote control is worth a word; more are brute force."""
        self.alert(
            "service_probe",
            f"{client} tried a password for VNC on {server} and was refused; people who use it know it.",
            fact.ts,
            client,
            server,
            confidence=0.4,
            severity="low",
            fold=(client, server, "refused"),
            measured=1,
            threshold=0,
            unit="refused logins",
            protocol="vnc",
            flow_ids=(fact.flow_id,),
            title="VNC login refused: a scan or a guess",
        )

    def _probe(self, fact: Action, client: str, server: str) -> None:
        window = self._probes[client, server]
        count = window.add(fact.ts, int(10 * self.knob("window") * SECOND))
        if worth_saying(window, count, self.knob("probes")):
            self.alert(
                "service_probe",
                f"{client} began {count} handshakes with VNC on {server} and gave each up before the login; the limit is {self.knob('probes'):.0f}.",
                fact.ts,
                client,
                server,
                confidence=0.6,
                measured=count,
                threshold=self.knob("probes"),
                unit="handshakes",
                protocol="vnc",
                flow_ids=(fact.flow_id,),
            )

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        """Connections that carried a session do not count."""
        if not len(self._flows):
            return
        for rows in (changed, ended):
            long = rows[(rows["dst_payload"] > self.knob("session")) & (rows["protocol"] == 6)]
            for flow_id in long["flow_id"].tolist():
                key = self._flows.pop(flow_id)
                if key is None:
                    continue
                entry = self._connections.get(key)
                if entry is not None and entry.window.times:
                    entry.window.times.popleft()
        for flow_id in ended["flow_id"].tolist():
            self._flows.pop(flow_id)

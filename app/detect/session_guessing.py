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
_FLOWS = 4096
_REMEMBERED = 49
_SERVICES = {"ssh": "SSH", "rdp": "RDP", "vnc": "VNC", "telnet": "Telnet", "imap": "IMAP", "pop3": "POP3"}
TOOLS = (
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
    """Connections of one client to one service, and the most of them within a window that are still to be judged."""

    recent: list[tuple[int, int]] = field(default_factory=list)  # (time, flow), oldest first
    due: list[tuple[int, int]] = field(default_factory=list)
    said: int = 0
    software: str = ""
    port: int = 0


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
        Knob(
            "sent",
            12_000,
            "bytes",
            "from the client within a connection: guesses take 2 to 4 kB, files that are brought more.",
        ),
        Knob("probes", 2, "handshakes", "given up before the login."),
    )
    facts = (Recognized, Action, LoginAttempt)
    wants_flows = True

    def begin(self) -> None:
        self._connections = self.bounded(_CAPACITY, _Connections)
        self._probes = self.bounded(_CAPACITY, Window)
        self._sessions: BoundedMap[int, bool] = self.bounded(
            _FLOWS
        )  # connections that are watched: did they carry a session?
        self._due: dict[tuple[str, str, str], _Connections] = {}

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
        entry = self._connections[key]
        self._sessions[fact.flow_id] = False
        entry.software, entry.port = fact.details.get("client_software", entry.software), port
        since = fact.ts - int(self.knob("window") * SECOND)
        entry.recent = [*(one for one in entry.recent[-_REMEMBERED:] if one[0] >= since), (fact.ts, fact.flow_id)]
        if len(entry.recent) >= max(self.knob("connections"), len(entry.due)):
            entry.due = list(entry.recent)
            self._due[key] = entry

    def on_end(self, now_ns: int) -> None:
        self._judge_due()

    def _judge_due(self) -> None:
        """After the flow table was asked: connections that carried a session are none of a guesser's."""
        due, self._due = self._due, {}
        for key, entry in due.items():
            guesses = [one for one in entry.due if not self._sessions.get(one[1])]
            entry.due = []
            count = len(guesses)
            if count >= self.knob("connections") and count >= 2 * entry.said:
                entry.said = count
                self._tell(key, entry, guesses)

    def _tell(self, key: tuple[str, str, str], entry: _Connections, guesses: list[tuple[int, int]]) -> None:
        (client, server, protocol), count = key, len(guesses)
        span = (guesses[-1][0] - guesses[0][0]) / SECOND
        tool = next((one for one in TOOLS if entry.software.startswith(one)), "")
        service = _SERVICES[protocol]
        sure = bool(tool) or count >= 3 * self.knob("connections")
        self.alert(
            "brute_force_sessions",
            f"{client} opened {count} connections to {service} on {server} within {span:.0f} s{' with ' + entry.software if entry.software else ''}, none of them long; the limit is {self.knob('connections'):.0f}.",
            guesses[-1][0],
            client,
            server,
            confidence=0.8 if sure else 0.55,
            severity="high" if sure else "medium",
            fold=key,
            measured=count,
            threshold=self.knob("connections"),
            unit="connections",
            protocol=protocol,
            flow_ids=[flow for _, flow in guesses],
            title=f"Brute force of {service}: many short connections",
            details={"port": entry.port, "client_software": entry.software},
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
        if not len(self._sessions):
            return
        watched = np.fromiter(self._sessions, np.uint64, len(self._sessions))
        for rows in (changed, ended):
            session = (rows["dst_payload"] > self.knob("session")) | (rows["src_payload"] > self.knob("sent"))
            for flow_id in rows["flow_id"][session & np.isin(rows["flow_id"], watched)].tolist():
                self._sessions[flow_id] = True
        self._judge_due()

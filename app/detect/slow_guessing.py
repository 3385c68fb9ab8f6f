"""Guessing of passwords with patience: one try a minute or slower, below the limits of those that look at minutes.

Where the server's refusal can be read it counts; of encrypted logins, connections that never became a session. A program whose password was changed does the same, always
as the same user, so without more it is told as low.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.detect.conversation import SECOND, ConversationDetector, Window, worth_saying
from app.detect.rule import Knob, Rule
from app.detect.session_guessing import TOOLS
from app.dpi.facts import CleartextLogin, Fact, LoginAttempt, Recognized
from app.model.alert import Severity
from app.stats.bounded import BoundedMap

_CAPACITY = 1024
_FLOWS = 8192
_USERS = 32
_ENCRYPTED = {"ssh": "SSH", "rdp": "RDP"}


@dataclass(slots=True)
class _Tries:
    """Refused logins, or connections, of one client at one service."""

    window: Window = field(default_factory=Window)
    users: set[str] = field(default_factory=set)
    flows: list[tuple[int, int]] = field(default_factory=list)  # (time, flow), oldest first
    software: str = ""


class SlowGuessing(ConversationDetector):
    name = "slow_guessing"
    rules = (
        Rule(
            "brute_force_slow",
            "Brute force with patience: refused logins over a long time",
            "medium",
            "One client was refused again and again at the same service, or opened connections to it that never became a session, minutes apart: somebody guesses slowly so as not to be noticed.",
            "A program whose password was changed, always as the same user; monitoring that only looks whether the service answers. These are told as low.",
            "Look at the server's log for refused logins. Block the client if it is not yours; let only keys in.",
            "T1110.001",
        ),
    )
    knobs = (
        Knob("window", 7200, "s", "two hours hold some tens of tries, one in a few minutes."),
        Knob("refused", 10, "refused logins", "within the window; a person asks for help before that."),
        Knob("connections", 12, "connections", "to an encrypted login within the window, none of them a session."),
        Knob("apart", 8, "s", "on average between two tries: quicker ones are told by those that look at minutes."),
        Knob("users", 3, "users", "refused: no program's old password."),
        Knob("session", 6000, "bytes", "from the server within a connection, as for quick guessing."),
    )
    facts = (CleartextLogin, LoginAttempt, Recognized)
    wants_flows = True

    def begin(self) -> None:
        self._tries = self.bounded(_CAPACITY, _Tries)
        self._due: dict[tuple[str, str, str], Recognized] = {}
        self._sessions: BoundedMap[int, bool] = self.bounded(_FLOWS)  # encrypted connections: did they carry a session?

    def on_fact(self, fact: Fact) -> None:
        client, server, _ = self.ends()
        if not client:
            return
        if isinstance(fact, Recognized):
            if fact.protocol in _ENCRYPTED:
                self._sessions[fact.flow_id] = False
                self._note(fact, client, server, fact.details.get("client_software", ""))
            return
        assert isinstance(fact, (CleartextLogin, LoginAttempt))
        if fact.protocol == "snmp" or fact.succeeded is None:
            return
        if fact.succeeded:
            held = self._tries.get((client, server, fact.protocol))
            if held is not None:
                held.window.times.clear()
            return
        self._note(fact, client, server, "", fact.username or "")

    def _note(
        self, fact: Recognized | CleartextLogin | LoginAttempt, client: str, server: str, software: str, user: str | None = None
    ) -> None:  # fmt: skip
        held = self._tries[client, server, fact.protocol]
        count = held.window.add(fact.ts, int(self.knob("window") * SECOND), 100)
        if count == 1:
            held.users, held.flows, held.window.said = set(), [], 0
        if user is not None and len(held.users) < _USERS:
            held.users.add(user)
        held.software = software or held.software
        held.flows = [*(one for one in held.flows[-99:] if one[0] >= held.window.times[0]), (fact.ts, fact.flow_id)]
        if held.window.span_s < self.knob("apart") * (count - 1):
            return
        if isinstance(fact, Recognized):
            self._due[client, server, fact.protocol] = fact  # the flow table says later which became sessions
        else:
            self._judge(fact, held, client, server, count)

    def _judge(
        self, fact: Recognized | CleartextLogin | LoginAttempt, held: _Tries, client: str, server: str, count: int
    ) -> None:
        encrypted = isinstance(fact, Recognized)
        limit = self.knob("connections" if encrypted else "refused")
        if encrypted and any(self._sessions.get(flow) for _, flow in held.flows):
            return
        if not worth_saying(held.window, count, limit):
            return
        tool = encrypted and held.software.startswith(TOOLS)
        severity: Severity = "medium" if tool or len(held.users) >= self.knob("users") else "low"
        service = _ENCRYPTED.get(fact.protocol, fact.protocol.upper())
        each = held.window.span_s / max(count - 1, 1)
        what = "opened {} connections that became no session" if encrypted else "was refused {} times"
        self.alert(
            "brute_force_slow",
            f"{client} {what.format(count)} by {service} on {server}, one in {each:.0f} s{' with ' + held.software if held.software else ''}; the limit is {limit:.0f} within {self.knob('window') / 3600:.0f} h.",
            fact.ts,
            client,
            server,
            severity=severity,
            confidence=0.6 if severity == "medium" else 0.4,
            fold=(client, server, fact.protocol),
            measured=count,
            threshold=limit,
            unit="connections" if encrypted else "refused logins",
            protocol=fact.protocol,
            flow_ids=[flow for _, flow in held.flows[-20:]],
            title=f"Brute force of {service} with patience",
            details={"users": sorted(held.users)[:10], "interval_s": round(each, 1), "client_software": held.software},
        )

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        if not len(self._sessions):
            return
        watched = np.fromiter(self._sessions, np.uint64, len(self._sessions))
        for rows in (changed, ended):
            session = rows["flow_id"][rows["dst_payload"] > self.knob("session")]
            for flow_id in session[np.isin(session, watched)].tolist():
                self._sessions[flow_id] = True
        self._judge_due()

    def on_end(self, now_ns: int) -> None:
        self._judge_due()

    def _judge_due(self) -> None:
        due, self._due = self._due, {}
        for (client, server, protocol), fact in due.items():
            held = self._tries.get((client, server, protocol))
            if held is not None:
                self._judge(fact, held, client, server, len(held.window.times))

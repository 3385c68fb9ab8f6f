"""Guessing of passwords: many refused logins at one service, many users with few tries each, many clients at one service."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector, Window, worth_saying
from app.detect.rule import Knob, Rule
from app.dpi.facts import CleartextLogin, Fact, LoginAttempt

_CAPACITY = 4096
_USERS = 512
_NAMES = {"ftp": "FTP", "smtp": "SMTP", "pop3": "POP3", "imap": "IMAP", "http": "HTTP", "telnet": "Telnet", "smb": "SMB", "kerberos": "Kerberos", "ldap": "LDAP", "sip": "SIP", "vnc": "VNC", "mysql": "MySQL", "postgresql": "PostgreSQL", "redis": "Redis", "snmp": "SNMP", "irc": "IRC", "xmpp": "XMPP", "sieve": "ManageSieve", "nntp": "NNTP", "rtsp": "RTSP"}  # fmt: skip


@dataclass(slots=True)
class _Guesses:
    """Refused logins of one client at one service."""

    window: Window = field(default_factory=Window)
    users: dict[str, int] = field(default_factory=dict)  # name → refused tries
    flows: list[int] = field(default_factory=list)
    sprayed: int = 0


class BruteForce(ConversationDetector):
    """Counts what servers refuse."""

    name = "brute_force"
    rules = (
        Rule(
            "brute_force",
            "Brute force: many refused logins",
            "high",
            "One client was refused again and again at the same service: somebody, or a program with an old password, tries passwords.",
            "A mail program or a script whose password was changed tries for ever with the same user; a person gives up after a few.",
            "Block the client if it is not yours. If a login succeeded after the refusals, change that password and look at what was done with it.",
            "T1110.001",
        ),
        Rule(
            "password_spray",
            "Password spraying: many users, few tries each",
            "high",
            "One client was refused for many different users, each tried only a few times, so that no account is locked.",
            "A shared machine, such as a terminal server or a proxy, logs many users in; few of them are refused at the same time.",
            "Block the client. Look for users of the list whose login succeeded.",
            "T1110.003",
        ),
        Rule(
            "brute_force_distributed",
            "Brute force by many clients at one service",
            "high",
            "Many clients were refused at one service within a short time.",
            "A server whose user directory is down refuses everybody.",
            "Look at which users were tried. Lock the service to known addresses.",
            "T1110",
        ),
    )
    knobs = (
        Knob(
            "window",
            120,
            "s",
            "tools try several times a second; patient ones are told by slow_guessing.",
        ),
        Knob("refused", 5, "refused logins", "a person who forgot a password tries three times, then asks."),
        Knob("many", 20, "refused logins", "no person does this; from here on the confidence is high."),
        Knob("users", 6, "users", "refused from one client within the window."),
        Knob("clients", 8, "clients", "refused at one service within the window."),
    )
    facts = (CleartextLogin, LoginAttempt)

    def begin(self) -> None:
        self._guesses = self.bounded(_CAPACITY, _Guesses)
        self._services = self.bounded(_CAPACITY, dict[str, int])
        self._services_said = self.bounded(_CAPACITY, int)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, (CleartextLogin, LoginAttempt))
        client, server, port = self.ends()
        if not client or fact.protocol == "snmp":
            return
        key = (client, server, fact.protocol)
        if fact.succeeded:
            guesses = self._guesses.get(key)
            known = guesses is not None and (fact.username or "") in guesses.users
            if known and guesses is not None and guesses.window.said:
                self._succeeded(fact, guesses, client, server)
            return
        if fact.succeeded is None:
            return
        guesses = self._guesses[key]
        count = guesses.window.add(fact.ts, int(self.knob("window") * SECOND))
        if count == 1:
            guesses.users.clear()
            guesses.sprayed = 0
        user = fact.username or ""
        if user in guesses.users or len(guesses.users) < _USERS:
            guesses.users[user] = guesses.users.get(user, 0) + 1
        if len(guesses.flows) < 20 and fact.flow_id not in guesses.flows:
            guesses.flows.append(fact.flow_id)
        self._judge(fact, guesses, count, client, server, port)
        self._judge_service(fact, client, server, port)

    def _judge(
        self, fact: CleartextLogin | LoginAttempt, guesses: _Guesses, count: int, client: str, server: str, port: int
    ) -> None:
        service = _NAMES.get(fact.protocol, fact.protocol)
        users = len(guesses.users)
        tries = max(guesses.users.values(), default=1)
        if users >= self.knob("users") and tries <= max(3, count / users + 1) and users >= 2 * guesses.sprayed:
            guesses.sprayed = users
            self.alert(
                "password_spray",
                f"{client} was refused for {users} different users by {service} on {server} within {guesses.window.span_s:.0f} s, at most {tries} times each; the limit is {self.knob('users'):.0f} users.",
                fact.ts,
                client,
                server,
                confidence=0.8,
                fold=(client, server, fact.protocol),
                measured=users,
                threshold=self.knob("users"),
                unit="users",
                protocol=fact.protocol,
                flow_ids=guesses.flows,
                details={"service": service, "port": port, "users": sorted(guesses.users)[:10]},
            )
        if fact.protocol == "kerberos" and users < self.knob("users"):
            limit = self.knob("many")  # a machine whose account is gone asks for ever
        else:
            limit = self.knob("refused")
        if not worth_saying(guesses.window, count, limit):
            return
        many = count >= self.knob("many")
        self.alert(
            "brute_force",
            f"{client} was refused {count} times by {service} on {server} within {guesses.window.span_s:.0f} s; the limit is {limit:.0f}.",
            fact.ts,
            client,
            server,
            confidence=0.9 if many else 0.7,
            severity="high" if many else "medium",
            fold=(client, server, fact.protocol),
            measured=count,
            threshold=limit,
            unit="refused logins",
            protocol=fact.protocol,
            flow_ids=guesses.flows,
            title=f"Brute force of {service} passwords",
            details={"service": service, "port": port, "users": sorted(guesses.users)[:10]},
        )

    def _succeeded(self, fact: CleartextLogin | LoginAttempt, guesses: _Guesses, client: str, server: str) -> None:
        count = len(guesses.window.times)
        guesses.window.said = 0
        guesses.window.times.clear()
        service = _NAMES.get(fact.protocol, fact.protocol)
        self.alert(
            "brute_force",
            f"{client} logged in to {service} on {server} after it had been refused {count} times.",
            fact.ts,
            client,
            server,
            confidence=0.9,
            severity="critical" if count >= self.knob("many") and fact.protocol != "kerberos" else "high",
            fold=(client, server, fact.protocol),
            measured=count,
            threshold=self.knob("refused"),
            unit="refused logins",
            protocol=fact.protocol,
            flow_ids=[*guesses.flows, fact.flow_id],
            title=f"Brute force of {service} passwords, then a login",
            details={"service": service, "user": fact.username},
        )

    def _judge_service(self, fact: CleartextLogin | LoginAttempt, client: str, server: str, port: int) -> None:
        clients = self._services[server, fact.protocol]
        limit_ns = int(self.knob("window") * SECOND)
        if len(clients) < 256 or client in clients:
            clients[client] = fact.ts
        recent = [one for one, ts in clients.items() if fact.ts - ts <= limit_ns]
        if len(recent) < len(clients) and len(clients) >= 256:
            self._services[server, fact.protocol] = {one: clients[one] for one in recent}
        said = self._services_said.get((server, fact.protocol)) or 0
        if len(recent) < self.knob("clients") or len(recent) < 2 * said:
            return
        self._services_said[server, fact.protocol] = len(recent)
        self.alert(
            "brute_force_distributed",
            f"{len(recent)} clients were refused by {_NAMES.get(fact.protocol, fact.protocol)} on {server} within {self.knob('window'):.0f} s; the limit is {self.knob('clients'):.0f}.",
            fact.ts,
            None,
            server,
            confidence=0.7,
            fold=(server, fact.protocol),
            measured=len(recent),
            threshold=self.knob("clients"),
            unit="clients",
            protocol=fact.protocol,
            flow_ids=(fact.flow_id,),
            details={"port": port, "clients": recent[:10]},
        )

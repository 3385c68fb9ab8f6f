"""Logins that travel readable. Who logged in is told, the password is never kept."""

from __future__ import annotations

from app.detect.conversation import ConversationDetector, is_loopback
from app.detect.form_guessing import USER, password_in, target_of
from app.detect.rule import Rule
from app.dpi.facts import CleartextLogin, Fact, HttpMessage
from app.dpi.printable import printable
from app.model.alert import Severity

_CAPACITY = 4096
_READABLE = frozenset(
    (
        "ftp",
        "telnet",
        "smtp",
        "pop3",
        "imap",
        "http",
        "ldap",
        "irc",
        "redis",
        "socks",
        "mqtt",
        "rtsp",
        "nntp",
        "xmpp",
        "sieve",
        "rlogin",
        "rsh",
        "rexec",
    )
)
_ANONYMOUS = frozenset(("anonymous", "ftp", "guest", "mozilla@example.com", "-anonymous@"))


class CleartextCredentials(ConversationDetector):
    """One alert per client, server and service."""

    name = "cleartext_credentials"
    rules = (
        Rule(
            "cleartext_credentials",
            "Credentials in clear text",
            "medium",
            "A user and a password went over the network readable for everybody on the way.",
            "Old devices and laboratories work so; on the same machine (loopback) nobody else can read it.",
            "Use the encrypted variant of the service (SSH for Telnet, TLS for mail, FTP and web), then change the password.",
            "T1040",
        ),
        Rule(
            "cleartext_community",
            "SNMP community in clear text",
            "low",
            "SNMP 1 and 2c send their community, which is a password, with every message.",
            "Most networks still monitor their devices so.",
            "Use SNMP 3, or let only the monitoring system reach the devices.",
            "T1040",
        ),
    )
    facts = (CleartextLogin, HttpMessage)

    def begin(self) -> None:
        self._said = self.bounded(_CAPACITY, int)

    def on_fact(self, fact: Fact) -> None:
        client, server, port = self.ends()
        if isinstance(fact, HttpMessage):
            self._form(fact, client, server)
            return
        assert isinstance(fact, CleartextLogin)
        user = fact.username
        if user is not None and user.lower() in _ANONYMOUS:
            return
        if fact.protocol == "snmp":
            self._once(
                fact,
                "cleartext_community",
                f"{client} sent an SNMP community to {server} readable.",
                client,
                server,
                0.9,
                "low",
                "SNMP",
            )
            return
        readable = fact.protocol in _READABLE
        severity: Severity = "low" if not readable or is_loopback(server) or fact.succeeded is False else "medium"
        verb = {True: "logged in", False: "tried to log in", None: "sent a login"}[fact.succeeded]
        name = f" as {user}" if user else ""
        how = "with a readable password" if readable else "without encryption"
        service = fact.protocol.upper()
        reason = f"{client} {verb} to {service} on {server}:{port}{name} {how}; no password should be readable."
        self._once(fact, "cleartext_credentials", reason, client, server, 0.95 if readable else 0.6, severity, service)

    def _form(self, fact: HttpMessage, client: str, server: str) -> None:
        """A login form over plain HTTP."""
        if fact.request is None or fact.head.startswith(b"HTTP/"):
            return
        target = target_of(fact.head)
        text = fact.body if fact.request.method in ("POST", "PUT") else target.partition(b"?")[2]
        if not text or not password_in(text[:4096]):
            return
        found = USER.search(text[:4096])
        if found is None:
            return
        user = f" for {printable(found[1], 40)}"
        severity: Severity = "low" if is_loopback(server) else "medium"
        path = printable(target.partition(b"?")[0], 60)
        reason = f"{client} sent a form with a readable password{user} to {path} on {server}; no password should be readable."
        self._once(fact, "cleartext_credentials", reason, client, server, 0.8, severity, "HTTP")

    def _once(
        self,
        fact: CleartextLogin | HttpMessage,
        rule: str,
        reason: str,
        client: str,
        server: str,
        confidence: float,
        severity: Severity,
        service: str,
    ) -> None:
        """The first, and then each time the number has grown tenfold."""
        key = (rule, client, server, service)
        count = self._said[key] + 1
        self._said[key] = count
        if count not in (1, 10, 100, 1000, 10_000):
            return
        self.alert(
            rule,
            reason,
            fact.ts,
            client,
            server,
            confidence=confidence,
            severity="low" if severity == "low" else "medium",
            fold=(client, server, service),
            measured=count,
            threshold=0,
            unit="logins",
            protocol=service.lower(),
            flow_ids=(fact.flow_id,),
            title="SNMP community in clear text" if service == "SNMP" else f"{service} credentials in clear text",
        )

"""One protocol inside another, and protocols on ports where another one is at home."""

from __future__ import annotations

from app.detect.conversation import ConversationDetector, is_loopback
from app.detect.rule import Rule
from app.dpi.facts import Action, Fact, HttpTransaction, Recognized, TlsClientHello
from app.model.alert import Severity
from app.stats.bounded import BoundedMap

_CAPACITY = 8192
_HOMES: dict[str, frozenset[int]] = {
    "ssh": frozenset((22, 2222, 22222, 830, 2022, 29418, 8022)),
    "telnet": frozenset((23, 2323, 992, 107)),
    "rdp": frozenset((3389, 3388)),
    "vnc": frozenset((*range(5500, 5510), *range(5800, 5999))),
    "smb": frozenset((139, 445)),
    "ftp": frozenset((21, 2121, 990)),
    "smtp": frozenset((25, 465, 587, 2525, 26, 1025)),
    "irc": frozenset((194, 6697, *range(6660, 6670), 7000)),
    "dns": frozenset((53, 853, 5353, 5355)),
    "socks": frozenset((1080, 1081, 9050, 9150, 10808)),
    "openvpn": frozenset((1194, 443, 1195)),
    "pop3": frozenset((110, 995)),
    "imap": frozenset((143, 993)),
    "redis": frozenset((6379, 6380, 16379, 26379)),
    "mysql": frozenset((3306, 33060, 3307)),
    "postgresql": frozenset((5432, 5433, 6432)),
    "ldap": frozenset((389, 3268, 636, 3269)),
    "kerberos": frozenset((88, 464)),
}
# Ports that firewalls let through, and what is at home there
_OPEN_PORTS = {
    80: "HTTP",
    443: "HTTPS",
    53: "DNS",
    25: "SMTP",
    123: "NTP",
    21: "FTP",
    8080: "HTTP",
    110: "POP3",
    143: "IMAP",
    22: "SSH",
    993: "IMAPS",
    995: "POP3S",
    465: "SMTPS",
}
_REMOTE = frozenset(("ssh", "telnet", "rdp", "vnc", "smb", "socks", "irc"))


class ProtocolTunnel(ConversationDetector):
    """Remembers what each flow was recognised as, and compares with its port."""

    name = "protocol_tunnel"
    rules = (
        Rule(
            "tunnel",
            "Tunnel: one protocol inside another",
            "medium",
            "A connection that began as one protocol carries another one that is usually not there, such as SSH in WebSocket or in an HTTP proxy's connection.",
            "Developers' tools and remote support use such tunnels on purpose.",
            "Ask whether it is wanted. A tunnel gets past every rule of the firewall.",
            "T1572",
        ),
        Rule(
            "unusual_port",
            "Protocol on an unusual port",
            "low",
            "The protocol spoken is not the one that is at home on this port.",
            "Administrators move services to other ports; SSH on 443 gets people out of hotels.",
            "Ask whose service it is.",
            "T1571",
        ),
    )
    facts = (Recognized, Action, HttpTransaction, TlsClientHello)

    def begin(self) -> None:
        self._spoken: BoundedMap[int, str] = self.bounded(_CAPACITY)

    def on_fact(self, fact: Fact) -> None:
        client, server, port = self.ends()
        if not client:
            return
        if isinstance(fact, HttpTransaction):
            if fact.method == "CONNECT":
                self._spoken[fact.flow_id] = f"CONNECT {fact.uri}"
            return
        if isinstance(fact, Action):
            if fact.protocol == "websocket" and fact.name == "carries" and fact.subject != "http":
                self._tell(
                    "tunnel",
                    "medium",
                    0.8,
                    f"{client} carries {fact.subject.upper()} in WebSocket frames to {server}:{port}.",
                    fact,
                    client,
                    server,
                    f"{fact.subject} in websocket",
                )
            return
        if isinstance(fact, TlsClientHello):
            if fact.transport == "tls" and port in (80, 53, 22, 21, 23) and fact.flow_id not in self._spoken:
                self._tell(
                    "unusual_port",
                    "low",
                    0.7,
                    f"{client} speaks TLS with {server}:{port}, where {_OPEN_PORTS.get(port, 'Telnet')} is at home.",
                    fact,
                    client,
                    server,
                    "tls",
                )
            return
        assert isinstance(fact, Recognized)
        protocol = fact.protocol
        before = self._spoken.get(fact.flow_id)
        if before is not None and before.startswith("CONNECT") and protocol not in ("http", "tls"):
            asked = before.partition(" ")[2][:60]
            loud = protocol in _REMOTE
            self._tell(
                "tunnel",
                "medium" if loud else "low",
                0.75,
                f"{client} carries {protocol.upper()} through the HTTP proxy {server}:{port} ({asked}).",
                fact,
                client,
                server,
                f"{protocol} in http",
            )
        elif before is None:
            self._spoken[fact.flow_id] = protocol
            homes = _HOMES.get(protocol)
            if homes is not None and port not in homes and (self.flow is None or self.flow.src_port not in homes):
                at_home = _OPEN_PORTS.get(port)
                loud = protocol in _REMOTE and at_home is not None and not is_loopback(server)
                there = f", where {at_home} is at home" if at_home else ""
                self._tell(
                    "unusual_port",
                    "medium" if loud else "low",
                    0.7,
                    f"{client} speaks {protocol.upper()} with {server}:{port}{there}.",
                    fact,
                    client,
                    server,
                    protocol,
                )

    def _tell(
        self,
        rule: str,
        severity: Severity,
        confidence: float,
        reason: str,
        fact: Recognized | Action | TlsClientHello,
        client: str,
        server: str,
        what: str,
    ) -> None:
        key = (rule, client, server, what)
        count = self.repeats(key)
        if not count:
            return
        self.alert(
            rule,
            reason,
            fact.ts,
            client,
            server,
            confidence=confidence,
            severity=severity,
            fold=key,
            measured=count,
            threshold=0,
            unit="connections",
            flow_ids=(fact.flow_id,),
            details={"what": what},
        )

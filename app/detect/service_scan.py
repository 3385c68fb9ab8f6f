"""What listens there? One client speaks many protocols to the same port, one after another, until it is answered: the version scan of nmap and its like."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact, HttpTransaction, Recognized, TlsClientHello

_CAPACITY = 4096
# These share ports in earnest: web servers, proxies, and ports that hand on by content
_SHARED = frozenset(("http", "http2", "tls", "quic", "websocket", "socks", "proxy", "doh", "dot"))
_NMAP = ("/nice%20ports%2C/", "/nice ports,/")  # asked for by nmap alone, to see how a server says that there is none


@dataclass(slots=True)
class _Spoken:
    """Protocols that one client spoke to one port."""

    since: int = 0
    protocols: dict[str, int] = field(default_factory=dict)  # → a flow
    said: int = 0


class ServiceScan(ConversationDetector):
    name = "service_scan"
    rules = (
        Rule(
            "service_scan",
            "Service scan: many protocols are tried at one port",
            "medium",
            "One client spoke several protocols to the same port of a host, or asked what only scanners of versions ask: it wants to know which program listens there.",
            "Inventory and vulnerability scanners of the administrator; a port that hands on web, TLS and SSH by their content sees two or three.",
            "Find the program on the source and who runs it. What it looks at next shows what it was for.",
            "T1046",
        ),
    )
    knobs = (
        Knob(
            "protocols",
            3,
            "protocols",
            "Beside those that share ports in earnest (web, TLS, proxies): a service has one.",
        ),
        Knob("window", 900, "s", "nmap waits five seconds for each answer, and has some twenty questions."),
    )
    facts = (Recognized, TlsClientHello, HttpTransaction)

    def begin(self) -> None:
        self._ports = self.bounded(_CAPACITY, _Spoken, lambda spoken: len(spoken.protocols) > 1)

    def on_fact(self, fact: Fact) -> None:
        client, server, port = self.ends()
        if not client:
            return
        if isinstance(fact, HttpTransaction):
            if fact.uri.startswith(_NMAP) and self.repeats((client, server, port)) == 1:
                self._tell(
                    fact,
                    client,
                    server,
                    port,
                    "asked for a page that only nmap's version scan asks for",
                    1,
                    0.9,
                    [fact.flow_id],
                )
            return
        assert isinstance(fact, (Recognized, TlsClientHello))
        protocol = fact.protocol if isinstance(fact, Recognized) else "tls"
        spoken = self._ports[client, server, port]
        if not spoken.since or abs(fact.ts - spoken.since) > self.knob("window") * SECOND:
            spoken.since, spoken.protocols, spoken.said = fact.ts, {}, 0
        if len(spoken.protocols) < 32:
            spoken.protocols.setdefault(protocol, fact.flow_id)
        count = len(spoken.protocols.keys() - _SHARED)
        if count < max(self.knob("protocols"), 2 * spoken.said):
            return
        spoken.said = count
        names = ", ".join(sorted(spoken.protocols))
        what = f"spoke {len(spoken.protocols)} protocols ({names}) one after another"
        self._tell(fact, client, server, port, what, count, 0.8, list(spoken.protocols.values()))

    def _tell(
        self, fact: Fact, client: str, server: str, port: int, what: str, count: int, confidence: float, flows: list[int]
    ) -> None:  # fmt: skip
        self.alert(
            "service_scan",
            f"{client} {what} to port {port} of {server}; the limit is {self.knob('protocols'):.0f} protocols.",
            fact.ts,
            client,
            server,
            confidence=confidence,
            fold=(client, server),
            measured=count,
            threshold=self.knob("protocols"),
            unit="protocols",
            flow_ids=flows,
            details={"port": port},
        )

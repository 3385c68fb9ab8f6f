"""Who answers names in this network: a server that nobody announced and nobody asked before, and one that answers for names that do not exist.

Servers are announced by DHCP (option 6, RFC 2132) and by routers (RDNSS, RFC 8106). What answers while the watch is young is usual; hosts that ask many servers are resolvers
themselves and are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.detect import networks
from app.detect.batch import Batch
from app.detect.conversation import SECOND, ConversationDetector, is_local, is_loopback
from app.detect.dhcp import COOKIE, DNS, options
from app.detect.domains import labels_of, randomness, registered_domain
from app.detect.neighbour_discovery import RA_OPTIONS, RDNSS, ROUTER_ADVERTISEMENT, after_checksum, nd_options
from app.detect.rule import Knob, Rule
from app.dpi.facts import DnsTransaction, Fact
from app.model.alert import Severity
from app.stats.bounded import BoundedMap

MOST_A_SECOND: Final = 100  # announcements that are read
MOST_SERVERS: Final = 1024
DAY_NS: Final = 86_400 * SECOND


@dataclass(slots=True)
class _Server:
    """One that answers."""

    first: int = 0
    answers: int = 0
    clients: set[str] = field(default_factory=set)  # the first ones
    told: bool = False
    forged: dict[str, set[str]] = field(
        default_factory=dict
    )  # address → names that look like noise and were answered with it
    forged_told: int = 0


class DnsServers(ConversationDetector):
    name = "dns_servers"
    rules = (
        Rule(
            "rogue_dns",
            "Rogue DNS server: names are answered by a server that nobody announced",
            "medium",
            "A host of the own network began to answer DNS questions, and neither DHCP nor a router names it: who asks it goes where it says.",
            "A filter for advertisement, a domain controller or a virtual network that was just set up.",
            "See whether you set it up. Look where the clients that ask it have its address from.",
            "T1557",
        ),
        Rule(
            "dns_rewriting",
            "DNS rewriting: names that cannot exist are answered (NXDOMAIN is rewritten)",
            "low",
            "A DNS server answered several names that look like noise, of different domains or of none, with the same address: it says so of all names that do not exist.",
            "Providers that show advertisement; guest networks before the log-in; parked domains of one owner.",
            "Ask another server for such a name. Programs that rely on 'does not exist' (mail filters, VPNs) fail behind such a server.",
            "T1557",
        ),
    )
    knobs = (
        Knob("learning_min", 30, "min", "Servers that are in use answer within minutes; what begins later is new."),
        Knob("answers", 3, "answers", "One may be a test."),
        Knob("servers", 6, "servers", "Clients use one to four; who uses more is a resolver, a monitor or a test."),
        Knob("forged_names", 4, "names", "With one address; people mistype one in a while."),
        Knob("randomness", 0.45, "0 to 1", "As for generated domains."),
    )  # fmt: skip
    facts = (DnsTransaction,)
    selections = ("dhcp", "icmpv6")

    def begin(self) -> None:
        self._learning = int(self.knob("learning_min")) * 60 * SECOND
        self._announced = self.bounded(256, int)  # address → when
        self._servers = self.bounded(MOST_SERVERS, _Server, lambda one: one.answers > 20)
        self._due: dict[str, DnsTransaction] = {}
        self._asks: BoundedMap[str, dict[str, list[int]]] = self.bounded(
            4096, dict
        )  # client → server → [answers, last]

    # -- announcements -------------------------------------------------------------------------------------------------

    def on_packets(self, batch: Batch) -> None:
        for index in self.ration("dhcp", batch, batch.select("dhcp"), MOST_A_SECOND).tolist():
            payload = batch.payload(index, 1500)
            if len(payload) >= 240 and payload[0] == 2 and payload[236:240] == COOKIE:
                self._announce(options(payload[240:]).get(DNS, b""), 4, batch.now_ns)
        routers = batch.select("icmpv6")
        routers = routers[batch.column("src_port", routers) == ROUTER_ADVERTISEMENT]
        for index in self.ration("routers", batch, routers, MOST_A_SECOND).tolist():
            said = nd_options(after_checksum(batch, index)[RA_OPTIONS:])
            self._announce(said.get(RDNSS, b"")[6:], 16, batch.now_ns)

    def _announce(self, addresses: bytes, size: int, now_ns: int) -> None:
        for at in range(0, len(addresses) - size + 1, size):
            one = addresses[at : at + size]
            halves = networks.v4(int.from_bytes(one, "big")) if size == 4 else (int.from_bytes(one[:8], "big"), int.from_bytes(one[8:], "big"))  # fmt: skip
            self._announced[networks.text(*halves)] = now_ns

    # -- answers -------------------------------------------------------------------------------------------------------

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, DnsTransaction)
        if fact.kind != "dns" or fact.rcode is None or fact.latency_ns is None or is_loopback(fact.server):
            return
        server = self._servers[fact.server]
        server.first = server.first or fact.ts
        server.answers += 1
        if len(server.clients) < 20:
            server.clients.add(fact.client)
        asks = self._asks[fact.client]
        if fact.server in asks or len(asks) < 32:
            use = asks.setdefault(fact.server, [0, 0])
            use[0], use[1] = use[0] + 1, fact.ts
        new = not server.told and server.answers >= self.knob("answers") and is_local(fact.server)
        if new and len(self._due) < MOST_SERVERS:
            self._due.setdefault(fact.server, fact)
        if fact.rcode == "NOERROR":
            self._rewritten(fact, server)

    def on_tick(self, now_ns: int) -> None:
        """Announcements of that time have been read by now; facts of a file may be ahead of the clock."""
        for name in [name for name, fact in self._due.items() if fact.ts <= now_ns]:
            self._rogue(self._due.pop(name), self._servers[name])

    def _rogue(self, fact: DnsTransaction, server: _Server) -> None:
        watched, asks = server.first - self.context.started_ns, self._asks[fact.client]
        if watched < self._learning or fact.server in self._announced or len(asks) > self.knob("servers"):
            return
        # a client that is new here, or comes back after a day, may have another network's servers
        recent, least = fact.ts - DAY_NS, self.knob("answers")
        usual = [one for one, (count, last) in asks.items() if one != fact.server and count >= least and last >= recent]
        if not usual:
            return
        server.told = True
        announced = [name for name, when in self._announced.items() if when >= recent]
        severity: Severity = "medium" if announced else "low"
        known = f"announced are {', '.join(announced[:3])}" if announced else "nothing was announced"
        self.alert(
            "rogue_dns",
            f"{fact.server} began to answer DNS questions ({server.answers} so far, of {fact.client} and {len(server.clients) - 1} others) after {watched / SECOND / 60:.0f} min "
            f"of watching; {known}; the limit is {self.knob('learning_min'):g} min.",
            fact.ts,
            fact.server,
            fact.client,
            confidence=0.6 if severity == "medium" else 0.4,
            severity=severity,
            fold=(fact.server,),
            measured=round(watched / SECOND / 60, 1),
            threshold=self.knob("learning_min"),
            unit="min",
            protocol="dns",
            flow_ids=(fact.flow_id,),
            details={"announced": announced[:8], "usual": usual[:8]},
        )

    def _rewritten(self, fact: DnsTransaction, server: _Server) -> None:
        addresses = [one.value for one in fact.answers if one.type in ("A", "AAAA")]
        labels = labels_of(fact.query.lower())
        if len(addresses) != 1 or not labels or any(one.type == "CNAME" for one in fact.answers):
            return
        domain = labels[0] if len(labels) == 1 else registered_domain(fact.query)
        if randomness(domain.partition(".")[0]) < self.knob("randomness") and labels[-1] != "invalid":
            return
        if addresses[0] not in server.forged and len(server.forged) >= 64:
            server.forged.pop(next(iter(server.forged)))
        names = server.forged.setdefault(addresses[0], set())
        if len(names) < 64:
            names.add(domain)
        count, limit = len(names), int(self.knob("forged_names"))
        if count < max(limit, 2 * server.forged_told):
            return
        server.forged_told = count
        self.alert(
            "dns_rewriting",
            f"{fact.server} answered {count} names that look like noise ({', '.join(sorted(names)[:3])[:100]}) with the same address {addresses[0]}; the limit is {limit}.",
            fact.ts,
            fact.server,
            fact.client,
            confidence=0.6,
            fold=(fact.server, addresses[0]),
            measured=count,
            threshold=limit,
            unit="names",
            protocol="dns",
            flow_ids=(fact.flow_id,),
            details={"address": addresses[0], "names": sorted(names)[:10]},
        )

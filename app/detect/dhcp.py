"""DHCP: a second server that gives other answers, and clients without end that use up its addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.detect import networks
from app.detect.batch import Batch, mac_text
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.stats.bounded import BoundedMap
from app.stats.distinct import DistinctCounter

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 10 * SECOND
COOKIE: Final = b"\x63\x82\x53\x63"
BOOT_REQUEST: Final = 1
OFFER, ACK = 2, 5
TYPE, SERVER, ROUTER, DNS = 53, 54, 3, 6
MOST_A_SECOND: Final = 1000  # messages that are read
MAX_SERVERS: Final = 256


def options(data: bytes) -> dict[int, bytes]:
    """Options of a DHCP message (RFC 2132 § 2); what is cut is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 1 < len(data) and len(found) < 64:
        code = data[at]
        if code == 255:
            break
        if code == 0:
            at += 1
            continue
        length = data[at + 1]
        if at + 2 + length > len(data):
            break
        found.setdefault(code, data[at + 2 : at + 2 + length])
        at += 2 + length
    return found


def first_address(data: bytes | None) -> str | None:
    if not data or len(data) < 4:
        return None
    return networks.text(*networks.v4(int.from_bytes(data[:4], "big")))


@dataclass(slots=True)
class Server:
    """What a DHCP server has given out."""

    mac: str | None
    router: str | None
    dns: str | None
    first: int
    last: int
    evidence: list[Evidence] = field(default_factory=list)


class Dhcp(Detector):
    name = "dhcp"
    rules = (
        Rule(
            "rogue_dhcp",
            "Rogue DHCP server: a second server gives other answers",
            "high",
            "Two DHCP servers answer in the same network and name different routers or DNS servers. Who obeys the wrong one sends its traffic to it.",
            "A home router connected by its LAN side, or a virtual machine's network that leaks; two servers of one network name the same router.",
            "Find the second server by its hardware address and take it off; turn on DHCP snooping at the switch.",
            "T1557.003",
        ),
        Rule(
            "dhcp_flood",
            "DHCP flood: clients without end ask for addresses",
            "high",
            "Many different hardware addresses ask for leases within seconds: the server's addresses are used up (starvation), so that nobody else gets one.",
            "A whole site that comes back after a power cut asks once each, within a minute.",
            "Limit hardware addresses per switch port (port security) and turn on DHCP snooping.",
            "T1499",
        ),
    )
    knobs = (
        Knob("clients", 50, "clients", "Different clients that ask within ten seconds in a network of at most some hundred hosts."),
        Knob("messages", 200, "messages", "From any clients within ten seconds."),
    )  # fmt: skip
    selections = ("dhcp",)

    def begin(self) -> None:
        self._servers: BoundedMap[tuple[int, str], Server] = self.bounded(MAX_SERVERS)
        self._since = 0
        self._clients = DistinctCounter()
        self._messages = 0
        self._evidence: list[Evidence] = []
        self._told = 0

    def on_packets(self, batch: Batch) -> None:
        chosen = batch.select("dhcp")
        for index in self.ration("dhcp", batch, chosen, MOST_A_SECOND).tolist():
            payload = batch.payload(index, 1500)
            if len(payload) < 240 or payload[236:240] != COOKIE:
                continue
            found = options(payload[240:])
            kind = found.get(TYPE, b"\0")[:1]
            ts = int(batch.row(index)["ts"])
            if payload[0] == BOOT_REQUEST:
                self._asks(batch, index, payload[28:34] + payload[12:16], ts)
            elif kind in (bytes([OFFER]), bytes([ACK])) and not any(
                payload[24:28]
            ):  # not by a relay of another network
                self._answers(batch, index, found, ts)

    def _asks(self, batch: Batch, index: int, client: bytes, ts: int) -> None:
        if not self._since or ts - self._since > WINDOW_NS:
            self._since, self._messages, self._told = ts, 0, 0
            self._clients = DistinctCounter()
            self._evidence = []
        self._messages += 1
        self._clients.add(client)
        if len(self._evidence) < 10:
            self._evidence.extend(batch.evidence(index))

    def on_tick(self, now_ns: int) -> None:
        count = len(self._clients)
        limit, messages = int(self.knob("clients")), int(self.knob("messages"))
        passed = count >= limit or self._messages >= messages
        if not passed or self._messages < 2 * self._told or now_ns - self._since > WINDOW_NS + 5 * SECOND:
            return
        self._told = self._messages
        self.alert(
            "dhcp_flood",
            f"{count} different clients sent {self._messages} DHCP requests within {WINDOW_NS // SECOND} s; the limit is {limit} clients or {messages} requests.",
            now_ns,
            None,
            None,
            confidence=0.9 if count >= limit else 0.7,
            fold=("dhcp_flood",),
            measured=count if count >= limit else self._messages,
            threshold=limit if count >= limit else messages,
            unit="clients" if count >= limit else "messages",
            protocol="dhcp",
            evidence=self._evidence,
        )

    def _answers(self, batch: Batch, index: int, found: dict[int, bytes], ts: int) -> None:
        row = batch.row(index)
        name = first_address(found.get(SERVER)) or networks.text(int(row["src_hi"]), int(row["src_lo"]))
        macs = batch.macs(index)
        vlan = int(row["vlan"])
        server = Server(
            mac_text(macs[0]) if macs else None, first_address(found.get(ROUTER)), first_address(found.get(DNS)), ts, ts
        )
        known = self._servers.get((vlan, name))
        if known is None:
            if len(self._servers) >= 32:
                return
            server.evidence = list(batch.evidence(index))
            self._servers[(vlan, name)] = server
            self._compare(vlan, name, server)
        else:
            known.last = ts
            if (known.router, known.dns) != (server.router, server.dns) and server.router:
                known.router, known.dns = server.router, server.dns
                self._compare(vlan, name, known)

    def _compare(self, vlan: int, name: str, server: Server) -> None:
        for (other_vlan, other_name), other in self._servers.items():
            if other_vlan != vlan or other_name == name or not server.router or not other.router:
                continue
            if (server.router, server.dns) == (other.router, other.dns):
                continue
            self.alert(
                "rogue_dhcp",
                f"{name} gives router {server.router} and DNS {server.dns}, while {other_name} gives router {other.router} and DNS {other.dns}; the limit is one server.",
                server.last,
                name,
                other_name,
                confidence=0.7,
                fold=(vlan, name),
                measured=2,
                threshold=1,
                unit="servers",
                protocol="dhcp",
                evidence=[*server.evidence, *other.evidence],
                details={"hardware_addresses": [server.mac, other.mac]},
            )
            return

"""Answers that nobody asked for: amplification and reflection attacks on a host, and backscatter of attacks on others.

The first packet of a flow that is an answer – a datagram from a service's port, a SYN-ACK – came without a question that we saw. Many of them from many
hosts to one are an attack on it: somebody asked in its name. From one host to many of ours they are backscatter: somebody attacks that host in our name.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.batch import ACK, RST, SYN, Batch
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.stats.distinct import DistinctCounter
from app.wire.row_copies import chosen as chosen_rows
from app.wire.row_copies import joined

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 10 * SECOND
# Services over UDP that answer with more than they were asked (CISA TA14-017A, and later ones).
AMPLIFIERS: Final[dict[int, str]] = {
    17: "QOTD",
    19: "CharGEN",
    53: "DNS",
    69: "TFTP",
    111: "RPC portmap",
    123: "NTP",
    137: "NetBIOS",
    161: "SNMP",
    389: "CLDAP",
    427: "SLP",
    500: "ISAKMP",
    520: "RIP",
    1194: "OpenVPN",
    1434: "SQL Server",
    1900: "SSDP",
    3283: "ARD",
    3389: "RDP",
    3478: "STUN",
    3702: "WS-Discovery",
    4500: "IKE",
    5060: "SIP",
    5093: "Sentinel",
    5351: "NAT-PMP",
    5353: "mDNS",
    5683: "CoAP",
    10001: "Ubiquiti",
    10074: "TP240",
    11211: "memcached",
    20800: "Call of Duty",
    27015: "Source engine",
    27960: "Quake",
    30718: "Lantronix",
    32414: "Plex",
    33848: "Jenkins",
    37810: "DVR",
}
_AMPLIFIER_PORTS: Final = np.array(sorted(AMPLIFIERS), np.uint16)
MOST_A_SECOND: Final = 4096
MOST_A_BATCH: Final = 512  # packets of one batch that are looked at one by one; the others are counted in proportion
COMMON: Final = 50
MAX_HOSTS: Final = 2048
MOST_VOLUMES: Final = 32  # pairs of host and service weighed in a second


def _unasked(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Flows of datagrams from a service that amplifies, not answered. Both ends at its port talk as equals, unless it is much."""
    chosen: NDArray[np.bool_] = (rows["protocol"] == 17) & (rows["dst_packets"] == 0) & (rows["kind"] & 2 == 0)
    if chosen.any():
        chosen &= np.isin(rows["src_port"], _AMPLIFIER_PORTS)
        chosen &= (rows["src_port"] != rows["dst_port"]) | (rows["src_port"] == 123)
    return chosen


class Received:
    """Answers to one host (or from one), by kind."""

    __slots__ = ("evidence", "others", "packets", "payload", "ports", "since", "told")

    def __init__(self) -> None:
        self.since = 0
        self.told = 0
        self.begin(0)

    def begin(self, ts: int) -> None:
        self.since = ts
        self.packets = self.payload = 0
        self.others = DistinctCounter(512)
        self.ports = DistinctCounter(64)
        self.evidence: list[Evidence] = []


class Unsolicited(Detector):
    name = "unsolicited"
    rules = (
        Rule(
            "udp_amplification",
            "Amplification attack: answers nobody asked for",
            "high",
            "One host gets answers of a service from many hosts that it did not ask: somebody asked them in its name, and the answers are the flood (reflection, amplification).",
            "A resolver or time server of which only the answers can be seen in the capture.",
            "Ask the provider to filter by source port. Inside: see that no own service answers strangers with more than they sent.",
            "T1498.002",
        ),
        Rule(
            "synack_reflection",
            "Reflection attack: SYN-ACKs nobody asked for",
            "high",
            "One host gets SYN-ACKs from many servers that it did not call: somebody sends SYNs in its name.",
            "A capture that shows only one direction of the traffic.",
            "Ask the provider to filter; a stateful firewall drops them.",
            "T1498.002",
        ),
        Rule(
            "backscatter",
            "Backscatter: answers to an attack in our name",
            "low",
            "A host sends SYN-ACKs or resets to many addresses that did not call it: it is being attacked, with these addresses forged as sources.",
            "Usual on the Internet.",
            "Nothing: the attack is on somebody else. If it does not stop, tell the owner of the source.",
        ),
    )
    knobs = (
        Knob("sources", 30, "hosts", "Of which one service answers unasked within ten seconds: servers that are really asked are seen to be asked."),
        Knob("dns_sources", 150, "hosts", "A resolver asks that many name servers in ten seconds; where only answers are captured they look unasked."),
        Knob("any_sources", 300, "hosts", "From a port of no known amplifier: peer-to-peer programs are called by tens of strangers."),
        Knob("synacks", 100, "packets", "Within ten seconds, from at least `sources` hosts."),
        Knob("synack_sources", 10, "hosts", "Enough where three times as many packets come: a capture of one direction has hundreds only of a busy proxy."),
        Knob("unasked", 200, "packets", "Of one service to one host, unanswered: few reflectors that send much."),
        Knob("unasked_size", 200, "bytes", "Mean payload of those: what is amplified is large. A time server's answer has 48."),
        Knob("unasked_dns_size", 600, "bytes", "The same for DNS, whose ordinary answers lie below 300."),
        Knob("backscatter_targets", 10, "hosts", "A server that answers ten hosts that never called is the victim of forged sources."),
    )  # fmt: skip
    selections = ("first",)
    wants_flows = True

    def begin(self) -> None:
        self._told_volume = self.bounded(MAX_HOSTS, int)
        worth = lambda entry: entry.packets > 20  # noqa: E731
        self._amplified = self.bounded(MAX_HOSTS, Received, worth)
        self._reflected = self.bounded(MAX_HOSTS, Received, worth)
        self._scattered = self.bounded(MAX_HOSTS, Received, worth)

    def on_packets(self, batch: Batch) -> None:
        first = batch.select("first")
        protocol = batch.column("protocol", first)
        source_port = batch.column("src_port", first)
        target_port = batch.column("dst_port", first)
        udp = (protocol == 17) & (source_port != target_port) & (batch.column("payload_len", first) > 0)
        if udp.any():
            udp &= (
                _AMPLIFIER_PORTS[np.minimum(np.searchsorted(_AMPLIFIER_PORTS, source_port), len(_AMPLIFIER_PORTS) - 1)]
                == source_port
            )
        flags = batch.column("tcp_flags", first)
        answers = (protocol == 6) & (flags & (SYN | ACK) == SYN | ACK) & (flags & RST == 0)
        resets = (protocol == 6) & (flags & (RST | SYN) == RST)
        for kind, mask in (("udp", udp), ("synack", answers), ("rst", resets)):
            if mask.any():
                self._take(batch, kind, first[mask])

    @staticmethod
    def _common(ports: np.ndarray, mask: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        """Ports of no well-known amplifier from which many datagrams of this batch come."""
        values, counts = np.unique(ports[mask], return_counts=True)
        return np.isin(ports, values[(counts >= COMMON) & (values < 49_152)])

    def _take(self, batch: Batch, kind: str, chosen: np.ndarray) -> None:  # type: ignore[type-arg]
        weight = 1
        if len(chosen) > MOST_A_BATCH:
            weight = -(-len(chosen) // MOST_A_BATCH)
            chosen = chosen[::weight]
        chosen = self.ration(kind, batch, chosen, MOST_A_SECOND)
        names = ("src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "payload_len", "ts")
        columns = zip(chosen.tolist(), *(batch.column(name, chosen).tolist() for name in names), strict=True)
        for index, s_hi, s_lo, d_hi, d_lo, s_port, d_port, length, ts in columns:
            source, target = (s_hi, s_lo), (d_hi, d_lo)
            if networks.is_group(*target):
                continue
            if kind == "udp":
                self._note(self._amplified[(target, s_port)], source, d_port, length, ts, weight, batch, index)
                continue
            if kind == "synack":
                self._note(self._reflected[target], source, s_port, length, ts, weight, batch, index)
            self._note(self._scattered[source], target, d_port, length, ts, weight, batch, index)

    @staticmethod
    def _note(
        entry: Received, other: object, port: int, length: int, ts: int, weight: int, batch: Batch, index: int
    ) -> None:
        if not entry.since or ts - entry.since > WINDOW_NS:
            entry.begin(ts)
        entry.packets += weight
        entry.payload += length * weight
        entry.others.add(other)
        entry.ports.add(port)
        if len(entry.evidence) < 10:
            entry.evidence.extend(batch.evidence(index))

    def on_tick(self, now_ns: int) -> None:
        for (target, port), entry in self._amplified.items():
            limit = int(self.knob("dns_sources" if port == 53 else "sources" if port in AMPLIFIERS else "any_sources"))
            if self._passed(entry, len(entry.others), limit, now_ns):
                self._amplification(target, port, entry, limit, now_ns)
        for target, entry in self._reflected.items():
            many = entry.packets >= 3 * self.knob("synacks")  # a page's servers answer some tens of times
            limit = int(self.knob("synack_sources" if many else "sources"))
            if entry.packets >= self.knob("synacks") and self._passed(entry, len(entry.others), limit, now_ns):
                self._reflection(target, entry, limit, now_ns)
        for source, entry in self._scattered.items():
            limit = int(self.knob("backscatter_targets"))
            if self._passed(entry, len(entry.others), limit, now_ns):
                self._backscatter(source, entry, limit, now_ns)

    @staticmethod
    def _passed(entry: Received, count: int, limit: int, now_ns: int) -> bool:
        if now_ns - entry.since > WINDOW_NS + SECOND or count < limit or count < 2 * entry.told:
            return False
        entry.told = count
        return True

    def _amplification(self, target: tuple[int, int], port: int, entry: Received, limit: int, now_ns: int) -> None:
        service, victim = AMPLIFIERS.get(port, f"port {port}"), networks.text(*target)
        count = len(entry.others)
        self.alert(
            "udp_amplification",
            f"{victim} got {entry.packets} {service} answers ({entry.payload} bytes) from {count} hosts within {WINDOW_NS // SECOND} s without asking; the limit is {limit} hosts.",
            now_ns,
            None,
            victim,
            title=f"Amplification attack: {service} answers nobody asked for",
            confidence=0.9,
            fold=(target, port),
            measured=count,
            threshold=limit,
            unit="hosts",
            protocol="udp",
            evidence=entry.evidence,
            details={"service": service, "port": port, "packets": entry.packets, "payload_bytes": entry.payload},
        )

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        """Few reflectors that send much: datagrams of a service to a host that never asked, by their number and size."""
        rows = joined([chosen_rows(part, _unasked(part)) for part in (changed, ended)])
        rows = chosen_rows(rows, rows["end"] >= self.context.now_ns - WINDOW_NS)
        if int(rows["src_packets"].sum()) < self.knob("unasked"):
            return
        keys = list(zip(*(rows[name].tolist() for name in ("dst_hi", "dst_lo", "src_port")), strict=True))
        for key in sorted(set(keys))[:MOST_VOLUMES]:
            mine = rows[np.array([one == key for one in keys])]
            self._volume(((key[0], key[1]), key[2]), mine)

    def _volume(self, key: tuple[tuple[int, int], int], rows: NDArray[np.void]) -> None:
        (target, port), packets = key, int(rows["src_packets"].sum())
        mean = int(rows["src_payload"].sum()) / max(packets, 1)
        limit = int(self.knob("unasked"))
        if packets < max(limit, 2 * self._told_volume[key]) or networks.is_group(*target):
            return
        if mean < self.knob("unasked_dns_size" if port == 53 else "unasked_size") or networks.maybe_broadcast(*target):
            return
        self._told_volume[key] = packets
        service, victim = AMPLIFIERS[port], networks.text(*target)
        sources = len({(int(row["src_hi"]), int(row["src_lo"])) for row in rows[:512]})
        self.alert(
            "udp_amplification",
            f"{victim} got {packets} {service} answers of {mean:.0f} bytes on average from {sources} host{'s' if sources > 1 else ''} without asking; "
            f"the limit is {limit}.",
            int(rows["end"].max()),
            networks.text(int(rows["src_hi"][0]), int(rows["src_lo"][0])) if sources == 1 else None,
            victim,
            title=f"Amplification attack: {service} answers nobody asked for",
            confidence=0.8,
            fold=(target, port),
            measured=packets,
            threshold=limit,
            unit="packets",
            protocol="udp",
            flow_ids=rows["flow_id"][:20].tolist(),
            details={"service": service, "port": port, "mean_payload": round(mean), "sources": sources},
        )

    def _reflection(self, target: tuple[int, int], entry: Received, limit: int, now_ns: int) -> None:
        victim, count = networks.text(*target), len(entry.others)
        self.alert(
            "synack_reflection",
            f"{victim} got {entry.packets} SYN-ACKs from {count} hosts that it did not call within {WINDOW_NS // SECOND} s; the limit is {limit} hosts.",
            now_ns,
            None,
            victim,
            confidence=0.8,
            fold=(target,),
            measured=count,
            threshold=limit,
            unit="hosts",
            protocol="tcp",
            evidence=entry.evidence,
            details={"packets": entry.packets},
        )

    def _backscatter(self, source: tuple[int, int], entry: Received, limit: int, now_ns: int) -> None:
        victim, count = networks.text(*source), len(entry.others)
        self.alert(
            "backscatter",
            f"{victim} answered {count} hosts that had not called it within {WINDOW_NS // SECOND} s; the limit is {limit} hosts.",
            now_ns,
            victim,
            f"{count} hosts",
            confidence=0.7,
            fold=(source,),
            measured=count,
            threshold=limit,
            unit="hosts",
            protocol="tcp",
            evidence=entry.evidence,
            details={"packets": entry.packets},
        )

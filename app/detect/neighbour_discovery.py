"""IPv6 neighbour discovery: forged and foreign router advertisements, floods of them, sweeps by solicitation, forged neighbours (RFC 4861)."""

from __future__ import annotations

from collections import deque
from typing import Final

from app.detect import networks
from app.detect.batch import Batch, mac_text
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.stats.distinct import DistinctCounter

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
ROUTER_ADVERTISEMENT, SOLICITATION, ADVERTISEMENT = 134, 135, 136
SOURCE_MAC, PREFIX, RDNSS = 1, 3, 25
RA_OPTIONS: Final = 12  # bytes between an advertisement's checksum and its options
MOST_A_SECOND: Final = 1000  # messages that are read
OVERRIDE: Final = 0x20


class Router:
    """What a router says of itself."""

    __slots__ = ("evidence", "lifetimes", "macs", "prefixes", "told", "zero")

    def __init__(self) -> None:
        self.macs: set[bytes] = set()
        self.lifetimes: deque[tuple[int, int]] = deque(maxlen=32)  # (time, seconds)
        self.zero: deque[int] = deque(maxlen=32)
        self.prefixes: set[bytes] = set()
        self.evidence: deque[Evidence] = deque(maxlen=20)
        self.told = 0


class Solicitor:
    """Whom a host asks for."""

    __slots__ = ("asked", "evidence", "told")

    def __init__(self) -> None:
        self.asked: dict[bytes, int] = {}
        self.evidence: list[Evidence] = []
        self.told = 0


class Holder:
    """Which hardware address an IPv6 address is at."""

    __slots__ = ("changes", "mac", "told")

    def __init__(self) -> None:
        self.mac = b""
        self.changes: deque[tuple[int, bytes, bytes]] = deque(maxlen=16)  # (time, from, to)
        self.told = 0


def nd_options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(data) and len(found) < 32:
        length = data[at + 1] * 8
        if not length:
            break
        found.setdefault(data[at], data[at + 2 : at + length])
        at += length
    return found


def after_checksum(batch: Batch, index: int) -> bytes:
    """An ICMPv6 message after type, code and checksum: the decoder's payload starts after the ICMP header of 8 bytes or of 4."""
    header = batch.ip_header(index)
    if len(header) < 48 or header[0] >> 4 != 6:
        return b""
    at, kind = 40, header[6]
    for _ in range(4):
        if kind == 58:
            return header[at + 4 :]
        if kind not in (0, 43, 60) or at + 2 > len(header):
            return b""
        kind, at = header[at], at + 8 * (header[at + 1] + 1)
    return b""


class NeighbourDiscovery(Detector):
    name = "neighbour_discovery"
    rules = (
        Rule(
            "rogue_ra",
            "Rogue router advertisement: somebody plays router, or puts one out of action",
            "high",
            "Router advertisements that cannot be from the network's router: they take back its role (lifetime 0), come in its name from another machine, or come from many routers at once.",
            "A router that is shut down says lifetime 0 once; machines that share an Internet connection by mistake (Windows' connection sharing) advertise themselves.",
            "Turn on RA guard at the switch and find the machine by its hardware address.",
            "T1557",
        ),
        Rule(
            "new_router",
            "Another router: a second router with another prefix advertises itself",
            "low",
            "A second router advertises a prefix that the first does not.",
            "Networks with several routers.",
            "If you did not set it up, look at it: its clients send their traffic through it.",
            "T1557",
        ),
        Rule(
            "ndp_spoof",
            "Neighbour spoofing: somebody answers for an IPv6 address that is not his",
            "high",
            "An IPv6 address goes to and fro between hardware addresses in neighbour advertisements: somebody puts himself in between (man in the middle).",
            "Routers that take over from each other; a device with cable and radio at once.",
            "Find the machine by its hardware address; turn on ND inspection at the switch.",
            "T1557",
        ),
        Rule(
            "host_sweep_ndp",
            "IPv6 sweep: a host looks for neighbours",
            "medium",
            "One host asked by neighbour solicitation for many addresses that did not answer.",
            "A router whose network is scanned from outside asks for each address that is tried.",
            "Find out which program on that host does it.",
            "T1018",
        ),
    )
    knobs = (
        Knob("zero_lifetimes", 2, "advertisements", "A router that goes says it once to three times, and then no more; kill tools repeat it, or the router contradicts."),
        Knob("routers", 10, "routers", "New ones within ten seconds: floods make up a router for each advertisement."),
        Knob("neighbours", 25, "addresses", "As with ARP: more than a host has neighbours."),
        Knob("flips", 3, "changes", "As with ARP."),
    )  # fmt: skip
    selections = ("icmpv6",)

    def begin(self) -> None:
        self._routers = self.bounded(1024, Router)
        self._solicitors = self.bounded(1024, Solicitor, lambda one: len(one.asked) > 3)
        self._holders = self.bounded(4096, Holder)
        self._new = DistinctCounter(128)
        self._new_since = self._new_told = 0
        self._new_evidence: list[Evidence] = []

    def on_packets(self, batch: Batch) -> None:
        chosen = batch.select("icmpv6")
        kinds = batch.column("src_port", chosen)
        chosen = chosen[(kinds >= ROUTER_ADVERTISEMENT) & (kinds <= ADVERTISEMENT)]
        for index in self.ration("nd", batch, chosen, MOST_A_SECOND).tolist():
            row = batch.row(index)
            body, kind, ts = after_checksum(batch, index), int(row["src_port"]), int(row["ts"])
            if kind == ROUTER_ADVERTISEMENT and len(body) >= 12:
                self._router(batch, index, (int(row["src_hi"]), int(row["src_lo"])), body, ts)
            elif kind == SOLICITATION and len(body) >= 20:
                self._solicitation(batch, index, (int(row["src_hi"]), int(row["src_lo"])), body[4:20], ts)
            elif kind == ADVERTISEMENT and len(body) >= 20:
                self._advertisement(batch, index, body, ts)

    # -- routers ------------------------------------------------------------------------------------------------------

    def _router(self, batch: Batch, index: int, source: tuple[int, int], body: bytes, ts: int) -> None:
        macs = batch.macs(index)
        mac = macs[0] if macs else b""
        lifetime = int.from_bytes(body[2:4], "big")
        found = nd_options(body[RA_OPTIONS:])
        evidence = batch.evidence(index)[0]
        if source not in self._routers:
            self._count_new(source, evidence, ts)
        router = self._routers[source]
        router.evidence.append(evidence)
        router.macs.add(mac)
        router.lifetimes.append((ts, lifetime))
        prefix = found.get(PREFIX, b"")
        if len(prefix) >= 30 and lifetime:
            router.prefixes.add(prefix[14:30])
        if lifetime == 0:
            router.zero.append(ts)
            self._judge_zero(source, router, ts)
        elif router.zero:
            self._judge_zero(source, router, ts)
        if len(router.macs) > 1 and len(router.macs) < 8:
            self._say_rogue(
                source,
                router,
                ts,
                f"Router advertisements in the name of {networks.text(*source)} came from {len(router.macs)} hardware addresses ({', '.join(map(mac_text, sorted(router.macs)))}); the limit is one.",
                len(router.macs),
                1,
                "hardware addresses",
                0.85,
            )
        elif lifetime and router.prefixes:
            self._other_router(source, router, ts)

    def _judge_zero(self, source: tuple[int, int], router: Router, ts: int) -> None:
        zeros = [when for when in router.zero if ts - when < 5 * MINUTE]
        contradicted = any(life > 0 and zeros and when > zeros[0] for when, life in router.lifetimes)
        limit = int(self.knob("zero_lifetimes"))
        if len(zeros) < limit or not (contradicted or len(zeros) >= 2 * limit) or len(zeros) <= router.told:
            return
        router.told = len(zeros)
        text = (
            f"{len(zeros)} router advertisements took back the role of {networks.text(*source)} as a router (lifetime 0)"
            + (", while it says that it is one" if contradicted else "")
            + f"; the limit is {limit} in five minutes."
        )
        self._say_rogue(source, router, ts, text, len(zeros), limit, "advertisements", 0.9 if contradicted else 0.75)

    def _say_rogue(
        self,
        source: tuple[int, int],
        router: Router,
        ts: int,
        text: str,
        value: int,
        limit: int,
        unit: str,
        sure: float,
    ) -> None:
        self.alert(
            "rogue_ra",
            text,
            ts,
            networks.text(*source),
            "ff02::1",
            confidence=sure,
            fold=(source,),
            measured=value,
            threshold=limit,
            unit=unit,
            protocol="icmpv6",
            evidence=list(router.evidence),
            details={"hardware_addresses": [mac_text(mac) for mac in sorted(router.macs)][:8]},
        )

    def _count_new(self, source: tuple[int, int], evidence: Evidence, ts: int) -> None:
        if not self._new_since or ts - self._new_since > 10 * SECOND:
            self._new_since, self._new_told, self._new = ts, 0, DistinctCounter(128)
            self._new_evidence = []
        self._new.add(source)
        if len(self._new_evidence) < 20:
            self._new_evidence.append(evidence)
        count, limit = len(self._new), int(self.knob("routers"))
        if count >= limit and count >= 2 * self._new_told:
            self._new_told = count
            self.alert(
                "rogue_ra",
                f"{count} new routers advertised themselves within ten seconds; the limit is {limit}.",
                ts,
                None,
                "ff02::1",
                title="Flood of router advertisements",
                confidence=0.95,
                fold=("flood",),
                measured=count,
                threshold=limit,
                unit="routers",
                protocol="icmpv6",
                evidence=self._new_evidence,
            )

    def _other_router(self, source: tuple[int, int], router: Router, ts: int) -> None:
        for other_source, other in self._routers.items():
            if other_source != source and other.prefixes and not other.prefixes & router.prefixes:
                self.alert(
                    "new_router",
                    f"{networks.text(*source)} advertises another prefix than {networks.text(*other_source)} does; the limit is one router.",
                    ts,
                    networks.text(*source),
                    networks.text(*other_source),
                    confidence=0.5,
                    fold=(source,),
                    measured=2,
                    threshold=1,
                    unit="routers",
                    protocol="icmpv6",
                    evidence=list(router.evidence),
                )
                return

    # -- neighbours ---------------------------------------------------------------------------------------------------

    def _solicitation(self, batch: Batch, index: int, source: tuple[int, int], target: bytes, ts: int) -> None:
        if source == (0, 0):  # duplicate address detection
            return
        solicitor = self._solicitors[source]
        if len(solicitor.asked) < 1024:
            solicitor.asked[target] = ts
        if len(solicitor.evidence) < 20:
            solicitor.evidence.extend(batch.evidence(index))
        limit = int(self.knob("neighbours"))
        if len(solicitor.asked) < max(limit, 2 * solicitor.told):
            return
        solicitor.asked = {one: when for one, when in solicitor.asked.items() if ts - when <= MINUTE}
        count = len(solicitor.asked)
        if count < max(limit, 2 * solicitor.told):
            return
        solicitor.told = count
        name = networks.text(*source)
        self.alert(
            "host_sweep_ndp",
            f"{name} asked for {count} IPv6 neighbours that did not answer within 60 s; the limit is {limit}.",
            ts,
            name,
            None,
            confidence=0.85,
            measured=count,
            threshold=limit,
            unit="addresses",
            protocol="icmpv6",
            evidence=solicitor.evidence,
        )

    def _advertisement(self, batch: Batch, index: int, body: bytes, ts: int) -> None:
        row, macs = batch.row(index), batch.macs(index)
        asker = self._solicitors.get((int(row["dst_hi"]), int(row["dst_lo"])))
        target = body[4:20]
        if asker is not None:
            asker.asked.pop(target, None)
        said = nd_options(body[20:]).get(2, b"")[:6]
        mac = said if len(said) == 6 else macs[0] if macs else b""
        if not mac:
            return
        holder = self._holders[target]
        if holder.mac and holder.mac != mac:
            holder.changes.append((ts, holder.mac, mac))
            self._judge_holder(batch, index, target, holder, ts)
        holder.mac = mac

    def _judge_holder(self, batch: Batch, index: int, target: bytes, holder: Holder, ts: int) -> None:
        recent = [change for change in holder.changes if ts - change[0] <= 5 * MINUTE]
        limit = int(self.knob("flips"))
        if len(recent) < limit or len(recent) < 2 * holder.told:
            return
        holder.told = len(recent)
        macs = sorted({mac for _, old, new in recent for mac in (old, new)})
        name = networks.text(int.from_bytes(target[:8], "big"), int.from_bytes(target[8:], "big"))
        self.alert(
            "ndp_spoof",
            f"{name} went to and fro between {' and '.join(map(mac_text, macs[:4]))} {len(recent)} times within five minutes; the limit is {limit}.",
            ts,
            mac_text(recent[-1][2]),
            name,
            confidence=0.8,
            fold=(name,),
            measured=len(recent),
            threshold=limit,
            unit="changes",
            protocol="icmpv6",
            evidence=batch.evidence(index),
        )

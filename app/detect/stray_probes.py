"""Scans by packets that look like answers: resets and SYN-ACKs to ports and hosts that never called (inverse mapping).

A filter that lets answers pass lets them pass too; a router says of which addresses nobody is there, and a host resets what it did not ask for. Answers to something
that was not captured come *from* a service's port to a port of a client's choice; these go the other way round.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from app.detect import networks
from app.detect.batch import ACK, RST, SYN, Batch
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.detect.service_names import WEB, is_sought
from app.model.alert import Evidence

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 600 * SECOND
MOST_A_SECOND: Final = 1000
MOST_ITEMS: Final = 256  # told apart; enough to pass each limit several times over
FIRST_OF_CLIENTS: Final = 1024  # source ports below are services'
NAMES: Final = {RST: "RST", RST | ACK: "RST+ACK", SYN | ACK: "SYN+ACK"}


class Strays:
    """What one host sent to the ports of another, or to one port of many."""

    __slots__ = ("above", "evidence", "flags", "flows", "items", "nets", "odd", "since", "told")

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, ts: int) -> None:
        self.since = ts
        self.items: set[Any] = set()
        self.nets: set[Any] = set()
        self.flags: set[int] = set()
        self.odd = self.told = 0  # odd: items that are no service's port
        self.above = 0  # packets to ports above the sender's: a forger's choice, whose answers these are
        self.evidence: list[Evidence] = []
        self.flows: list[int] = []

    def note(self, item: Any, net: Any, flags: int, odd: bool, ts: int) -> bool:
        """True when the item is new."""
        if not self.since or ts - self.since > WINDOW_NS:
            self.begin(ts)
        if item in self.items or len(self.items) >= MOST_ITEMS:
            return False
        self.items.add(item)
        self.nets.add(net)
        self.flags.add(flags)
        self.odd += odd
        return True


class StrayProbes(Detector):
    name = "stray_probes"
    rules = (
        Rule(
            "port_scan_stray",
            "Port scan by answers to nothing (RST, SYN+ACK)",
            "medium",
            "One host sent resets or SYN-ACKs to many service ports of another that had not called it: such packets pass simple filters, and how they are answered tells what is there.",
            "Answers to a scan or a flood that was not captured go to ports of the caller's choice, not to those of services.",
            "Find the program on the source. Let the border drop what belongs to no connection.",
            "T1046",
        ),
        Rule(
            "host_sweep_stray",
            "Host sweep by answers to nothing (RST, SYN+ACK)",
            "medium",
            "One host sent resets or SYN-ACKs to the same service port of many neighbouring hosts that had not called it: routers tell of the addresses where nobody is.",
            "A capture that begins late shows resets of connections that end, to servers that lie apart.",
            "Find the program on the source. Let the border drop what belongs to no connection.",
            "T1018",
        ),
    )
    knobs = (
        Knob("ports", 10, "ports", "As for scans by SYN."),
        Knob("hosts", 20, "hosts", "As for sweeps by SYN."),
        Knob("service_share", 0.4, "of the ports", "Lists of scanners are services' ports; forged SYNs choose theirs at random, of which three in a hundred are."),
        Knob("above_share", 0.2, "of the ports", "Packets to ports above the sender's own: scanners send from high ports, and services are below."),
        Knob("crowd", 3, "hosts of one network", "Sweeps take addresses side by side; servers whose connections end lie apart."),
    )  # fmt: skip
    selections = ("first_tcp",)

    def begin(self) -> None:
        worth = lambda strays: len(strays.items) > 4  # noqa: E731
        self._ports = self.bounded(512, Strays, worth)
        self._hosts = self.bounded(512, Strays, worth)

    def on_packets(self, batch: Batch) -> None:
        first = batch.select("first_tcp")
        flags = batch.column("tcp_flags", first)
        stray = (flags == RST) | (flags == RST | ACK) | (flags == SYN | ACK)
        if not stray.any():
            return
        chosen = first[stray & (batch.column("payload_len", first) == 0)]
        # the flow table takes the receiver of a SYN-ACK for the originator; the packet says who sent it
        chosen = chosen[(batch.column("src_port", chosen) >= FIRST_OF_CLIENTS) & (batch.column("dst_port", chosen) > 0)]
        for index in self.ration("strays", batch, chosen, MOST_A_SECOND).tolist():
            self._take(batch, index, batch.row(index))

    def _take(self, batch: Batch, index: int, row: np.void) -> None:
        sender, receiver = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
        port, ts, flags = int(row["dst_port"]), int(row["ts"]), int(row["tcp_flags"])
        if networks.is_group(*receiver) or sender == receiver:
            return
        if port >= int(row["src_port"]):
            self._ports[sender, receiver].above += 1
            return
        net = receiver[1] >> 8 if networks.is_v4(*receiver) else receiver[0]
        for held, item in ((self._ports[sender, receiver], port), (self._hosts[sender, port], receiver)):
            if held.note(item, net, flags, not is_sought(port), ts) and len(held.evidence) < 10:
                held.evidence.extend(batch.evidence(index))
                held.flows.append(batch.flow_id(index))
        self._judge_ports(sender, receiver, self._ports[sender, receiver], ts)
        if is_sought(port) or port in WEB:
            self._judge_hosts(sender, port, self._hosts[sender, port], ts)

    def _judge_ports(self, sender: tuple[int, int], receiver: tuple[int, int], held: Strays, ts: int) -> None:
        count, limit = len(held.items), int(self.knob("ports"))
        chance = held.above >= self.knob("above_share") * count or count - held.odd < self.knob("service_share") * count
        if count < max(limit, 2 * held.told) or chance:
            return
        held.told = count
        source, target = networks.text(*sender), networks.text(*receiver)
        text = f"{source} sent {self._kinds(held)} to {count} ports of {target}, which had not called it, in {(ts - held.since) / SECOND:.1f} s; the limit is {limit} ports."
        self._tell("port_scan_stray", text, ts, source, target, (sender, receiver), count, limit, "ports", held)

    def _judge_hosts(self, sender: tuple[int, int], port: int, held: Strays, ts: int) -> None:
        count, limit = len(held.items), int(self.knob("hosts"))
        if count < max(limit, 2 * held.told) or count < self.knob("crowd") * len(held.nets):
            return
        held.told = count
        source, nets = networks.text(*sender), len(held.nets)
        target = f"{count} hosts in {nets} network{'s' if nets > 1 else ''}"
        text = f"{source} sent {self._kinds(held)} to port {port} of {count} hosts that had not called it in {(ts - held.since) / SECOND:.1f} s; the limit is {limit} hosts."
        self._tell("host_sweep_stray", text, ts, source, target, (sender, port), count, limit, "hosts", held)

    @staticmethod
    def _kinds(held: Strays) -> str:
        return ", ".join(sorted(NAMES[flags] for flags in held.flags))

    def _tell(
        self, rule: str, text: str, ts: int, source: str, target: str, fold: tuple[object, ...], count: int, limit: int, unit: str, held: Strays
    ) -> None:  # fmt: skip
        self.alert(
            rule,
            text,
            ts,
            source,
            target,
            confidence=min(0.9, 0.6 + 0.005 * count),
            fold=fold,
            measured=count,
            threshold=limit,
            unit=unit,
            protocol="tcp",
            flow_ids=[flow for flow in held.flows if flow],
            evidence=held.evidence,
            details={"tried": count, "flags": self._kinds(held)},
        )

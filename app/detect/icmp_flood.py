"""Floods of ICMP and ICMPv6, and their amplification by a whole network (smurf)."""

from __future__ import annotations

import numpy as np

from app.detect import networks
from app.detect.batch import ICMP, ICMPV6, Batch
from app.detect.detector import Detector
from app.detect.rates import Rate, Rates
from app.detect.rule import Knob, Rule
from app.model.alert import Severity
from app.model.layers import KIND_LATER_FRAGMENT

LARGE = 1000  # bytes of a frame on average
FORGED = 3  # packets of a group address in a second


class IcmpFlood(Detector):
    name = "icmp_flood"
    rules = (
        Rule(
            "icmp_flood",
            "ICMP flood: more pings or errors than anybody needs",
            "high",
            "A host gets many ICMP packets a second.",
            "A measurement with `ping -f` by the administrator.",
            "Limit ICMP at the router; inside, find the program on the source.",
            "T1498.001",
        ),
        Rule(
            "icmp_smurf",
            "Smurf flood: a whole network is made to answer one host",
            "high",
            "Echo requests to a broadcast or multicast address, or in the name of one: every host of the network answers, and the forged sender gets it all (smurf).",
            "A single ping to the broadcast address, to see who is there.",
            "Turn off answers to directed broadcasts at router and hosts (RFC 2644), and find the machine that sends them by its hardware address.",
            "T1498.002",
        ),
    )
    knobs = (
        Knob("packets", 200, "packets/s", "Monitoring pings a host a few times a second; errors are limited by their senders."),
        Knob("large", 100, "packets/s", "Of 1,000 bytes and more on average, fragments included: nobody monitors with such pings."),
        Knob("broadcast_pings", 20, "packets/s", "One ping asks all; twenty in a second are for the answers."),
        Knob("high", 1000, "packets/s", "From here the severity is high."),
    )  # fmt: skip
    selections = ("icmp", "fragments")

    def begin(self) -> None:
        self._targets = Rates("dst", int(min(self.knob("packets"), self.knob("broadcast_pings"))))
        self._forged = Rates("src", FORGED)
        self._told = self.bounded(1024, lambda: [0])

    def on_packets(self, batch: Batch) -> None:
        picked = batch.pick(batch.select("icmp"))
        self._targets.add(picked)
        fragments = batch.select("fragments")
        if len(fragments):
            protocol = batch.column("protocol", fragments)
            later = batch.column("kind", fragments) & KIND_LATER_FRAGMENT != 0
            self._targets.add(batch.pick(fragments[later & ((protocol == ICMP) | (protocol == ICMPV6))]))
        hi, lo = picked.rows["src_hi"], picked.rows["src_lo"]
        # multicast, or 255.255.255.255 and 224.0.0.0/4 behind the prefix of mapped addresses; one comparison each for most packets
        group = (hi >> np.uint64(56) == 0xFF) | ((hi == 0) & (lo & np.uint64(0xFFFFFFFF) >= np.uint64(0xE0000000)))
        if group.any():
            chosen = batch.select("icmp")[group]
            sources = zip(picked.rows["src_hi"][group].tolist(), picked.rows["src_lo"][group].tolist(), strict=True)
            self._forged.add(batch.pick(chosen[[networks.is_group(*one) for one in sources]]))

    def on_tick(self, now_ns: int) -> None:
        forged = [rate for rate in self._forged.take() if rate.packets >= FORGED]
        for rate in forged:
            self._smurf_in_the_name(rate)
        for rate in self._targets.take():
            group = networks.is_group(*rate.address) or networks.maybe_broadcast(*rate.address)
            large = rate.wire >= LARGE * rate.packets
            limit = int(self.knob("broadcast_pings" if group else "large" if large else "packets"))
            if rate.packets < limit or (group and networks.is_group(*rate.address) and rate.packets < 10 * limit):
                continue
            if group and forged:  # told already, by who is said to send
                continue
            told = self._told[rate.address]
            if rate.packets < 2 * told[0]:
                continue
            told[0] = rate.packets
            self._tell(rate, limit, group)

    def _smurf_in_the_name(self, rate: Rate) -> None:
        source = networks.text(*rate.address)
        self.alert(
            "icmp_smurf",
            f"{rate.packets} ICMP packets in one second came from {source}, a group address that cannot send; the limit is {FORGED}.",
            rate.last,
            source,
            None,
            confidence=0.95,
            fold=("forged", rate.address),
            measured=rate.packets,
            threshold=FORGED,
            unit="packets/s",
            protocol="icmp",
            evidence=rate.evidence,
            flow_ids=rate.flows,
        )

    def _tell(self, rate: Rate, limit: int, group: bool) -> None:
        address = networks.text(*rate.address)
        severity: Severity = "high" if rate.packets >= self.knob("high") or group else "medium"
        others = f"{'about ' if rate.others > 1 else ''}{rate.others} source"
        self.alert(
            "icmp_smurf" if group else "icmp_flood",
            f"{address} got {rate.packets} ICMP packets in one second ({others}{'s' if rate.others != 1 else ''}); the limit is {limit}.",
            rate.last,
            None,
            address,
            severity=severity,
            confidence=0.9 if severity == "high" else 0.75,
            fold=(rate.address,),
            measured=rate.packets,
            threshold=limit,
            unit="packets/s",
            protocol="icmp" if networks.is_v4(*rate.address) else "icmpv6",
            evidence=rate.evidence,
            flow_ids=rate.flows,
            details={"payload_bytes": rate.payload},
        )

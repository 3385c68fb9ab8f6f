"""One host asks by ARP for many addresses of its network: who is there?

ARP is asked for one address before something is sent to it, so the number of different addresses that a host asks for, and that do not answer, is the
number of neighbours it guessed. Gateways and servers ask for many too, but for addresses that exist.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from app.detect import networks
from app.detect.batch import Batch, mac_text
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.stats.bounded import BoundedMap

SECOND: Final = 1_000_000_000
KEPT_REQUESTS: Final = 1024  # of one host within the window
MOST_A_SECOND: Final = 2000  # ARP packets
MAX_SOURCES: Final = 2048


class Asker:
    """The addresses that one host asked for and has not heard from."""

    __slots__ = ("asked", "told")

    def __init__(self) -> None:
        self.asked: dict[int, tuple[int, Evidence]] = {}  # address → when last, the packet
        self.told = 0


class ArpSweep(Detector):
    name = "arp_sweep"
    rules = (
        Rule(
            "host_sweep_arp",
            "ARP sweep: a host looks for neighbours",
            "medium",
            "One host asked by ARP for many addresses of its own network within a short time, and most of them do not exist. That is how scanners and worms find neighbours.",
            "Network scanners of the administrator, some printers' and cameras' set-up programs, monitoring systems; a router when it is scanned from outside.",
            "Find out which program on that host does it. If nobody runs a scanner there, treat the host as taken over: isolate it and look at what it did after the sweep.",
            "T1018",
        ),
    )
    knobs = (
        Knob(
            "addresses",
            25,
            "addresses",
            "A host of a home or office talks to some ten neighbours; 25 that do not answer within the window are guesses.",
        ),
        Knob("window_s", 60, "s", "A sweep of a /24 takes seconds."),
        Knob(
            "slow_addresses",
            60,
            "addresses",
            "Asked for without an answer within the long window: a fourth of a network.",
        ),
        Knob(
            "slow_window_s",
            600,
            "s",
            "Patient scanners ask every few seconds; what a switched-off neighbour is asked for counts once.",
        ),
    )
    selections = ("arp",)

    def begin(self) -> None:
        self._limit = int(self.knob("addresses"))
        self._window = int(self.knob("window_s")) * SECOND
        self._slow_limit = int(self.knob("slow_addresses"))
        self._slow_window = int(self.knob("slow_window_s")) * SECOND
        self._askers: BoundedMap[int | bytes, Asker] = self.bounded(
            MAX_SOURCES, Asker, lambda asker: len(asker.asked) > 3
        )
        self._fresh: deque[int | bytes] = deque(maxlen=MAX_SOURCES)

    def on_packets(self, batch: Batch) -> None:
        chosen = self.ration("arp", batch, batch.select("arp"), MOST_A_SECOND)
        senders = (batch.column("src_lo", chosen) & np.uint64(0xFFFFFFFF)).tolist()
        targets = (batch.column("dst_lo", chosen) & np.uint64(0xFFFFFFFF)).tolist()
        stamps = batch.column("ts", chosen).tolist()
        for index, sender, target, ts in zip(chosen.tolist(), senders, targets, stamps, strict=True):
            packet = batch.arp(index)
            if len(packet) < 28 or sender == target:
                continue
            operation = packet[7]
            if operation == 2:
                asker = self._askers.get(target or packet[18:24])
                if asker is not None:
                    asker.asked.pop(sender, None)
            elif operation == 1 and target:
                who = sender or packet[8:14]  # a probe without an address of its own (RFC 5227)
                asker = self._askers[who]
                if len(asker.asked) < KEPT_REQUESTS:
                    asker.asked[target] = (ts, batch.evidence(index)[0])
                if len(asker.asked) >= self._limit:
                    self._fresh.append(who)

    def on_tick(self, now_ns: int) -> None:
        while self._fresh:
            sender = self._fresh.popleft()
            asker = self._askers.get(sender)
            if asker is None:
                continue
            long = asker.asked = {to: seen for to, seen in asker.asked.items() if now_ns - seen[0] <= self._slow_window}
            quick = {to: seen for to, seen in long.items() if now_ns - seen[0] <= self._window}
            if len(quick) >= max(self._limit, 1.5 * asker.told):
                asker.told = len(quick)
                self._tell(sender, quick, self._limit, self._window)
            elif len(long) >= max(self._slow_limit, 1.5 * asker.told):
                asker.told = len(long)
                self._tell(sender, long, self._slow_limit, self._slow_window)

    def _tell(self, sender: int | bytes, asked: dict[int, tuple[int, Evidence]], limit: int, window_ns: int) -> None:
        count = len(asked)
        source = mac_text(sender) if isinstance(sender, bytes) else networks.text(*networks.v4(sender))
        low, high = min(asked), max(asked)
        span = f"{networks.text(*networks.v4(low))} to {networks.text(*networks.v4(high))}"
        self.alert(
            "host_sweep_arp",
            f"{source} asked by ARP for {count} addresses from {span} that did not answer within {window_ns // SECOND} s; the limit is {limit}.",
            min(seen[0] for seen in asked.values()),
            source,
            span,
            confidence=0.9,
            severity="medium",
            fold=(source,),
            measured=count,
            threshold=limit,
            unit="addresses",
            protocol="arp",
            evidence=[seen[1] for seen in list(asked.values())[:20]],
        )

"""Floods of fragments that never become a datagram: a receiver keeps each until it gives up, and filters see no ports in them."""

from __future__ import annotations

from app.detect import networks
from app.detect.batch import Batch
from app.detect.detector import Detector
from app.detect.rates import Rate, Rates
from app.detect.rule import Knob, Rule


class FragmentFlood(Detector):
    name = "fragment_flood"
    rules = (
        Rule(
            "fragment_flood",
            "Fragment flood: pieces of datagrams that nobody can put together",
            "high",
            "A host gets many later fragments a second whose first one never came, or many that are much smaller than any link cuts: its memory for fragments fills up, so that real ones are lost.",
            "A link that loses many packets, or a capture that lost them; a load balancer that sends first and later fragments different ways.",
            "Drop fragments that belong to nothing at the border, and ask the provider to filter. Sources are mostly forged.",
            "T1499.001",
        ),
    )
    knobs = (
        Knob("fragments", 200, "fragments/s", "Without a first one to the same host: a lossy link leaves some tens of a file system's datagrams."),
        Knob("share", 0.5, "of the fragments", "To the host that belong to nothing: whoever uses fragments in earnest sends their beginning too."),
        Knob("crumbs", 500, "fragments/s", "Of less than `crumb` bytes on average: no link cuts so small."),
        Knob("crumb", 120, "bytes", "Of a whole frame; links carry 576 bytes and more, so all fragments but the last are long."),
        Knob("high", 1000, "fragments/s", "From here the severity is high."),
    )  # fmt: skip
    selections = ("fragments",)

    def begin(self) -> None:
        least = int(self.knob("fragments"))
        self._all, self._lost = Rates("dst", least), Rates("dst", least)
        self._told = self.bounded(1024, lambda: [0])

    def on_packets(self, batch: Batch) -> None:
        fragments = batch.select("fragments")
        self._all.add(batch.pick(fragments))
        self._lost.add(batch.pick(fragments[batch.column("flow", fragments) < 0]))

    def on_tick(self, now_ns: int) -> None:
        every = {rate.address: rate for rate in self._all.take()}
        for rate in every.values():
            if rate.packets >= self.knob("crumbs") and rate.wire < self.knob("crumb") * rate.packets:
                self._tell(rate, f"fragments of {rate.wire / rate.packets:.0f} bytes on average", self.knob("crumbs"))
        for rate in self._lost.take():
            beside = every.get(rate.address)
            if rate.packets >= max(self.knob("fragments"), self.knob("share") * (beside.packets if beside else 0)):
                self._tell(rate, "fragments without a beginning", self.knob("fragments"))

    def _tell(self, rate: Rate, what: str, limit: float) -> None:
        told = self._told[rate.address]
        if rate.packets < 2 * told[0] or networks.is_group(*rate.address):
            return
        told[0] = rate.packets
        target = networks.text(*rate.address)
        others = f"about {rate.others} sources" if rate.others > 1 else "one source"
        self.alert(
            "fragment_flood",
            f"{target} got {rate.packets} {what} in one second from {others}; the limit is {limit:.0f}.",
            rate.last,
            None,
            target,
            severity="high" if rate.packets >= self.knob("high") else "medium",
            confidence=0.8,
            fold=(rate.address,),
            measured=rate.packets,
            threshold=limit,
            unit="fragments/s",
            protocol="ip",
            evidence=rate.evidence,
            details={"sources": rate.others, "bytes_of_payload": rate.payload},
        )

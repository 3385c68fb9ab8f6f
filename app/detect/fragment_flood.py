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
            "A host gets many later fragments a second whose first one never came: its memory for fragments fills up, so that real ones are lost.",
            "A link that loses many packets, or a capture that lost them; a load balancer that sends first and later fragments different ways.",
            "Drop fragments that belong to nothing at the border, and ask the provider to filter. Sources are mostly forged.",
            "T1499.001",
        ),
    )
    knobs = (
        Knob("fragments", 200, "fragments/s", "Without a first one to the same host: a lossy link leaves some tens of a file system's datagrams."),
        Knob("share", 0.5, "of the fragments", "To the host that belong to nothing: whoever uses fragments in earnest sends their beginning too."),
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
        every = {rate.address: rate.packets for rate in self._all.take()}
        for rate in self._lost.take():
            told = self._told[rate.address]
            if rate.packets < max(self.knob("fragments"), 2 * told[0]) or networks.is_group(*rate.address):
                continue
            if rate.packets >= self.knob("share") * every.get(rate.address, rate.packets):
                told[0] = rate.packets
                self._tell(rate)

    def _tell(self, rate: Rate) -> None:
        target = networks.text(*rate.address)
        others = f"about {rate.others} sources" if rate.others > 1 else "one source"
        self.alert(
            "fragment_flood",
            f"{target} got {rate.packets} fragments without a beginning in one second from {others}; the limit is {self.knob('fragments'):.0f}.",
            rate.last,
            None,
            target,
            severity="high" if rate.packets >= self.knob("high") else "medium",
            confidence=0.8,
            fold=(rate.address,),
            measured=rate.packets,
            threshold=self.knob("fragments"),
            unit="fragments/s",
            protocol="ip",
            evidence=rate.evidence,
            details={"sources": rate.others, "bytes_of_payload": rate.payload},
        )

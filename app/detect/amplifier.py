"""An own service that is used to amplify: it answers one address with many times what was asked in that address's name.

The other side of `app.detect.unsolicited`: here the questions are seen. Whoever asks in earnest asks now and then; a forger asks hundreds of times a second, in small
questions with large answers.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.detect import networks
from app.detect.batch import Batch
from app.detect.detector import Detector
from app.detect.flow_lookup import exchanged
from app.detect.rule import Knob, Rule
from app.detect.unsolicited import AMPLIFIERS
from app.model.alert import Evidence

SECOND: Final = 1_000_000_000
# Where much comes back in earnest: tunnels, calls, games, file transfers, and polling by SNMP (public addresses alone)
EARNEST: Final = frozenset({69, 500, 520, 1194, 3389, 3478, 4500, 5060, 20800, 27015, 27960, 32414, 33848, 37810})
PORTS: Final = np.array(sorted(set(AMPLIFIERS) - EARNEST), np.uint16)
POLLED: Final = frozenset({161, 137, 5353})
MOST_A_SECOND: Final = 4096
MOST_LOOK_UPS: Final = 8  # in the flow table within one second


class Answers:
    """Large answers of one service to one address in the current second."""

    __slots__ = ("evidence", "flows", "packets", "second", "told")

    def __init__(self) -> None:
        self.second = self.packets = self.told = 0
        self.evidence: list[Evidence] = []
        self.flows: list[int] = []


class Amplifier(Detector):
    name = "amplifier"
    rules = (
        Rule(
            "amplification_relay",
            "Amplification: a service answers one address with many times what it was asked",
            "high",
            "A service sends one address hundreds of large answers to small questions: somebody asks in that address's name, and the service takes part in a flood of it.",
            "A measurement of the service; a program that reads a whole table of a device by SNMP.",
            "Let the service answer its own users alone, switch off what amplifies (monlist, ANY, UDP of memcached), and limit the rate of answers.",
            "T1498.002",
        ),
    )
    knobs = (
        Knob("answers", 50, "answers/s", "To one address: clients ask a service a few times a second."),
        Knob("size", 150, "bytes", "Of an answer that counts; floods are made of the largest that there are."),
        Knob("dns_size", 500, "bytes", "The same for DNS, whose ordinary answers lie below 300."),
        Knob("factor", 5, "times", "Bytes of the answers by those of the questions; amplifiers have 10 to 50,000."),
    )  # fmt: skip
    selections = ("udp",)

    def begin(self) -> None:
        self._answers = self.bounded(1024, Answers)
        self._second = self._look_ups = 0

    def on_packets(self, batch: Batch) -> None:
        udp = batch.select("udp")
        ports, sizes = batch.column("src_port", udp), batch.column("payload_len", udp)
        place = np.minimum(np.searchsorted(PORTS, ports), len(PORTS) - 1)
        least = np.where(ports == 53, int(self.knob("dns_size")), int(self.knob("size")))
        large = (PORTS[place] == ports) & (sizes >= least)
        if not large.any():
            return
        for index in self.ration("answers", batch, udp[large], MOST_A_SECOND).tolist():
            row = batch.row(index)
            service, client = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
            if networks.is_group(*client):
                continue
            port, ts = int(row["src_port"]), int(row["ts"])
            held = self._answers[service, port, client]
            if ts // SECOND != held.second:
                held.second, held.packets = ts // SECOND, 0
            held.packets += 1
            if len(held.evidence) < 10:
                held.evidence.extend(batch.evidence(index))
                held.flows.append(batch.flow_id(index))
            if held.packets >= max(self.knob("answers"), 2 * held.told):
                self._judge(service, port, client, held, ts)

    def _judge(self, service: tuple[int, int], port: int, client: tuple[int, int], held: Answers, ts: int) -> None:
        if ts // SECOND != self._second:
            self._second, self._look_ups = ts // SECOND, 0
        self._look_ups += 1
        if self._look_ups > MOST_LOOK_UPS or (port in POLLED and networks.is_private(*client)):
            return
        said = exchanged(self.context.table, client, service, port, 17, ts - 10 * SECOND)
        held.told = held.packets
        factor = said.answered / said.asked if said.asked else 0.0
        if factor < self.knob("factor"):
            return
        name, one, other = AMPLIFIERS[port], networks.text(*service), networks.text(*client)
        self.alert(
            "amplification_relay",
            f"{one} sent {other} {held.packets} large {name} answers within a second, {factor:.0f} times as many bytes as it was asked with; "
            f"the limits are {self.knob('answers'):.0f} answers and {self.knob('factor'):.0f} times.",
            ts,
            one,
            other,
            severity="high" if factor >= 2 * self.knob("factor") else "medium",
            confidence=0.75,
            fold=(service, port, client),
            measured=held.packets,
            threshold=self.knob("answers"),
            unit="answers/s",
            protocol="udp",
            flow_ids=[flow for flow in dict.fromkeys(held.flows) if flow],
            evidence=held.evidence,
            details={"service": name, "port": port, "factor": round(factor, 1), "flows": said.flows},
        )

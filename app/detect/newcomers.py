"""Devices and services that were not there before, and floods of made-up hardware addresses.

What is seen while the watch is young is what is usual; only after that is a newcomer told.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.batch import Batch, mac_text
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.stats.bounded import BoundedMap
from app.stats.distinct import DistinctCounter

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 10 * SECOND
SAMPLE_NS: Final = 50_000_000  # between two looks at hardware addresses
SAMPLED: Final = 32  # packets whose source hardware addresses are read in that time …
MOST_SAMPLES: Final = 20  # … which a batch may hold several times
MOST_A_TICK: Final = 500


class Newcomers(Detector):
    name = "newcomers"
    rules = (
        Rule(
            "new_device",
            "New device in the network",
            "low",
            "A hardware address that was not seen before speaks in the own network.",
            "Guests; phones that make up a new address for each network (the second digit is then 2, 6, a or e).",
            "See whether you know it.",
            "T1200",
        ),
        Rule(
            "new_service",
            "New service: a host answers at a port that it did not before",
            "low",
            "A host of the own network answers connections at a port at which it did not before.",
            "New programs; services that are used seldom.",
            "See which program listens there, and whether others than you mean can reach it.",
            "T1543",
        ),
        Rule(
            "mac_flood",
            "MAC flood: made-up hardware addresses without end",
            "high",
            "Hundreds of hardware addresses appear within seconds: the switch's table overflows, and it sends everything everywhere (denial of service, wiretapping).",
            "None in a network of ordinary size.",
            "Limit hardware addresses per switch port (port security) and find the port.",
            "T1499",
        ),
    )
    knobs = (
        Knob("learning_min", 30, "min", "Devices of a home or office speak at least every few minutes; after half an hour nearly all have been heard."),
        Knob("macs", 500, "addresses", "New ones within ten seconds."),
    )  # fmt: skip
    selections = ("arp", "icmpv6", "all")
    wants_flows = True

    def begin(self) -> None:
        self._sampled = 0
        self._learning = int(self.knob("learning_min")) * 60 * SECOND
        # what came back is known; a flood of made-up ones does not push it out
        self._devices: BoundedMap[bytes, list[int]] = self.bounded(8192, lambda: [0], lambda seen: seen[0] > 1)
        self._services: BoundedMap[Any, bool] = self.bounded(16_384)
        self._macs = DistinctCounter(1024)
        self._since = self._told = 0
        self._evidence: list[Evidence] = []

    def on_packets(self, batch: Batch) -> None:
        for index in self.ration("arp", batch, batch.select("arp"), 500).tolist():
            packet = batch.arp(index)
            if len(packet) >= 28 and not packet[8] & 1 and any(packet[14:18]):
                self._device(batch, index, packet[8:14], networks.v4(int.from_bytes(packet[14:18], "big")))
        neighbours = batch.select("icmpv6")
        kinds = batch.column("src_port", neighbours)
        neighbours = neighbours[(kinds >= 133) & (kinds <= 136)]  # neighbour discovery (RFC 4861)
        for index in self.ration("nd", batch, neighbours, 500).tolist():
            macs, row = batch.macs(index), batch.row(index)
            own = (int(row["src_hi"]), int(row["src_lo"]))
            if macs is not None and not macs[0][0] & 1 and any(own):
                self._device(batch, index, macs[0], own)
        if batch.now_ns - self._sampled >= SAMPLE_NS or batch.now_ns < self._sampled:
            self._sampled = batch.now_ns
            self._count(batch)

    def _device(self, batch: Batch, index: int, mac: bytes, address: tuple[int, int]) -> None:
        seen = self._devices[mac]
        seen[0] += 1
        if seen[0] > 1 or self.context.running_ns < self._learning or self._told:
            return
        source = networks.text(*address)
        minutes = self.context.running_ns / SECOND / 60
        self.alert(
            "new_device",
            f"{mac_text(mac)} ({source}) was seen for the first time after {minutes:.0f} min of watching; the limit is {self.knob('learning_min'):g} min.",
            int(batch.row(index)["ts"]),
            source,
            None,
            confidence=0.7,
            fold=(mac,),
            measured=round(minutes, 1),
            threshold=self.knob("learning_min"),
            unit="min",
            evidence=batch.evidence(index),
            details={"hardware_address": mac_text(mac), "made_up": bool(mac[0] & 2)},
        )

    def _count(self, batch: Batch) -> None:
        span = int(batch.packets["ts"][-1]) - int(batch.packets["ts"][0])
        step = max(
            len(batch) // (SAMPLED * max(1, min(span // SAMPLE_NS, MOST_SAMPLES))), 1
        )  # a file comes in large batches
        if not self._since or batch.now_ns - self._since > WINDOW_NS:
            self._since, self._macs, self._told, self._evidence = batch.now_ns, DistinctCounter(1024), 0, []
        indices = np.arange(batch.begin, batch.end, step)
        data = batch.data
        usable = (batch.column("link_type", indices) == 1) & (batch.column("cap_len", indices) >= 14)
        chosen = indices[usable]
        if not len(chosen):
            return
        starts = batch.column("offset", chosen).astype(np.int64) + 6
        heads = data[starts[:, None] + np.arange(6)]
        for index, mac in zip(chosen.tolist(), map(bytes, heads), strict=True):
            self._macs.add(mac)
            if len(self._evidence) < 20:
                self._evidence.extend(batch.evidence(index))

    def on_tick(self, now_ns: int) -> None:
        count, limit = len(self._macs), int(self.knob("macs"))
        if count < max(limit, 2 * self._told):
            return
        self._told = count
        self.alert(
            "mac_flood",
            f"At least {count} hardware addresses were seen within {WINDOW_NS // SECOND} s; the limit is {limit}.",
            now_ns,
            None,
            None,
            confidence=0.9,
            fold=("mac_flood",),
            measured=count,
            threshold=limit,
            unit="addresses",
            evidence=self._evidence,
        )

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        for rows in (changed, ended):
            if not len(rows):
                continue
            answered = (rows["dst_payload"] > 0) & (rows["src_payload"] > 0) & (rows["dst_port"] < 32_768)
            answered &= (rows["kind"] & 1 == 1) & (rows["protocol"] == 6)
            answered &= networks.private_rows(rows["dst_hi"], rows["dst_lo"])
            chosen = rows[np.flatnonzero(answered)[:MOST_A_TICK]]
            for hi, lo, port, end, flow_id in zip(
                *(chosen[name].tolist() for name in ("dst_hi", "dst_lo", "dst_port", "end", "flow_id")), strict=True
            ):
                self._service((hi, lo), port, end, flow_id)

    def _service(self, address: tuple[int, int], port: int, ts: int, flow_id: int) -> None:
        key = (address, port)
        if key in self._services:
            return
        self._services[key] = True
        if self.context.running_ns < 2 * self._learning or networks.is_loopback(*address):
            return
        host, minutes = networks.text(*address), self.context.running_ns / SECOND / 60
        self.alert(
            "new_service",
            f"{host} answered at TCP port {port} for the first time after {minutes:.0f} min of watching; the limit is {2 * self.knob('learning_min'):g} min.",
            ts,
            None,
            host,
            confidence=0.5,
            fold=key,
            measured=round(minutes, 1),
            threshold=2 * self.knob("learning_min"),
            unit="min",
            protocol="tcp",
            flow_ids=(flow_id,),
            details={"port": port},
        )

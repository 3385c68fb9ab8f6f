"""Packets that only tools send: fingerprinting of operating systems by odd flags, and scans through IP protocol numbers.

nmap's `-O` sends a TCP packet without flags, one with SYN, FIN, PSH and URG, one with FIN, PSH and URG, and 300 times "C" by UDP to a closed port, all to a
few ports of one host (nmap.org/book/osdetect-methods.html). `-sO` tries the protocol numbers of IP.
"""

from __future__ import annotations

from typing import Any, Final

from app.detect import networks
from app.detect.batch import FIN, PSH, RST, SYN, URG, Batch
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.model.layers import protocol_name

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 120 * SECOND
MOST_A_SECOND: Final = 1000  # packets of each kind that are looked at
NMAP_UDP: Final = b"C" * 64
# Flags without ECE and CWR → what a fingerprinter calls it
ODD: Final[dict[int, str]] = {
    0: "no flags",
    FIN | SYN | PSH | URG: "SYN+FIN+PSH+URG",
    FIN | PSH | URG: "FIN+PSH+URG",
    SYN | FIN: "SYN+FIN",
    SYN | RST: "SYN+RST",
    URG: "URG",
}


class Probed:
    """What one host sent to another."""

    __slots__ = ("evidence", "flows", "kinds", "ports", "since", "told")

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, ts: int) -> None:
        self.since = ts
        self.kinds: set[Any] = set()
        self.ports: set[int] = set()
        self.evidence: list[Evidence] = []
        self.flows: list[int] = []
        self.told = 0

    def note(self, kind: Any, port: int, ts: int, batch: Batch, index: int) -> None:
        if not self.since or ts - self.since > WINDOW_NS:
            self.begin(ts)
        self.kinds.add(kind)
        if len(self.ports) < 64:
            self.ports.add(port)
        if len(self.evidence) < 20:
            self.evidence.extend(batch.evidence(index))
            if batch.flow_id(index):
                self.flows.append(batch.flow_id(index))


class OddProbes(Detector):
    name = "odd_probes"
    rules = (
        Rule(
            "os_fingerprint",
            "OS fingerprint scan: a tool finds out what a host runs",
            "medium",
            "One host sent another packets with several different combinations of flags that no connection uses: how a stack answers tells which operating system it is.",
            "Vulnerability scanners and inventory of the administrator.",
            "Find the program on the source. It mostly follows a port scan and comes before an attack.",
            "T1082",
        ),
        Rule(
            "ip_protocol_scan",
            "IP protocol scan: many protocol numbers of one host are tried",
            "medium",
            "One host sent another packets of many different IP protocols, most of them in no use: it looks for those that answer.",
            "Nothing ordinary uses more than two or three between the same hosts.",
            "Find the program on the source.",
            "T1046",
        ),
    )
    knobs = (
        Knob("kinds", 2, "combinations", "One odd combination is a defect device; two different ones to the same host are a tool."),
        Knob("protocols", 5, "protocols", "Routers use up to four (OSPF, PIM, IGMP, ESP)."),
    )  # fmt: skip
    selections = ("tcp_odd", "other_ip", "first_udp")

    def begin(self) -> None:
        self._odd = self.bounded(1024, Probed, lambda probed: len(probed.kinds) > 1)
        self._protocols = self.bounded(1024, Probed, lambda probed: len(probed.kinds) > 2)

    def on_packets(self, batch: Batch) -> None:
        for index in self.ration("odd", batch, batch.select("tcp_odd"), MOST_A_SECOND).tolist():
            row = batch.row(index)
            kind = ODD.get(int(row["tcp_flags"]) & 0x3F)
            if kind is not None:
                self._probe(row, kind, batch, index)
        udp = batch.select("first_udp")
        if len(udp):
            udp = udp[batch.column("payload_len", udp) == 300]
            for index in self.ration("udp", batch, udp, MOST_A_SECOND).tolist():
                if batch.payload(index, 64) == NMAP_UDP:
                    self._probe(batch.row(index), "300 times C by UDP", batch, index)
        for index in self.ration("ip", batch, batch.select("other_ip"), MOST_A_SECOND).tolist():
            row = batch.row(index)
            if not int(row["depth"]):
                self._protocol(row, batch, index)

    def _probe(self, row: Any, kind: str, batch: Batch, index: int) -> None:
        source, target = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
        probed = self._odd[(source, target)]
        probed.note(kind, int(row["dst_port"]), int(row["ts"]), batch, index)
        limit = int(self.knob("kinds"))
        sure = "300 times C by UDP" in probed.kinds
        # through many ports it is a port scan, told as one; the fingerprint takes a few
        if len(probed.kinds) < limit or len(probed.kinds) <= probed.told or (len(probed.ports) > 8 and not sure):
            return
        probed.told = len(probed.kinds)
        names = ", ".join(sorted(probed.kinds))
        one, two = networks.text(*source), networks.text(*target)
        self.alert(
            "os_fingerprint",
            f"{one} sent {two} packets of {len(probed.kinds)} kinds that no connection uses ({names}) within {WINDOW_NS // SECOND} s; the limit is {limit}.",
            int(row["ts"]),
            one,
            two,
            confidence=0.95 if sure else 0.75,
            measured=len(probed.kinds),
            threshold=limit,
            unit="combinations",
            protocol="tcp",
            flow_ids=probed.flows,
            evidence=probed.evidence,
            details={"kinds": sorted(probed.kinds), "ports": sorted(probed.ports)},
        )

    def _protocol(self, row: Any, batch: Batch, index: int) -> None:
        source, target = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
        if networks.is_group(*target):
            return
        probed = self._protocols[(source, target)]
        probed.note(int(row["protocol"]), 0, int(row["ts"]), batch, index)
        limit = int(self.knob("protocols"))
        if len(probed.kinds) < max(limit, 2 * probed.told):
            return
        probed.told = len(probed.kinds)
        one, two = networks.text(*source), networks.text(*target)
        self.alert(
            "ip_protocol_scan",
            f"{one} tried {len(probed.kinds)} IP protocols of {two} within {WINDOW_NS // SECOND} s; the limit is {limit}.",
            int(row["ts"]),
            one,
            two,
            confidence=0.9,
            measured=len(probed.kinds),
            threshold=limit,
            unit="protocols",
            protocol="ip",
            flow_ids=probed.flows,
            evidence=probed.evidence,
            details={"protocols": [protocol_name(number) for number in sorted(probed.kinds)][:30]},
        )

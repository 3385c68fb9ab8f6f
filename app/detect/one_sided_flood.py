"""Floods of packets that belong to no connection: TCP segments without a SYN before them, and a single stream of datagrams that nobody answers.

Floods of SYNs and of new flows are told by `app.detect.flood`. Here the flow table is asked: where many flows of one or two segments without a SYN go to one host, or one flow
carries some hundred packets a second one way and more. Of such a flow some packets are looked at (`app.detect.stream_samples`): a measurement of throughput, a call or a capture that shows
one direction alone has numbers and heads that go on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.batch import Batch
from app.detect.detector import Detector
from app.detect.flow_lookup import HARDLY, of_row
from app.detect.rule import Knob, Rule
from app.detect.service_names import COLLECTORS
from app.detect.stream_watch import LONG_NS, StreamWatch
from app.wire.row_copies import chosen, joined

SECOND: Final = 1_000_000_000
RECENT_NS: Final = 2 * SECOND
SYN, RST, ACK = 2, 4, 16
SCANNING_PORTS: Final = 4  # source ports of a scanner of segments
MOST_HOSTS: Final = 16  # told in one second
MOST_FLOWS: Final = 64
SHORTEST_S: Final = 0.01  # of a stream whose pace is told: a file of its packets may be as short


class OneSidedFlood(Detector):
    name = "one_sided_flood"
    rules = (
        Rule(
            "tcp_flood",
            "TCP flood (denial of service): segments of connections that nobody opened",
            "high",
            "A host gets many TCP segments a second (ACK, FIN, RST, data) that belong to no connection, and answers none: they use up firewalls and lines.",
            "A firewall that has lost its table; a capture that began in the middle of much traffic.",
            "Drop what belongs to no connection at the border. Sources are mostly forged, so blocking them does not help.",
            "T1499.001",
        ),
        Rule(
            "datagram_flood",
            "UDP flood (denial of service): one stream that nobody answers",
            "medium",
            "One sender sends another thousands of datagrams a second within one flow and gets no answer; or hundreds that mean nothing, or that nobody is there to take.",
            "Measurements of throughput, film and sound between studios, collectors of flow records with very many senders; a program that goes on sending to a service that is down.",
            "See whether the target wants the stream; else ask the provider to filter the source.",
            "T1498.001",
        ),
    )
    knobs = (
        Knob("segments", 300, "flows", "Of one or two segments without a SYN to one host within two seconds."),
        Knob("one_flow", 300, "segments/s", "Within one flow that nobody opened, unanswered or reset, whose numbers do not go on; those of a transfer do."),
        Knob("resets", 300, "segments/s", "Within one flow of nothing but resets or FINs: a connection ends once."),
        Knob("datagrams", 5000, "datagrams/s", "Film for one viewer has 500 to 2000."),
        Knob("filler", 300, "datagrams/s", "Within one flow, unanswered, of one content or without any head: media and measurements count in theirs."),
        Knob("refused", 100, "datagrams/s", "Within one flow, of which the target says by ICMP that nobody takes them: programs give up, and players have heads of media."),
        Knob("single", 1000, "flows", "Of one or two datagrams from ports below the target's, unanswered, to one host within two seconds."),
        Knob("high", 20_000, "packets/s", "From here the severity of a stream is high."),
    )  # fmt: skip
    selections = ("all",)
    wants_flows = True

    def begin(self) -> None:
        self._told = self.bounded(2048, int)
        self._watch = StreamWatch(self.bounded(1024, int))

    def on_packets(self, batch: Batch) -> None:
        self._watch.look(batch, self.context.table)

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        recent = self.context.now_ns - RECENT_NS
        parts = [chosen(part, (part["end"] >= recent) & (part["kind"] & 2 == 0)) for part in (changed, ended)]
        self._segments([chosen(part, part["protocol"] == 6) for part in parts])
        rows = joined([chosen(part, _unanswered(part)) for part in parts])
        single = rows[(rows["protocol"] == 17) & (rows["src_packets"] <= 2) & (rows["src_port"] < rows["dst_port"])]
        if len(single) >= self.knob("single"):
            self._single(single)
        busy = rows[rows["src_packets"] >= self.knob("resets")]
        rates = busy["src_packets"] / np.maximum(busy["end"] - busy["start"], SECOND)
        busy = busy[np.argsort(rates)[::-1][:MOST_FLOWS]]
        for row in busy:
            self._stream(row)
        self._watch.keep(set(busy["flow_id"].tolist()), self.context.now_ns)

    def _segments(self, parts: list[NDArray[np.void]]) -> None:
        """Flows without a SYN of which no more came, unanswered or reset; SYN-ACKs to who did not call, whose receiver the flow table takes for the originator."""
        strays = []
        for rows in parts:
            reset = (rows["dst_flags"] & RST != 0) & (rows["dst_flags"] & ~np.uint8(RST | ACK) == 0)
            refused = (rows["dst_packets"] == 0) | (reset & (rows["dst_packets"] <= 2) & (rows["dst_payload"] == 0))
            strays.append(chosen(rows, (rows["src_flags"] & SYN == 0) & (rows["src_packets"] - 1 < 2) & refused))
            reset = (rows["src_flags"] & ~np.uint8(RST | ACK) == 0) & (rows["src_packets"] <= 2)
            unasked = chosen(rows, reset & (rows["dst_packets"] <= 2) & (rows["dst_flags"] == SYN | ACK))
            for hi_or_lo in ("hi", "lo"):
                unasked[f"src_{hi_or_lo}"], unasked[f"dst_{hi_or_lo}"] = (
                    unasked[f"dst_{hi_or_lo}"],
                    unasked[f"src_{hi_or_lo}"].copy(),
                )
            unasked["src_port"], unasked["dst_port"] = unasked["dst_port"], unasked["src_port"].copy()
            strays.append(unasked)
        together = joined(strays)
        if len(together) >= self.knob("segments"):
            self._strays(together)

    def _strays(self, rows: NDArray[np.void]) -> None:
        limit = int(self.knob("segments"))
        hosts, counts = np.unique(rows[["dst_hi", "dst_lo"]], return_counts=True)
        for place in np.argsort(counts)[::-1][:MOST_HOSTS].tolist():
            target, count = (int(hosts[place]["dst_hi"]), int(hosts[place]["dst_lo"])), int(counts[place])
            if count < max(limit, 2 * self._told[target]) or networks.is_group(*target):
                continue
            self._told[target] = count
            mine = rows[(rows["dst_hi"] == target[0]) & (rows["dst_lo"] == target[1])]
            sources = len(np.unique(mine[["src_hi", "src_lo"]]))
            ports = len(np.unique(mine["dst_port"]))
            if sources == 1 and ports > 0.5 * count and len(np.unique(mine["src_port"])) <= SCANNING_PORTS:
                continue  # each port once, from the same one: a scan, which is told as that
            name = networks.text(*target)
            self.alert(
                "tcp_flood",
                f"{name} got segments of {count} TCP connections that nobody opened within {RECENT_NS // SECOND} s from {sources} "
                f"source{'s' if sources > 1 else ''} and answered none; the limit is {limit}.",
                int(mine["end"].max()),
                networks.text(int(mine["src_hi"][0]), int(mine["src_lo"][0])) if sources == 1 else None,
                name,
                confidence=0.8,
                fold=(target,),
                measured=count,
                threshold=limit,
                unit="flows",
                protocol="tcp",
                flow_ids=mine["flow_id"][:20].tolist(),
                details={"sources": sources},
            )

    def _single(self, rows: NDArray[np.void]) -> None:
        """Datagrams from ever new ports below their target's, which the tables of attempts take for answers."""
        limit = int(self.knob("single"))
        hosts, counts = np.unique(rows[["dst_hi", "dst_lo"]], return_counts=True)
        for place in np.argsort(counts)[::-1][:MOST_HOSTS].tolist():
            target, count = (int(hosts[place]["dst_hi"]), int(hosts[place]["dst_lo"])), int(counts[place])
            if count < max(limit, 2 * self._told["udp", target]) or networks.is_group(*target):
                continue
            mine = rows[(rows["dst_hi"] == target[0]) & (rows["dst_lo"] == target[1])]
            if len(np.unique(mine["src_port"])) < 0.3 * count:  # a service's port: answers, asked for or not
                continue
            self._told["udp", target] = count
            sources, name = len(np.unique(mine[["src_hi", "src_lo"]])), networks.text(*target)
            self.alert(
                "datagram_flood",
                f"{name} got {count} datagrams from ports of their own within {RECENT_NS // SECOND} s from {sources} source{'s' if sources > 1 else ''} "
                f"and answered none; the limit is {limit}.",
                int(mine["end"].max()),
                networks.text(int(mine["src_hi"][0]), int(mine["src_lo"][0])) if sources == 1 else None,
                name,
                title="UDP flood (denial of service): datagrams that nobody answers",
                confidence=0.7,
                fold=(target, "single"),
                measured=count,
                threshold=limit,
                unit="flows",
                protocol="udp",
                flow_ids=mine["flow_id"][:20].tolist(),
                details={"sources": sources},
            )

    def _stream(self, row: np.void) -> None:
        tcp, packets, flow = int(row["protocol"]) == 6, int(row["src_packets"]), int(row["flow_id"])
        target = (int(row["dst_hi"]), int(row["dst_lo"]))
        if int(row["protocol"]) not in (6, 17) or networks.is_group(*target) or networks.maybe_broadcast(*target):
            return
        seconds = max((int(row["end"]) - int(row["start"])) / SECOND, 1.0)
        if (tcp and int(row["src_flags"]) & SYN) or packets < 2 * self._told[flow]:
            return
        if tcp and not int(row["src_flags"]) & ACK:  # nothing but ends
            found = ("resets", "") if packets >= self.knob("resets") * seconds else None
        elif not tcp and packets >= self.knob("datagrams") * seconds and not int(row["dst_packets"]):
            found = ("datagrams", "")
        else:
            found = self._meaningless(row, packets / seconds)
        if found is not None:
            self._told[flow] = packets
            self._tell(row, packets / seconds, *found)

    def _meaningless(self, row: np.void, rate: float) -> tuple[str, str] | None:
        """(knob that is passed, what speaks for it) of a stream of which enough packets were looked at."""
        tcp, flow, packets, end = (
            int(row["protocol"]) == 6,
            int(row["flow_id"]),
            int(row["src_packets"]),
            int(row["end"]),
        )
        least = self.knob("one_flow") if tcp else min(self.knob("refused"), self.knob("filler"))
        if rate < least or (not tcp and int(row["dst_port"]) in COLLECTORS):
            return None
        samples = self._watch.watch(of_row(row), end)
        if samples is None or not samples.enough:
            return None
        if tcp and not samples.goes_on:
            return "one_flow", ", whose numbers do not go on,"
        if not tcp and rate >= self.knob("filler") and (samples.uniform or samples.headless):
            return "filler", ", all alike," if samples.uniform else ", without a head of any protocol,"
        if not tcp and samples.refused >= 2 and not samples.media:
            return "refused", ", which nobody takes, as its target said,"
        if end - samples.since >= LONG_NS:
            self._watch.clear(flow, packets)
        return None

    def _tell(self, row: np.void, rate: float, knob: str, why: str) -> None:
        tcp, flow, limit = int(row["protocol"]) == 6, int(row["flow_id"]), self.knob(knob)
        source, target = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
        what = "TCP segments" if tcp else "datagrams"
        answer = (
            "got nothing but resets" if int(row["dst_packets"]) * HARDLY > int(row["src_packets"]) else "got no answer"
        )
        samples = self._watch.seen(flow)
        pace = int(row["src_packets"]) / max((int(row["end"]) - int(row["start"])) / SECOND, SHORTEST_S)
        self.alert(
            "tcp_flood" if tcp else "datagram_flood",
            f"{networks.text(*source)} sent {networks.text(*target)} (port {row['dst_port']}) {rate:,.0f} {what} a second within one flow{why} and {answer}; the limit is {limit:,.0f}.",
            int(row["end"]),
            networks.text(*source),
            networks.text(*target),
            severity="high" if max(rate, pace) >= self.knob("high") else "medium",
            confidence=0.6,
            fold=(source, target),
            measured=round(rate),
            threshold=limit,
            unit="packets/s",
            protocol="tcp" if tcp else "udp",
            flow_ids=(flow,),
            evidence=samples.evidence if samples is not None else (),
            details={"packets": int(row["src_packets"]), "port": int(row["dst_port"])},
        )


def _unanswered(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Flows in which the other end says next to nothing, or resets only."""
    tcp = rows["protocol"] == 6
    resets = tcp & (rows["dst_flags"] & RST != 0) & (rows["dst_flags"] & ~np.uint8(RST | ACK) == 0)
    found: NDArray[np.bool_] = (rows["dst_packets"] * HARDLY <= rows["src_packets"]) | resets
    found &= ~(tcp & (rows["dst_payload"] > 0))
    return found

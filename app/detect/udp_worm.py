"""Exploits that fit into one datagram, by which worms spread: the shape and the first bytes of each are fixed."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.detect.batch import UDP, Batch
from app.detect.detector import Detector
from app.detect.networks import text
from app.detect.rule import Knob, Rule

_MOST = 64  # datagrams looked at in one second
# port → (name, smallest payload, first bytes, bytes that must be inside)
_SHAPES: Final[dict[int, tuple[str, int, bytes, bytes]]] = {
    1434: ("SQL Slammer (MS02-039)", 200, b"\x04", b"\x01\x01\x01\x01"),
    1900: ("SSDP overflow (MS01-059)", 1000, b"NOTIFY * HTTP/1.1", b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    53413: ("Netis router back door", 10, b"AA\0\0AAAA", b""),
    5351: ("NAT-PMP from afar", 2000, b"\0\1", b""),
}


class UdpWorm(Detector):
    """Looks into the first datagram of flows to a few ports."""

    name = "udp_worm"
    rules = (
        Rule(
            "worm_exploit",
            "Worm: an exploit in one datagram",
            "critical",
            "A datagram has the shape and the bytes of an exploit by which a worm spreads.",
            "Nothing else looks so; old worms still roam the internet.",
            "If the sender is yours, it is infected: isolate it. If the target runs the program, update it.",
            "T1210",
        ),
    )
    knobs = (Knob("looked_at", _MOST, "datagrams", "a second at most: one is enough for the alert."),)
    selections = ("first_udp",)

    def on_packets(self, batch: Batch) -> None:
        chosen = batch.select("first_udp")
        hits = chosen[np.isin(batch.column("dst_port", chosen), tuple(_SHAPES))]
        for index in hits[: int(self.knob("looked_at"))].tolist():
            row = batch.row(index)
            assert int(row["protocol"]) == UDP
            worm, smallest, begins, inside = _SHAPES[int(row["dst_port"])]
            payload = batch.payload(index)
            if len(payload) < smallest or not payload.startswith(begins) or inside not in payload:
                continue
            source, target = text(int(row["src_hi"]), int(row["src_lo"])), text(int(row["dst_hi"]), int(row["dst_lo"]))
            count = self.repeats(source)
            if not count:
                continue
            self.alert(
                "worm_exploit",
                f"{source} sent {target} a datagram of {len(payload)} bytes with the exploit {worm}; {count} such datagrams so far, none is allowed.",
                int(row["ts"]),
                source,
                target,
                confidence=0.9,
                fold=(source, worm),
                measured=count,
                threshold=0,
                unit="datagrams",
                protocol="udp",
                flow_ids=(batch.flow_id(index),),
                evidence=batch.evidence(index),
                title=f"Worm: {worm}",
            )

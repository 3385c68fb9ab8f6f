"""Data in pings: an echo request whose answer carries something else, or whose payload is new each time, carries data (ptunnel, icmptunnel, icmpsh, Loki).

A ping's payload is a pattern, the same each time but for a time stamp in front, and comes back unchanged (RFC 792: "the data received … must be returned").
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from app.detect import networks
from app.detect.batch import Batch
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 600 * SECOND
MOST_A_SECOND: Final = 200  # echo packets that are read
STAMP: Final = 24  # first bytes of a ping's payload that may be a time stamp and a counter
COMPARED: Final = 1024
LARGE: Final = 100  # bytes; systems ping with 32 to 56
REQUESTS, REPLIES = (8, 128), (0, 129)


class Pings:
    """Echoes between two hosts."""

    __slots__ = (
        "bytes",
        "changed",
        "evidence",
        "flows",
        "last",
        "lengths",
        "packets",
        "since",
        "told",
        "waiting",
        "wrong",
    )

    def __init__(self) -> None:
        self.told = 0
        self.begin(0)

    def begin(self, ts: int) -> None:
        self.since = ts
        self.packets = self.changed = self.wrong = self.bytes = 0
        self.lengths: set[int] = set()
        self.last: bytes | None = None
        self.waiting: OrderedDict[bytes, bytes] = OrderedDict()  # id and sequence number → payload of the request
        self.evidence: list[Evidence] = []
        self.flows: list[int] = []


class IcmpTunnel(Detector):
    name = "icmp_tunnel"
    rules = (
        Rule(
            "icmp_tunnel",
            "ICMP tunnel: pings carry data",
            "high",
            "Echo requests and replies between two hosts carry changing data in place of a pattern: a way around a firewall, or a channel of malware.",
            "Some monitoring systems put a time or a name into their pings; they come back as they went.",
            "Find the program that sends them on the inner host; let only pings of ordinary size out.",
            "T1095",
        ),
    )
    knobs = (
        Knob("wrong_replies", 5, "replies", "A reply returns what was sent, always; five leave out damaged captures."),
        Knob("changed_payloads", 20, "packets", "Behind the time stamp the payload of a ping is always the same."),
        Knob("new_packets", 50, "packets", "Of one size of 100 bytes and more, each with another payload: a few monitors fill theirs at random, with small ones."),
        Knob("lengths", 5, "lengths", "One program pings with one size; a search for the MTU uses about ten, but with a pattern."),
    )  # fmt: skip
    selections = ("icmp",)

    def begin(self) -> None:
        self._second = self._room = 0
        self._pairs = self.bounded(1024, Pings, lambda pings: pings.changed > 2)

    def on_packets(self, batch: Batch) -> None:
        second = batch.now_ns // SECOND
        if second != self._second:
            self._second, self._room = second, MOST_A_SECOND
        if self._room <= 0:
            return
        chosen = batch.select("icmp")
        kinds = batch.column("src_port", chosen)
        echo = (kinds == 8) | (kinds == 0) | (kinds == 128) | (kinds == 129)
        chosen = chosen[echo][: self._room]
        self._room -= len(chosen)
        for index in chosen.tolist():
            row = batch.row(index)
            if not int(row["payload_len"]):
                continue
            source, target = (int(row["src_hi"]), int(row["src_lo"])), (int(row["dst_hi"]), int(row["dst_lo"]))
            if networks.is_group(*target):
                continue
            request = int(row["src_port"]) in REQUESTS
            key = (source, target) if request else (target, source)
            self._echo(self._pairs[key], key, batch, index, request, int(row["ts"]))

    def _echo(
        self,
        pings: Pings,
        key: tuple[tuple[int, int], tuple[int, int]],
        batch: Batch,
        index: int,
        request: bool,
        ts: int,
    ) -> None:
        if not pings.since or ts - pings.since > WINDOW_NS:
            pings.begin(ts)
            pings.told = 0
        message = self._message(batch, index)
        if len(message) < 8:
            return
        number, payload = message[4:8], message[8 : 8 + COMPARED]
        pings.packets += 1
        pings.bytes += len(payload)
        if len(pings.lengths) < 64:
            pings.lengths.add(int(batch.row(index)["payload_len"]))
        if len(pings.evidence) < 20:
            pings.evidence.extend(batch.evidence(index))
            if not pings.flows and batch.flow_id(index):
                pings.flows.append(batch.flow_id(index))
        if request:
            pings.waiting[number] = payload
            if len(pings.waiting) > 64:
                pings.waiting.popitem(last=False)
            if pings.last is not None:
                shared = min(len(payload), len(pings.last))
                if payload[STAMP:shared] != pings.last[STAMP:shared]:
                    pings.changed += 1
            pings.last = payload
        else:
            sent = pings.waiting.pop(number, None)
            if sent is not None:
                shared = min(len(sent), len(payload))
                pings.wrong += sent[:shared] != payload[:shared] or len(sent) != len(payload)
        self._judge(pings, key, ts)

    @staticmethod
    def _message(batch: Batch, index: int) -> bytes:
        """The innermost ICMP message: its header has eight bytes before the payload."""
        start = int(batch.row(index)["payload_offset"])
        return batch.frame(index, start + COMPARED)[start - 8 :] if start >= 8 else b""

    def _judge(self, pings: Pings, key: tuple[tuple[int, int], tuple[int, int]], ts: int) -> None:
        wrong, changed = int(self.knob("wrong_replies")), int(self.knob("changed_payloads"))
        lengths = int(self.knob("lengths"))
        if pings.packets < 2 * pings.told:
            return
        if pings.wrong >= wrong:
            value, limit, unit = pings.wrong, wrong, "replies"
            text = f"{pings.wrong} of {pings.packets} echo packets between %s and %s were answers that carry something else than was sent; the limit is {limit}."
        elif pings.changed >= changed and len(pings.lengths) >= lengths and pings.changed > 0.4 * pings.packets / 2:
            value, limit, unit = pings.changed, changed, "packets"
            text = f"{pings.changed} of {pings.packets} echo packets between %s and %s had new payload, of {len(pings.lengths)} different lengths; the limit is {limit}."
        elif (
            pings.changed >= self.knob("new_packets")
            and max(pings.lengths) >= LARGE
            and pings.changed > 0.4 * pings.packets
        ):
            value, limit, unit = pings.changed, int(self.knob("new_packets")), "packets"
            text = f"{pings.changed} of {pings.packets} echo packets between %s and %s, of up to {max(pings.lengths)} bytes, had new payload; the limit is {limit}."
        else:
            return
        pings.told = pings.packets
        source, target = networks.text(*key[0]), networks.text(*key[1])
        self.alert(
            "icmp_tunnel",
            text % (source, target),
            ts,
            source,
            target,
            confidence=0.9 if pings.wrong >= wrong else 0.8,
            measured=value,
            threshold=limit,
            unit=unit,
            protocol="icmp",
            flow_ids=pings.flows,
            evidence=pings.evidence,
            details={"packets": pings.packets, "payload_bytes": pings.bytes, "lengths": sorted(pings.lengths)[:20]},
        )

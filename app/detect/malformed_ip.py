"""IP packets that no stack sends: the same sender and receiver (land), overlapping fragments (teardrop), routes laid down by the sender, data in options.

IPv4 with options and IPv6 with extension headers are rare, so each such packet is read, up to a bound per batch.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from app.detect import networks
from app.detect.batch import Batch
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Severity
from app.stats.bounded import BoundedMap

SECOND: Final = 1_000_000_000
MOST_A_SECOND: Final = 300  # fragments, and packets with options, that are read
FRAGMENT_NS: Final = 30 * SECOND
TCP_HEADER: Final = 20
LOOSE, STRICT = 131, 137  # RFC 791 § 3.1: source routes
HOP_BY_HOP, ROUTING, DESTINATION = 0, 43, 60
PAD_1, PAD_N = 0, 1
# Option types of IPv6 in use (IANA IPv6 parameters)
KNOWN_OPTIONS: Final = frozenset(
    {0x00, 0x01, 0x04, 0x05, 0x07, 0x08, 0x0F, 0x11, 0x12, 0x26, 0x30, 0x31, 0x32, 0x63, 0x6D, 0x8A, 0x8B, 0x8C, 0xC2, 0xC3, 0xC9, 0xEE, 0x23}
)  # fmt: skip


class MalformedIp(Detector):
    name = "malformed_ip"
    rules = (
        Rule(
            "land_attack",
            "Land: packets whose sender is their receiver (denial of service)",
            "medium",
            "TCP or UDP packets with the same address and port as source and destination: old stacks answered themselves for ever.",
            "A connection of a machine with itself that is captured on the loopback interface is left out.",
            "Such packets come from a tool, from outside only where the border lets forged sources in: filter them (BCP 38).",
            "T1499.001",
        ),
        Rule(
            "teardrop",
            "Overlapping fragments: malformed datagrams (teardrop, evasion)",
            "medium",
            "Fragments of one datagram overlap with different ends, or end beyond 65,535 bytes: they crash old stacks, or show the filter something else than the receiver.",
            "Fragments that are sent twice are the same to the byte.",
            "Drop overlapping fragments at the border (RFC 5722 forbids them in IPv6).",
            "T1499.001",
        ),
        Rule(
            "tiny_fragments",
            "Tiny fragments: a TCP header cut in pieces, as scans do to slip past filters",
            "medium",
            "The first fragment of a TCP segment is shorter than TCP's header, so that a filter does not see the flags or even the ports (RFC 1858, RFC 3128).",
            "No stack cuts so small; a link with an MTU below 68 bytes does not exist in IPv4.",
            "Let the border put fragments together before it judges, or drop such ones.",
            "T1562.004",
        ),
        Rule(
            "source_routed",
            "Source-routed packets: the sender lays down the route (spoofing)",
            "medium",
            "Packets carry a source route (IPv4 LSRR or SSRR, IPv6 routing header type 0): answers go a way that a forger chose.",
            "Tests of network engineers; most routers drop them.",
            "Drop source-routed packets at all routers (RFC 7126, RFC 5095).",
            "T1599",
        ),
        Rule(
            "covert_channel",
            "Covert channel: data in IPv6 options or extension headers",
            "medium",
            "Padding that is not zero or options that nobody has defined are carried in IPv6 extension headers: data passes where filters do not look.",
            "Experiments with new options.",
            "Find the program on the source; drop destination options with unknown types at the border.",
            "T1095",
        ),
    )
    knobs = (
        Knob("land", 1, "packets", "No stack sends one."),
        Knob("overlaps", 1, "datagrams", "Retransmitted fragments are identical, so one real overlap was made."),
        Knob("tiny", 3, "fragments", "One may be damaged."),
        Knob("routed", 1, "packets", "Nobody uses source routes any more."),
        Knob("option_packets", 2, "packets", "With options nobody has defined; one may be damaged. Padding that is not zero is told at once."),
        Knob("headers", 4, "headers", "Extension headers of one packet; one or two are usual, RFC 8200 allows each once, destination options twice."),
    )  # fmt: skip
    selections = ("first", "fragments", "ip_options")

    def begin(self) -> None:
        self._fragments: BoundedMap[Any, tuple[int, list[tuple[int, int]]]] = self.bounded(4096)
        self._second, self._room = 0, [0, 0]
        self._counts = self.bounded(2048, lambda: [0, 0])  # packets, told

    def on_packets(self, batch: Batch) -> None:
        self._land(batch)
        second = batch.now_ns // SECOND
        if second != self._second:
            self._second, self._room = second, [MOST_A_SECOND, MOST_A_SECOND]
        fragments = batch.select("fragments")[: self._room[0]]
        options = batch.select("ip_options")[: self._room[1]]
        self._room[0] -= len(fragments)
        self._room[1] -= len(options)
        for index in fragments.tolist():
            self._fragment(batch, index)
        for index in options.tolist():
            header = batch.ip_header(index)
            if len(header) > 20 and header[0] >> 4 == 4:
                self._options_v4(batch, index, header)
            elif len(header) > 48 and header[0] >> 4 == 6:
                self._headers_v6(batch, index, header)

    def _land(self, batch: Batch) -> None:
        indices = batch.select("first")
        if not len(indices):
            return
        column = batch.column
        same = column("src_lo", indices) == column("dst_lo", indices)
        if not same.any():
            return
        same &= column("src_hi", indices) == column("dst_hi", indices)
        same &= column("src_port", indices) == column("dst_port", indices)
        same &= np.isin(column("protocol", indices), (6, 17)) & (column("depth", indices) == 0)
        for index in indices[same][:20].tolist():
            row = batch.row(index)
            address = (int(row["src_hi"]), int(row["src_lo"]))
            if networks.is_loopback(*address) or networks.is_group(*address):
                continue
            name = networks.text(*address)
            self._tell(
                batch,
                index,
                "land_attack",
                name,
                name,
                f"A packet came from port {row['src_port']} of {name} to the same port of the same address; the limit is {{limit}}.",
                int(self.knob("land")),
                0.9,
            )

    def _tell(
        self,
        batch: Batch,
        index: int,
        rule: str,
        source: str,
        target: str,
        text: str,
        limit: int,
        sure: float,
        severity: Severity | None = None,
    ) -> None:
        """When the packets of this rule from source to target have reached the limit, and each time they have doubled."""
        count = self._counts[(rule, source, target)]
        count[0] += 1
        if count[0] < max(limit, 2 * count[1]):
            return
        count[1] = count[0]
        row = batch.row(index)
        self.alert(
            rule,
            text.format(count=count[0], limit=limit),
            int(row["ts"]),
            source,
            target,
            confidence=sure,
            severity=severity,
            measured=count[0],
            threshold=limit,
            unit="packets",
            flow_ids=[flow for flow in (batch.flow_id(index),) if flow],
            evidence=batch.evidence(index),
        )

    @staticmethod
    def _ends(batch: Batch, index: int) -> tuple[str, str]:
        row = batch.row(index)
        return networks.text(int(row["src_hi"]), int(row["src_lo"])), networks.text(
            int(row["dst_hi"]), int(row["dst_lo"])
        )

    # -- fragments ----------------------------------------------------------------------------------------------------

    def _fragment(self, batch: Batch, index: int) -> None:
        header = batch.ip_header(index)
        if len(header) < 20 or header[0] >> 4 != 4:
            return
        field = int.from_bytes(header[6:8], "big")
        length = int.from_bytes(header[2:4], "big") - (header[0] & 15) * 4
        begin, more = (field & 0x1FFF) * 8, bool(field & 0x2000)
        if length <= 0 or (not more and not begin):
            return
        end = begin + length
        if more and not begin and header[9] == 6 and length < TCP_HEADER:
            source, target = self._ends(batch, index)
            text = f"{{count}} TCP segments from {source} to {target} begin with a fragment of less than {TCP_HEADER} bytes; the limit is {{limit}}."
            self._tell(batch, index, "tiny_fragments", source, target, text, int(self.knob("tiny")), 0.85)
        if end > 65_535:
            source, target = self._ends(batch, index)
            self._overlap(batch, index, f"A fragment from {source} to {target} ends at byte {end} of its datagram", 0.9)
            return
        key = (header[12:20], header[4:6], header[9])
        ts = int(batch.row(index)["ts"])
        known = self._fragments.get(key)
        if known is None or ts - known[0] > FRAGMENT_NS:
            self._fragments[key] = (ts, [(begin, end)])
            return
        pieces = known[1]
        crossing = [one for one in pieces if begin < one[1] and one[0] < end and one != (begin, end)]
        if crossing:
            a, b = crossing[0]
            source, target = self._ends(batch, index)
            self._overlap(
                batch,
                index,
                f"Fragments from {source} to {target} overlap: bytes {a} to {b} and {begin} to {end} of one datagram",
                0.85,
            )
        if len(pieces) < 64 and (begin, end) not in pieces:
            pieces.append((begin, end))

    def _overlap(self, batch: Batch, index: int, text: str, sure: float) -> None:
        source, target = self._ends(batch, index)
        limit = int(self.knob("overlaps"))
        self._tell(batch, index, "teardrop", source, target, text + "; the limit is {limit}.", limit, sure)

    # -- options ------------------------------------------------------------------------------------------------------

    def _options_v4(self, batch: Batch, index: int, header: bytes) -> None:
        at, end = 20, min((header[0] & 15) * 4, len(header))
        while at < end and header[at]:
            if header[at] == 1:
                at += 1
                continue
            if header[at] in (LOOSE, STRICT):
                source, target = self._ends(batch, index)
                kind = "loose" if header[at] == LOOSE else "strict"
                text = (
                    f"{{count}} packets from {source} to {target} carry a {kind} source route; the limit is {{limit}}."
                )
                self._tell(batch, index, "source_routed", source, target, text, int(self.knob("routed")), 0.9)
                return
            if at + 1 >= end or header[at + 1] < 2:
                return
            at += header[at + 1]

    def _headers_v6(self, batch: Batch, index: int, header: bytes) -> None:
        at, kind, count = 40, header[6], 0
        found: list[str] = []
        hidden = 0
        while kind in (HOP_BY_HOP, ROUTING, DESTINATION) and at + 8 <= len(header) and count < 16:
            length = 8 * (header[at + 1] + 1)
            body = header[at + 2 : at + length]
            if kind == ROUTING and body[:1] == b"\0" and header[at + 3] > 0:
                source, target = self._ends(batch, index)
                text = f"{{count}} packets from {source} to {target} carry a routing header of type 0; the limit is {{limit}}."
                self._tell(batch, index, "source_routed", source, target, text, int(self.knob("routed")), 0.9)
            elif kind != ROUTING:
                for what, size in self._strange(body):
                    found.append(what)
                    hidden += size
            kind, at, count = header[at], at + length, count + 1
        if count >= self.knob("headers"):
            found.append(f"{count} extension headers")
        if found:
            source, target = self._ends(batch, index)
            text = f"{{count}} packets from {source} to {target} carry {found[0]} ({hidden} bytes in the last); the limit is {{limit}}."
            limit = 1 if found[0].startswith("padding") else int(self.knob("option_packets"))
            severity: Severity = "medium" if limit == 1 else "low"  # an old draft's option looks the same
            self._tell(batch, index, "covert_channel", source, target, text, limit, 0.75, severity)

    @staticmethod
    def _strange(body: bytes) -> list[tuple[str, int]]:
        """(what it is, bytes) of options that are not as they are defined."""
        found: list[tuple[str, int]] = []
        at: int = 0
        while at < len(body) and len(found) < 8:
            kind: Any = body[at]
            if kind == PAD_1:
                at += 1
                continue
            if at + 1 >= len(body):
                break
            content = body[at + 2 : at + 2 + body[at + 1]]
            if kind == PAD_N and any(content):
                found.append(("padding with data in it in an IPv6 option", len(content)))
            elif kind not in KNOWN_OPTIONS:
                found.append((f"an unknown IPv6 option (type {kind:#04x})", len(content)))
            at += 2 + body[at + 1]
        return found

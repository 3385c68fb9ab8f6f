"""The stage that looks for card numbers: a kernel reads all payload of flows that are not encrypted, Python weighs what it points at.

What Python does is bounded per flow and, in live capture, per tick; what was left out is counted. Full numbers live in this module's calls only:
what goes out is a `CardFinding` (masked, with a keyed hash) and the places to hide.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.dpi.cards.detect import CardNumber, Scanner, best, examine
from app.dpi.cards.pieces import Datagrams, Pieces
from app.dpi.reassembly import ReassemblyBudget
from app.flow.table import FlowTable
from app.model.card import CardFinding
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.sensor.card_key import fingerprint
from app.sensor.card_packet import FIN, TCP, Packet
from app.sensor.card_places import CardPlaces
from app.sensor.card_streams import CodedFlow
from app.sensor.card_where import Place, place_of
from app.wire import card_layout as at
from app.wire.row_copies import chosen

MOST_FLOWS: Final = 4096  # whose findings or streams are remembered for repeats
MOST_NUMBERS: Final = 1000  # different ones of a flow
MOST_FINDINGS: Final = 5000
REASSEMBLY_BYTES: Final = 8 << 20
SECONDS_PER_TICK: Final = 0.1  # of decoding, in live capture


class _Flow:
    """What is remembered of a flow."""

    __slots__ = ("coded", "findings", "http", "places", "slot")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.findings: dict[str, CardFinding] = {}
        self.places: set[tuple[str, int, int]] = (
            set()
        )  # (fingerprint, direction, sequence number): retransmissions count once
        self.coded: CodedFlow | None = None
        self.http: list[str] = ["", ""]


class CardScan:
    """One capture's scan. `found` gets each new finding and each that was seen again; key: of the fingerprints."""

    def __init__(
        self,
        capacity: int,
        key: bytes,
        found: Callable[[CardFinding], None],
        protocol_of: Callable[[int], str | None] = lambda _: None,
        seconds_per_tick: float | None = None,
    ) -> None:
        self._key = key
        self._found = found
        self._protocol_of = protocol_of
        self._seconds = seconds_per_tick
        self._spent = 0.0
        self._flags = np.zeros(capacity, np.uint8)
        self._events = np.zeros((at.EVENTS, at.COLUMNS), np.int64)
        self._joined = np.zeros(at.JOINED_ROWS * at.JOINED_BYTES, np.uint8)
        self._counters = np.zeros(at.COUNTERS, np.int64)
        edges = np.zeros(capacity * 2 * at.EDGE_BYTES, np.uint8)
        marks = np.zeros((capacity * 2, at.EDGE_COLUMNS), np.int64)
        kept = (self._flags, edges, marks, self._joined, self._events, self._counters)
        self._scan = kernel("scan_payload").bind(*(EACH_CALL,) * 5, *kept)
        self._scanner = Scanner()
        self._budget = ReassemblyBudget(REASSEMBLY_BYTES)
        self._flows: OrderedDict[int, _Flow] = OrderedDict()
        self._pieces = Pieces()
        self._datagrams = Datagrams()
        self.places = CardPlaces()
        self._last_id = 0
        self.bytes_undecoded = 0  # of coded flows, for want of time
        self.failures = 0

    @property
    def bytes_scanned(self) -> int:
        return int(self._counters[at.SCANNED])

    @property
    def bytes_skipped(self) -> int:
        """Payload of flows known to be encrypted."""
        return int(self._counters[at.SKIPPED_ENCRYPTED])

    @property
    def places_left_out(self) -> int:
        """Packets with more candidates than are looked at."""
        return int(self._counters[at.EVENTS_LEFT_OUT])

    def next_tick(self) -> None:
        """A new allowance of time."""
        self._spent = 0.0

    def take(
        self,
        data: NDArray[np.uint8],
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        table: FlowTable,
        first_id: int,
    ) -> None:
        """A decoded block that went through the flow table. first_id: number of its first packet."""
        n = len(packets)
        self._counters[at.RESUME] = 0
        while int(self._counters[at.RESUME]) < n:
            count = self._scan(data, packets, n, flow_ids, table.rows)
            if count:
                self._take_events(count, data, packets, flow_ids, first_id)

    def _take_events(
        self,
        count: int,
        data: NDArray[np.uint8],
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        first_id: int,
    ) -> None:
        begun = time.monotonic() if self._seconds is not None else 0.0
        memory = data.data
        events = self._events[:count]
        places = events[:, at.PLACE]
        columns = zip(events.tolist(), chosen(packets, places).tolist(), flow_ids[places].tolist(), strict=True)
        for (kind, place, direction, start, end, joined, seq), record, flow_id in columns:
            packet = Packet(memory, record, flow_id, first_id + place, direction)
            try:
                if kind < at.WHOLE:
                    self._candidate(packet, kind, start, end, joined, seq)
                elif kind == at.WHOLE:
                    if self._seconds is not None and self._spent + time.monotonic() - begun > self._seconds:
                        self._give_up(packet)
                    else:
                        self._coded(packet, bytes(memory[start:end]))
                elif kind == at.FRAGMENT:
                    self._fragment(packet)
                else:
                    source = self._row(joined)[start:end] if kind == at.TAIL else bytes(memory[start:end])
                    self._piece(packet, seq, source)
            except Exception:  # a defect must not stop the capture; it is counted, and the tests forbid it
                self.failures += 1
        if self._seconds is not None:
            self._spent += time.monotonic() - begun

    def _row(self, joined: int) -> bytes:
        return self._joined[joined * at.JOINED_BYTES : (joined + 1) * at.JOINED_BYTES].tobytes()

    def _candidate(self, packet: Packet, kind: int, start: int, end: int, joined: int, seq: int) -> None:
        if joined >= 0:
            text = self._row(joined)
            numbers = best(list(examine(kind, text, start, end)))
            self._report_stream(packet, numbers, seq, text)
            return
        payload = packet.payload
        origin = packet.first
        for number in best(list(examine(kind, payload, start - origin, end - origin))):
            flow = self._flow(packet)
            place = place_of(payload, number.start, self._known_http(flow, packet.direction), self._protocol(packet))
            if packet.protocol == TCP:
                self._hide(packet, number, packet.seq)
            else:
                self.places.in_packet(packet.packet_id, [i for low, high in number.hidden for i in range(low, high)])
            self._tell(packet, number, place.with_form(number), packet.seq + number.start)

    def _report_stream(self, packet: Packet, numbers: list[CardNumber], seq: int, text: bytes) -> None:
        for number in numbers:
            flow = self._flow(packet)
            place = place_of(text, number.start, self._known_http(flow, packet.direction), self._protocol(packet))
            self._hide(packet, number, seq)
            self._tell(packet, number, place.with_form(number), seq + number.start)

    def _hide(self, packet: Packet, number: CardNumber, seq: int) -> None:
        for low, high in _runs(number.hidden):
            self.places.in_stream(packet.flow_id, packet.sender, (seq + low) & 0xFFFFFFFF, high - low)

    def _piece(self, packet: Packet, seq: int, data: bytes) -> None:
        key = (packet.flow_id, packet.direction)
        for first, text in self._pieces.add(key, seq, data):
            self._report_stream(packet, self._scanner.find(text), first, text)

    def _fragment(self, packet: Packet) -> None:
        fragment = packet.fragment()
        if fragment is None:
            return
        key, offset, more, header = fragment
        source = (packet.packet_id, header)
        whole = self._datagrams.add(key, offset, more, packet.payload_from(header), packet.ts, source)
        if whole is None:
            return
        payload = whole.payload() or b""
        for number in self._scanner.find(payload):
            for low, high in number.hidden:
                for begin, (part, (packet_id, lead)) in whole.parts.items():
                    offsets = [i - begin - lead for i in range(max(low, begin), min(high, begin + len(part)))]
                    self.places.in_packet(packet_id, [i for i in offsets if i >= 0])
            place = place_of(payload, number.start, "", self._protocol(packet))
            self._tell(packet, number, place.with_form(number) + ", IP fragments", -1)

    def _coded(self, packet: Packet, payload: bytes) -> None:
        flow = self._flow(packet)
        if flow.coded is None:
            flow.coded = CodedFlow(self._scanner, self._budget, packet.ports)

        def found(number: CardNumber, where: str, first: int, last: int) -> None:
            self.places.in_stream(packet.flow_id, packet.sender, first, (last - first) & 0x3FFFFFFF)
            self._tell(packet, number, where, -1)

        more = flow.coded.segment(
            packet.direction, packet.seq, payload, bool(packet.flags & FIN), packet.ts, packet.wire_payload, found
        )
        if not more:
            flow.coded.close(found)
            flow.coded = None
            self._flags[flow.slot] &= ~np.uint8(at.DECODE)

    def _give_up(self, packet: Packet) -> None:
        """No time: this flow is not decoded any more."""
        self.bytes_undecoded += packet.wire_payload
        self._flags[packet.slot] = (int(self._flags[packet.slot]) & ~at.DECODE) | at.SPENT
        flow = self._flows.get(packet.flow_id)
        if flow is not None and flow.coded is not None:
            flow.coded.close(None)
            flow.coded = None

    def ended(self, flow_ids: list[int]) -> None:
        """Flows are over: what still waits is told, the rest forgotten."""
        for flow_id in flow_ids:
            flow = self._flows.pop(flow_id, None)
            if flow is not None and flow.coded is not None:
                try:
                    flow.coded.close(None)
                except Exception:  # as above
                    self.failures += 1
                flow.coded = None
            self._pieces.forget((flow_id, 0))
            self._pieces.forget((flow_id, 1))

    def _flow(self, packet: Packet) -> _Flow:
        flow = self._flows.get(packet.flow_id)
        if flow is None:
            if len(self._flows) >= MOST_FLOWS:
                _, oldest = self._flows.popitem(last=False)
                if oldest.coded is not None:
                    oldest.coded.close(None)
            flow = self._flows[packet.flow_id] = _Flow(packet.slot)
        return flow

    def _known_http(self, flow: _Flow, direction: int) -> str:
        return flow.http[direction]

    def _protocol(self, packet: Packet) -> Place:
        return Place.of_flow(self._protocol_of(packet.flow_id), packet.protocol, packet.ports, packet.direction)

    def _tell(self, packet: Packet, number: CardNumber, where: str, seq: int) -> None:
        flow = self._flow(packet)
        mark = fingerprint(self._key, number.digits)
        place = (mark, packet.direction, seq & 0xFFFFFFFF)
        known = flow.findings.get(mark)
        if known is not None:
            if seq >= 0 and place not in flow.places and packet.packet_id != known.packet:
                known.count += 1
                known.last_ts = max(known.last_ts, packet.ts)
                if number.confidence > known.confidence:
                    known.confidence, known.reasons = number.confidence, number.reasons
                self._found(known)
            flow.places.add(place)
            return
        if len(flow.findings) >= MOST_NUMBERS:
            return
        flow.places.add(place)
        if len(flow.places) > 4 * MOST_NUMBERS:
            flow.places.clear()
        self._last_id += 1
        finding = CardFinding(
            self._last_id,
            packet.flow_id,
            packet.ts,
            packet.ts,
            packet.packet_id,
            "responder" if packet.direction else "originator",
            number.brand,
            number.masked,
            mark,
            where,
            packet.end("src"),
            packet.end("dst"),
            number.confidence,
            number.reasons,
        )
        flow.findings[mark] = finding
        self._found(finding)


def _runs(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that touch, as one."""
    low = high = -1
    for begin, end in spans:
        if begin <= high:
            high = max(high, end)
            continue
        if high > low:
            yield low, high
        low, high = begin, end
    if high > low:
        yield low, high

"""The stage behind the flow table: payload of flows that somebody still wants to read goes to inspectors, and their facts come back.

Kernels choose the packets (`app.sensor.select_kernels`), so Python sees the first payloads of each flow and the streams that an inspector reads on, nothing
else. Memory is bounded per flow, by a common budget of reassembly, and by the number of flows looked at; live capture also bounds the time per tick. What
was left out is counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from app.dpi.facts import Fact
from app.dpi.inspector import FlowContext, Inspector, Recognizer, Skipping
from app.dpi.reassembly import ReassemblyBudget, TcpStream
from app.flow.table import FlowTable
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.sensor import select_layout as layout
from app.wire.addresses import format_address

MAX_FLOWS: Final = 65_536  # flows that are being looked at, about 5 kB each; the one begun first is let go for another
REASSEMBLY_BYTES: Final = 32 << 20  # held out of order, all flows together
RECOGNITION_BYTES: Final = 4096  # of one direction, in which a protocol has to show itself
SKIP_FROM: Final = 2048  # bytes worth passing over
RECOGNITION_PIECES: Final = 50
MOST_CHANGES: Final = 4  # of protocol in one connection
RECOGNITION_DATAGRAMS: Final = 4  # of a UDP flow
FIN, SYN, ACK = 1, 2, 16
TCP: Final = 6


class InspectedFlow:
    """What is remembered of a flow while it is looked at."""

    __slots__ = (
        "changes",
        "context",
        "held",
        "inspector",
        "over",
        "skipping",
        "slot",
        "streams",
        "tries",
        "upgraded",
        "waiting",
    )

    def __init__(self, context: FlowContext, slot: int) -> None:
        self.context = context
        self.slot = slot
        self.inspector: Inspector | None = None
        self.skipping: Skipping | None = None  # the inspector, where it can skip
        self.streams: list[TcpStream] | None = None
        self.held: list[bytearray] = [
            bytearray(),
            bytearray(),
        ]  # first bytes of both directions, until somebody recognises them
        self.waiting: list[tuple[int, bytes, int]] = []  # the same bytes in the order in which they came
        self.tries = 0  # datagrams that nobody recognised
        self.changes = 0  # of protocol within the connection
        self.upgraded = False
        self.over = False


class Inspection:
    """All flows under inspection of one capture. Facts go to `sink` as they are found."""

    def __init__(
        self,
        sink: Callable[[Fact], None],
        tcp: Sequence[Recognizer],
        udp: Sequence[Recognizer],
        capacity: int,
        seconds_per_tick: float | None = None,
        most_flows: int = MAX_FLOWS,
    ) -> None:
        self._sink = sink
        self._most_flows = most_flows
        self._recognizers = {TCP: tuple(tcp), 17: tuple(udp)}
        self._wanted = np.zeros(capacity, np.uint8)
        self._chosen = np.zeros((0, layout.CHOSEN_COLUMNS), np.int64)
        self._skip_to = np.full(
            (capacity, 2), -1, np.int64
        )  # per direction: the sequence number before which nobody reads
        self._skipped = np.zeros(1, np.int64)
        packets, n, rows, chosen = (EACH_CALL,) * 4
        self._select = kernel("select_packets").bind(
            packets, n, rows, self._wanted, self._skip_to, chosen, self._skipped
        )
        self._flows: dict[int, InspectedFlow] = {}  # by flow id
        self._budget = ReassemblyBudget(REASSEMBLY_BYTES)
        self._seconds_per_tick = seconds_per_tick
        self._deadline = float("inf")
        self.bytes_read = 0
        self.flows_passed_over = 0  # begun while there was no time or room for them
        self.flows_let_go = 0  # while they could have said more, for others
        self.current: FlowContext | None = None  # the flow whose bytes are being read: facts that are told are of it
        self.failures = 0  # inspectors that raised: a defect, but never the end of the capture
        self.next_tick()

    @property
    def bytes_skipped(self) -> int:
        """Payload of TCP and UDP that no inspector was shown."""
        return int(self._skipped[0])

    @property
    def active(self) -> int:
        return len(self._flows)

    def next_tick(self) -> None:
        """A new allowance of time (live capture)."""
        if self._seconds_per_tick is not None:
            self._deadline = time.monotonic() + self._seconds_per_tick

    def take(
        self, data: NDArray[np.uint8], packets: NDArray[np.void], flow_ids: NDArray[np.uint64], table: FlowTable
    ) -> None:
        """Look at the packets of a decoded block that are wanted. `data`: the block's buffer."""
        n = len(packets)
        if len(self._chosen) < n:
            self._chosen = np.zeros((n, layout.CHOSEN_COLUMNS), np.int64)
        count = self._select(packets, n, table.rows, self._chosen)
        if not count:
            return
        chosen = self._chosen[:count]
        rows = packets[chosen[:, layout.PLACE]]
        ids = flow_ids[chosen[:, layout.PLACE]].tolist()
        columns = zip(
            chosen.tolist(),
            ids,
            rows["flow"].tolist(),
            rows["ts"].tolist(),
            rows["seq"].tolist(),
            rows["ack"].tolist(),
            rows["tcp_flags"].tolist(),
            rows["payload_len"].tolist(),
            strict=True,
        )
        buffer = data.data
        for k, ((_, direction, first, last, new), flow_id, slot, ts, seq, ack, flags, length) in enumerate(columns):
            flow = self._flows.get(flow_id)
            if flow is None:
                if not new or not self._begin_allowed():
                    self._pass_over(slot, new)
                    continue
                if len(self._flows) >= self._most_flows:
                    self._let_go(ts)
                flow = self._begin(flow_id, slot, rows[k], direction)
            self.current = flow.context
            if (
                flow.skipping is not None
                and not flags & (SYN | FIN)
                and self._nobody_reads(flow, direction, seq + length)
            ):
                self._skipped[0] += last - first
                continue
            payload = bytes(buffer[first:last])
            self.bytes_read += last - first
            try:
                if flow.streams is not None:
                    stream = flow.streams[direction]
                    stream.segment(seq, payload, bool(flags & SYN), bool(flags & FIN), ts, length)
                    if flow.skipping is not None:
                        self._skip(flow, stream, direction)
                    other = flow.streams[1 - direction]
                    if flags & ACK and other.waiting:
                        other.acknowledged(ack, ts)
                elif payload:
                    self._datagram(flow, direction, payload, ts)
            except Exception:  # an inspector's defect must not stop the capture; it is counted, and the tests forbid it
                self.failures += 1
                self._finish(flow)

    def ended(self, flow_id: int, ts: int) -> None:
        """The flow table has ended a flow: what its inspector still holds is told."""
        flow = self._flows.pop(flow_id, None)
        if flow is None:
            return
        self.current = flow.context
        flow.slot = -1  # the row may belong to another flow by now
        try:
            for stream in flow.streams or ():
                stream.flush()
            if flow.inspector is not None:
                flow.inspector.close(ts)
        except Exception:  # as above
            self.failures += 1
        for stream in flow.streams or ():
            stream.stop()

    def _skip(self, flow: InspectedFlow, stream: TcpStream, direction: int) -> None:
        """Pass over a long stretch that the inspector can do without: neither Python nor the stream sees its segments."""
        assert flow.skipping is not None
        length = flow.skipping.skippable(direction)
        if length < SKIP_FROM or flow.slot < 0:
            return
        limit = stream.skip(length)
        if limit is not None:
            self._skip_to[flow.slot, direction] = limit
            if flow.inspector is not None and not flow.inspector.gap(direction, length):
                self._handed_on(flow, 0)

    def _nobody_reads(self, flow: InspectedFlow, direction: int, end: int) -> bool:
        """Does a segment that ends at `end` lie in a stretch that is passed over? (In later blocks the kernel asks the same.)"""
        limit = int(self._skip_to[flow.slot, direction])
        return limit >= 0 and (end - limit - 1) & 0xFFFFFFFF >= 1 << 31

    def _begin_allowed(self) -> bool:
        return time.monotonic() < self._deadline

    def _let_go(self, ts: int) -> None:
        """Make room: the flow begun first has mostly shown what it is; what its inspector holds is told."""
        flow = next(iter(self._flows.values()))
        if flow.slot >= 0:
            self._wanted[flow.slot] = 0
        self.flows_let_go += 1
        self.ended(flow.context.flow_id, ts)

    def _pass_over(self, slot: int, new: int) -> None:
        self._wanted[slot] = 0
        if new:
            self.flows_passed_over += 1

    def _begin(self, flow_id: int, slot: int, p: np.void, direction: int) -> InspectedFlow:
        version, protocol = int(p["ip_version"]), int(p["protocol"])
        ends = [
            (format_address(int(p[f"{end}_hi"]), int(p[f"{end}_lo"]), version) or "", int(p[f"{end}_port"]))
            for end in ("src", "dst")
        ]
        if direction:
            ends.reverse()
        context = FlowContext(flow_id, protocol, *ends[0], *ends[1], self._sink)
        flow = InspectedFlow(context, slot)
        if protocol == TCP:
            flow.streams = [self._stream(flow, way) for way in (0, 1)]
        self._flows[flow_id] = flow
        return flow

    def _stream(self, flow: InspectedFlow, direction: int) -> TcpStream:
        return TcpStream(
            lambda data, ts: self._in_order(flow, direction, data, ts),
            lambda length: self._gap(flow, direction, length),
            budget=self._budget,
        )

    def _in_order(self, flow: InspectedFlow, direction: int, data: bytes, ts: int) -> None:
        """Bytes of a TCP stream, in order: to the inspector; until one recognises them, they are kept for it in the order in which they came."""
        if flow.inspector is not None and flow.inspector.data(direction, data, ts):
            return
        pieces = deque([(direction, data, ts)] if flow.inspector is None else self._handed_on(flow, ts))
        while pieces and not flow.over:
            direction, data, ts = pieces.popleft()
            if flow.inspector is None:
                flow.held[direction] += data
                flow.waiting.append((direction, data, ts))
                flow.inspector = self._recognize(flow, direction, bytes(flow.held[direction][:RECOGNITION_BYTES]))
                if flow.inspector is not None:
                    flow.skipping = cast(Skipping, flow.inspector) if hasattr(flow.inspector, "skippable") else None
                    pieces.extendleft(reversed(flow.waiting))
                    flow.waiting, flow.held = [], [bytearray(), bytearray()]
                elif len(flow.held[direction]) >= RECOGNITION_BYTES or len(flow.waiting) >= RECOGNITION_PIECES:
                    self._finish(flow)
            elif not flow.inspector.data(direction, data, ts):
                pieces.extendleft(reversed(self._handed_on(flow, ts)))

    def _handed_on(self, flow: InspectedFlow, ts: int) -> list[tuple[int, bytes, int]]:
        """An inspector has what it wants. Where the connection changes its protocol (STARTTLS, CONNECT, Upgrade) what follows is recognised anew;
        returns the bytes that the inspector had already and that belong to what follows."""
        flow.inspector = flow.skipping = None
        notes = flow.context.notes
        changes = bool(notes.pop("starttls", False)) | bool(notes.pop("tunnel", False))
        if notes.get("upgrade") and not flow.upgraded:
            changes = flow.upgraded = True
        rest = notes.pop("rest", {})
        flow.changes += 1
        if not changes or flow.changes > MOST_CHANGES:
            self._finish(flow)
            return []
        assert isinstance(rest, dict)
        return [(side, data, ts) for side, data in rest.items() if data]

    def _gap(self, flow: InspectedFlow, direction: int, length: int) -> None:
        if flow.inspector is None:
            flow.held[direction].clear()
        elif not flow.inspector.gap(direction, length):
            self._handed_on(flow, 0)

    def _datagram(self, flow: InspectedFlow, direction: int, payload: bytes, ts: int) -> None:
        if flow.inspector is None:
            flow.inspector = self._recognize(flow, direction, payload)
            if flow.inspector is None:
                flow.tries += 1
                if flow.tries >= RECOGNITION_DATAGRAMS:
                    self._finish(flow)
                return
        if not flow.inspector.data(direction, payload, ts):
            self._finish(flow)

    def _recognize(self, flow: InspectedFlow, direction: int, data: bytes) -> Inspector | None:
        for recognizer in self._recognizers[flow.context.protocol]:
            inspector = recognizer(flow.context, direction, data)
            if inspector is not None:
                return inspector
        return None

    def _finish(self, flow: InspectedFlow) -> None:
        """Nobody wants more of this flow."""
        flow.over = True
        flow.inspector = flow.skipping = None
        for stream in flow.streams or ():
            stream.stop()
        if flow.slot >= 0:
            self._wanted[flow.slot] = 0
        self._flows.pop(flow.context.flow_id, None)

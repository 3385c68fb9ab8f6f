"""The stage behind the flow table: payload of flows that somebody still wants to read goes to inspectors, and their facts come back.

Kernels choose the packets (`app.sensor.select_kernels`), so Python sees flows whose first payload fits a signature, and the streams that an inspector reads
on, nothing else. Memory is bounded per flow, by a common budget of reassembly, and by the number of flows looked at; live capture also bounds the time per
tick. What was left out is counted.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from app.dpi import signatures
from app.dpi.facts import Fact
from app.dpi.inspector import FlowContext, Inspector, Recognizer, Skipping
from app.dpi.reassembly import ReassemblyBudget, TcpStream
from app.flow.table import FlowTable
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.sensor import select_layout as layout
from app.sensor.fragments import FragmentJoiner
from app.sensor.inspected_flow import ENDED, UNKNOWN, Beginning, InspectedFlow, Pieces
from app.sensor.recognition import Recognition
from app.wire.addresses import format_address
from app.wire.row_copies import chosen as chosen_rows

MAX_FLOWS: Final = 65_536  # flows that are being looked at, about 2 kB each; the one begun first is let go for another
REASSEMBLY_BYTES: Final = 32 << 20  # held out of order, all flows together
RECOGNITION_BYTES: Final = 4096  # of one direction, in which a protocol has to show itself
SKIP_FROM: Final = 2048  # bytes worth passing over
RECOGNITION_PIECES: Final = 50
SMALL: Final = 1500  # bytes up to which each further segment is asked about
MOST_CHANGES: Final = 4  # of protocol in one connection
FIN, SYN, ACK = 1, 2, 16
TCP: Final = 6
_MASK: Final = 0xFFFFFFFF
_ENDS: Final = ("ip_version", "src_hi", "src_lo", "src_port", "dst_hi", "dst_lo", "dst_port")

_address = lru_cache(8192)(format_address)


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
        self._recognition = Recognition(tcp, udp)
        self._wanted = np.zeros(capacity, np.uint8)
        self._state = self._wanted.data
        self._chosen = np.zeros((0, layout.CHOSEN_COLUMNS), np.int64)
        self._skip_to = np.empty((capacity, 2), np.int64)  # per direction: what is before nobody reads, -1 = nothing
        self._rows_used = 0  # of the flow table: rows behind them hold nothing yet, here as there
        self._limits = self._skip_to.data
        self._skipped = np.zeros(1, np.int64)
        tables = (signatures.table(tcp, udp), self._wanted, self._skip_to)
        self._select = kernel("select_packets").bind(*(EACH_CALL,) * 4, *tables, EACH_CALL, self._skipped)
        self._flows: OrderedDict[int, InspectedFlow] = OrderedDict()  # by flow id, the one begun first in front
        self._joiner = FragmentJoiner()
        self._budget = ReassemblyBudget(REASSEMBLY_BYTES)
        self._seconds_per_tick = seconds_per_tick
        self._spent = 0.0  # s of the processor in this tick, before the block that is looked at
        self._begun = 0.0  # … and when that one began
        self.bytes_read = 0
        self.flows_passed_over = 0  # begun while there was no time or room for them
        self.flows_let_go = 0  # while they could have said more, for others
        self.current: FlowContext | None = None  # the flow whose bytes are being read: facts that are told are of it
        self.messages = True  # somebody hears of `HttpMessage`
        # Row and flow, of flows whose first message named something in the last block
        self.identified: list[tuple[int, FlowContext]] = []
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
        self._spent = 0.0

    def take(
        self, data: NDArray[np.uint8], packets: NDArray[np.void], flow_ids: NDArray[np.uint64], table: FlowTable
    ) -> None:
        """Look at the packets of a decoded block that are wanted. `data`: the block's buffer."""
        self.identified.clear()
        n = len(packets)
        if len(self._chosen) < n:
            self._chosen = np.zeros((n, layout.CHOSEN_COLUMNS), np.int64)
        self._skip_to[self._rows_used : table.rows_used] = -1  # rows that flows have come to
        self._rows_used = table.rows_used
        count = self._select(data, packets, n, table.rows, self._chosen)
        if not count:
            return
        self._begun = time.thread_time()
        chosen = self._chosen[:count]
        places = chosen[:, layout.PLACE]
        rows = chosen_rows(packets, places)
        ids = flow_ids[places].tolist()
        names = ("flow", "ts", "seq", "ack", "tcp_flags", "payload_len", "protocol")
        columns = zip(chosen.tolist(), ids, *(rows[name].tolist() for name in names), strict=True)
        flows, state, buffer, passed = self._flows, self._state, data.data, 0
        ends: list[tuple[int, ...]] = []
        for k, (choice, flow_id, slot, ts, seq, ack, flags, length, protocol) in enumerate(columns):
            _, direction, first, last, fits, expected_a, expected_b = choice
            flow = flows.get(flow_id)
            whole: bytes | None = None
            if fits == layout.PIECE:
                whole = self._joiner.take(rows[k], data, first, last, flow_id, direction)
                if whole is None:
                    passed += last - first
                    continue
                fits = layout.EVERY
            if flow is None:
                # An earlier flow of the same row may have been finished after the kernel had seen this one.
                if fits and not state[slot]:
                    state[slot] = layout.ALL if protocol == TCP else layout.ASKED + layout.DATAGRAMS
                elif not fits and (protocol == TCP or not state[slot]):  # let go, or over, within this block
                    passed += last - first
                    continue
                if not self._begin_allowed():
                    state[slot] = layout.DONE
                    self.flows_passed_over += 1
                    passed += last - first
                    continue
            elif (
                flow.skipping is not None
                and not flags & (SYN | FIN)
                and self._nobody_reads(flow, direction, seq + length)
            ):
                passed += last - first
                continue
            payload = bytes(buffer[first:last]) if whole is None else whole
            self.bytes_read += last - first
            if flow is None:
                ends = ends or list(zip(*(rows[name].tolist() for name in _ENDS), strict=True))
                flow = self._begin(flow_id, slot, ends[k], protocol, direction, fits, ts)
                flow.expected = [expected_a, expected_b]
            self.current = flow.context
            try:
                if (
                    flow.expected[direction] == seq
                    and flow.inspector is not None
                    and flow.streams is None
                    and len(payload) == length > 1
                    and not flags & (SYN | FIN)
                    and protocol == TCP
                ):  # as `_segment` does
                    flow.expected[direction] = (seq + length) & _MASK
                    if not flow.inspector.data(direction, payload, ts):
                        self._give(flow, self._handed_on(flow, ts))
                    if flow.skipping is not None:
                        self._skip(flow, None, direction)
                elif protocol == TCP:
                    self._segment(flow, direction, seq, ack, flags, payload, length, ts)
                elif payload:
                    self._datagram(flow, direction, payload, ts)
            except Exception:  # an inspector's defect must not stop the capture; it is counted, and the tests forbid it
                self.failures += 1
                self._finish(flow)
            if flow.context.identity is not None and not flow.identified:
                flow.identified = True
                self.identified.append((slot, flow.context))
        self._skipped[0] += passed
        self._spent += time.thread_time() - self._begun

    def ended(self, flow_id: int, ts: int) -> None:
        """The flow table has ended a flow: what its inspector still holds is told."""
        flow = self._flows.pop(flow_id, None)
        if flow is None:
            return
        self.current = flow.context
        flow.slot = -1  # the row may belong to another flow by now
        streams = [stream for stream in flow.streams or () if stream is not None]
        try:
            for stream in streams:
                stream.flush()
            if flow.inspector is not None:
                flow.inspector.close(ts)
        except Exception:  # as above
            self.failures += 1
        for stream in streams:
            stream.stop()

    def _segment(
        self, flow: InspectedFlow, direction: int, seq: int, ack: int, flags: int, payload: bytes, length: int, ts: int
    ) -> None:
        """A segment of TCP. In order it goes straight to the inspector; the first that is not makes a TcpStream for its direction."""
        streams = flow.streams
        stream = None if streams is None else streams[direction]
        if stream is None:
            expected = flow.expected[direction]
            if flags & SYN:
                seq = (seq + 1) & _MASK
                if expected == UNKNOWN:
                    expected = flow.expected[direction] = seq
            if not length and not flags & FIN:
                pass
            elif expected in (seq, UNKNOWN) and len(payload) == length and payload != b"\0":
                flow.expected[direction] = ENDED if flags & FIN else (seq + length) & _MASK
                if payload:
                    self._in_order(flow, direction, payload, ts)
            elif expected != ENDED:
                stream = self._stream(flow, direction, None if expected == UNKNOWN else expected)
                flags &= ~SYN
        if stream is not None:
            stream.segment(seq, payload, bool(flags & SYN), bool(flags & FIN), ts, length)
        if flow.skipping is not None:
            self._skip(flow, stream, direction)
        if flow.streams is not None and flags & ACK:
            other = flow.streams[1 - direction]
            if other is not None and other.waiting:
                other.acknowledged(ack, ts)

    def _skip(self, flow: InspectedFlow, stream: TcpStream | None, direction: int) -> None:
        """Pass over a long stretch that the inspector can do without: neither Python nor the stream sees its segments."""
        assert flow.skipping is not None
        length = flow.skipping.skippable(direction)
        if length < SKIP_FROM or flow.slot < 0:
            return
        limit = stream.skip(length) if stream is not None else None
        if stream is None and flow.expected[direction] >= 0 and length < 1 << 30:
            limit = flow.expected[direction] = (flow.expected[direction] + length) & _MASK
        if limit is not None:
            self._skip_to[flow.slot, direction] = limit
            if flow.inspector is not None and not flow.inspector.gap(direction, length):
                self._handed_on(flow, 0)

    def _nobody_reads(self, flow: InspectedFlow, direction: int, end: int) -> bool:
        """Does a segment that ends at `end` lie in a stretch that is passed over? (In later blocks the kernel asks the same.)"""
        limit = self._limits[flow.slot, direction]
        return limit >= 0 and (end - limit - 1) & 0xFFFFFFFF >= 1 << 31

    def _begin_allowed(self) -> bool:
        """Work is what counts: a flow that begins late in a tick has the same chance, and other programs take nothing of the allowance."""
        return self._seconds_per_tick is None or self._spent + time.thread_time() - self._begun < self._seconds_per_tick

    def _let_go(self, ts: int) -> None:
        """Make room: the flow begun first has mostly shown what it is; what its inspector holds is told."""
        flow = next(iter(self._flows.values()))
        if flow.slot >= 0:
            self._wanted[flow.slot] = layout.DONE
        self.flows_let_go += 1
        self.ended(flow.context.flow_id, ts)

    def _begin(
        self, flow_id: int, slot: int, ends: tuple[int, ...], protocol: int, direction: int, fits: int, ts: int
    ) -> InspectedFlow:
        """A flow that is looked at from now on; one of UDP is remembered only when somebody recognises it."""
        version, src_hi, src_lo, src_port, dst_hi, dst_lo, dst_port = ends
        src, dst = _address(src_hi, src_lo, version) or "", _address(dst_hi, dst_lo, version) or ""
        if direction:
            src, src_port, dst, dst_port = dst, dst_port, src, src_port
        context = FlowContext(flow_id, protocol, src, src_port, dst, dst_port, self._sink)
        context.messages = self.messages
        flow = InspectedFlow(context, slot, self._recognition.that_fit(protocol, fits), direction)
        self._limits[slot, 0] = self._limits[slot, 1] = -1
        if protocol == TCP:
            self._remember(flow, ts)
        return flow

    def _remember(self, flow: InspectedFlow, ts: int) -> None:
        if len(self._flows) >= self._most_flows:
            self._let_go(ts)
        self._flows[flow.context.flow_id] = flow

    def _stream(self, flow: InspectedFlow, direction: int, expected: int | None) -> TcpStream:
        """What puts a direction in order from now on."""
        if flow.streams is None:
            flow.streams = [None, None]
        tell, gap = partial(self._in_order, flow, direction), partial(self._gap, flow, direction)
        stream = flow.streams[direction] = TcpStream(tell, gap, budget=self._budget, expected=expected)
        return stream

    def _in_order(self, flow: InspectedFlow, direction: int, data: bytes, ts: int) -> None:
        """Bytes of a TCP stream, in order: to the inspector; until one recognises them, they are kept for it in the order in which they came."""
        if flow.inspector is None:
            self._give(flow, self._offer(flow, direction, data, ts))
        elif not flow.inspector.data(direction, data, ts):
            self._give(flow, self._handed_on(flow, ts))

    def _give(self, flow: InspectedFlow, left: Pieces) -> None:
        """Pieces to the inspector that recognises them, and to those that follow it."""
        if not left:
            return
        pieces = deque(left)
        while pieces and not flow.over:
            direction, data, ts = pieces.popleft()
            if flow.inspector is None:
                pieces.extendleft(reversed(self._offer(flow, direction, data, ts)))
            elif not flow.inspector.data(direction, data, ts):
                pieces.extendleft(reversed(self._handed_on(flow, ts)))

    def _offer(self, flow: InspectedFlow, direction: int, data: bytes, ts: int) -> Pieces:
        """Bytes that belong to no inspector yet. Returns what the one that recognises them has to be given."""
        beginning = flow.beginning
        if beginning is None:
            flow.inspector = self._recognize(flow, direction, data[:RECOGNITION_BYTES])
            if flow.inspector is not None:
                return [(direction, data, ts)]
            beginning = flow.beginning = Beginning()
            held = beginning.add(direction, data, ts)
        else:
            held = beginning.add(direction, data, ts)
            # Some know only a whole first message; a long one is asked about when half as much again has come.
            asked = beginning.asked[direction]
            if held <= SMALL or held >= RECOGNITION_BYTES or 2 * held >= 3 * asked:
                beginning.asked[direction] = held
                flow.inspector = self._recognize(flow, direction, beginning.of(direction, RECOGNITION_BYTES))
            left = beginning.waiting
            if flow.inspector is None and data.startswith(b"\x16\x03"):  # TLS behind first lines that nobody knows
                flow.asked, left = self._recognition.all[TCP], [(direction, data, ts)]
                flow.inspector = self._recognize(flow, direction, data)
            if flow.inspector is not None:
                flow.beginning = None
                return left
        if held >= RECOGNITION_BYTES or len(beginning.waiting) >= RECOGNITION_PIECES:
            self._finish(flow)
        return []

    def _handed_on(self, flow: InspectedFlow, ts: int) -> Pieces:
        """An inspector has what it wants. Where the connection changes its protocol (STARTTLS, CONNECT, Upgrade) what follows is recognised anew;
        returns the bytes that the inspector had already and that belong to what follows."""
        notes = flow.context.notes
        if not notes:
            self._finish(flow)
            return []
        flow.inspector = flow.skipping = flow.beginning = None
        flow.asked = self._recognition.all[TCP]
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
            if flow.beginning is not None:
                flow.beginning.hole(direction)
            flow.asked = self._recognition.all[TCP]  # what comes behind the hole was compared with no signature
        elif not flow.inspector.gap(direction, length):
            self._handed_on(flow, 0)

    def _datagram(self, flow: InspectedFlow, direction: int, payload: bytes, ts: int) -> None:
        if flow.inspector is None:
            slot = flow.slot
            flow.inspector = self._recognize(flow, direction, payload)
            if flow.inspector is None:
                left = self._state[slot]
                self._state[slot] = (left - layout.ASKED if left > layout.ASKED else left) - 1
                return
            self._state[slot] = layout.ALL
            self._remember(flow, ts)
        if not flow.inspector.data(direction, payload, ts):
            self._finish(flow)

    def _recognize(self, flow: InspectedFlow, direction: int, data: bytes) -> Inspector | None:
        context = flow.context
        theirs = direction == flow.asked_of
        for recognizer in flow.asked if theirs else self._recognition.beginning(context.protocol, data):
            inspector = recognizer(context, direction, data)
            if inspector is not None:
                flow.skipping = cast(Skipping, inspector) if hasattr(inspector, "skippable") else None
                return inspector
        return None

    def _finish(self, flow: InspectedFlow) -> None:
        """Nobody wants more of this flow."""
        flow.over = True
        flow.inspector = flow.skipping = flow.beginning = None
        for stream in flow.streams or ():
            if stream is not None:
                stream.stop()
        if flow.slot >= 0:
            self._wanted[flow.slot] = layout.DONE
        self._flows.pop(flow.context.flow_id, None)

"""The sensor's side: first packets of flows become questions to the broker, answers become rows of the snapshot. Never waits, never blocks.

A block's first packets are taken together; a burst beyond the budget of a tick, or beyond the queue, is counted and left unknown, so that a flood of
connections costs no more than a busy second.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
from collections import OrderedDict, deque
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.attribution.polling import ConnectionList
from app.attribution.questions import MAX_ASKED, Question, question_row
from app.link.handover import MAX_MESSAGE, Receiver
from app.model.attribution import POLLING
from app.model.errors import ProtocolError
from app.wire.row_copies import chosen as chosen_rows

FIRST_OF_FLOW: Final = 0x80  # bit of PACKET.kind
MAX_QUEUED: Final = 4_096  # questions
PER_TICK: Final = 2_000  # flows asked for in a second
MAX_ASKED_FLOWS: Final = 32_768  # whose ends are remembered for late corrections
MAX_ROWS: Final = 20_000  # answers that wait for a snapshot
ROWS_PER_SNAPSHOT: Final = 10_000
_COLUMNS: Final = (
    "protocol", "src_hi", "src_lo", "src_port", "dst_hi", "dst_lo", "dst_port", "ts", "tcp_flags", "depth",
)  # fmt: skip
_LENGTH: Final = struct.Struct(">I")
_TUNNELLED: Final = [None, None, 0.0, None, "tunnelled"]


class Asker:
    """`sock` None: nothing is asked. `live` is set by whoever starts a capture; only then there is somebody to ask about."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock
        self._receiver: Receiver | None = None
        if sock is not None:
            sock.setblocking(False)
            self._receiver = Receiver(sock)
        self.live = False
        self._polled = None if sys.platform.startswith("linux") else ConnectionList()
        self._state: dict[str, Any] = {"methods": [], "why_not": {}}
        self._out = b""
        self._processes: list[dict[str, Any]] = []
        self.lost = 0
        self.begin()

    def begin(self) -> None:
        """A new capture."""
        self._queue: deque[Question] = deque()
        self._asked: OrderedDict[int, tuple[int, int, int]] = OrderedDict()
        self._rows: OrderedDict[int, list[Any]] = OrderedDict()
        self._left = PER_TICK
        self.lost = 0

    # -- packets -------------------------------------------------------------------------------------------------------

    def take(self, packets: NDArray[np.void], flow_ids: NDArray[np.uint64]) -> None:
        """A decoded block (PACKET) that went through the flow table, and the flow of each packet."""
        if not self.live or (self._sock is None and self._polled is None):
            return
        first = np.flatnonzero((packets["kind"] & FIRST_OF_FLOW) != 0)
        if not len(first):
            return
        room = min(self._left, MAX_QUEUED - len(self._queue))
        if len(first) > room:
            self.lost += len(first) - max(room, 0)
            first = first[: max(room, 0)]
        self._left -= len(first)
        chosen = chosen_rows(packets, first)
        versions = chosen["ip_version"].tolist()
        ids = flow_ids[first].tolist()
        for flow_id, version, values in zip(
            ids, versions, zip(*(chosen[name].tolist() for name in _COLUMNS), strict=True), strict=True
        ):
            if version and flow_id:
                self._question(flow_id, *values)

    def _question(
        self, flow_id: int, protocol: int, sh: int, sl: int, sport: int, dh: int, dl: int, dport: int, ts: int, flags: int,
        depth: int,
    ) -> None:  # fmt: skip
        self._asked[flow_id] = (sh, sl, sport)
        if len(self._asked) > MAX_ASKED_FLOWS:
            self._asked.popitem(last=False)
        if depth:
            self._keep(flow_id, [_TUNNELLED, None])
            return
        source = sh.to_bytes(8, "big") + sl.to_bytes(8, "big")
        target = dh.to_bytes(8, "big") + dl.to_bytes(8, "big")
        self._queue.append(Question(flow_id, protocol, source, sport, target, dport, ts, flags))

    # -- the broker ----------------------------------------------------------------------------------------------------

    def fileno(self) -> int | None:
        return self._sock.fileno() if self._sock is not None else None

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def ask(self) -> None:
        """Send what is queued, as far as the socket takes it."""
        if self._sock is None or self._polled is not None:
            return
        if not self._out and self._queue:
            rows = [question_row(self._queue.popleft()) for _ in range(min(MAX_ASKED, len(self._queue)))]
            body = json.dumps({"type": "ask", "flows": rows, "descriptors": 0}, separators=(",", ":")).encode()
            assert len(body) <= MAX_MESSAGE
            self._out = _LENGTH.pack(len(body)) + body
        if self._out:
            try:
                self._out = self._out[self._sock.send(self._out) :]
            except BlockingIOError:
                return
            except OSError as error:
                self._end(f"the process that names programs is gone ({error.strerror or error})")

    def serve(self) -> None:
        """The socket is ready."""
        if self._receiver is None:
            return
        try:
            self._receiver.fill()
            for message, _ in self._receiver.take():
                self._hear(message)
        except ProtocolError as error:
            self._end(f"the process that names programs does not keep to the protocol: {error}")
            return
        if self._receiver.ended:
            self._end("the process that names programs is gone")
            return
        self.ask()

    def _end(self, why: str) -> None:
        if self._receiver is not None:
            self._receiver.close_descriptors()
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.close()
        self._sock = self._receiver = None
        self._polled = self._polled or ConnectionList()
        self._out = b""
        self._state = {"methods": [], "why_not": {"all": why}}

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] != "owners":
            return
        state = message.get("state")
        if isinstance(state, dict):
            self._state = state
            if not state.get("methods"):
                self._polled = self._polled or ConnectionList()
        processes = message.get("processes")
        if isinstance(processes, list):
            self._processes += processes
        for row in message.get("rows") or ():
            self._keep(row[0], row[1:3])

    def _keep(self, flow_id: int, ends: list[Any]) -> None:
        source = self._asked.get(flow_id)
        if source is None:
            return  # of a capture before
        self._rows[flow_id] = [flow_id, *source, *ends]
        if len(self._rows) > MAX_ROWS:
            self._rows.popitem(last=False)
            self.lost += 1

    # -- the tick ------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """A second has passed."""
        self._left = PER_TICK
        if self._polled is not None and self.live and not self._state.get("methods"):
            questions, self._queue = list(self._queue), deque()
            for flow_id, ends, processes in self._polled.answer(questions):
                self._processes += processes
                self._keep(flow_id, ends)

    def drain(self) -> dict[str, Any]:
        """What the next snapshot says: `owners`, `processes` and the state, `attribution`."""
        chosen = list(islice(self._rows, ROWS_PER_SNAPSHOT))
        rows = [self._rows.pop(flow_id) for flow_id in chosen]
        processes, self._processes = self._processes, []
        return {"owners": rows, "processes": processes, "attribution": self.state()}

    def state(self) -> dict[str, Any]:
        methods = list(self._state.get("methods") or ())
        if self._polled is not None and not methods:
            methods = [POLLING] if self._polled.why_not is None else []
        return {**self._state, "methods": methods, "lost": self.lost, "queued": len(self._queue), "live": self.live}

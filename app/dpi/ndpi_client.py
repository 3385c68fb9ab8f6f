"""The sensor's side of nDPI: shows the child the first packets of each flow, takes its answers, starts it again when it dies.

Nothing blocks but `drain`. A select loop watches `fileno()` (and writability while `wants_write`) and calls `poll`; packets that a slow or
missing child cannot take are counted and left to `app.dpi.classify`.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from app.allocation import FRUGAL
from app.dpi import ndpi, ndpi_packets
from app.dpi.application import RESTARTED, Application, from_row
from app.dpi.ndpi_budget import Budget
from app.link.frames import FrameDecoder
from app.model.errors import ProtocolError

MAX_WAITING: Final = 16 << 20  # bytes that were not read by the child yet; what comes then is skipped
_PACKETS_PER_BATCH: Final = 4096  # at most 17 MB
_WORTH_A_BATCH: Final = 1 << 20  # bytes: a system call costs more than a hundred packets
_PARTS_PER_SEND: Final = 64
_DEADLINE: Final = 10.0  # s without an answer while one is due: the child hangs
_LONGEST_PAUSE: Final = 60.0  # s before another start of a child that dies again and again
_HEALTHY: Final = 60.0  # s after which a death is no longer one of a row
_BUFFER: Final = 1 << 20
_NO_BYTES: Final = np.zeros(1, np.uint8)
_ROOT: Final = Path(__file__).resolve().parents[2]

Result = tuple[int, Application]


@dataclass(slots=True)
class Statistics:
    """Since the client was made. Losses are for the page."""

    packets_shown: int = 0
    packets_skipped: int = (
        0  # beginnings of flows while the child was too slow, or not there; not all would have been shown
    )
    flows_named: int = 0
    flows_lost: int = 0  # in the child when it died
    restarts: int = 0
    live_flows: int = 0
    memory_bytes: int = 0  # of the child, at its last answer


class NdpiClient:
    """One child at most; it is started with the first packets."""

    def __init__(
        self,
        packets_per_flow: int = ndpi.PACKETS_PER_FLOW,
        max_flows: int = ndpi.MAX_FLOWS,
        idle_ms: int = ndpi.IDLE_MS,
    ) -> None:
        self.statistics = Statistics()
        self.version: str | None = None
        self.why_not: str | None = None if ndpi.installed() else "nDPI is not installed"
        self._arguments = [str(packets_per_flow), str(max_flows), str(idle_ms)]
        self._budget = Budget(packets_per_flow)
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._unsent: deque[memoryview] = deque()
        self._waiting_bytes = 0  # in batches that were not answered
        self._batches: deque[tuple[int, int]] = deque()  # number, bytes
        self._number = 0
        self._next_records: list[bytes] = []  # the batch that is gathered
        self._next_payloads: list[bytes] = []
        self._next_ended: list[bytes] = []
        self._next_bytes = 0  # of payloads
        self._next_clock_ns = 0
        self._frames = FrameDecoder()
        self._inside: dict[int, int] = {}  # flow id → row of the flow table, of flows the child has not decided
        self._ready: list[Result] = []
        self._greeted = False
        self._heard = 0.0
        self._started = 0.0
        self._deaths = 0  # in a row
        self._start_at = 0.0

    @property
    def available(self) -> bool:
        return self.why_not is None

    def fileno(self) -> int | None:
        """Readable when `poll` has something to do; None while there is no child."""
        return None if self._sock is None else self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._unsent)

    @property
    def busy(self) -> bool:
        """Answers are due."""
        return bool(self._batches) or bool(self._ready)

    def feed(
        self,
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        heads: NDArray[np.uint8],
        data: NDArray[np.uint8],
        clock_ns: int,
        *,
        wait: bool = False,
    ) -> int:
        """Show what nDPI should see of PACKET rows that went through the flow table (`flow_ids`, `heads` as it returned them; `data` is the
        block's buffer, not needed afterwards). `wait`: rather wait for the child than skip (files). Returns the number of packets shown."""
        if not self.available:
            return 0
        if not self._ready_for_more(wait):
            self.statistics.packets_skipped += int(np.count_nonzero(heads))
            return 0
        rows, firsts = self._budget.select(packets, flow_ids, heads)
        new = rows[firsts]
        self._inside.update(zip(flow_ids[new].tolist(), packets["flow"][new].tolist(), strict=True))
        self.statistics.packets_shown += len(rows)
        for start in range(0, len(rows), _PACKETS_PER_BATCH):
            part = rows[start : start + _PACKETS_PER_BATCH]
            self._gather(clock_ns, *ndpi_packets.build(packets[part], flow_ids[part], data, self._next_bytes))
        return len(rows)

    def pass_over(self, slot: int, flow_id: int) -> None:
        """Nobody needs nDPI's word on this flow, which is in row `slot` of the flow table."""
        self._budget.pass_over(slot, flow_id)

    def show_silent(self, records: NDArray[np.void], clock_ns: int, *, wait: bool = False) -> None:
        """Of the flows that ended (FLOW rows) those without payload: their ends and ports may still tell something."""
        silent = records[(records["src_payload"] + records["dst_payload"] == 0) & ndpi_packets.showable_flows(records)]
        for start in range(0, len(silent), _PACKETS_PER_BATCH):
            part = silent[start : start + _PACKETS_PER_BATCH]
            if not self.available or not self._ready_for_more(wait):
                self.statistics.packets_skipped += len(silent) - start
                return
            ids = part["flow_id"]
            self._inside.update(dict.fromkeys(ids.tolist(), -1))
            self.statistics.packets_shown += len(part)
            rows = ndpi_packets.greetings(part)
            self._gather(clock_ns, *ndpi_packets.build(rows, ids, _NO_BYTES, self._next_bytes))

    def end(self, flow_ids: NDArray[np.uint64], clock_ns: int) -> None:
        """These flows ended: the child says what it has."""
        ended = [flow_id for flow_id in flow_ids.tolist() if flow_id in self._inside]
        if ended and self._sock is not None:
            self._next_ended.append(np.array(ended, "<u8").tobytes())
            self._gather(clock_ns)

    def tick(self, clock_ns: int) -> None:
        """The capture's clock, once a second where no packets came: silent flows are decided."""
        if self._inside and self._sock is not None and not self._batches:
            self._next_clock_ns = clock_ns
            self._post()

    def poll(self) -> list[Result]:
        """The flows decided since the last call. Never blocks."""
        self._send()
        self._receive()
        if not self._batches and (self._next_records or self._next_ended):
            self._post()
        if self._batches and self._sock is not None and time.monotonic() - self._heard > _DEADLINE:
            self._fail()
        ready, self._ready = self._ready, []
        return ready

    def drain(self, seconds: float = 60.0) -> list[Result]:
        """Wait for all answers that are due, at most `seconds`: for files and commands, not for the select loop."""
        results, end = self.poll(), time.monotonic() + seconds
        while self._batches and time.monotonic() < end:
            self._wait()
            results += self.poll()
        return results

    def close(self) -> None:
        """End the child, at the end or between two captures; what it had not decided stays undecided. The next packets start another."""
        self._kill()
        self._inside.clear()

    def _ready_for_more(self, wait: bool) -> bool:
        """Whether a batch can be posted; starts the child."""
        if self._sock is None and not self._start():
            return False
        while self._waiting_bytes > MAX_WAITING:
            if not wait:
                return False
            self._wait()
            self._ready = self.poll() + self._ready
            if self._sock is None:
                return False
        return True

    def _wait(self) -> None:
        if self._sock is not None:
            select.select([self._sock], [self._sock] if self._unsent else [], [], 0.5)

    def _start(self) -> bool:
        now = time.monotonic()
        if now < self._start_at:
            return False
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.dpi.ndpi_child", *self._arguments],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**FRUGAL, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"},
            )
        except OSError as error:
            ours.close()
            self.why_not = f"the process for nDPI could not be started: {error.strerror}"
            return False
        finally:
            theirs.close()
        ours.setblocking(False)
        self._sock = ours
        self._frames = FrameDecoder()
        self._greeted = False
        self._started = self._heard = now
        return True

    def _gather(self, clock_ns: int, records: bytes = b"", payloads: bytes = b"") -> None:
        """Add to the next batch. It goes out at once while the child has nothing to do, else when it is worth a message."""
        self._next_clock_ns = clock_ns
        self._next_records.append(records)
        self._next_payloads.append(payloads)
        self._next_bytes += len(payloads)
        if not self._batches or self._next_bytes > _WORTH_A_BATCH:
            self._post()

    def _post(self) -> None:
        self._number += 1
        lists = (self._next_records, self._next_payloads, self._next_ended)
        columns = [b"".join(column) for column in lists]
        for column in lists:
            column.clear()
        self._next_bytes = 0
        parts = [column for column in columns if column]
        header = ndpi.BATCH.pack(self._number, max(self._next_clock_ns // 1_000_000, 0), *map(len, columns))
        if not self._batches:
            self._heard = time.monotonic()
        size = sum(map(len, parts))
        self._batches.append((self._number, size))
        self._waiting_bytes += size
        self._unsent.extend(memoryview(part) for part in (header, *parts))
        self._send()

    def _send(self) -> None:
        while self._sock is not None and self._unsent:
            try:
                sent = self._sock.sendmsg(list(islice(self._unsent, _PARTS_PER_SEND)))
            except BlockingIOError:
                return
            except OSError:
                self._fail()
                return
            while sent:
                part = self._unsent.popleft()
                if sent < len(part):
                    self._unsent.appendleft(part[sent:])
                sent -= min(sent, len(part))

    def _receive(self) -> None:
        while self._sock is not None:
            try:
                part = self._sock.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError:
                part = b""
            if not part:
                self._fail()
                return
            try:
                self._take(part)
            except (ProtocolError, ValueError, TypeError, LookupError, msgpack.exceptions.UnpackException):
                self._fail()  # the child's memory may be an attacker's: what is no answer ends it
                return

    def _take(self, part: bytes) -> None:
        self._heard = time.monotonic()
        self._frames.feed(part)
        while (frame := self._frames.next_frame()) is not None:
            answer = msgpack.unpackb(frame)
            if isinstance(answer[0], str):
                self._greet(*answer)
            else:
                self._answer(*answer)

    def _greet(self, version: str, why_not: str | None = None) -> None:
        """The first words of a child, which it says before it has seen a packet; later ones are not believed."""
        if self._greeted or len(version) > 64:
            raise ValueError("a greeting that is none")
        self._greeted = True
        self.version = version or None
        self.why_not = None if why_not is None else str(why_not)

    def _answer(self, number: int, live: int, memory: int, rows: list[list[Any]]) -> None:
        expected, size = self._batches.popleft()
        if number != expected:
            raise ValueError(f"answer {number} came for batch {expected}")
        self._waiting_bytes -= size
        self.statistics.live_flows, self.statistics.memory_bytes = int(live), int(memory)
        for flow_id, *fields in rows:
            slot = self._inside.pop(flow_id, None)
            if slot is None:
                continue  # of a flow that was never shown: not ours to believe
            if slot >= 0:
                self._budget.close(slot, flow_id)
            self._ready.append((flow_id, from_row(fields)))
            self.statistics.flows_named += 1

    def _fail(self) -> None:
        """The child is gone, hangs or talks nonsense: its flows are lost, the next packets start another."""
        self._kill()
        now = time.monotonic()
        if not self.available:
            self._inside.clear()
            return  # it said itself that it cannot work
        self._deaths = 1 if now - self._started > _HEALTHY else self._deaths + 1
        self._start_at = now + min(2.0 ** (self._deaths - 1) - 1, _LONGEST_PAUSE)
        self.statistics.restarts += 1
        self.statistics.flows_lost += len(self._inside)
        for flow_id, slot in self._inside.items():
            if slot >= 0:
                self._budget.close(slot, flow_id)
            self._ready.append((flow_id, Application(None, reason=RESTARTED)))
        self._inside.clear()

    def _kill(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._unsent.clear()
        self._batches.clear()
        for column in (self._next_records, self._next_payloads, self._next_ended):
            column.clear()
        self._next_bytes = self._waiting_bytes = 0
        self.statistics.live_flows = 0

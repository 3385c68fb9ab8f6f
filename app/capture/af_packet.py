"""Live capture on Linux: rings of several packet sockets as one source.

The sockets were opened by somebody with the right to (protocol 0, unbound); everything here works without any. A block's data are the
whole ring, its frames lie where the kernel put them, and `release` gives the memory back.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.capture import packet_socket, ring_layout
from app.capture.bpf_compile import Instruction
from app.capture.ring import RETIRE_MS, Ring
from app.capture.source import SourceInterface, SourceStatistics
from app.model.errors import CaptureError
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE

FRAMES_PER_BLOCK: Final = 16_384
RING_BLOCKS_PER_READ: Final = 8
MAX_INTERFACES: Final = 1024
ANY: Final = "any"
_CHECK_SECONDS: Final = 0.5
_LEAVE_SECONDS: Final = 8 * RETIRE_MS / 1000


@dataclass(frozen=True, slots=True)
class OpenedSocket:
    """A packet socket for one interface (or "any") and the filter compiled for it."""

    name: str
    socket: socket.socket
    program: Sequence[Instruction] | None = None


@dataclass(frozen=True, slots=True)
class InterfaceEvent:
    """Something happened to an interface.

    "down", "up": captures again by itself; "gone": it was removed; "back": one of this name is there again and waits for `reopen`.
    """

    name: str
    state: str


class RingSource:
    """Rings as a `Source`. A block stays valid until it is released; several may be held."""

    def __init__(self, opened: Sequence[OpenedSocket], snaplen: int, ring_bytes: int, promiscuous: bool) -> None:
        self.interfaces: list[SourceInterface] = []
        self.finished = False
        self.truncated = False
        self._snaplen = snaplen
        self._ring_bytes = max(ring_bytes // max(len(opened), 1), 1)
        self._promiscuous = promiscuous
        self._table = np.zeros((MAX_INTERFACES, ring_layout.COLUMNS), np.int64)
        self._rings: list[Ring] = []
        self._rows: dict[Ring, int] = {}  # the interface of a ring; not for "any"
        self._leaving: dict[Ring, float] = {}  # whose interface was removed, and when that was noticed
        self._gone: set[int] = set()  # interfaces that wait for reopen
        self._held: dict[int, tuple[Ring, list[int], NDArray[np.void]]] = {}
        self._spare: list[NDArray[np.void]] = []
        self._token = 0
        self._turn = 0
        self._events: list[InterfaceEvent] = []
        self._checked = time.monotonic()
        self._statistics = SourceStatistics()
        self._closed_drops = self._closed_freezes = 0
        self._epoll = select.epoll()
        try:
            for one in opened:
                self._add(one, None)
        except BaseException:  # raised again: the sockets are ours from the first moment, also when this fails
            self.close()
            for one in opened:
                one.socket.close()
            raise

    def fileno(self) -> int:
        """An epoll descriptor over all rings."""
        return self._epoll.fileno()

    def read(self) -> Block | None:
        """Frames of the next ring that has some; None: none is ready."""
        for _ in range(len(self._rings)):
            self._turn = (self._turn + 1) % len(self._rings)
            block = self._read_ring(self._rings[self._turn])
            if block is not None:
                return block
        self._check_interfaces(errors=True)
        return None

    def release(self, block: Block) -> None:
        """Give its memory back to the kernel. A second time does nothing."""
        held = self._held.pop(block.token, None)
        if held is not None:
            ring, touched, frames = held
            ring.give_back(touched)
            self._spare.append(frames)

    def statistics(self) -> SourceStatistics:
        """Counters over all rings, closed ones too."""
        for ring in self._rings:
            ring.take_statistics()
        self._check_interfaces(errors=False)
        self._statistics.kernel_drops = self._closed_drops + sum(ring.kernel_drops for ring in self._rings)
        self._statistics.queue_freezes = self._closed_freezes + sum(ring.freezes for ring in self._rings)
        return self._statistics

    def events(self) -> list[InterfaceEvent]:
        """What happened to interfaces since the last call. Looks at them at most twice a second."""
        self._check_interfaces(errors=False)
        events, self._events = self._events, []
        return events

    def reopen(self, name: str, sock: socket.socket, program: Sequence[Instruction] | None = None) -> None:
        """Go on with an interface that is back, on a new socket. Raises CaptureError."""
        for index in sorted(self._gone):
            if self.interfaces[index].name == name:
                self._table[index, ring_layout.KERNEL_INDEX] = 0  # if this fails, "back" is said again
                self._add(OpenedSocket(name, sock, program), index)
                self._gone.discard(index)
                self._happened(self.interfaces[index], "up")
                return
        sock.close()
        raise CaptureError("no_such_interface", f"{name} is not an interface that went away")

    def refuse_more(self) -> None:
        """Let no further packet in; what is in the rings can still be read (the last after `ring.RETIRE_MS`)."""
        for ring in self._rings:
            packet_socket.refuse_everything(ring.socket)

    def close(self) -> None:
        """Close sockets and rings."""
        self.finished = True
        while self._rings:
            self._drop(self._rings[-1])
        self._epoll.close()

    def _add(self, opened: OpenedSocket, index: int | None) -> None:
        """A ring on a socket; `index`: the place of an interface that is back."""
        ring = Ring(opened.name, opened.socket, opened.program, self._snaplen, self._ring_bytes)
        self._rings.append(ring)
        self._epoll.register(ring.socket.fileno(), select.EPOLLIN)
        if opened.name == ANY:
            return
        row = self._rows[ring] = self._describe(opened.name, ring.kernel_index, ring.hardware, index)
        self.interfaces[row].up = bool(packet_socket.is_up(ring.socket, ring.kernel_index))
        if self._promiscuous:
            ring.set_promiscuous()

    def _drop(self, ring: Ring) -> None:
        self._rings.remove(ring)
        self._rows.pop(ring, None)
        try:
            self._epoll.unregister(ring.socket.fileno())
        except (OSError, ValueError):
            pass  # was never registered, or is closed
        ring.close()
        self._closed_drops += ring.kernel_drops
        self._closed_freezes += ring.freezes

    def _describe(self, name: str, kernel_index: int, hardware: int, index: int | None = None) -> int:
        """Write an interface into list and table; its place."""
        link_type = packet_socket.link_type_of(hardware)
        if index is None:
            index = len(self.interfaces)
            if index >= MAX_INTERFACES:
                raise CaptureError("not_supported", f"at most {MAX_INTERFACES} interfaces can be captured at once")
            self.interfaces.append(SourceInterface(name, link_type, index))
        self.interfaces[index].link_type = link_type
        self.interfaces[index].up = True
        self._table[index] = (kernel_index, link_type, hardware == packet_socket.ARPHRD_LOOPBACK)
        return index

    def _read_ring(self, ring: Ring) -> Block | None:
        frames = self._spare.pop() if self._spare else np.zeros(FRAMES_PER_BLOCK, FRAME_DTYPE)
        row = self._rows.get(ring, -1)
        for _ in range(MAX_INTERFACES):
            count, touched, unknown = ring.walk(self._table, len(self.interfaces), row, frames, RING_BLOCKS_PER_READ)
            if unknown >= 0:
                self._meet(ring, unknown)
            if count:
                self._token += 1
                self._held[self._token] = (ring, touched, frames)
                self._statistics.packets += count
                return Block(ring.data, frames[:count], self._token)
            ring.give_back(touched)
            if not touched:
                break
        self._spare.append(frames)
        return None

    def _meet(self, ring: Ring, position: int) -> None:
        """The first packet of an interface that "any" did not know; beyond the limit it takes the place of the last."""
        at = position + ring_layout.HEADER
        kernel_index, hardware = struct.unpack("=iH", ring.data[at + 4 : at + 10].tobytes())
        try:
            name = socket.if_indextoname(kernel_index)
        except OSError:
            name = f"if{kernel_index}"  # removed since
        index = len(self.interfaces) - 1 if len(self.interfaces) >= MAX_INTERFACES else None
        self._describe(name, kernel_index, hardware, index)

    def _happened(self, interface: SourceInterface, state: str) -> None:
        interface.up = state == "up"
        self._statistics.interface_events += 1
        if len(self._events) < MAX_INTERFACES:
            self._events.append(InterfaceEvent(interface.name, state))

    def _check_interfaces(self, errors: bool) -> None:
        """Notice interfaces that went down, away or came back; with `errors`, at once where a socket reports one."""
        down = errors and sum(_error_of(ring.socket) for ring in self._rings) > 0  # every error must be taken
        now = time.monotonic()
        if not down and now - self._checked < _CHECK_SECONDS:
            return
        self._checked = now
        for ring, index in list(self._rows.items()):
            interface = self.interfaces[index]
            up = packet_socket.is_up(ring.socket, ring.kernel_index)
            if up is None:
                self._drop_gone(ring, index)
            elif up != interface.up:
                self._happened(interface, "up" if up else "down")
        for index in self._gone:
            interface = self.interfaces[index]
            if self._table[index, ring_layout.KERNEL_INDEX] >= 0 and packet_socket.index_of(interface.name):
                self._table[index, ring_layout.KERNEL_INDEX] = -1  # said once
                self._events.append(InterfaceEvent(interface.name, "back"))
        self._check_any()

    def _drop_gone(self, ring: Ring, index: int) -> None:
        """The interface of a ring was removed. What is in the ring is read first, also what the kernel has not handed over yet."""
        since = self._leaving.setdefault(ring, time.monotonic())
        if ring.ready() or time.monotonic() - since < _LEAVE_SECONDS:
            return
        del self._leaving[ring]
        self._drop(ring)
        self._gone.add(index)
        self._table[index, ring_layout.KERNEL_INDEX] = 0
        self._happened(self.interfaces[index], "gone")

    def _check_any(self) -> None:
        """The interfaces that "any" has met."""
        named = set(self._rows.values()) | self._gone
        for ring in self._rings:
            if ring in self._rows:
                continue
            for interface in self.interfaces:
                if interface.index in named:
                    continue
                number = int(self._table[interface.index, ring_layout.KERNEL_INDEX])
                state = packet_socket.is_up(ring.socket, number)
                if bool(state) != interface.up:
                    self._happened(interface, "up" if state else "down" if state is False else "gone")


def _error_of(sock: socket.socket) -> bool:
    """Take the socket's pending error; until then it stays readable."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) not in (0, errno.EAGAIN)


def open_ring(
    sockets: Sequence[OpenedSocket],
    *,
    snaplen: int = 0,
    ring_bytes: int = 64 << 20,
    promiscuous: bool = True,
) -> RingSource:
    """Capture on packet sockets that were opened elsewhere; the source owns them from now on, also if this raises.

    `snaplen` 0: whole packets. `ring_bytes` is for all interfaces together. Raises CaptureError: no_such_interface, interface_down,
    bad_filter, failed.
    """
    return RingSource(sockets, snaplen, ring_bytes, promiscuous)

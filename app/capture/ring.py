"""One TPACKET_V3 receive ring on one packet socket: set up, walked block by block, given back block by block.

The kernel fills ring blocks and sets a word in each to say whose it is. A ring block may be in several of our blocks (it can have more
packets than fit into one array of frames), so its users are counted, and the last one gives it back.
"""

from __future__ import annotations

import errno
import mmap
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.capture import packet_socket, ring_layout
from app.capture.bpf_compile import Instruction
from app.model.errors import CaptureError
from app.native.call import EACH_CALL
from app.native.loader import kernel

BLOCK_SIZE: Final = 1 << 20
SMALL_BLOCK_SIZE: Final = 256 << 10
SMALL_RING: Final = 16 << 20
SMALLEST_RING: Final = 1 << 20
RETIRE_MS: Final = 32  # a ring block with packets is handed over after this time, full or not
_FRAME_SIZE: Final = 2048
_STATUS, _PACKETS, _FIRST = 8, 12, 16  # places in a ring block's header
_USER: Final = 1
_NO_BYTES: Final[NDArray[np.uint8]] = np.zeros(0, np.uint8)
_NO_WORDS: Final[NDArray[np.uint32]] = np.zeros(0, np.uint32)


class Ring:
    """The ring of one socket, which it owns: bound to `name`, or to all interfaces when `name` is "any"."""

    def __init__(
        self, name: str, sock: socket.socket, program: Sequence[Instruction] | None, snaplen: int, ring_bytes: int
    ) -> None:
        """Set up and bind; packets come from now on. Raises CaptureError; the socket is closed then."""
        self.name = name
        self.socket = sock
        self.kernel_index = 0
        self.hardware = 0
        self.packets = self.kernel_drops = self.freezes = 0
        self._promiscuous = False
        self._memory: mmap.mmap | None = None
        self.data = _NO_BYTES
        self._statuses = _NO_WORDS  # one word in each ring block: whose it is
        self.block_size = self.blocks = 0
        self._users: list[int] = []  # of each ring block: how many of our blocks have frames in it
        self._walked: list[bool] = []  # read to its end, not yet given back
        self._current = 0
        self._left = 0  # packets of the current ring block that are still to be read
        self._state = np.zeros(ring_layout.STATE_SIZE, np.int64)
        self._walk_block = kernel("walk_ring_block").bind(*(EACH_CALL,) * 6, self._state)
        try:
            sock.setblocking(False)
            sock.setsockopt(packet_socket.SOL_PACKET, packet_socket.PACKET_VERSION, packet_socket.TPACKET_V3)
            packet_socket.attach_filter(sock, packet_socket.with_snaplen(program, snaplen))
            self._allocate(ring_bytes)
            self._bind()
        except OSError as error:
            self.close()
            raise _refused(name, error) from None
        except CaptureError:
            self.close()
            raise

    def set_promiscuous(self) -> bool:
        """Ask for everything that passes the interface; False where it cannot (it sees its own traffic all the same)."""
        try:
            packet_socket.set_promiscuous(self.socket, self.kernel_index, True)
        except OSError:
            return False
        self._promiscuous = True
        return True

    def walk(
        self, table: NDArray[np.int64], rows: int, fixed: int, frames: NDArray[np.void], most: int
    ) -> tuple[int, list[int], int]:
        """Read up to `most` ready ring blocks into `frames`.

        (frames filled, ring blocks touched – each is now in use once more –, position in the data of a packet from an interface that is
        not in the table, or -1).
        """
        state, unknown = self._state, -1
        touched: list[int] = []
        state[ring_layout.COUNT] = 0
        while len(touched) < most:
            block = self._current
            if not self._left:
                if self._walked[block] or not self._statuses[block] & _USER:
                    break
                start = block * self.block_size
                packets, first = struct.unpack_from("=II", self._require(), start + _PACKETS)
                state[ring_layout.POSITION] = start + first
                state[ring_layout.LEFT] = packets
            status = self._walk_block(self.data, (block + 1) * self.block_size, table, rows, fixed, frames)
            self._left = int(state[ring_layout.LEFT])
            self._users[block] += 1
            touched.append(block)
            if status == ring_layout.UNKNOWN_INTERFACE:
                unknown = int(state[ring_layout.POSITION])
                break
            if status == ring_layout.FULL:
                break
            self._left = 0
            self._walked[block] = True
            self._current = (block + 1) % self.blocks
        return int(state[ring_layout.COUNT]), touched, unknown

    def ready(self) -> bool:
        """Is there a ring block to read?"""
        if self._memory is None:
            return False
        return bool(self._left or (not self._walked[self._current] and self._statuses[self._current] & _USER))

    def give_back(self, touched: Sequence[int]) -> None:
        """These ring blocks have one user less; those without any go back to the kernel."""
        if self._memory is None:
            return
        for block in touched:
            self._users[block] -= 1
            if not self._users[block] and self._walked[block]:
                self._walked[block] = False
                self._statuses[block] = 0

    def take_statistics(self) -> None:
        """Add what the kernel counted since the last time."""
        if self._memory is None:
            return
        packets, drops, freezes = packet_socket.take_statistics(self.socket)
        self.packets += packets
        self.kernel_drops += drops
        self.freezes += freezes

    def close(self) -> None:
        """Close the socket and the ring. Memory that somebody still looks at is freed when they let go."""
        if self.socket.fileno() >= 0:
            try:
                packet_socket.refuse_everything(self.socket)
                if self._promiscuous:
                    packet_socket.set_promiscuous(self.socket, self.kernel_index, False)
                self.take_statistics()
            except (OSError, CaptureError):
                pass  # the interface is gone, and its memberships with it
        memory, self._memory = self._memory, None
        if memory is not None:
            # The views must go first: a mapping with views cannot be unmapped.
            self.data, self._statuses = _NO_BYTES, _NO_WORDS
            try:
                memory.close()
            except BufferError:
                pass  # a block is still held; its last reference unmaps it
        self.socket.close()

    def _require(self) -> mmap.mmap:
        assert self._memory is not None
        return self._memory

    def _allocate(self, ring_bytes: int) -> None:
        """The largest ring up to `ring_bytes` that the kernel gives."""
        while True:
            self.block_size = SMALL_BLOCK_SIZE if ring_bytes < SMALL_RING else BLOCK_SIZE
            self.blocks = max(ring_bytes // self.block_size, 4)
            frames = self.blocks * (self.block_size // _FRAME_SIZE)
            request = struct.pack("@7I", self.block_size, self.blocks, _FRAME_SIZE, frames, RETIRE_MS, 0, 0)
            try:
                self.socket.setsockopt(packet_socket.SOL_PACKET, packet_socket.PACKET_RX_RING, request)
                break
            except OSError as error:
                if error.errno != errno.ENOMEM or ring_bytes <= SMALLEST_RING:
                    raise
                ring_bytes //= 2
        self._memory = mmap.mmap(self.socket.fileno(), self.block_size * self.blocks)
        self.data = np.frombuffer(self._memory, np.uint8)
        self._statuses = np.ndarray((self.blocks,), np.uint32, self._memory, offset=_STATUS, strides=(self.block_size,))
        self._users = [0] * self.blocks
        self._walked = [False] * self.blocks

    def _bind(self) -> None:
        if self.name == "any":
            packet_socket.bind_to_all(self.socket)
            return
        self.socket.bind((self.name, packet_socket.ETH_P_ALL))
        address: Any = self.socket.getsockname()  # (name, protocol, packet type, hardware type, address)
        self.hardware = int(address[3])
        self.kernel_index = socket.if_nametoindex(self.name)


def _refused(name: str, error: OSError) -> CaptureError:
    """The kernel's words about an interface."""
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return CaptureError("no_such_interface", f"there is no interface {name}")
    if error.errno == errno.ENETDOWN:
        return CaptureError("interface_down", f"{name} is down")
    if error.errno in (errno.EPERM, errno.EACCES):
        return CaptureError("not_permitted", f"capturing on {name} is not permitted")
    return CaptureError("failed", f"capturing on {name} failed: {error.strerror or error}")

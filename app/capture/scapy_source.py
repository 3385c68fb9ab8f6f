"""Live capture through scapy, for systems without Linux packet sockets (macOS, BSD, Windows with npcap).

One thread per interface reads raw frames into a queue of bounded size; `read` makes blocks of them. Far slower than a ring: some
thousand packets a second. What does not fit is dropped and counted.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from app.capture.source import SourceInterface, SourceStatistics
from app.model.errors import CaptureError
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE

QUEUE_BYTES: Final = 16 << 20
FRAMES_PER_BLOCK: Final = 4096
_MAX_FRAME: Final = 262_144
_WAIT_SECONDS: Final = 0.2
# scapy's class of the first layer → LINKTYPE_ number.
_LINK_TYPES: Final[dict[str, int]] = {
    "Ether": 1,
    "Dot3": 1,
    "IP": 101,
    "IPv6": 101,
    "IPv46": 101,
    "Loopback": 0,
    "LoopbackOpenBSD": 108,
    "PPP": 9,
    "Dot11": 105,
    "RadioTap": 127,
    "CookedLinux": 113,
    "CookedLinuxV2": 276,
}
_LINKTYPE_UNKNOWN: Final = 147
_Frame = tuple[int, int, int, int, bytes]  # ts, interface, link type, length on the wire, bytes


class _Queue:
    """Frames between the threads and the reader, at most `QUEUE_BYTES` of them, with a pipe that is readable while there are any."""

    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[_Frame] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        return self._reader

    def put(self, frame: _Frame) -> None:
        with self._lock:
            if self._bytes + len(frame[4]) > QUEUE_BYTES:
                self.dropped += 1
                return
            self._frames.append(frame)
            self._bytes += len(frame[4])
            if len(self._frames) == 1:
                self._signal()

    def take(self, most: int) -> list[_Frame]:
        with self._lock:
            taken = [self._frames.popleft() for _ in range(min(most, len(self._frames)))]
            self._bytes -= sum(len(frame[4]) for frame in taken)
            if taken and not self._frames:
                os.read(self._reader, 64)
            return taken

    def _signal(self) -> None:
        try:
            os.write(self._writer, b"\0")
        except OSError:
            pass  # closed, or full of signals already

    def close(self) -> None:
        with self._lock:
            self._frames.clear()
            for descriptor in (self._reader, self._writer):
                os.close(descriptor)


class ScapySource:
    """scapy's listening sockets as a `Source`."""

    def __init__(self, sockets: Sequence[tuple[str, Any]], snaplen: int) -> None:
        self.interfaces: list[SourceInterface] = []
        self.finished = False
        self.truncated = False
        self._snaplen = snaplen if 0 < snaplen < _MAX_FRAME else _MAX_FRAME
        self._queue = _Queue()
        self._statistics = SourceStatistics()
        self._sockets = sockets
        self._stop = threading.Event()
        self._threads = []
        for index, (name, sock) in enumerate(sockets):
            self.interfaces.append(SourceInterface(name, _link_type(getattr(sock, "LL", None)), index))
            self._threads.append(
                threading.Thread(target=self._listen, args=(index, sock), name=f"capture-{name}", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        """Readable while frames wait."""
        return self._queue.fileno()

    def read(self) -> Block | None:
        """What has come since, in a buffer of its own; None: nothing."""
        taken = self._queue.take(FRAMES_PER_BLOCK)
        if not taken:
            return None
        data = np.frombuffer(bytearray(b"".join(frame[4] for frame in taken)) or bytearray(1), np.uint8)
        frames = np.zeros(len(taken), FRAME_DTYPE)
        frames["ts"] = [frame[0] for frame in taken]
        frames["interface"] = [frame[1] for frame in taken]
        frames["link_type"] = [frame[2] for frame in taken]
        frames["wire_len"] = [frame[3] for frame in taken]
        frames["cap_len"] = lengths = np.array([len(frame[4]) for frame in taken], np.int64)
        frames["offset"] = np.cumsum(lengths) - lengths
        self._statistics.packets += len(taken)
        return Block(data, frames)

    def release(self, block: Block) -> None:
        """Nothing to do: every block has its own buffer."""

    def statistics(self) -> SourceStatistics:
        """Drops are those of the queue; what the kernel dropped before, scapy does not say."""
        self._statistics.kernel_drops = self._queue.dropped
        return self._statistics

    def close(self) -> None:
        """Stop the threads and close the sockets."""
        if self.finished:
            return
        self.finished = True
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        for _, sock in self._sockets:
            sock.close()
        self._queue.close()

    def _listen(self, index: int, sock: Any) -> None:
        """A thread's life: wait for a frame, take it, put it into the queue."""
        interface = self.interfaces[index]
        while not self._stop.is_set():
            try:
                if not sock.select([sock], _WAIT_SECONDS):
                    continue
                layer, raw, ts = sock.recv_raw(_MAX_FRAME)
            except Exception:  # scapy raises whatever the system gives: the interface is gone, or this is the end
                interface.up = False
                self._statistics.interface_events += 1
                return
            if raw is None:
                continue
            ns = int(ts * 1_000_000_000) if ts else time.time_ns()
            self._queue.put((ns, index, _link_type(layer), len(raw), bytes(raw[: self._snaplen])))


def _link_type(layer: Any) -> int:
    return _LINK_TYPES.get(getattr(layer, "__name__", ""), _LINKTYPE_UNKNOWN)


def open_sniffer(interfaces: Sequence[str], bpf_filter: str = "", snaplen: int = 0) -> ScapySource:
    """Open scapy's sockets on interfaces. Raises CaptureError: no_such_interface, not_permitted, bad_filter, failed."""
    from scapy.config import conf
    from scapy.error import Scapy_Exception

    opened: list[tuple[str, Any]] = []
    try:
        import scapy.layers.all  # noqa: F401 -- tells scapy the link types
        from scapy.interfaces import get_working_ifaces

        # Other systems have no device for all interfaces: "any" is each one there is now.
        names = [one.name for one in get_working_ifaces()] if list(interfaces) == ["any"] else list(interfaces)
        for name in names:
            opened.append((name, conf.L2listen(iface=name, filter=bpf_filter or None)))
        return ScapySource(opened, snaplen)
    except PermissionError:
        error = CaptureError("not_permitted", "capturing is not permitted to this user")
    except Scapy_Exception as problem:
        code = "bad_filter" if bpf_filter and "filter" in str(problem).lower() else "failed"
        error = CaptureError(code, str(problem))
    except (OSError, ValueError) as problem:  # ValueError: scapy does not know the interface
        error = CaptureError("no_such_interface", f"{', '.join(interfaces)}: {problem}")
    for _, sock in opened:
        sock.close()
    raise error

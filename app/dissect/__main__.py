"""The dissecting process: length-prefixed msgpack jobs on one socket (file descriptor 0), one answer each, until it closes.

It trusts nothing in a frame and holds nothing worth stealing: no privilege, no other descriptor, bounded memory and time. The
parent kills it when it is late.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
from types import FrameType
from typing import Any, Final

import msgpack

from app import privileges
from app.dissect.client import JOB_SECONDS, MAX_MESSAGE, PREFIX

MEMORY_BYTES: Final = 1 << 30
BEGINNING: Final = 256  # bytes that are tried when the whole takes too long


class OutOfTime(BaseException):
    """Raised by the timer inside whatever scapy is doing; no `except Exception` in a dissector catches it."""


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime


def serve(sock: socket.socket) -> None:
    """Answer jobs until the parent closes the socket."""
    signal.signal(signal.SIGALRM, _ring)
    while True:
        header = _read(sock, PREFIX.size)
        body = _read(sock, PREFIX.unpack(header)[0]) if header else b""
        if not body:
            return
        job = msgpack.unpackb(body)
        answer = _answered(job["frame"], job["link_type"]) | {"id": job["id"]}
        message = msgpack.packb(answer)
        if len(message) > MAX_MESSAGE:
            message = msgpack.packb({"id": job["id"], "error": "The dissection of this packet is too large to show."})
        sock.sendall(PREFIX.pack(len(message)) + message)


def _answered(frame: bytes, link_type: int) -> dict[str, Any]:
    """The dissection; when it takes too long, that of the frame's beginning, with the reason."""
    from app.dissect.tree import dissect

    resource.setrlimit(resource.RLIMIT_CPU, (_cpu_seconds() + 2 * JOB_SECONDS, resource.RLIM_INFINITY))
    error = None
    for part, seconds in ((frame, JOB_SECONDS), (frame[:BEGINNING], 1)):
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = dissect(part, link_type)
            signal.setitimer(signal.ITIMER_REAL, 0)
            return answer | {"error": error}
        except OutOfTime:
            error = f"Taking this packet apart took longer than {JOB_SECONDS} s; only its first {BEGINNING} bytes were."
        except MemoryError:
            error = (
                f"Taking this packet apart needs more memory than is allowed; only its first {BEGINNING} bytes were."
            )
        except RecursionError:
            error = f"This packet nests deeper than can be shown; only its first {BEGINNING} bytes were taken apart."
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return {"error": error}


def _cpu_seconds() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int(usage.ru_utime + usage.ru_stime)


def _read(sock: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes; empty at the end of the stream."""
    data = bytearray()
    while len(data) < count:
        part = sock.recv(min(count - len(data), 1 << 20))
        if not part:
            return b""
        data += part
    return bytes(data)


def main() -> None:
    privileges.seal()
    privileges.die_with_parent(os.getppid(), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parents; this process ends with its socket
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # remarks on strange packets: nobody reads them here
    from app.dissect import layers, trace

    layers.load()
    trace.install()
    serve(socket.socket(fileno=0))


if __name__ == "__main__":
    main()

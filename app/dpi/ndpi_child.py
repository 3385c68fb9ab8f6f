"""The process nDPI lives in: batches of packets on one socket (file descriptor 0), one answer each, until it closes.

One idea: hostile bytes can corrupt the memory of C code, so this process holds nothing: no privilege, no other descriptor, bounded memory.
When it dies the parent starts another (`app.dpi.ndpi_client`).

A batch is BATCH (number, clock in ms, three lengths in bytes) and then RECORD rows, the packets' bytes, ids of flows that ended (u64 each).
An answer is a frame of msgpack: [number, live C flows, memory in bytes, [[flow id, Application's fields …], …]]. The first frame of the child is
[version of nDPI] or ["", why there is none].
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import sys
import time
from typing import Any, Final

import msgpack

from app import privileges
from app.dpi.application import Application, to_row
from app.dpi.ndpi import BATCH, MAX_BATCH, Buffer, Engine, EngineUnavailable
from app.link.frames import encode_frame

MEMORY_BYTES: Final = 1 << 30
OPEN_FILES: Final = 16
_MEASURE_EVERY: Final = 1.0  # s


def serve(sock: socket.socket, engine: Engine) -> None:
    """Answer batches until the parent closes the socket."""
    header = memoryview(bytearray(BATCH.size))
    body = memoryview(bytearray(1 << 20))
    memory, measured = 0, -_MEASURE_EVERY
    while _read(sock, header):
        number, clock_ms, *lengths = BATCH.unpack(header)
        size = sum(lengths)
        if size > MAX_BATCH:
            raise ValueError(f"a batch of {size} bytes; allowed: {MAX_BATCH}")
        if size > len(body):
            body = memoryview(bytearray(size))
        if not _read(sock, body[:size]):
            return
        first, second = lengths[0], lengths[0] + lengths[1]
        rows = decided(engine, clock_ms, body[:first], body[first:second], body[second:size])
        now = time.monotonic()
        if now - measured >= _MEASURE_EVERY:
            memory, measured = _resident_bytes(), now
        sock.sendall(encode_frame(msgpack.packb([number, engine.live, memory, rows])))


def decided(engine: Engine, clock_ms: int, records: Buffer, data: Buffer, ended: Buffer) -> list[list[Any]]:
    """What one batch decides: [flow id, Application's fields …] each."""
    found: list[tuple[int, Application]] = engine.take(records, data, clock_ms)
    for (flow_id,) in struct.iter_unpack("<Q", ended):
        application = engine.give_up(flow_id)
        if application is not None:
            found.append((flow_id, application))
    return [[flow_id, *to_row(application)] for flow_id, application in found]


def _read(sock: socket.socket, into: memoryview) -> bool:
    """Fill `into`; False at the end of the stream."""
    done = 0
    while done < len(into):
        count = sock.recv_into(into[done:], 0, socket.MSG_WAITALL)
        if not count:
            return False
        done += count
    return True


def _resident_bytes() -> int:
    """Memory in use now; the peak where the system does not say (getrusage counts what was there before exec)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    packets_per_flow, max_flows, idle_ms = (int(argument) for argument in sys.argv[1:4])
    privileges.seal()
    privileges.die_with_parent(os.getppid(), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parents; this process ends with its socket
    sock = socket.socket(fileno=0)
    try:
        engine = Engine(packets_per_flow, max_flows, idle_ms)
    except EngineUnavailable as error:
        sock.sendall(encode_frame(msgpack.packb(["", str(error)])))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    sock.sendall(encode_frame(msgpack.packb([engine.version])))
    serve(sock, engine)


if __name__ == "__main__":
    main()

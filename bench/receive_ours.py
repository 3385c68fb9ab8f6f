"""Receiver: our capture path on one interface, from the ring to flows, counters and the packet store.

`python -m bench.receive_ours INTERFACE [RING_MB]`. Says "ready", captures until a line arrives on stdin, then lets nothing more
in, reads what is in the ring, and prints what it counted as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app import kernel_cache
from config import Settings

if TYPE_CHECKING:
    from app.capture.af_packet import RingSource
    from app.sensor.pipeline import Pipeline

_DRAIN_S = 0.5  # without a block: then the ring is empty, as the kernel hands over a block that is not full long before
_TICK_S = 1.0


def _work(source: RingSource, pipeline: Pipeline, seconds: float) -> bool:
    """Blocks that are ready, for at most `seconds`; were there any?"""
    end = time.monotonic() + seconds
    found = False
    while time.monotonic() < end and (block := source.read()) is not None:
        pipeline.feed(block)
        source.release(block)
        found = True
    return found


def _capture(source: RingSource, pipeline: Pipeline) -> None:
    """As the sensor's loop does: wait, read, close a tick a second; until stdin says enough."""
    poller = select.poll()
    poller.register(source.fileno(), select.POLLIN)
    poller.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    tick = time.monotonic() + _TICK_S
    while True:
        ready = dict(poller.poll(max(0, int((tick - time.monotonic()) * 1000))))
        _work(source, pipeline, 0.04)
        if time.monotonic() >= tick:
            pipeline.close_tick()
            tick += _TICK_S
        if sys.stdin.fileno() in ready:
            return


def main() -> None:
    kernel_cache.use()  # before numba is imported
    from app.capture.af_packet import OpenedSocket, open_ring
    from app.sensor.packet_store import PacketStore
    from app.sensor.pipeline import Pipeline

    interface = sys.argv[1]
    settings = Settings.from_environment({})  # the defaults
    ring_mb = int(sys.argv[2]) if len(sys.argv) > 2 else settings.ring_mb
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    pipeline = Pipeline(settings.max_flows, PacketStore(settings.packet_store_mb << 20))
    source = open_ring([OpenedSocket(interface, raw)], ring_bytes=ring_mb << 20)
    print("ready", flush=True)
    _capture(source, pipeline)
    source.refuse_more()
    end = time.monotonic() + _DRAIN_S
    while time.monotonic() < end:
        if _work(source, pipeline, _DRAIN_S):
            end = time.monotonic() + _DRAIN_S
        time.sleep(0.02)
    pipeline.close_tick()
    pipeline.finish()
    statistics = source.statistics()
    counts = pipeline.counts
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(
        json.dumps(
            {
                "captured": statistics.packets,
                "dropped": statistics.kernel_drops,
                "freezes": statistics.queue_freezes,
                "packets": counts.packets,
                "bytes": counts.bytes,
                "flows": pipeline.table.created,
                "undecoded": counts.undecoded(),
                "layers": counts.layers(),
                "rss_mb": int(status.split("VmHWM:")[1].split()[0]) / 1024,
            }
        ),
        flush=True,
    )
    source.close()


if __name__ == "__main__":
    main()

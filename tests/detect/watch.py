"""`python -m tests.detect.watch IFACE SECONDS`: the pipeline on an interface, as the sensor has it; prints "ready", then each new alert as a line of JSON."""

from __future__ import annotations

import json
import select
import socket
import sys
import time

from app.capture.af_packet import OpenedSocket, open_ring
from app.detect.engine import Engine
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline


def main(interface: str, seconds: float) -> None:
    engine = Engine()
    pipeline = Pipeline(1 << 17, insight=Insight(patient=False, limit=1000), detection=engine)
    source = open_ring(
        [OpenedSocket(interface, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))], ring_bytes=32 << 20
    )
    print("ready", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([source.fileno()], [], [], 0.1)
        until = time.monotonic() + 0.1
        while time.monotonic() < until and (block := source.read()) is not None:
            pipeline.feed(block)
            source.release(block)
        pipeline.expire(time.time_ns())
        for alert in engine.folding.take_changed(100):
            if alert.count == 1:
                one = alert.detection
                said = {"rule": one.rule, "source": one.source, "target": one.target, "title": one.title}
                print(json.dumps({**said, "at": time.time(), "ts": one.ts / 1e9, "reason": one.reason}), flush=True)
    print(json.dumps({"packets": pipeline.counts.packets, "failures": engine.failures}), flush=True)
    source.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))

"""`python -m tests.detect.watch IFACE`: the pipeline on an interface, as the sensor has it, until it is killed; prints "ready", then each new alert
as a line of JSON; `late` is the time of the capture's clock from the packet that passed the limit to the alert, in seconds."""

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

SECOND = 10**9


def main(interface: str) -> None:
    engine = Engine()
    pipeline = Pipeline(1 << 17, insight=Insight(patient=False, limit=1000), detection=engine)
    source = open_ring(
        [OpenedSocket(interface, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))], ring_bytes=32 << 20
    )
    print("ready", flush=True)
    clock = time.time_ns()
    while True:
        now = time.time_ns()
        if (block := source.read()) is not None:
            pipeline.feed(block)
            source.release(block)
            clock = pipeline.clock_ns
            tell(engine, clock)
            continue
        for second in (*range(clock + SECOND, now, SECOND), now):  # nothing older waits
            pipeline.expire(second)
            tell(engine, second)
        clock = now
        select.select([source.fileno()], [], [], 0.1)


def tell(engine: Engine, clock: int) -> None:
    for alert in engine.folding.take_changed(100):
        if alert.count == 1:
            one = alert.detection
            said = {"rule": one.rule, "source": one.source, "target": one.target, "title": one.title}
            print(json.dumps({**said, "late": (clock - one.ts) / 1e9, "reason": one.reason}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

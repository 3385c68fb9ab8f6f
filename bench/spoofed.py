"""`python -m bench.spoofed [MILLIONS]`: does the sensor's memory level off under packets that are all strangers, and is a real scan inside them found?

Every packet has forged hardware addresses; half are SYNs, three tenths DNS queries for made-up names, the rest datagrams and ARP from forged senders. They go
through the pipeline as it is put together live (flow table, packet ring, inspectors, cards, entropy, detectors, evidence), 100,000 a second of the capture's clock.
From the middle on 192.168.1.5 scans 192.168.1.9, four probes in 4,096 packets.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect.engine import Engine
from app.flow.flow_entropy import EntropySettings
from app.host.memory import resident_bytes
from app.sensor.card_key import installation_key
from app.sensor.card_masking import CardMasking
from app.sensor.cards import Cards
from app.sensor.entropy_watch import EntropyWatch
from app.sensor.evidence import EvidenceCutter
from app.sensor.insight import Insight
from app.sensor.packet_store import PacketStore
from app.sensor.pipeline import Pipeline
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE

PACKETS: Final = 4096  # of a block
SIZE: Final = 84  # bytes of the longest frame
GAP_NS: Final = 10_000
START_NS: Final = 1_700_000_000 * 10**9
TICK: Final = 24  # blocks, about a second
MAX_FLOWS: Final = 65_536
RING_MB: Final = 64
SCANNER, SCANNED = (192, 168, 1, 5), (192, 168, 1, 9)
LETTERS: Final = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", np.uint8)


class Flood:
    """Blocks of strangers."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._port = 0
        self.sent = 0
        frames = np.zeros((PACKETS, SIZE), np.uint8)
        frames[:, 12:14], frames[:, 14], frames[:, 22] = (8, 0), 0x45, 64
        kinds = np.arange(PACKETS) % 20
        self._syn, self._dns, self._udp, self._arp = kinds < 10, (kinds >= 10) & (kinds < 16), kinds >= 16, kinds == 19
        self._udp &= ~self._arp
        frames[:, 30:34] = (10, 1, 1, 9)
        frames[self._syn, 16:18], frames[self._syn, 23] = (0, 40), 6
        frames[self._syn, 46], frames[self._syn, 47] = 0x50, 2
        frames[self._dns, 16:18], frames[self._dns, 23] = (0, 70), 17
        frames[self._dns, 36:40] = (0, 53, 0, 50)
        frames[self._dns, 44:46], frames[self._dns, 46:48] = (1, 0), (0, 1)  # recursion desired; one question
        frames[self._dns, 54], frames[self._dns, 67] = 12, 7
        frames[self._dns, 68:75] = tuple(b"example")
        frames[self._dns, 77], frames[self._dns, 79] = 1, 1
        frames[self._udp, 16:18], frames[self._udp, 23], frames[self._udp, 38:40] = (0, 46), 17, (0, 26)
        self._lengths = np.where(self._dns, SIZE, 60)
        self._base = frames

    def block(self, scan: bool) -> Block:
        """The next 4,096 packets."""
        random, frames = self._random, self._base.copy()
        frames[:, :12] = random.integers(0, 256, (PACKETS, 12), dtype=np.uint8)
        frames[:, [0, 6]] &= 0xFE
        frames[:, 26:30] = random.integers(11, 200, (PACKETS, 4), dtype=np.uint8)
        frames[:, 34:36] = random.integers(0, 256, (PACKETS, 2), dtype=np.uint8)
        other = ~self._dns
        frames[other, 36:38] = random.integers(0, 256, (int(other.sum()), 2), dtype=np.uint8)
        frames[self._syn, 38:42] = random.integers(0, 256, (int(self._syn.sum()), 4), dtype=np.uint8)
        asked = int(self._dns.sum())
        frames[self._dns, 42:44] = random.integers(0, 256, (asked, 2), dtype=np.uint8)
        frames[self._dns, 55:67] = LETTERS[random.integers(0, len(LETTERS), (asked, 12))]
        self._make_arp(frames)
        if scan:
            for row in range(4):
                self._probe(frames[row * 1000])
        stamps = np.zeros(PACKETS, FRAME_DTYPE)
        stamps["offset"] = np.arange(PACKETS) * SIZE
        stamps["cap_len"] = stamps["wire_len"] = self._lengths
        stamps["link_type"] = 1
        stamps["ts"] = START_NS + (self.sent + np.arange(PACKETS)) * GAP_NS
        self.sent += PACKETS
        return Block(frames.reshape(-1), stamps)

    def _make_arp(self, frames: NDArray[np.uint8]) -> None:
        arp = self._arp
        frames[arp, 12:22] = (8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
        frames[arp, 22:28] = frames[arp, 6:12]
        frames[arp, 28:32] = self._random.integers(11, 200, (int(arp.sum()), 4))
        frames[arp, 38:42] = self._random.integers(11, 200, (int(arp.sum()), 4))

    def _probe(self, frame: NDArray[np.uint8]) -> None:
        frame[26:30], frame[30:34] = SCANNER, SCANNED
        frame[34:36], frame[36:38] = (200, 7), divmod(self._port % 60_000 + 1, 256)
        self._port += 1


def main(arguments: list[str]) -> int:
    """A line for each million; 1 where the scan was not found."""
    total = int(float(arguments[0]) * 1e6) if arguments else 10_000_000
    cards = Cards(installation_key(None))
    store = PacketStore(RING_MB << 20, CardMasking(lambda: cards.places))
    evidence = EvidenceCutter(store)
    engine = Engine(on_alert=evidence.want)
    insight = Insight(patient=False, engine=None, limit=1000)
    watch = EntropyWatch(EntropySettings())
    pipeline = Pipeline(MAX_FLOWS, store, insight=insight, detection=engine, cards=cards, watch=watch)
    pipeline.evidence = evidence
    flood, begun, told, blocks = Flood(), time.process_time(), 0, 0
    while flood.sent < total:
        pipeline.feed(flood.block(scan=flood.sent >= total // 2))
        blocks += 1
        if blocks % TICK == 0:
            pipeline.close_tick()
            evidence.take()
        if flood.sent // 1_000_000 > told:
            told = flood.sent // 1_000_000
            lost = engine.context.state_lost()
            said = f"{told:3d} M  {resident_bytes() / 1e6:4.0f} MB  {time.process_time() - begun:6.1f} s"
            print(f"{said}  alerts {engine.folding.total}  detector entries forgotten {lost:,}", flush=True)
    pipeline.finish()
    for alert in engine.folding.alerts():
        print(f"{alert.detection.rule}: {alert.detection.reason}")
    if engine.failures:
        print(engine.failures)
    found = [alert for alert in engine.folding.alerts() if alert.detection.source == ".".join(map(str, SCANNER))]
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

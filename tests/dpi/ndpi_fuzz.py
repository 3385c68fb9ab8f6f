"""Mutated flows of captures through nDPI, each packet against a page that must not be read.

`python -m tests.dpi.ndpi_fuzz SEED PACKETS [DIRECTORY]` ends with 0, or with the signal that killed it. Headers stay those that
`app.dpi.ndpi_packets` writes; payloads are flipped, cut, repeated, grown, and joined with those of other flows.
"""

import ctypes
import mmap
import random
import sys
import time

from app.dpi.ndpi import RECORD, Engine
from app.dpi.ndpi_budget import Budget
from app.dpi.ndpi_packets import build
from app.model.errors import CaptureError
from tests.dpi.capture_flows import CAPTURES, batches

PAGE = mmap.PAGESIZE
SPAN = 17 * PAGE
MOST = 20  # packets of a flow
TELLING = (0, 1, 0x7F, 0x80, 0xFF, 0x41, 0x20, 0x0A)
LENGTHS = (0, 1, 0xFFFF, 0x7FFF, 0x8000, 0x100)


def seeds(directory):
    """Lists of (IP version, IP protocol, packet)."""
    flows = {}
    for path in sorted(directory.iterdir()):
        if "pcap" not in path.name:
            continue
        budget = Budget(MOST)
        try:
            for packets, flow_ids, heads, data, _ in batches(path):
                rows, _ = budget.select(packets, flow_ids, heads)
                records, held = build(packets[rows], flow_ids[rows], data)
                for flow_id, _, offset, length, version, protocol in RECORD.iter_unpack(records):
                    flow = flows.setdefault((path.name, flow_id), [])
                    flow.append((version, protocol, held[offset : offset + length]))
        except CaptureError:
            continue  # damaged on purpose
    return list(flows.values())


def header_size(version, protocol):
    return (20 if version == 4 else 40) + (40 if protocol == 6 else 8)


def honest(packet, version, protocol):
    """With lengths that hold."""
    ip = 20 if version == 4 else 40
    packet = bytearray(packet)
    place, announced = (2, len(packet)) if version == 4 else (4, len(packet) - 40)
    packet[place : place + 2] = announced.to_bytes(2, "big")
    if protocol == 17:
        packet[ip + 4 : ip + 6] = (len(packet) - ip).to_bytes(2, "big")
    return bytes(packet)


def mutated(draw, payload):
    payload = bytearray(payload)
    for _ in range(draw.choice((1, 1, 2, 4, 8, 32))):
        if not payload:
            break
        at = draw.randrange(len(payload))
        kind = draw.randrange(7)
        if kind == 0:
            payload[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            payload[at] = draw.choice(TELLING)
        elif kind == 2:
            payload[at] = draw.randrange(256)
        elif kind == 3:
            payload[at : at + 2] = draw.choice((*LENGTHS, len(payload) & 0xFFFF)).to_bytes(
                2, draw.choice(("big", "little"))
            )
        elif kind == 4:
            del payload[at:]
        elif kind == 5:
            other = draw.randrange(len(payload))
            payload[at : at + 32] = payload[other : other + draw.randrange(1, 64)]
        else:
            payload[at:at] = bytes([draw.choice(TELLING)]) * draw.randrange(1, 40)
    return bytes(payload[:60_000])


def conversation(draw, flows):
    flow = draw.choice(flows)
    version, protocol, first = flow[0]
    size = header_size(version, protocol)
    parts = [packet[size:] for _, _, packet in flow]
    if draw.random() < 0.3:
        other = draw.choice(flows)
        parts = parts[: draw.randrange(len(parts)) + 1] + [p[header_size(v, k) :] for v, k, p in other]
    for i, part in enumerate(parts[:MOST]):
        header = (flow[i] if i < len(flow) else (version, protocol, first))[2][:size]
        payload = mutated(draw, part) if draw.random() < 0.6 else part
        yield version, protocol, honest(header + payload, version, protocol)


def guarded():
    """(bytes, their address): what follows them cannot be read."""
    memory = mmap.mmap(-1, SPAN + PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + SPAN), PAGE, 0) == 0
    return memory, address


def main(seed, count, directory):
    draw, flows = random.Random(seed), seeds(directory)
    engine = Engine(draw.choice((10, 20)), max_flows=64)
    memory, address = guarded()
    names, slowest, flow_id, done = set(), 0.0, 0, 0
    while done < count:
        flow_id += 1
        found = []
        for version, protocol, packet in conversation(draw, flows):
            memory[SPAN - len(packet) : SPAN] = packet
            at = engine._ffi.cast("uint8_t *", address + SPAN - len(packet))
            began = time.perf_counter()
            engine._update(flow_id, flow_id * 10, at, len(packet), version, protocol, found)
            slowest = max(slowest, time.perf_counter() - began)
            done += 1
        names |= {application.name for _, application in found}
        if draw.random() < 0.5:  # others stay until there are too many
            engine.give_up(flow_id)
    engine.close()
    print(f"seed {seed}: {done} packets, {flow_id} flows, {len(names)} names, slowest {slowest * 1e3:.1f} ms")


if __name__ == "__main__":
    from pathlib import Path

    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else CAPTURES)

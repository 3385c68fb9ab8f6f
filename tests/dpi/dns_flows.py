"""What the DNS tests share: messages made by hand, a flow that collects facts, and the datagrams of a capture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from app.capture.pcap_file import open_file
from app.dpi.dns import DnsRecognizer
from app.dpi.inspector import FlowContext
from app.wire.addresses import format_address
from app.wire.decode import BATCH, Decoder

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
MS = 1_000_000
SECOND = 1000 * MS
SERVER = "192.0.2.53"
CLIENT = "192.0.2.1"


def name(text: str) -> bytes:
    """An uncompressed name."""
    labels = [] if text == "." else text.encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(text: str, kind: int = 1, record_class: int = 1) -> bytes:
    return name(text) + struct.pack(">HH", kind, record_class)


def record(owner: bytes, kind: int, data: bytes, ttl: int = 60, record_class: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, record_class, ttl, len(data)) + data


def message(number: int, *questions: bytes, flags: int = 0x0100, answers=(), authorities=(), additionals=()) -> bytes:
    counts = len(questions), len(answers), len(authorities), len(additionals)
    return struct.pack(">6H", number, flags, *counts) + b"".join((*questions, *answers, *authorities, *additionals))


def flow(protocol=17, src_ip=CLIENT, src_port=40000, dst_ip=SERVER, dst_port=53, facts=None, flow_id=1) -> FlowContext:
    facts = [] if facts is None else facts
    return FlowContext(flow_id, protocol, src_ip, src_port, dst_ip, dst_port, facts.append, {"facts": facts})


def begin(context: FlowContext, data: bytes = b"\0" * 12, recognizer: DnsRecognizer | None = None):
    """An inspector and the list of its facts."""
    inspector = (recognizer or DnsRecognizer())(context, 0, data)
    assert inspector is not None
    return inspector, context.notes["facts"]


def datagrams(path: Path) -> Iterator[tuple[int, tuple, tuple, int, bytes]]:
    """(protocol, (address, port) of the sender, of the receiver, time, payload) of each whole datagram or segment."""
    decoder = Decoder()
    with closing(open_file(path)) as source:
        yield from _datagrams(source, decoder)


def _datagrams(source, decoder) -> Iterator[tuple[int, tuple, tuple, int, bytes]]:
    while not source.finished:
        block = source.read()
        if block is None:
            continue
        for start in range(0, len(block.frames), BATCH):
            for packet in decoder.decode(block.data, block.frames[start : start + BATCH]):
                if packet["protocol"] not in (6, 17) or packet["kind"] & 0b10010 or packet["reason"]:
                    continue
                at = int(packet["offset"]) + int(packet["payload_offset"])
                held = int(packet["cap_len"]) - int(packet["payload_offset"])
                size = min(int(packet["payload_len"]), max(held, 0))
                version = int(packet["ip_version"])
                ends = [
                    (
                        format_address(int(packet[f"{end}_hi"]), int(packet[f"{end}_lo"]), version),
                        int(packet[f"{end}_port"]),
                    )
                    for end in ("src", "dst")
                ]
                yield int(packet["protocol"]), *ends, int(packet["ts"]), block.data[at : at + size].tobytes()


def facts_of(path: Path) -> list:
    """All facts of the DNS inspectors over a capture whose TCP segments are in order."""
    facts: list = []
    flows: dict = {}
    recognizer = DnsRecognizer()
    last = 0
    for protocol, sender, receiver, ts, data in datagrams(path):
        if not data:
            continue
        last = max(last, ts)
        key = protocol, min(sender, receiver), max(sender, receiver)
        if key not in flows:
            context = flow(protocol, *sender, *receiver, facts, len(flows) + 1)
            flows[key] = context, recognizer(context, 0, data)
        context, inspector = flows[key]
        if inspector is not None:
            inspector.data(0 if sender == (context.src_ip, context.src_port) else 1, data, ts)
    for _, inspector in flows.values():
        if inspector is not None:
            inspector.close(last)
    return facts

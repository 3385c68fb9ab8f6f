"""The conversations of a small capture, as inspectors get them: datagrams, and TCP bytes in order, each once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from app.capture.pcap_file import open_file
from app.wire.addresses import format_address
from app.wire.decode import BATCH, Decoder

CAPTURES = Path(__file__).parents[1] / "data" / "captures"


def conversations(name):
    """[((protocol, src, port, dst, port), [(direction, bytes, ns), …]), …]; src sent the first packet."""
    table, ahead = {}, {}
    for protocol, sender, receiver, packet, payload in _payloads(CAPTURES / name):
        key = (protocol, *sorted((sender, receiver)))
        (_, first), lines = table.setdefault(key, ((protocol, sender), []))
        direction, ts = int(sender != first), int(packet["ts"])
        if protocol == 17:
            lines.append((direction, payload, ts))
            continue
        start = (int(packet["seq"]) + bool(packet["tcp_flags"] & 2)) & 0xFFFFFFFF
        state = ahead.setdefault((key, direction), {"next": start, "held": {}})
        state["held"][start, len(payload)] = payload
        _release(state, direction, ts, lines)
    return [
        ((p, *first, *_other(key, first)), [line for line in lines if line[1]])
        for key, ((p, first), lines) in table.items()
    ]


def _other(key, first):
    return key[2] if key[1] == first else key[1]


def _release(state, direction, ts, lines):
    for (start, size), payload in sorted(state["held"].items()):
        late = (state["next"] - start) & 0xFFFFFFFF
        if late >= 1 << 31:
            continue
        del state["held"][start, size]
        if late < size:
            lines.append((direction, payload[late:], ts))
            state["next"] = (start + size) & 0xFFFFFFFF


def _payloads(path):
    decoder = Decoder()
    with closing(open_file(path)) as source:
        while not source.finished:
            block = source.read()
            if block is None:
                continue
            for begin in range(0, len(block.frames), BATCH):
                for packet in decoder.decode(block.data, block.frames[begin : begin + BATCH]):
                    if packet["protocol"] in (6, 17) and not packet["reason"] and not packet["kind"] & 0b10010:
                        at = int(packet["offset"]) + int(packet["payload_offset"])
                        held = max(int(packet["cap_len"]) - int(packet["payload_offset"]), 0)
                        payload = bytes(block.data[at : at + min(int(packet["payload_len"]), held)])
                        yield int(packet["protocol"]), _end(packet, "src"), _end(packet, "dst"), packet, payload


def _end(packet, side):
    address = format_address(int(packet[f"{side}_hi"]), int(packet[f"{side}_lo"]), int(packet["ip_version"]))
    return address, int(packet[f"{side}_port"])

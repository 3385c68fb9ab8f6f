"""Captures played through decoder, reassembly and recognisers: what the sensor does, in its plainest form."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from app.capture.pcap_file import open_file
from app.dpi.inspector import FlowContext
from app.dpi.reassembly import TcpStream
from app.model.layers import KIND_LATER_FRAGMENT, KIND_NO_FLOW
from app.wire.decode import BATCH, Decoder

CAPTURES = Path(__file__).resolve().parents[1] / "data" / "captures"
FIN_RST, SYN, ACK = 5, 2, 16


class Conversation:
    """One flow: accumulates until a recogniser answers, then feeds the inspector; goes on after a tunnel or an upgrade."""

    def __init__(self, flow, recognizers):
        self.flow = flow
        self.recognizers = recognizers
        self.inspector = None
        self.over = self.ended = False
        self.streams = [TcpStream(lambda d, t, i=i: self.data(i, d, t), lambda n, i=i: self.gap(i, n)) for i in (0, 1)]
        self._restart()

    def _restart(self):
        self.inspector, self.begun, self.waiting = None, [b"", b""], []

    def data(self, direction, data, ts):
        if self.over:
            return
        if self.inspector:
            self._feed([(direction, data, ts)])
            return
        self.begun[direction] = data if self.flow.protocol == 17 else self.begun[direction] + data
        self.waiting.append((direction, data, ts))
        for recognize in self.recognizers:
            self.inspector = recognize(self.flow, direction, self.begun[direction][:4096])
            if self.inspector:
                self._feed(self.waiting)
                return
        self.over = len(self.begun[direction]) > 4096 or len(self.waiting) > 50

    def _feed(self, pieces):
        for index, (direction, data, ts) in enumerate(pieces):
            if not self.inspector.data(direction, data, ts):
                notes = self.flow.notes
                self.over = not (notes.pop("tunnel", None) or notes.get("upgrade"))
                self._restart()
                for side, rest in notes.pop("rest", {}).items():
                    self.data(side, rest, ts)
                for later in pieces[index + 1 :]:
                    self.data(*later)
                return

    def gap(self, direction, length):
        if self.inspector and not self.over and not self.inspector.gap(direction, length):
            self.over = True

    def close(self, ts):
        for stream in self.streams:
            stream.flush()
        if self.inspector and not self.over:
            self.inspector.close(ts)


def facts_of(path, recognizers):
    """[(ports of the conversation, fact), …] of a capture file."""
    source, decoder, open_flows, found, ts = open_file(str(path)), Decoder(), {}, [], 0
    while not source.finished:
        block = source.read()
        for start in range(0, len(block.frames) if block else 0, BATCH):
            for packet in decoder.decode(block.data, block.frames[start : start + BATCH]):
                if packet["protocol"] in (6, 17) and not packet["kind"] & (KIND_NO_FLOW | KIND_LATER_FRAGMENT):
                    ts = int(packet["ts"])
                    _packet(packet, block, open_flows, recognizers, found)
    source.close()
    for conversation in open_flows.values():
        conversation.close(ts)
    return found


def _packet(packet, block, open_flows, recognizers, found):
    protocol, flags, ts = int(packet["protocol"]), int(packet["tcp_flags"]), int(packet["ts"])
    source, destination = ((*_address(packet, side), int(packet[f"{side}_port"])) for side in ("src", "dst"))
    key = (protocol, *sorted((source, destination)))
    conversation = open_flows.get(key)
    if conversation and protocol == 6 and conversation.ended and flags & (SYN | ACK) == SYN:
        conversation.close(ts)
        conversation = None
    if conversation is None:
        ends = (destination, source) if protocol == 6 and flags & (SYN | ACK) == SYN | ACK else (source, destination)
        ports = tuple(sorted((source[1], destination[1])))
        flow = FlowContext(len(found) + 1, protocol, *ends[0], *ends[1], lambda fact: found.append((ports, fact)))
        conversation = open_flows[key] = Conversation(flow, recognizers)
    direction = int(source != (conversation.flow.src_ip, conversation.flow.src_port))
    at = int(packet["offset"]) + int(packet["payload_offset"])
    captured = max(0, min(int(packet["payload_len"]), int(packet["cap_len"]) - int(packet["payload_offset"])))
    payload = bytes(block.data[at : at + captured])
    if protocol == 17:
        conversation.data(direction, payload, ts)
        return
    conversation.ended |= bool(flags & FIN_RST)
    if flags & ACK:
        conversation.streams[1 - direction].acknowledged(int(packet["ack"]), ts)
    conversation.streams[direction].segment(
        int(packet["seq"]), payload, bool(flags & SYN), bool(flags & 1), ts, int(packet["payload_len"])
    )


def _address(packet, side):
    number = int(packet[f"{side}_hi"]) << 64 | int(packet[f"{side}_lo"])
    return (
        str(ipaddress.IPv4Address(number & 0xFFFFFFFF) if packet["ip_version"] == 4 else ipaddress.IPv6Address(number)),
    )

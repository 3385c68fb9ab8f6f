"""What each packet of each flow says: direction, flags, sequence numbers, payload, time.

Packets are laid out flow after flow, in the order of the conversation, one array element each; `Packets.order` then
puts them in the order of time. Payload is a cut (offset, length) of the pool in `bench.payload`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.draws import Draws
from bench.flows import Flows
from bench.frames import PREFIX_DNS, PREFIX_NONE, PREFIX_TLS, SYN_OPTION_BYTES, header_bytes
from bench.payload import BULK, pool
from bench.profiles import SIZES, TCP_KINDS, Kind, Profile

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_FRAGMENT_PAYLOAD = 1472  # UDP payload bytes in a first fragment: 1480 bytes behind the IP header, a multiple of 8
_MANNER_OPEN_END = 7  # `Flows.manner` from here on: the connection is still open at its last packet
_LONG_ENOUGH = 12  # TCP flows with fewer packets are not closed


def second_fragment_bytes(flows: Flows) -> I64:
    """Payload of a datagram's second fragment, in a frame of 594 bytes."""
    return SIZES[1] - 34 - 4 * flows.tags


@dataclass
class Packets:
    """One element a packet, flow-major."""

    flow: NDArray[np.int32]
    number: NDArray[np.int32]  # in its flow, from 0
    forward: Mask  # sent by the client
    flags: NDArray[np.uint8]
    payload: NDArray[np.int32]  # layer-4 payload bytes, prefix included
    prefix: NDArray[np.uint8]  # bytes before the cut that only this packet has
    cut_offset: NDArray[np.int32]
    cut_length: NDArray[np.int32]  # payload without prefix, or padding behind a short packet
    fragment: NDArray[np.uint8]  # 0 whole, 1 first, 2 last
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    again: Mask  # sends once more what was sent before
    time: I64
    order: I64  # flow-major positions in the order of time


class Script:
    """Fills the columns step by step; later steps refine earlier ones."""

    def __init__(self, flows: Flows, profile: Profile, draws: Draws) -> None:
        self.flows, self.profile, self.draws = flows, profile, draws
        total = int(flows.packets.sum())
        self.flow = np.repeat(np.arange(len(flows.packets), dtype=np.int32), flows.packets)
        self.first = np.cumsum(flows.packets) - flows.packets  # position of each flow's first packet
        self.index = np.arange(total, dtype=np.int64)
        self.number = (self.index - self.first[self.flow]).astype(np.int32)
        self.count = flows.packets[self.flow].astype(np.int32)
        self.kind = flows.kind[self.flow].astype(np.uint8)
        self.tcp = np.isin(self.kind, TCP_KINDS)
        self.forward = np.zeros(total, np.bool_)
        self.flags = np.zeros(total, np.uint8)
        self.payload = np.zeros(total, np.int32)
        self.prefix = np.zeros(total, np.uint8)
        self.cut_offset = np.zeros(total, np.int32)
        self.fragment = np.zeros(total, np.uint8)
        self.header = header_bytes(flows)[self.flow].astype(np.int32)

    def data(self) -> None:
        """Every packet as one from the middle of its flow: a size of the mix, bulk payload, one direction."""
        size = np.array(SIZES, np.int32)[self.draws.chosen("size", self.index, list(self.profile.size_shares))]
        room = np.maximum(size - self.header, 0)
        bare = (size == SIZES[0]) & self.tcp & (not self.profile.small_data)
        self.payload = np.where(bare, 0, room).astype(np.int32)
        chance = self.draws.below("direction", self.index, 100)
        share = np.where(self.tcp, np.where(self.payload > 0, 20, 70), 50)
        share[(self.kind == Kind.HTTP) & (self.payload > 0)] = 0  # one long answer
        self.forward = chance < share
        self.flags[self.tcp] = ACK
        self.flags[self.tcp & (self.payload > 0)] = ACK | PSH
        bulk = pool()
        base = np.full(len(Kind), bulk.random, np.int64)
        base[[Kind.HTTP, Kind.TEXT_UDP]] = bulk.text
        base[[Kind.FLAT_TCP, Kind.FLAT_UDP, Kind.SCAN]] = bulk.flat
        self.cut_offset = (base[self.kind] + 2 * self.draws.below("cut", self.index, BULK // 2)).astype(np.int32)
        self.prefix[(self.kind == Kind.TLS) & (self.payload >= 40)] = PREFIX_TLS

    def _say(
        self, mask: Mask, forward: bool, flags: int, message: str | None = None, prefix: int = PREFIX_NONE
    ) -> None:
        """Packets of `mask` become one step of a conversation, with a message of the pool or empty."""
        self.forward[mask] = forward
        self.flags[mask] = flags
        self.prefix[mask] = prefix
        self.payload[mask] = 0
        if message is not None:
            table, variant = pool().tables[message], self.flows.variant[self.flow[mask]]
            self.cut_offset[mask] = table.offset[variant]
            self.payload[mask] = table.length[variant] + prefix

    def conversations(self) -> None:
        """Handshakes, first messages, ends; DNS, ARP and echo pairs."""
        number, kind = self.number, self.kind
        stream = self.tcp & (kind != Kind.SCAN) & (kind != Kind.FLOOD)
        self._say(stream & (number == 0), True, SYN)
        self._say(stream & (number == 1), False, SYN | ACK)
        self._say(stream & (number == 2), True, ACK)
        for which, question, answer in (
            (Kind.TLS, "client_hello", "server_hello"),
            (Kind.HTTP, "http_request", "http_response"),
        ):
            self._say((kind == which) & (number == 3), True, ACK | PSH, question)
            self._say((kind == which) & (number == 4), False, ACK | PSH, answer)
        self._say((kind == Kind.DNS) & (number == 0), True, 0, "dns_query", PREFIX_DNS)
        self._say((kind == Kind.DNS) & (number == 1), False, 0, "dns_answer", PREFIX_DNS)
        for pair in (Kind.ICMP, Kind.ARP):
            self.forward[kind == pair] = number[kind == pair] % 2 == 0
        self.payload[kind == Kind.ARP] = 0
        closed = stream & (self.count >= _LONG_ENOUGH) & (self.flows.manner[self.flow] < _MANNER_OPEN_END)
        left = self.count - number
        self._say(closed & (left == 3), True, FIN | ACK)
        self._say(closed & (left == 2), False, FIN | ACK)
        self._say(closed & (left == 1), True, ACK)

    def attacks(self) -> None:
        """Ports that are scanned are silent, refuse or answer; a flood only sends SYN."""
        manner = self.flows.manner[self.flow]
        scan = self.kind == Kind.SCAN
        silent = (self.kind == Kind.FLOOD) | (scan & (manner < 5))
        self._say(silent, True, SYN)
        refused = scan & (manner >= 5) & (manner < 8)
        opened = scan & (manner >= 8)
        self._say(refused | opened, True, RST)
        self._say((refused | opened) & (self.number == 0), True, SYN)
        self._say(refused & (self.number == 1), False, RST | ACK)
        self._say(opened & (self.number == 1), False, SYN | ACK)

    def fragments(self) -> None:
        """Datagrams in two pieces: the first full, the second with what is left of 594 bytes."""
        mask = self.kind == Kind.FRAGMENTS
        last = mask & (self.number % 2 == 1)
        first = mask & ~last
        self.fragment[first], self.fragment[last] = 1, 2
        self.payload[first] = _FRAGMENT_PAYLOAD
        self.payload[last] = second_fragment_bytes(self.flows)[self.flow[last]]
        both = self.index[last]
        self.forward[both] = self.forward[both - 1]

    def _sent_before(self, weight: I64) -> tuple[I64, I64]:
        """Sequence space used before each packet, by its own direction and by the other."""
        sent_by = []
        for direction in (self.forward, ~self.forward):
            mine = np.where(direction, weight, 0)
            sent = np.cumsum(mine) - mine
            sent_by.append(sent - sent[self.first][self.flow])
        return np.where(self.forward, *sent_by), np.where(self.forward, *sent_by[::-1])

    def numbers(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], Mask]:
        """Sequence and acknowledgement numbers, and which packets repeat what was just sent."""
        weight = self.payload.astype(np.int64) + ((self.flags & SYN) > 0) + ((self.flags & FIN) > 0)
        weight[~self.tcp] = 0
        is_scan = (self.kind == Kind.SCAN) | (self.kind == Kind.FLOOD)
        again = self.tcp & ~is_scan & (self.number > 8) & (self.payload > 0)
        again &= self.draws.below("again", self.index, 1000) < 4
        again |= is_scan & ((self.flags & SYN) > 0) & self.forward & (self.number > 0)
        own, other = self._sent_before(np.where(again, 0, weight))
        impossible = again & (own < weight + ((self.flags & SYN) == 0))  # not that much was sent yet
        again &= ~impossible
        own, other = self._sent_before(np.where(again, 0, weight))
        own -= np.where(again, weight, 0)
        client_isn = self.draws.bits("client_isn", np.arange(len(self.first))) & np.uint64(0xFFFFFFFF)
        server_isn = self.draws.bits("server_isn", np.arange(len(self.first))) & np.uint64(0xFFFFFFFF)
        isns = client_isn.astype(np.int64)[self.flow], server_isn.astype(np.int64)[self.flow]
        seq = own + np.where(self.forward, isns[0], isns[1])
        ack = other + np.where(self.forward, isns[1], isns[0])
        ack[(self.flags & ACK) == 0] = 0
        return seq.astype(np.uint32), ack.astype(np.uint32), again

    def times(self) -> I64:
        """When each packet is sent: the handshake in one round trip, the rest spread over the flow's life."""
        flow, number = self.flow, self.number.astype(np.int64)
        rtt = self.flows.rtt[flow]
        early = np.minimum(number, 3)
        later = np.maximum(number - 3, 0) * 1024 + np.where(
            number > 3, self.draws.below("jitter", self.index, 1000) - 500, 0
        )
        spread = self.flows.life[flow] * later // (np.maximum(self.count - 3, 1).astype(np.int64) * 1024)
        time: I64 = self.flows.start[flow] + early * rtt // 2 + spread
        last = self.index[self.fragment == 2]
        time[last] = time[last - 1] + 2_000
        return time

    def finish(self) -> Packets:
        """The columns, with padding of short frames and the order of time."""
        seq, ack, again = self.numbers()
        time = self.times()
        padding = np.maximum(SIZES[0] - self.header - SYN_OPTION_BYTES * ((self.flags & SYN) > 0), 0)
        padding[self.payload > 0] = 0
        cut_length = np.where(self.payload > 0, self.payload - self.prefix, padding).astype(np.int32)
        self.cut_offset[self.payload == 0] = pool().zeros
        return Packets(
            flow=self.flow,
            number=self.number,
            forward=self.forward,
            flags=self.flags,
            payload=self.payload,
            prefix=self.prefix,
            cut_offset=self.cut_offset,
            cut_length=cut_length,
            fragment=self.fragment,
            seq=seq,
            ack=ack,
            again=again,
            time=time,
            order=np.argsort(time, kind="stable"),
        )


def make_packets(flows: Flows, profile: Profile, draws: Draws) -> Packets:
    """All packets of `flows`."""
    script = Script(flows, profile, draws)
    script.data()
    script.conversations()
    script.attacks()
    script.fragments()
    return script.finish()

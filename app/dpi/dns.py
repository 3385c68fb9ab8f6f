"""The DNS inspector: UDP datagrams and TCP streams to `DnsTransaction` and `HostName` facts; also mDNS, LLMNR and NetBIOS names."""

from __future__ import annotations

from typing import Final

from app.dpi import dns_text
from app.dpi.dns_hosts import own_names
from app.dpi.dns_match import GroupQuestions, Transactions
from app.dpi.dns_message import HEADER_SIZE, MAX_COUNT, MAX_QUESTIONS, Message, parse_message
from app.dpi.facts import HostName
from app.dpi.inspector import DONE, MORE, ORIGINATOR, FlowContext
from app.dpi.signatures import on_ports, pattern

PORTS: Final[dict[int, str]] = {53: "dns", 5353: "mdns", 5355: "llmnr", 137: "nbns"}
TCP: Final = 6
UDP: Final = 17
MAX_USELESS: Final = 16  # messages in a row that are none, then the inspector leaves
_MAX_HOSTS: Final = 64  # names of hosts a flow tells once each
_CLASSES: Final = frozenset((1, 3, 4, 254, 255))  # IN, CH, HS, NONE, ANY


class DnsRecognizer:
    """Makes DNS inspectors. One for a capture: it knows the questions to groups, which are answered in other flows."""

    # On other ports: one question, and in datagrams the bit that must be zero.
    signatures = (
        *on_ports(UDP, *PORTS),
        *on_ports(TCP, *PORTS),
        *pattern(UDP, *(f"?? ?? ?? {digit}? 00 01" for digit in "012389ab")),
        *pattern(TCP, *(f"?? ?? ?? ?? ?? {digit}? 00 01" for digit in "012389ab")),
    )

    def __init__(self) -> None:
        self._group = GroupQuestions()

    def __call__(self, flow: FlowContext, direction: int, data: bytes) -> DnsDatagrams | DnsStream | None:
        """By port 53, 5353, 5355 or 137; on other ports (UDP, TCP) only a message that is right to its last octet."""
        kind = _kind_by_port(flow)
        if flow.protocol == UDP:
            if kind is None and not is_message(data):
                return None
            return DnsDatagrams(flow, kind or "dns", self._group)
        if flow.protocol == TCP and kind != "nbns":
            whole = len(data) >= 2 and is_message(data[2 : 2 + int.from_bytes(data[:2], "big")])
            if whole and kind is None and len(data) < 2 + int.from_bytes(data[:2], "big"):
                return None
            if whole or (kind is not None and _may_begin(data)):
                return DnsStream(flow, kind or "dns", self._group)
        return None


def recognize_dns(flow: FlowContext, direction: int, data: bytes) -> DnsDatagrams | DnsStream | None:
    """As `DnsRecognizer`, for one flow that stands alone."""
    return DnsRecognizer()(flow, direction, data)


def is_message(data: bytes) -> bool:
    """Whether the bytes are exactly one ordinary message: one question of a known type and class, nothing missing, nothing left over.

    Strict, because it is asked on ports where DNS is not expected.
    """
    message = parse_message(data)
    if message is None or message.problem or message.size != len(data) or len(message.questions) != 1:
        return False
    question = message.questions[0]
    known = not question.type.startswith("TYPE") and question.record_class in _CLASSES
    if data[3] & 0x40 or not known or "\\" in question.name:  # the bit that must be zero
        return False
    return message.response or (message.rcode & 15 == 0 and not message.authoritative and not message.answers)


def _kind_by_port(flow: FlowContext) -> str | None:
    return PORTS.get(flow.dst_port) or PORTS.get(flow.src_port)


def _may_begin(data: bytes) -> bool:
    """Whether a stream to a DNS port may begin so: a length that a message can have, and a header."""
    if len(data) >= 2 and int.from_bytes(data[:2], "big") < HEADER_SIZE:
        return False
    head = data[2 : 2 + HEADER_SIZE]
    return len(head) < HEADER_SIZE or _plausible(head)


def _plausible(head: bytes) -> bool:
    """Whether 12 octets can be a header: few questions, an operation that exists, and counts of a message under 64 KiB."""
    counts = [int.from_bytes(head[at : at + 2], "big") for at in (4, 6, 8, 10)]
    return counts[0] <= MAX_QUESTIONS and max(counts[1:]) <= MAX_COUNT and head[2] >> 3 & 15 in dns_text.OPCODES


class _Conversation:
    """What datagrams and streams share: messages to facts."""

    def __init__(self, flow: FlowContext, kind: str, transport: str, group: GroupQuestions) -> None:
        self._flow = flow
        self._kind = kind
        self._transactions = Transactions(flow, kind, transport, group)
        self._useless = 0
        self._hosts: set[tuple[str, str]] = set()

    def close(self, ts: int) -> None:
        """Tell the queries that stay without an answer."""
        self._transactions.close()

    def _take(self, direction: int, data: bytes, ts: int) -> bool:
        """One message. Returns DONE when too many in a row were none."""
        message = parse_message(data, self._kind)
        if message is None or not (message.questions or message.answers or not message.problem):
            self._useless += 1
            return self._useless < MAX_USELESS
        self._useless = 0
        if message.questions and self._flow.identity is None:
            question = message.questions[0]
            self._flow.identity = (self._kind, question.name.lower(), question.type)
        if self._kind in ("mdns", "nbns"):
            self._hear_hosts(direction, message, ts)
        if self._kind != "nbns" or message.opcode == dns_text.OPCODE_QUERY:  # registrations ask for nothing
            self._transactions.message(direction, message, ts)
        return MORE

    def _hear_hosts(self, direction: int, message: Message, ts: int) -> None:
        sender = self._flow.src_ip if direction == ORIGINATOR else self._flow.dst_ip
        for address, name, mac in own_names(self._kind, message, sender):
            if (address, name) not in self._hosts and len(self._hosts) < _MAX_HOSTS:
                self._hosts.add((address, name))
                self._flow.sink(HostName(self._flow.flow_id, ts, address, name, self._kind, mac))


class DnsDatagrams(_Conversation):
    """DNS over UDP: one message a datagram. A datagram that the capture cut gives what is there."""

    def __init__(self, flow: FlowContext, kind: str, group: GroupQuestions) -> None:
        super().__init__(flow, kind, "udp", group)

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """One datagram."""
        return self._take(direction, data, ts)

    def gap(self, direction: int, length: int) -> bool:
        """Datagrams do not depend on each other."""
        return MORE


class DnsStream(_Conversation):
    """DNS over TCP: each message behind its length in two octets (RFC 1035 § 4.2.2), several in a stream, split anywhere."""

    def __init__(self, flow: FlowContext, kind: str, group: GroupQuestions) -> None:
        super().__init__(flow, kind, "tcp", group)
        self._buffers = (bytearray(), bytearray())
        self._skip = [0, 0]  # octets of a message that are left out because some of it is missing
        self._lost = [False, False]  # after a gap nobody knows where the next message begins

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """The next bytes of a direction."""
        if self._lost[direction]:
            if not _looks_aligned(data):
                self._useless += 1
                return self._useless < MAX_USELESS
            self._lost[direction] = False
        skip = min(self._skip[direction], len(data))
        self._skip[direction] -= skip
        buffer = self._buffers[direction]
        buffer += memoryview(data)[skip:]
        at = 0
        while len(buffer) - at >= 2:
            end = at + 2 + int.from_bytes(buffer[at : at + 2], "big")
            if end > len(buffer):
                break
            if not self._take(direction, bytes(buffer[at + 2 : end]), ts):
                return DONE
            at = end
        del buffer[:at]
        return MORE

    def gap(self, direction: int, length: int) -> bool:
        """Missing bytes: inside one message it alone is lost; beyond its end the next beginning has to be recognised."""
        if self._lost[direction]:
            return MORE
        buffer = self._buffers[direction]
        left = self._skip[direction]
        if len(buffer) >= 2:
            left = 2 + int.from_bytes(buffer[:2], "big") - len(buffer)
        buffer.clear()
        self._skip[direction] = max(0, left - length)
        self._lost[direction] = length > left
        return MORE


def _looks_aligned(data: bytes) -> bool:
    """Whether a message begins at the first byte: its length and header make sense."""
    if len(data) < 2 + HEADER_SIZE:
        return False
    length = int.from_bytes(data[:2], "big")
    message = parse_message(data[2 : 2 + length])
    return message is not None and len(message.questions) == 1 and (not message.problem or length + 2 > len(data))

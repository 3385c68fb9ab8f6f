"""One DNS message: header, questions, answers (RFC 1035 § 4; EDNS RFC 6891; multicast RFC 6762; NetBIOS names RFC 1002 § 4.2).

Reads what can be read. `problem` says why the rest could not; what came before it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from app.dpi import dns_text, netbios_names
from app.dpi.dns_rdata import rdata_text
from app.dpi.dns_reader import Cut, Malformed, Reader
from app.dpi.facts import DnsAnswer

HEADER_SIZE: Final = 12
MAX_QUESTIONS: Final = 64
MAX_ANSWERS: Final = 256  # of one section; a longer answer is kept to here
MAX_COUNT: Final = 4096  # records a header may announce in a section before the message is doubted

_HEADER: Final = Struct(">6H")
_QUESTION: Final = Struct(">HH")
_RECORD: Final = Struct(">HHIH")  # type, class, TTL, length of the RDATA
_OPT: Final = 41
_CACHE_FLUSH: Final = (
    0x8000  # of a class in multicast DNS; in a question: unicast answer wanted (RFC 6762 § 18.12, 18.13)
)


@dataclass(slots=True)
class Question:
    """What is asked for."""

    name: str
    type: str
    record_class: int = 1


@dataclass(slots=True)
class Message:
    """One message. `size`: octets it took; more may follow in a datagram that carries something else behind it."""

    id: int
    response: bool
    opcode: int
    rcode: int
    authoritative: bool
    truncated: bool
    questions: list[Question] = field(default_factory=list)
    answers: list[DnsAnswer] = field(default_factory=list)
    additional: list[DnsAnswer] = field(default_factory=list)  # only of multicast DNS and NetBIOS names
    unit: bytes | None = None  # MAC address in a NetBIOS node status
    edns: bool = False
    size: int = 0
    problem: str | None = None


def parse_message(data: bytes, kind: str = "dns") -> Message | None:
    """Read a message of `kind` dns, mdns, llmnr or nbns; None when the first 12 octets are no header of one."""
    if len(data) < HEADER_SIZE:
        return None
    number, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(data)
    opcode = flags >> 11 & 15
    if questions > MAX_QUESTIONS or (kind != "nbns" and opcode not in dns_text.OPCODES):
        return None
    doubtful = max(answers, authorities, additionals) > MAX_COUNT
    message = Message(number, flags > 0x7FFF, opcode, flags & 15, flags & 0x400 != 0, flags & 0x200 != 0)
    reader = Reader(data, HEADER_SIZE, utf8=kind == "mdns")
    try:
        _questions(message, reader, kind, questions)
        if (
            opcode != dns_text.OPCODE_UPDATE or kind == "nbns"
        ):  # an update's second section holds conditions (RFC 2136 § 2)
            _records(message, reader, kind, answers, message.answers)
        else:
            authorities += answers
        _others(message, reader, kind, authorities, additionals)
    except Malformed as problem:
        message.problem = str(problem)
    message.size = reader.at
    return None if doubtful and not _ordinary_question(message) else message


def _ordinary_question(message: Message) -> bool:
    """Whether it asks for a known type of the Internet class: then a header with absurd counts is one, only damaged."""
    first = message.questions[:1]
    return bool(first) and first[0].record_class == 1 and not first[0].type.startswith("TYPE")


def _questions(message: Message, reader: Reader, kind: str, count: int) -> None:
    for _ in range(count):
        name = netbios_names.read_name(reader) if kind == "nbns" else reader.name()
        if reader.at + 4 > len(reader.data):
            raise Cut("it ends inside a question")
        record_type, record_class = _QUESTION.unpack_from(reader.data, reader.at)
        reader.at += 4
        if kind == "mdns":
            record_class &= ~_CACHE_FLUSH
        message.questions.append(Question(name, dns_text.type_name(record_type, kind == "nbns"), record_class))


def _records(message: Message, reader: Reader, kind: str, count: int, into: list[DnsAnswer]) -> None:
    """Read `count` records; after MAX_ANSWERS they are only walked over."""
    for index in range(count):
        if index >= MAX_ANSWERS:
            _skip(message, reader, count - index)
            return
        name = netbios_names.read_name(reader) if kind == "nbns" else reader.name()
        if reader.at + 10 > len(reader.data):
            raise Cut("it ends inside a record")
        record_type, record_class, ttl, length = _RECORD.unpack_from(reader.data, reader.at)
        reader.at += 10
        if record_type == _OPT:
            _opt(message, reader, ttl, length)
            continue
        kind_name = dns_text.type_name(record_type, kind == "nbns")
        if kind == "nbns" and kind_name in ("NB", "NBSTAT"):
            values, message.unit = netbios_names.read_rdata(reader, kind_name, length)
            into += [DnsAnswer(name, kind_name, ttl, value) for value in values]
            continue
        if kind == "mdns":
            record_class &= ~_CACHE_FLUSH
        into.append(DnsAnswer(name, kind_name, ttl, rdata_text(reader, kind_name, record_class, length)))


def _others(message: Message, reader: Reader, kind: str, authorities: int, additionals: int) -> None:
    """Walk over the sections behind the answers; EDNS and what hosts say of themselves stands there."""
    if kind in ("mdns", "nbns"):
        _skip(message, reader, authorities)
        _records(message, reader, kind, additionals, message.additional)
    elif authorities or additionals:
        _skip(message, reader, authorities + additionals)


def _skip(message: Message, reader: Reader, count: int) -> None:
    for _ in range(count):
        reader.skip_name()
        reader.spend()
        if reader.at + 10 > len(reader.data):
            raise Cut("it ends inside a record")
        record_type, _, ttl, length = _RECORD.unpack_from(reader.data, reader.at)
        reader.at += 10
        if record_type == _OPT:
            _opt(message, reader, ttl, length)
        elif reader.at + length > len(reader.data):
            raise Cut("it ends inside a record")
        else:
            reader.at += length


def _opt(message: Message, reader: Reader, ttl: int, length: int) -> None:
    """The OPT pseudo-record: its TTL field holds the upper bits of the response code (RFC 6891 § 6.1.3)."""
    message.edns = True
    message.rcode |= ttl >> 24 << 4
    reader.take(length)

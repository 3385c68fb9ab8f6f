"""Questions and their answers: finds for each response the query it belongs to, and says which queries nobody answered.

A query sent again soon and before it was answered is the same transaction, timed from the first sending; sent again after resolvers'
usual patience, it is another one and the first stays unanswered. A response sent again is told once.
Queries to a group (multicast DNS, LLMNR, NetBIOS broadcasts) are answered in another flow: `GroupQuestions` joins those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeVar

from app.dpi.dns_message import Message, Question
from app.dpi.dns_text import rcode_name
from app.dpi.facts import Action, DnsAnswer, DnsTransaction
from app.dpi.inspector import RESPONDER, FlowContext

MAX_PENDING: Final = 64  # queries of one flow that wait; the oldest is given up for the next
MAX_ANSWERED: Final = 64  # answers of one flow remembered to know repetitions
TIMEOUT_NS: Final = 30_000_000_000  # of the messages' clock: nobody waits longer for an answer
REPEAT_NS: Final = 5_000_000_000  # the same query within this time is one that was sent again
MAX_GROUP_QUESTIONS: Final = 1024
MAX_ASKERS: Final = 16  # flows waiting for the same answer

_V = TypeVar("_V")


class Key(NamedTuple):
    """What makes a query the one that a response answers."""

    direction: int  # of the query
    id: int
    name: str  # lower case: servers may answer in other letters
    type: str
    record_class: int


class GroupKey(NamedTuple):
    """What identifies a question to a group: the asker's end and number, or in multicast DNS the group itself."""

    kind: str
    address: str
    port: int
    id: int
    name: str
    type: str


class GroupQuestions:
    """Questions to a group that wait, of all flows of a capture."""

    def __init__(self, capacity: int = MAX_GROUP_QUESTIONS) -> None:
        self._capacity = capacity
        self._askers: dict[GroupKey, list[tuple[Transactions, Key]]] = {}

    def __len__(self) -> int:
        return len(self._askers)

    def ask(self, group_key: GroupKey, asker: Transactions, key: Key) -> None:
        """Somebody waits for this answer."""
        waiting = [entry for entry in self._askers.pop(group_key, ()) if entry[0].waits_for(entry[1])]
        self._askers[group_key] = [*waiting[-MAX_ASKERS + 1 :], (asker, key)]
        if len(self._askers) > self._capacity:
            del self._askers[next(iter(self._askers))]

    def take(self, group_key: GroupKey, server: str) -> list[tuple[Transactions, Key]]:
        """Those who waited for this answer of `server`; they are forgotten. Nobody answers himself: that is a probe and its claim."""
        waiting = self._askers.pop(group_key, [])
        own = [entry for entry in waiting if entry[0].asker_of(entry[1]) == server]
        if own:
            self._askers[group_key] = own
        return [entry for entry in waiting if entry not in own]


class Transactions:
    """The open queries of one flow."""

    def __init__(self, flow: FlowContext, kind: str, transport: str, group: GroupQuestions) -> None:
        self._flow = flow
        self._kind = kind
        self._transport = transport
        self._group = group
        self._pending: dict[Key, DnsTransaction] = {}
        self._answered: dict[Key, int] = {}  # when
        self._said: dict[
            Key, tuple[str, str]
        ] = {}  # what the first answers to addresses said, for plain DNS: code and addresses, TTLs

    def message(self, direction: int, message: Message, ts: int) -> None:
        """Take a message that `direction` sent at `ts` (ns)."""
        self._give_up(ts)
        if not message.response:
            for question in message.questions:
                self._asked(direction, message, question, ts)
        elif self._kind == "mdns":
            self._said_to_group(direction, message, ts)
        elif message.questions:
            for index, question in enumerate(message.questions):
                self._answer(direction, message, question, _answers_of(message, question, index), ts)
        elif not self._answer_by_number(direction, message, ts) and message.answers:
            first = message.answers[0]
            self._answer(direction, message, Question(first.name, first.type), message.answers, ts)

    def close(self) -> None:
        """The flow ended: nobody will answer any more."""
        while self._pending:
            self._flow.sink(self._pending.pop(next(iter(self._pending))))

    def waits_for(self, key: Key) -> bool:
        """Whether this query has no answer yet."""
        return key in self._pending

    def asker_of(self, key: Key) -> str | None:
        """The client of a query that waits."""
        record = self._pending.get(key)
        return record.client if record else None

    def _asked(self, direction: int, message: Message, question: Question, ts: int) -> None:
        key = _key(direction, message, question)
        waiting = self._pending.get(key)
        if waiting is not None:
            if ts - waiting.ts <= REPEAT_NS:
                return
            self._flow.sink(self._pending.pop(key))
        self._pending[key] = self._record(direction, message, question, ts)
        self._answered.pop(key, None)
        self._said.pop(key, None)
        if len(self._pending) > MAX_PENDING:
            self._flow.sink(self._pending.pop(next(iter(self._pending))))
        self._group_ask(direction, key)

    def _group_ask(self, direction: int, key: Key) -> None:
        if self._kind != "dns":
            client, port, server, _ = self._ends(direction)
            if self._kind == "mdns":
                client, port = server, 0
            self._group.ask(GroupKey(self._kind, client, port, key.id, key.name, key.type), self, key)

    def _answer(self, direction: int, message: Message, question: Question, answers: list[DnsAnswer], ts: int) -> None:
        """A response with its question: end the query in this flow, or in the flow that asked a group, or tell it alone."""
        key = _key(1 - direction, message, question)
        if self.answered(key, message, answers, ts):
            return
        server, _, client, port = self._ends(direction)
        if self._kind != "dns":
            group_key = GroupKey(self._kind, client, port, key.id, key.name, key.type)
            if self._end_group(group_key, message, answers, ts, server):
                return
        if key in self._answered:
            self._compare(direction, key, message, answers, ts)
            return
        self._remember(key, ts, message, answers)
        record = self._record(1 - direction, message, question, ts)
        _complete(record, message, answers, None)
        self._flow.sink(record)

    def answered(self, key: Key, message: Message, answers: list[DnsAnswer], ts: int, server: str = "") -> bool:
        """End the query of `key`, if it waits. `server`: who answered, where a group was asked."""
        record = self._pending.pop(key, None)
        if record is None:
            return False
        _complete(record, message, answers, ts - record.ts)
        if server:
            record.server = server
        if self._kind != "mdns":
            self._remember(key, ts, message, answers)
        self._flow.sink(record)
        return True

    def _answer_by_number(self, direction: int, message: Message, ts: int) -> bool:
        """A response without a question (errors; later messages of a zone transfer) belongs to the query of its number."""
        for key in self._pending:
            if key.direction != direction and key.id == message.id:
                return self.answered(key, message, message.answers, ts)
        return any(key.direction != direction and key.id == message.id for key in self._answered)

    def _said_to_group(self, direction: int, message: Message, ts: int) -> None:
        """Multicast DNS: the records of one response answer every question that waits for them (RFC 6762 § 6)."""
        server, _, group, _ = self._ends(direction)
        asked = False
        for name, types in _by_name(message.answers).items():
            for wanted in (*types, "ANY"):
                answers = [a for a in message.answers if a.name.lower() == name and wanted in (a.type, "ANY")]
                key = GroupKey("mdns", group, 0, message.id, name, wanted)
                asked |= self._end_group(key, message, answers, ts, server)
                unicast = Key(1 - direction, message.id, name, wanted, 1)
                asked |= self.answered(unicast, message, answers, ts)
        if not asked and message.answers:
            first = message.answers[0]
            record = self._record(1 - direction, message, Question(first.name, first.type), ts)
            _complete(record, message, message.answers, None)
            self._flow.sink(record)

    def _end_group(self, key: GroupKey, message: Message, answers: list[DnsAnswer], ts: int, server: str) -> bool:
        ended = [asker.answered(asked, message, answers, ts, server) for asker, asked in self._group.take(key, server)]
        return any(ended)

    def _remember(self, key: Key, ts: int, message: Message, answers: list[DnsAnswer]) -> None:
        self._answered.pop(key, None)
        self._answered[key] = ts
        if len(self._answered) > MAX_ANSWERED:
            oldest = next(iter(self._answered))
            del self._answered[oldest]
            self._said.pop(oldest, None)
        if self._kind == "dns" and key.type in ("A", "AAAA", "CNAME", "MX", "NS"):
            self._said[key] = _what_is_said(message, answers)

    def _compare(self, direction: int, key: Key, message: Message, answers: list[DnsAnswer], ts: int) -> None:
        """Another answer to a question that was answered: a repetition says the same, a forged one does not."""
        before = self._said.get(key)
        now = _what_is_said(message, answers)
        if before is None or before[0] == now[0]:
            return
        details = {"first": before[0], "second": now[0], "first_ttl": before[1], "second_ttl": now[1], "type": key.type}
        self._flow.sink(Action(self._flow.flow_id, ts, "dns", "second_answer", key.name, direction, details))

    def _give_up(self, ts: int) -> None:
        for key, since in _oldest(self._answered):
            if ts - since <= TIMEOUT_NS:
                break
            del self._answered[key]
            self._said.pop(key, None)
        for key, record in _oldest(self._pending):
            if ts - record.ts <= TIMEOUT_NS:
                break
            del self._pending[key]
            self._flow.sink(record)

    def _ends(self, direction: int) -> tuple[str, int, str, int]:
        """Address and port of the sender, then of the receiver."""
        flow = self._flow
        if direction == RESPONDER:
            return flow.dst_ip, flow.dst_port, flow.src_ip, flow.src_port
        return flow.src_ip, flow.src_port, flow.dst_ip, flow.dst_port

    def _record(self, direction: int, message: Message, question: Question, ts: int) -> DnsTransaction:
        """A record whose query `direction` sent or would have sent."""
        client, _, server, _ = self._ends(direction)
        record = DnsTransaction(self._flow.flow_id, ts, client, server, question.name, question.type, None)
        record.transport = self._transport
        record.kind = self._kind
        record.edns = message.edns
        record.transaction_id = message.id
        return record


def _complete(record: DnsTransaction, message: Message, answers: list[DnsAnswer], latency_ns: int | None) -> None:
    """Fill in what the response says. A clock that went back gives no latency."""
    record.rcode = rcode_name(message.rcode)
    record.answers = answers
    record.latency_ns = latency_ns if latency_ns is not None and latency_ns >= 0 else None
    record.edns |= message.edns
    record.authoritative = message.authoritative
    record.truncated = message.truncated


def _what_is_said(message: Message, answers: list[DnsAnswer]) -> tuple[str, str]:
    """Code and sorted values of an answer, and its TTLs, in few characters."""
    values = sorted(answer.value for answer in answers)[:8]
    return " ".join((rcode_name(message.rcode), *values))[:256], " ".join(str(answer.ttl) for answer in answers[:8])


def _key(direction: int, message: Message, question: Question) -> Key:
    return Key(direction, message.id, question.name.lower(), question.type, question.record_class)


def _answers_of(message: Message, question: Question, index: int) -> list[DnsAnswer]:
    """All answers belong to the first question; further ones, which are rare, get those that carry their name."""
    if index == 0:
        return message.answers
    return [answer for answer in message.answers if answer.name.lower() == question.name.lower()]


def _by_name(answers: list[DnsAnswer]) -> dict[str, list[str]]:
    """The types of the answers by lower-case name."""
    types: dict[str, list[str]] = {}
    for answer in answers:
        known = types.setdefault(answer.name.lower(), [])
        if answer.type not in known:
            known.append(answer.type)
    return types


def _oldest(table: dict[Key, _V]) -> Iterator[tuple[Key, _V]]:
    """Entries from the oldest on, each of which may be deleted before the next is asked for."""
    while table:
        key = next(iter(table))
        yield key, table[key]
        if key in table:
            return

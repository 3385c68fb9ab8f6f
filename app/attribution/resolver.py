"""The chain for one end of a flow: what the kernel said → sock_diag → other network namespaces → unknown, with the reason.

Nothing is guessed: an answer is either about exactly these addresses and ports, or it says why there is none. What may still become better (a connection
that was not accepted, a socket that two processes hold for a moment) is marked and asked again.
"""

from __future__ import annotations

import time
from typing import Final

from app.attribution.other_namespaces import OtherNamespaces
from app.attribution.process_records import ProcessReader, ProcessRecord
from app.attribution.questions import End, Question
from app.attribution.sock_diag import LISTEN, Found, SocketTable, own_addresses
from app.attribution.socket_holders import SocketHolders, sees_all_processes
from app.attribution.task_table import TaskTable
from app.attribution.trace_book import Opened, TraceBook
from app.model.attribution import NAMESPACE, SOCK_DIAG, TRACE

TCP, UDP, RAW = 6, 17, 255
ICMP: Final = frozenset({1, 58})
ICMP_ASKED: Final = frozenset({(1, 8), (1, 13), (1, 15), (1, 17), (58, 128)})  # requests that programs send
SYN: Final = 2
SLACK_NS: Final = 5_000_000  # by which a packet's time may lie before the event that caused it
RAW_NS: Final = 500_000_000  # between a send on a raw socket and its packet
ADDRESS_SECONDS: Final = 2.0
SCAN_SECONDS: Final = 0.02  # of looking through descriptors for one batch
_MAPPED: Final = bytes(10) + b"\xff\xff"
_ZERO: Final = bytes(16)


class Resolver:
    """`book` and `sockets` are None where the system has no such thing. One thread."""

    def __init__(self, reader: ProcessReader, book: TraceBook | None, sockets: SocketTable | None) -> None:
        self._reader = reader
        self._book = book
        self._sockets = sockets
        self._tasks = book.tasks if book is not None else TaskTable(reader)
        self._holders = SocketHolders()
        self._others = OtherNamespaces(reader.own_namespace)
        self._own: frozenset[bytes] = frozenset()
        self._own_at = -1e9
        self._sees_all = sees_all_processes()
        self._found: dict[int, list[int]] = {}  # inode → holders, of this batch
        self._looked: dict[tuple[int, bool], Found | None] = {}  # (flow, end) → socket, of this batch
        self._events: dict[tuple[int, bool], End | None] = {}  # (flow, end) → what the kernel said, of this batch

    def begin(self, ends: list[tuple[Question, bool]]) -> None:
        """Look up the sockets of a batch together: descriptors are looked through once for all of them. `ends`: question, sender's end or not."""
        now = time.monotonic()
        if now - self._own_at > ADDRESS_SECONDS:
            self._own_at = now
            try:
                self._own = own_addresses()
            except OSError:
                self._own = frozenset()
        self._found, self._looked, self._events = {}, {}, {}
        inodes: dict[int, int] = {}
        for question, sender in ends:
            if self._told(question, sender) is None:
                found = self._socket(question, sender)
                if found is not None and found.inode:
                    inodes[found.inode] = found.uid
        if inodes:
            self._found = self._holders.find(inodes, inodes, SCAN_SECONDS)

    def is_own(self, address: bytes) -> bool:
        return address in self._own or (address.startswith(_MAPPED) and address[12] == 127)

    def end(self, question: Question, sender: bool) -> End | None:
        """Who has the end that sent the first packet, or the other one. None: that end is not on this machine."""
        local, port, remote, remote_port = _ends(question, sender)
        if question.protocol in ICMP:
            return self._echo(question, sender)
        if _is_group(local):
            return End(None, None, 0.0, "group", True)
        told = self._told(question, sender)
        if told is not None and (sender or question.protocol != TCP):
            return told
        found = self._socket(question, sender)
        if found is not None:
            answer = self._held(found, question, sender)
            if told is None or (answer.record is not None and answer.settled):
                return answer
        if told is not None:
            return told
        other = self._others.find(question.protocol, local, port, remote, remote_port)
        if other is not None and (elsewhere := self._elsewhere(*other)) is not None:
            return elsewhere
        return self._nobody(question, sender, local)

    # -- what the kernel said ------------------------------------------------------------------------------------------

    def _told(self, question: Question, sender: bool) -> End | None:
        if self._book is None:
            return None
        key = (question.flow_id, sender)
        if key not in self._events:
            self._events[key] = self._said(self._book, question, sender) if question.protocol not in ICMP else None
        return self._events[key]

    def _said(self, book: TraceBook, question: Question, sender: bool) -> End | None:
        local, port, remote, remote_port = _ends(question, sender)
        newest: Opened | None = None
        translated: Opened | None = None
        for opened in book.find((question.protocol, port, remote, remote_port)):
            if sender and opened.first and opened.at_ns > question.first_ns + SLACK_NS:
                continue  # the port was used again since
            if opened.source not in (_ZERO, local):
                if opened.record.namespace not in (0, self._reader.own_namespace) and sender:
                    translated = opened
                continue
            if self._fits(opened.record, local):
                newest = opened
        if newest is not None:
            return End(newest.record, TRACE, 1.0, None if newest.first else "accepted", True)
        if translated is not None and self.is_own(local) and self._socket(question, sender) is None:
            return End(translated.record, TRACE, 0.9, "translated", True)
        return None

    def _fits(self, record: ProcessRecord, local: bytes) -> bool:
        """Whether a process can have this address: the same address exists in every namespace's loopback."""
        own = self._reader.own_namespace
        if self.is_own(local):
            return record.namespace == own or (
                not record.namespace and not (_is_loopback(local) and self._others.any())
            )
        return not record.namespace or record.namespace != own

    def _echo(self, question: Question, sender: bool) -> End | None:
        """Requests come from programs, over ping or raw sockets, which have no ports; everything else is the system's."""
        local, _, remote, _ = _ends(question, sender)
        if not self.is_own(local) and not self._others.has(local):
            return None
        if (question.protocol, question.sport) not in ICMP_ASKED or not sender:
            return End(None, None, 0.0, "kernel", True) if self.is_own(local) else None
        return self._raw(question, local, remote, (question.protocol,)) or End(None, None, 0.0, "not_seen", False)

    def _raw(self, question: Question, local: bytes, remote: bytes, protocols: tuple[int, ...]) -> End | None:
        if self._book is None:
            return None
        near = [
            opened
            for protocol in protocols
            for opened in self._book.find((protocol, 0, remote, 0))
            if opened.at_ns - SLACK_NS <= question.first_ns <= opened.last_ns + RAW_NS
            and opened.source in (_ZERO, local)
            and self._fits(opened.record, local)
        ]
        programs = {opened.record for opened in near}
        if len(programs) == 1:
            return End(near[0].record, TRACE, 0.9, "raw", True)
        return End(None, None, 0.0, "several", True) if programs else None

    # -- whose socket it is now ----------------------------------------------------------------------------------------

    def _socket(self, question: Question, sender: bool) -> Found | None:
        key = (question.flow_id, sender)
        if key not in self._looked:
            self._looked[key] = self._look(question, sender)
        return self._looked[key]

    def _look(self, question: Question, sender: bool) -> Found | None:
        if self._sockets is None or question.protocol not in (TCP, UDP):
            return None
        local, port, remote, remote_port = _ends(question, sender)
        if not self.is_own(local) or _is_group(local):
            return None
        try:
            found = self._sockets.find(question.protocol, local, port, remote, remote_port)
        except OSError:
            return None
        if found is not None and found.state == LISTEN and question.protocol == TCP and sender and _begins(question):
            return None  # who sends a SYN does not listen: the port was used again
        return found

    def _held(self, found: Found, question: Question, sender: bool) -> End:
        waits = question.protocol == TCP and found.state == LISTEN
        if found.inode == 0:
            return End(None, None, 0.0, "closed", False)
        holders = self._found.get(found.inode)
        if holders is None:
            holders = self._holders.find([found.inode], {found.inode: found.uid}, SCAN_SECONDS).get(found.inode, [])
            self._found[found.inode] = holders
        records = [record for record in map(self._tasks.record, holders) if record is not None]
        if not records:
            return End(None, None, 0.0, "closed" if self._sees_all else "unreadable", False)
        if len(records) == 1:
            if waits:
                return End(records[0], SOCK_DIAG, 0.8, "listener", False)
            return End(records[0], SOCK_DIAG, 1.0, None, True)
        parents = {record.pid: record.parents[0].pid if record.parents else 0 for record in records}
        eldest = min(
            (r for r in records if parents[r.pid] not in parents), key=lambda r: r.start_ticks, default=records[0]
        )
        return End(eldest, SOCK_DIAG, 0.7, "listener" if waits else "shared", False)

    def _elsewhere(self, found: Found, namespace: int) -> End | None:
        pids = set(self._others.members(namespace))
        holders = [
            pid
            for pid in self._holders.find([found.inode], {found.inode: found.uid}, SCAN_SECONDS).get(found.inode, [])
            if pid in pids
        ]
        records = [record for record in map(self._tasks.record, holders) if record is not None]
        if not records:
            return None
        waits = found.state == LISTEN
        return End(records[0], NAMESPACE, 0.8 if waits else 0.9, "listener" if waits else None, not waits)

    def _nobody(self, question: Question, sender: bool, local: bytes) -> End | None:
        """No socket has this end."""
        own = self.is_own(local)
        if sender and (own or self._others.has(local)):
            raw = self._raw(question, local, question.target, (RAW, question.protocol))
            if raw is not None:
                return raw
        if not own:
            return End(None, None, 0.0, "closed" if sender else "not_seen", False) if self._others.has(local) else None
        if question.protocol not in (TCP, UDP):
            return End(None, None, 0.0, "kernel", True)
        if not sender and question.protocol == TCP and _begins(question):
            return End(None, None, 0.0, "not_listening", False)
        return End(None, None, 0.0, "closed" if sender else "not_seen", False)


def _ends(question: Question, sender: bool) -> tuple[bytes, int, bytes, int]:
    """(local address, port, remote address, port) seen from one end."""
    q = question
    return (q.source, q.sport, q.target, q.dport) if sender else (q.target, q.dport, q.source, q.sport)


def _begins(question: Question) -> bool:
    """SYN without ACK."""
    return question.flags & 0x12 == SYN


def _is_loopback(address: bytes) -> bool:
    return address[12] == 127 if address.startswith(_MAPPED) else address == bytes(15) + b"\1"


def _is_group(address: bytes) -> bool:
    """Multicast, or the limited broadcast."""
    if address.startswith(_MAPPED):
        return address[12] >= 224
    return address[0] == 0xFF

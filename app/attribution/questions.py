"""What the sensor asks and the broker answers, about the ends of a flow. Standard library only.

`{"type": "ask", "flows": [[flow_id, protocol, source, source port, target, target port, time of the first packet in ns, TCP flags], …]}` with addresses as
32 hexadecimal digits, and `{"type": "owners", "rows": […], "processes": […], "state": {…}}`. A row is `[flow_id, source end, target end]`, an end None
(nothing to say) or `[process, method, confidence, seen_after_ms, reason]`; `process` is the number of a record that came before, or None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.attribution.process_records import ProcessRecord

MAX_ASKED: Final = 400  # flows in one message
MAX_FLOWS_WAITING: Final = 4_096  # of the broker; more are answered `busy`

TRACE, SOCK_DIAG, NAMESPACE, POLLING = "trace", "sock_diag", "procfs", "polling"
METHODS: Final[dict[str, str]] = {
    TRACE: "the kernel said it while it happened",
    SOCK_DIAG: "the socket was looked up by its addresses",
    NAMESPACE: "the socket was found in another network namespace",
    POLLING: "the system's list of connections named it",
}
# Why an end has no program, or why the answer is not certain.
REASONS: Final[dict[str, str]] = {
    "forwarded": "Neither end is this machine: the traffic only passes through.",
    "closed": "The socket was closed before it could be looked up.",
    "kernel": "The system itself sends and answers this, not a program.",
    "not_listening": "Nothing on this machine listens there.",
    "several": "More than one program could have sent it.",
    "unreadable": "The socket belongs to another user's program; naming it needs more rights (start with sudo).",
    "busy": "Too many connections began at once; this one was not looked up.",
    "listener": "The program that listens; the connection was not accepted yet.",
    "accepted": "The program that used the accepted connection.",
    "shared": "Several processes share the socket; the one that passed it on is named.",
    "translated": "Seen behind address translation.",
    "raw": "Sent over a raw socket to this address.",
    "group": "Sent to many: every program that listens may have received it.",
    "not_seen": "No socket of this machine has these ends.",
    "tunnelled": "Inside a tunnel: its ends are not sockets of this machine.",
    "off": "Programs are not looked up (ATTRIBUTION=0).",
    "replay": "Programs are looked up in live capture only.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """The ends of a flow as its first packet has them. Addresses 16 bytes, IPv4 mapped. ICMP: the ports are type and counterpart."""

    flow_id: int
    protocol: int
    source: bytes
    sport: int
    target: bytes
    dport: int
    first_ns: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """Who has one end of a flow. `settled`: nothing better will come."""

    record: ProcessRecord | None
    method: str | None
    confidence: float
    reason: str | None
    settled: bool

    @property
    def rank(self) -> float:
        return self.confidence if self.record is not None else -1.0


def question_row(question: Question) -> list[Any]:
    q = question
    return [q.flow_id, q.protocol, q.source.hex(), q.sport, q.target.hex(), q.dport, q.first_ns, q.flags]


def parse_question(row: Any) -> Question:
    """Raises ValueError, TypeError."""
    flow_id, protocol, source, sport, target, dport, first_ns, flags = row
    numbers = (flow_id, protocol, sport, dport, first_ns, flags)
    ends = bytes.fromhex(source), bytes.fromhex(target)
    if not all(type(number) is int and 0 <= number < 1 << 64 for number in numbers) or {len(end) for end in ends} != {
        16
    }:
        raise ValueError("a question has a number or an address that makes no sense")
    if protocol > 255 or sport > 0xFFFF or dport > 0xFFFF:
        raise ValueError("a question has a port or protocol that makes no sense")
    return Question(flow_id, protocol, ends[0], sport, ends[1], dport, first_ns, flags)


def process_row(number: int, record: ProcessRecord) -> dict[str, Any]:
    """A record as it crosses the links."""
    return {
        "process": number,
        "pid": record.pid,
        "name": record.name,
        "path": record.path,
        "command_line": record.command_line,
        "user": record.user,
        "start_ns": record.start_ns,
        "parents": [[ancestor.pid, ancestor.name] for ancestor in record.parents],
        "container": record.container,
        "unit": record.unit,
        "complete": record.complete,
    }
